//! Similarities through five points, and the faces that they cut out.

use skyreels_core::golden::{Golden, Report, Tolerance};
use skyreels_core::resize::{Interpolation, resize_opencv};

use super::draw::points;
use crate::align::{Affine, arcface_face, arcface_similarity, inverse_similarity, robust_similarity, warp_affine};
use crate::{Error, Result};

/// What lies outside of the picture, in the order of the file's channels.
const BORDER: [u8; 3] = [135, 133, 132];
/// The original's own matrices are good to 1e-6, which turns the rounding of a few pixels by one grey level.
const TURNED_ROUNDING: Tolerance = Tolerance::Relative(1e-3);

pub(super) fn run(file: &Golden) -> Result<Report> {
    let picture = super::picture(&file.input("image_u8")?)?;
    let faces: Vec<[[f64; 2]; 5]> = points(&file.input("landmarks")?).as_chunks().0.to_vec();
    let template = |name: &str| -> Result<[[f64; 2]; 5]> {
        let wrong = |_| Error::invalid("golden file", format!("`{name}` must be five points"));
        points(&file.input(name)?).try_into().map_err(wrong)
    };
    let (square, restored) = (template("facexlib_reference_square")?, template("restore_helper_template")?);
    let mut report = Report::new(file);
    for name in file.outputs() {
        let Some(expected) = file.expected(&name)? else { continue };
        let [height, width] = [0, 1].map(|axis| expected.values.shape.get(axis).copied().unwrap_or(0) as u32);
        let face = |index: &str| index.parse().ok().and_then(|index: usize| faces.get(index));
        let cut = |affine: Affine, border| Some(warp_affine(&picture, &affine, [width, height], border));
        let mut tolerance = TURNED_ROUNDING;
        let drawn = if let Some(index) = name.strip_prefix("facexlib_warp_") {
            face(index).and_then(|face| cut(inverse_similarity(face, &square)?, [0; 3]))
        } else if let Some(index) = name.strip_prefix("restore_helper_face_") {
            // On the original's own matrix every pixel must be the same.
            tolerance = Tolerance::Exact;
            let theirs = file.expected("restore_helper_affine")?.map(|expected| expected.values.data);
            let rows = theirs.as_ref().map_or(&[][..], |data| data.as_chunks::<3>().0);
            let affine = index.parse().ok().and_then(|index: usize| rows.as_chunks::<2>().0.get(index));
            affine.and_then(|affine| cut(*affine, BORDER))
        } else if let Some((sides, index)) = name.strip_prefix("norm_crop_").and_then(|rest| rest.rsplit_once('_')) {
            let (side, then) = sides.split_once("_then_").unwrap_or((sides, sides));
            let crop = face(index).zip(side.parse().ok()).and_then(|(face, side)| arcface_face(&picture, face, side));
            match crop.zip(then.parse().ok()) {
                Some((crop, side)) => Some(resize_opencv(&crop, side, side, Interpolation::Linear)?),
                None => None,
            }
        } else {
            None
        };
        if let Some(frame) = drawn {
            let pixels: Vec<f64> = frame.as_raw().iter().map(|v| f64::from(*v)).collect();
            let shape = [frame.height() as usize, frame.width() as usize, 3];
            report.compare_values(file, &name, &shape, &pixels, tolerance)?;
            continue;
        }
        let each = |similarity: &dyn Fn(&[[f64; 2]; 5]) -> Option<Affine>| {
            let affines = faces.iter().map(|face| similarity(face).unwrap_or([[f64::NAN; 3]; 2]));
            affines.flat_map(|affine| affine.into_iter().flatten()).collect::<Vec<f64>>()
        };
        let (values, tolerance) = if let Some(side) = name.strip_prefix("estimate_norm_") {
            let Ok(side) = side.parse() else { continue };
            (each(&|face| arcface_similarity(face, side)), Tolerance::Reference)
        } else if name == "facexlib_similarity" {
            (each(&|face| inverse_similarity(face, &square)), Tolerance::Reference)
        } else if name == "restore_helper_affine" {
            (each(&|face| Some(robust_similarity(face, &restored)?.0)), Tolerance::Reference)
        } else if name == "restore_helper_inliers" {
            let inliers =
                faces.iter().map(|face| robust_similarity(face, &restored).map_or(Vec::new(), |found| found.1));
            let flags = inliers.flat_map(|inliers| (0..5).map(move |i| f64::from(u8::from(inliers.contains(&i)))));
            (flags.collect(), Tolerance::Exact)
        } else {
            continue;
        };
        report.compare_values(file, &name, &expected.values.shape, &values, tolerance)?;
    }
    Ok(report.finish(file))
}
