//! Lines, circles, guide drawings and pupil maps.

use skyreels_core::Frame;
use skyreels_core::golden::{Golden, Report, Tolerance, Values};

use crate::draw::{self, Border};
use crate::{Error, Result};

/// Runs every case whose inputs are there.
pub(super) fn run(file: &Golden) -> Result<Report> {
    let mut report = Report::new(file);
    for name in file.outputs() {
        if let Some(frame) = drawing(file, &name)? {
            let shape = [frame.height() as usize, frame.width() as usize, 3];
            let pixels: Vec<f64> = frame.as_raw().iter().map(|v| f64::from(*v)).collect();
            report.compare_values(file, &name, &shape, &pixels, Tolerance::Exact)?;
        } else if let Some(case) = name.strip_prefix("affine_").filter(|case| !case.ends_with("_inliers")) {
            affine(file, case, &mut report)?;
        }
    }
    Ok(report.finish(file))
}

/// The picture behind an answer; `None` when the answer is no picture that is known here.
fn drawing(file: &Golden, name: &str) -> Result<Option<Frame>> {
    let Some(expected) = file.expected(name)? else { return Ok(None) };
    let &[height, width, 3] = expected.values.shape.as_slice() else { return Ok(None) };
    let size = [width as u32, height as u32];
    if file.has_input(&format!("{name}_segments")) {
        return segments(file, name, size).map(Some);
    }
    if name == "circles" {
        return circles(file, size).map(Some);
    }
    let Some(case) = name.strip_prefix("image_") else { return Ok(None) };
    if file.has_input(&format!("pupils_{case}")) {
        let [right, left] = points(&file.input(&format!("pupils_{case}"))?)[..] else {
            return Err(Error::invalid("golden file", format!("pupils_{case} must be two points")));
        };
        let face = mesh(file, &points(&file.input(&format!("points_{case}"))?))?;
        return draw::guide3d(&face, [Some(right), Some(left)], size, Border::Original).map(Some);
    }
    if file.has_input(&format!("points_{case}")) {
        let landmarks: Vec<_> =
            points(&file.input(&format!("points_{case}"))?).iter().map(|p| p.map(|v| v as f32)).collect();
        return draw::guide2d(&landmarks, size, Border::Original).map(Some);
    }
    Ok(None)
}

/// x and y of each row.
fn points(values: &Values) -> Vec<[f64; 2]> {
    let width = values.shape.last().copied().unwrap_or(1).max(1);
    values.data.chunks(width).filter_map(|row| Some([*row.first()?, *row.get(1)?])).collect()
}

/// Points of the original's 105-point list, put in their places of the mesh.
fn mesh(file: &Golden, listed: &[[f64; 2]]) -> Result<Vec<[f64; 2]>> {
    let places = file.input("index_mapping")?;
    let mut face = vec![[f64::NAN; 2]; crate::LANDMARKS];
    for (place, point) in places.data.iter().zip(listed) {
        if let Some(slot) = face.get_mut(*place as usize) {
            *slot = *point;
        }
    }
    Ok(face)
}

fn segments(file: &Golden, name: &str, size: [u32; 2]) -> Result<Frame> {
    let thickness = name.strip_prefix("thick").and_then(|digits| digits.parse().ok()).unwrap_or(1);
    let (ends, colors) = (file.input(&format!("{name}_segments"))?, file.input(&format!("{name}_colors"))?);
    let mut canvas = Frame::new(size[0], size[1]);
    for (ends, color) in ends.data.as_chunks::<4>().0.iter().zip(colors.data.as_chunks::<3>().0) {
        let [x0, y0, x1, y1] = ends.map(|v| v as i32);
        draw::thick_line(&mut canvas, [x0, y0], [x1, y1], color.map(|v| v as u8), thickness);
    }
    Ok(canvas)
}

fn circles(file: &Golden, size: [u32; 2]) -> Result<Frame> {
    let (circles, colors) = (file.input("circles_x_y_r_filled")?, file.input("circle_colors")?);
    let mut canvas = Frame::new(size[0], size[1]);
    for (circle, color) in circles.data.as_chunks::<4>().0.iter().zip(colors.data.as_chunks::<3>().0) {
        let [x, y, radius, filled] = circle.map(|v| v as i32);
        draw::circle(&mut canvas, [x, y], radius as u16, color.map(|v| v as u8), filled != 0);
    }
    Ok(canvas)
}

/// A pupil map and the points that support it; OpenCV's last refinement leaves 1e-7 of freedom.
fn affine(file: &Golden, case: &str, report: &mut Report) -> Result<()> {
    let side = |end: &str| -> Result<Vec<[f32; 2]>> {
        let values = file.input(&format!("affine_{case}_{end}"))?;
        Ok(points(&values).iter().map(|p| p.map(|v| v as f32)).collect())
    };
    let Some((map, inliers)) = draw::estimate_affine(&side("src")?, &side("dst")?) else { return Ok(()) };
    let support: Vec<f64> = inliers.iter().map(|inlier| f64::from(u8::from(*inlier))).collect();
    let name = format!("affine_{case}");
    report.compare_values(file, &name, &[2, 3], map.as_flattened(), Tolerance::Relative(AFFINE_TOLERANCE))?;
    report.compare_values(file, &format!("{name}_inliers"), &[support.len()], &support, Tolerance::Exact)?;
    Ok(())
}

const AFFINE_TOLERANCE: f64 = 1e-7;
