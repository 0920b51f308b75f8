//! Lines, circles and guide drawings.

use skyreels_core::Frame;
use skyreels_core::golden::{Golden, Report, Tolerance, Values};
use skyreels_core::resize::{Interpolation, resize_opencv};

use super::{affine, render};
use crate::draw::{self, Border};
use crate::flame::MEDIAPIPE_POINTS;
use crate::{Error, LANDMARKS, Result};

/// Side of the canvas on which one of the original's drawings is made before it is resized.
const BIG_CANVAS: [u32; 2] = [512, 512];

/// Runs every case whose inputs are there.
pub(super) fn run(file: &Golden) -> Result<Report> {
    let mut report = Report::new(file);
    if file.has_input("vertices") {
        render::run(file, &mut report)?;
    }
    for name in file.outputs() {
        if let Some(frame) = drawing(file, &name)? {
            compare(file, &name, &frame, &mut report)?;
        } else if let Some(case) = name.strip_prefix("affine_").filter(|case| !case.ends_with("_inliers")) {
            affine::run(file, case, &mut report)?;
        }
    }
    Ok(report.finish(file))
}

/// Compares a drawing with the original's, pixel by pixel.
pub(super) fn compare(file: &Golden, name: &str, frame: &Frame, report: &mut Report) -> Result<()> {
    let shape = [frame.height() as usize, frame.width() as usize, 3];
    let pixels: Vec<f64> = frame.as_raw().iter().map(|v| f64::from(*v)).collect();
    Ok(report.compare_values(file, name, &shape, &pixels, Tolerance::Exact)?)
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
    if let Some(case) = name.strip_prefix("image_").filter(|case| file.has_input(&format!("points_{case}"))) {
        return guide(file, case, size).map(Some);
    }
    match whole_face(file, name)? {
        Some((kind, from, face)) => other_drawing(kind, from, &face, size),
        None => Ok(None),
    }
}

/// A frame of the guide clip: 3-D where the pupils are given, 2-D else.
fn guide(file: &Golden, case: &str, size: [u32; 2]) -> Result<Frame> {
    let given = points(&file.input(&format!("points_{case}"))?);
    if !file.has_input(&format!("pupils_{case}")) {
        return draw::guide2d(&single(&given), size, Border::Original);
    }
    let [right, left] = points(&file.input(&format!("pupils_{case}"))?)[..] else {
        return Err(Error::invalid("golden file", format!("pupils_{case} must be two points")));
    };
    draw::guide3d(&from_listed(&given), [Some(right), Some(left)], size, Border::Original)
}

/// Name of a drawing, size of the picture its points belong to, and the points in pixels.
type Request<'a> = (&'a str, [u32; 2], Vec<[f64; 2]>);

/// What an answer named `KIND_WxH...` asks for; its points are numbered in the order of the sizes.
fn whole_face<'a>(file: &Golden, name: &'a str) -> Result<Option<Request<'a>>> {
    let Some((kind, size)) = kind_and_size(name) else { return Ok(None) };
    let outputs = file.outputs();
    let mut sizes: Vec<[u32; 2]> = outputs.iter().filter_map(|other| Some(kind_and_size(other)?.1)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let place = sizes.iter().position(|other| *other == size).map(|place| format!("points_{place}"));
    match place.filter(|input| file.has_input(input)) {
        Some(input) => Ok(Some((kind, size, points(&file.input(&input)?)))),
        None => Ok(None),
    }
}

/// Splits `KIND_WxH` and `KIND_WxH_to_...`.
fn kind_and_size(name: &str) -> Option<(&str, [u32; 2])> {
    let head = name.split_once("_to_").map_or(name, |(head, _)| head);
    let (kind, size) = head.rsplit_once('_')?;
    let (width, height) = size.split_once('x')?;
    Some((kind, [width.parse().ok()?, height.parse().ok()?]))
}

/// One of the original's drawings that the guide clip does not use.
fn other_drawing(kind: &str, from: [u32; 2], face: &[[f64; 2]], size: [u32; 2]) -> Result<Option<Frame>> {
    let relative: Vec<[f32; 2]> =
        face.iter().map(|point| [0, 1].map(|axis| (point[axis] / f64::from(from[axis])) as f32)).collect();
    Ok(Some(match kind {
        "draw_landmarks" => resize_opencv(
            &draw::whole_face2d(&relative, BIG_CANVAS, Border::Original)?,
            size[0],
            size[1],
            Interpolation::Linear,
        )?,
        "v2" | "v3" => draw::whole_face2d(&relative, size, Border::Original)?,
        "mask" => draw::face_mask(&single(face), size)?,
        "three_d" => draw::contours3d(face, size)?,
        _ => return Ok(None),
    }))
}

/// x and y of each row.
pub(super) fn points(values: &Values) -> Vec<[f64; 2]> {
    let width = values.shape.last().copied().unwrap_or(1).max(1);
    values.data.chunks(width).filter_map(|row| Some([*row.first()?, *row.get(1)?])).collect()
}

/// Points in single precision.
pub(super) fn single(points: &[[f64; 2]]) -> Vec<[f32; 2]> {
    points.iter().map(|point| point.map(|v| v as f32)).collect()
}

/// Points of the original's list, put in their places of the mesh; the others are nowhere.
pub(super) fn from_listed(listed: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut face = vec![[f64::NAN; 2]; LANDMARKS];
    for (place, point) in MEDIAPIPE_POINTS.into_iter().zip(listed) {
        face[place] = *point;
    }
    face
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
