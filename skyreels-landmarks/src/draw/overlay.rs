//! Faces shown to people: points, contours, box, pose and scores over the picture they were found in.

use skyreels_core::Frame;

use super::contours::parts_2d;
use super::line::Color;
use super::panel;
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
    /// The box around the landmarks.
    pub bbox: bool,
    /// The head's axes at its origin: red to the person's left, green up, blue out of the face.
    pub axes: bool,
    /// A panel with the head's angles in degrees and the 51 expression scores as bars, on the side of the picture that is
    /// farther from the face; not on pictures too small to read it.
    pub bars: bool,
}

impl Default for Overlay {
    fn default() -> Self {
        Self { points: true, contours: true, bbox: false, axes: true, bars: true }
    }
}

const POINT: Color = [255, 255, 255];
const BOX: Color = [255, 220, 0];
const AXES: [Color; 3] = [[230, 40, 40], [40, 200, 60], [60, 90, 250]];
/// Length of the axes in centimetres.
const AXIS_LENGTH: f64 = 7.0;
/// Lines are a pixel thick for this many rows of the face, so that the points of a small one stay apart.
const ROWS_PER_PIXEL: f32 = 150.0;
/// Points further outside than this many picture sizes are not drawn towards.
const FAR: f32 = 2.0;

impl Overlay {
    /// Draws a face over the picture it was found in.
    ///
    /// Whatever lies outside of the picture is cut off; a face with missing points is drawn as far as it goes.
    pub fn draw(&self, picture: &mut Frame, face: &Face) {
        let (width, height) = picture.dimensions();
        let thickness = ((face.bbox[3] - face.bbox[1]) * height as f32 / ROWS_PER_PIXEL) as u16;
        let mut pen = Pen { thickness: thickness.clamp(1, 16), picture };
        let landmark = |i: usize| face.landmarks.get(i).map(|[x, y, _]| [*x, *y]);
        if self.bbox {
            let [left, top, right, bottom] = face.bbox;
            let corners = [[left, top], [right, top], [right, bottom], [left, bottom]].map(Some);
            (0..4).for_each(|i| pen.stroke(corners[i], corners[(i + 1) % 4], BOX));
        }
        if self.contours {
            for part in parts_2d(true) {
                part.edges().for_each(|[from, to]| pen.stroke(landmark(from), landmark(to), part.color));
            }
        }
        if self.points {
            (0..face.landmarks.len()).for_each(|i| pen.dot(landmark(i), POINT));
        }
        if self.axes {
            let camera = Camera::of([width, height]);
            let end = |direction: Option<usize>| {
                let place = |row: usize| {
                    let along = direction.map_or(0.0, |axis| AXIS_LENGTH * f64::from(face.matrix[row][axis]));
                    f64::from(face.matrix[row][3]) + along
                };
                camera.project([place(0), place(1), place(2)]).map(|point| point.map(|v| v as f32))
            };
            AXES.into_iter().enumerate().for_each(|(axis, color)| pen.stroke(end(None), end(Some(axis)), color));
        }
        if self.bars {
            panel::draw(picture, face);
        }
    }
}

/// Draws between points relative to the picture; leaves out those that are missing or far outside.
struct Pen<'a> {
    picture: &'a mut Frame,
    thickness: u16,
}

impl Pen<'_> {
    fn pixel(&self, point: Option<[f32; 2]>) -> Option<[i32; 2]> {
        let near = |v: &f32| (-FAR..=1.0 + FAR).contains(v);
        let [x, y] = point.filter(|point| point.iter().all(near))?;
        let (width, height) = self.picture.dimensions();
        Some([(x * width as f32).floor() as i32, (y * height as f32).floor() as i32])
    }

    fn stroke(&mut self, from: Option<[f32; 2]>, to: Option<[f32; 2]>, color: Color) {
        if let (Some(from), Some(to)) = (self.pixel(from), self.pixel(to)) {
            thick_line(self.picture, from, to, color, self.thickness);
        }
    }

    fn dot(&mut self, at: Option<[f32; 2]>, color: Color) {
        if let Some(at) = self.pixel(at) {
            circle(self.picture, at, self.thickness - 1, color, true);
        }
    }
}
