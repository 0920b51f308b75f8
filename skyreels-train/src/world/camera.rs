//! The camera that looks at the world: MediaPipe's, so that landmarks, pose and picture agree.

use skyreels_landmarks::VERTICAL_FOV_DEGREES;

use super::vector::{V3, v3};

/// Share of the picture's height by which the head's origin is above its middle.
const HEAD_ABOVE: f32 = 0.05;
/// The camera comes no nearer than to see this many centimetres: in front of it is a face.
const LEAST_HEIGHT: f32 = 24.0;

/// A pinhole camera at the origin that looks along -z, for pictures of one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Camera {
    middle: [f32; 2],
    focal: f32,
}

impl Camera {
    /// The camera of a picture of `size` = width, height.
    pub(super) fn of([width, height]: [u32; 2]) -> Self {
        let focal = height as f32 / (2.0 * half_field());
        Self { middle: [width as f32 / 2.0, height as f32 / 2.0], focal }
    }

    /// Pixel of a point (corners of pixels are whole numbers), and one over its distance.
    #[inline]
    pub(super) fn project(&self, place: V3) -> [f32; 3] {
        let near = 1.0 / (-place.z);
        [self.middle[0] + place.x * near * self.focal, self.middle[1] - place.y * near * self.focal, near]
    }

    /// Pixels that a centimetre takes at a distance.
    pub(super) fn per_centimetre(&self, distance: f32) -> f32 {
        self.focal / distance
    }
}

fn half_field() -> f32 {
    (VERTICAL_FOV_DEGREES as f32 / 2.0).to_radians().tan()
}

/// Where the origin of an unmoved head is when the picture is `height` centimetres high there.
pub(super) fn standing(height: f32) -> V3 {
    let height = if height.is_finite() { height.max(LEAST_HEIGHT) } else { LEAST_HEIGHT };
    v3(0.0, HEAD_ABOVE * height, -height / (2.0 * half_field()))
}
