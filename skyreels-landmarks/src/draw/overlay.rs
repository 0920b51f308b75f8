//! Faces shown to people: points, contours, box and pose over the picture they were found in.

use skyreels_core::Frame;

use super::contours::parts_2d;
use super::line::Color;
use super::thick::{circle, thick_line};
use crate::Face;
use crate::retarget::camera::Camera;

/// What an overlay shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlay {
    /// All 478 points.
    pub points: bool,
    /// Face oval, brows, eyes, irises and lips.
    pub contours: bool,
    /// The detector's box.
    pub bbox: bool,
    /// The head's axes at its origin: red to the person's left, green up, blue out of the face.
    pub axes: bool,
}

impl Default for Overlay {
    fn default() -> Self {
        Self { points: true, contours: true, bbox: false, axes: true }
    }
}

const POINT: Color = [255, 255, 255];
const BOX: Color = [255, 220, 0];
const AXES: [Color; 3] = [[230, 40, 40], [40, 200, 60], [60, 90, 250]];
/// Length of the axes in centimetres.
const AXIS_LENGTH: f64 = 7.0;
/// Lines are one pixel thick for this many rows of the picture, and thicker with it.
const ROWS_PER_PIXEL: u32 = 360;
/// Points further outside than this many picture sizes are not drawn towards.
const FAR: f32 = 2.0;

impl Overlay {
    /// Draws a face over the picture it was found in.
    ///
    /// Whatever lies outside of the picture is cut off; a face with missing points is drawn as far as it goes.
    pub fn draw(&self, picture: &mut Frame, face: &Face) {
        let (width, height) = picture.dimensions();
        let thickness = (height / ROWS_PER_PIXEL).clamp(1, 16) as u16;
        let pixel = |[x, y]: [f32; 2]| {
            let near = (-FAR..=1.0 + FAR).contains(&x) && (-FAR..=1.0 + FAR).contains(&y);
            near.then(|| [(x * width as f32).floor() as i32, (y * height as f32).floor() as i32])
        };
        let landmark = |i: usize| face.landmarks.get(i).and_then(|[x, y, _]| pixel([*x, *y]));
        let mut stroke = |from: Option<[i32; 2]>, to: Option<[i32; 2]>, color| {
            if let (Some(from), Some(to)) = (from, to) {
                thick_line(picture, from, to, color, thickness);
            }
        };
        if self.bbox {
            let [left, top, right, bottom] = face.bbox;
            let corners = [[left, top], [right, top], [right, bottom], [left, bottom]].map(pixel);
            (0..4).for_each(|i| stroke(corners[i], corners[(i + 1) % 4], BOX));
        }
        if self.contours {
            for part in parts_2d(true) {
                part.edges().for_each(|[from, to]| stroke(landmark(from), landmark(to), part.color));
            }
        }
        if self.axes {
            let camera = Camera::of([width, height]);
            let end = |direction: Option<usize>| {
                let place = |row: usize| {
                    let along = direction.map_or(0.0, |axis| AXIS_LENGTH * f64::from(face.matrix[row][axis]));
                    f64::from(face.matrix[row][3]) + along
                };
                camera.project([place(0), place(1), place(2)]).and_then(|point| pixel(point.map(|v| v as f32)))
            };
            AXES.into_iter().enumerate().for_each(|(axis, color)| stroke(end(None), end(Some(axis)), color));
        }
        if self.points {
            for point in (0..face.landmarks.len()).filter_map(landmark) {
                circle(picture, point, thickness - 1, POINT, true);
            }
        }
    }
}
