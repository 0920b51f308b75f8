//! Which points the drawings join, and in which colours.
//!
//! Indices are those of MediaPipe's 478-point face mesh; left and right are the person's. Each part is
//! drawn in one colour, so only the order of the parts shows where they cross.

use super::line::Color;

/// Points of the face mesh; those of the irises come after them.
pub const MESH_POINTS: usize = 468;
/// Centre of the right iris.
pub const RIGHT_IRIS: usize = 468;
/// Centre of the left iris.
pub const LEFT_IRIS: usize = 473;
/// The tip of the nose.
pub const NOSE_TIP: usize = 4;

/// Colour of the right pupil.
pub const RIGHT_PUPIL: Color = [10, 200, 250];
/// Colour of the left pupil.
pub const LEFT_PUPIL: Color = [250, 200, 10];

/// Outline of the right eye, closed: lower lid from the outer corner, then the upper lid back.
pub const RIGHT_EYE: [usize; 16] = [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246];
/// Outline of the left eye, closed: lower lid from the inner corner, then the upper lid back.
pub const LEFT_EYE: [usize; 16] = [362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398];
/// Outline of the face, closed, clockwise from the forehead.
pub const FACE_OVAL: [usize; 36] = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];

/// A polyline and its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Mesh indices, in order.
    pub points: &'static [usize],
    /// True when the last point is joined to the first.
    pub closed: bool,
    /// Its colour.
    pub color: Color,
}

const fn open(points: &'static [usize], color: Color) -> Part {
    Part { points, closed: false, color }
}

const fn closed(points: &'static [usize], color: Color) -> Part {
    Part { points, closed: true, color }
}

impl Part {
    /// The edges of the polyline.
    pub fn edges(&self) -> impl Iterator<Item = [usize; 2]> + '_ {
        let ends = self.points.iter().copied();
        let count = if self.closed { self.points.len() } else { self.points.len().saturating_sub(1) };
        ends.clone().zip(ends.cycle().skip(1)).take(count).map(|(from, to)| [from, to])
    }
}

const RIGHT_EYE_COLOR: Color = [10, 200, 180];
const LEFT_EYE_COLOR: Color = [180, 200, 10];
const RIGHT_BROW_COLOR: Color = [10, 220, 180];
const LEFT_BROW_COLOR: Color = [180, 220, 10];
/// Colour of two stray edges of the original's 3-D drawing: they erase what they cross.
const ERASER: Color = [0, 0, 0];

pub(super) const FACE_OVAL_PART: Part = closed(&FACE_OVAL, [10, 200, 10]);
pub(super) const LEFT_EYE_PART: Part = closed(&LEFT_EYE, LEFT_EYE_COLOR);
pub(super) const RIGHT_EYE_PART: Part = closed(&RIGHT_EYE, RIGHT_EYE_COLOR);
pub(super) const IRISES: [Part; 2] =
    [closed(&[474, 475, 476, 477], LEFT_PUPIL), closed(&[469, 470, 471, 472], RIGHT_PUPIL)];
pub(super) const LEFT_BROW: [Part; 2] =
    [open(&[285, 295, 282, 283, 276], LEFT_BROW_COLOR), open(&[336, 296, 334, 293, 300], LEFT_BROW_COLOR)];
pub(super) const RIGHT_BROW: [Part; 2] =
    [open(&[46, 53, 52, 65, 55], RIGHT_BROW_COLOR), open(&[70, 63, 105, 66, 107], RIGHT_BROW_COLOR)];
/// The lips, each half with its own colour, so that the mouth's orientation can be read off.
pub(super) const LIPS: [Part; 8] = [
    open(&[61, 146, 91, 181, 84, 17], [10, 180, 20]),
    open(&[17, 314, 405, 321, 375, 291], [20, 10, 180]),
    open(&[78, 95, 88, 178, 87, 14], [100, 100, 30]),
    open(&[14, 317, 402, 318, 324, 308], [100, 150, 50]),
    open(&[61, 185, 40, 39, 37, 0], [20, 80, 100]),
    open(&[0, 267, 269, 270, 409, 291], [80, 100, 20]),
    open(&[78, 191, 80, 81, 82, 13], [120, 100, 200]),
    open(&[13, 312, 311, 310, 415, 308], [150, 120, 100]),
];

/// The right eye as the 3-D drawing begins it: a gap of its outline is crossed by two erasing edges.
const RIGHT_EYE_BEGUN: [Part; 5] = [
    open(&[144, 145, 153, 154, 155], RIGHT_EYE_COLOR),
    open(&[155, 157], ERASER),
    open(&[157, 158, 159, 160, 161], RIGHT_EYE_COLOR),
    open(&[161, 33], ERASER),
    open(&[33, 7, 163, 144], RIGHT_EYE_COLOR),
];
/// What closes the right eye later in the 3-D drawing.
const RIGHT_EYE_FINISHED: [Part; 2] =
    [open(&[155, 133, 173, 157], RIGHT_EYE_COLOR), open(&[161, 246, 33], RIGHT_EYE_COLOR)];

/// Every point of the lips' contours; corners come twice.
pub fn lips() -> impl Iterator<Item = usize> {
    LIPS.into_iter().flat_map(|part| part.points.iter().copied())
}

/// Parts of the 2-D drawing, in drawing order.
///
/// With `whole`, the face oval and the irises as well; the guide clip has neither.
pub fn parts_2d(whole: bool) -> impl Iterator<Item = Part> {
    let oval = whole.then_some(FACE_OVAL_PART).into_iter();
    let irises = whole.then_some(IRISES).into_iter().flatten();
    let eyes = [LEFT_EYE_PART, RIGHT_EYE_PART].into_iter();
    oval.chain(eyes).chain(LEFT_BROW).chain(RIGHT_BROW).chain(irises).chain(LIPS)
}

/// Parts of the 3-D drawing, in drawing order.
pub fn parts_3d() -> impl Iterator<Item = Part> {
    let begun = RIGHT_EYE_BEGUN.into_iter().chain([LEFT_EYE_PART]).chain(LEFT_BROW);
    begun.chain(RIGHT_EYE_FINISHED).chain(RIGHT_BROW).chain(LIPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_stays_inside_the_mesh() {
        for part in parts_2d(true).chain(parts_3d()) {
            assert!(part.points.iter().all(|point| *point < crate::LANDMARKS));
        }
    }

    #[test]
    fn both_drawings_have_the_number_of_edges_of_the_original() {
        let count = |parts: &mut dyn Iterator<Item = Part>| parts.map(|part| part.edges().count()).sum::<usize>();
        assert_eq!(count(&mut parts_2d(false)), 88);
        assert_eq!(count(&mut parts_2d(true)), 132);
        assert_eq!(count(&mut parts_3d()), 90);
    }
}
