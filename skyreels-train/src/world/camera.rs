//! The camera that looks at the world: MediaPipe's, so that landmarks, pose and picture agree.

use super::vector::{V3, v3};

/// Vertical field of view in degrees, that of `skyreels-landmarks`' face geometry.
const VERTICAL_FOV_DEGREES: f32 = 63.0;
/// Centimetres that the picture is high at the distance of the head's origin.
const SCENE_HEIGHT: f32 = 41.0;
/// How far the head's origin is above the middle of the picture, in centimetres.
const HEAD_ABOVE: f32 = 2.6;

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
    (VERTICAL_FOV_DEGREES / 2.0).to_radians().tan()
}

/// Where the origin of an unmoved head is.
pub(super) fn standing() -> V3 {
    v3(0.0, HEAD_ABOVE, -SCENE_HEIGHT / (2.0 * half_field()))
}
