//! The camera through which MediaPipe sees heads: a picture as seen with a fixed field of view.

/// The camera's vertical field of view in degrees.
pub(crate) const VERTICAL_FOV_DEGREES: f64 = 63.0;

/// A pinhole camera at the origin that looks along -z; lengths are centimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Camera {
    /// Width and height of the picture one centimetre away.
    plane: [f64; 2],
}

impl Camera {
    /// The camera of a picture of `size` = width, height.
    pub(crate) fn of(size: [u32; 2]) -> Self {
        let height = 2.0 * (VERTICAL_FOV_DEGREES / 2.0).to_radians().tan();
        Self { plane: [height * f64::from(size[0]) / f64::from(size[1].max(1)), height] }
    }

    /// Where a point appears, relative to the picture's width and height; `None` behind the camera.
    pub(crate) fn project(&self, [x, y, z]: [f64; 3]) -> Option<[f64; 2]> {
        (z < 0.0).then(|| [0.5 + x / (-z * self.plane[0]), 0.5 - y / (-z * self.plane[1])])
    }

    /// The point at a distance along -z that appears at a place of the picture.
    pub(crate) fn unproject(&self, [x, y]: [f64; 2], distance: f64) -> [f64; 3] {
        [(x - 0.5) * self.plane[0] * distance, (0.5 - y) * self.plane[1] * distance, -distance]
    }

    /// Part of the picture's width that one centimetre takes at a distance.
    pub(crate) fn per_centimetre(&self, distance: f64) -> f64 {
        1.0 / (self.plane[0] * distance)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn unproject_inverts_project(
            place in prop::array::uniform2(-0.5f64..1.5), distance in 1.0f64..200.0, size in prop::array::uniform2(10u32..2000),
        ) {
            let camera = Camera::of(size);
            let [x, y] = camera.project(camera.unproject(place, distance)).unwrap();
            prop_assert!((x - place[0]).abs() < 1e-9 && (y - place[1]).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_appears_from_behind() {
        assert_eq!(Camera::of([4, 3]).project([0.0, 0.0, 1.0]), None);
        assert_eq!(Camera::of([4, 3]).project([0.0, 0.0, 0.0]), None);
    }
}
