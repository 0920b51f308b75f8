//! The camera through which MediaPipe sees heads: a picture as seen with a fixed field of view.

/// Vertical field of view, in degrees, of the camera through which MediaPipe sees heads.
pub const VERTICAL_FOV_DEGREES: f64 = 63.0;

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

    /// Part of the picture's width that one centimetre takes at a distance.
    pub(crate) fn per_centimetre(&self, distance: f64) -> f64 {
        1.0 / (self.plane[0] * distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_view_spans_the_picture() {
        let camera = Camera::of([720, 480]);
        let edge = 10.0 * (31.5f64).to_radians().tan();
        let close = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs() < 1e-12 && (a[1] - b[1]).abs() < 1e-12;
        assert!(close(camera.project([0.0, edge, -10.0]).unwrap(), [0.5, 0.0]));
        assert!(close(camera.project([1.5 * edge, -edge, -10.0]).unwrap(), [1.0, 1.0]));
        assert!((camera.per_centimetre(10.0) * 3.0 * edge - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_appears_from_behind() {
        assert_eq!(Camera::of([4, 3]).project([0.0, 0.0, 1.0]), None);
        assert_eq!(Camera::of([4, 3]).project([0.0, 0.0, 0.0]), None);
    }
}
