//! Rotations of the head: the numbers of a motion file, smoothing, and what turns from one person to another.

use nalgebra::{Matrix3, Quaternion, Rotation3, UnitQuaternion, Vector3};

/// How much of the newest rotation enters the smoothed one; the original's value.
pub const SMOOTHING: f64 = 0.7;
/// A stored quaternion may be this far from unit length.
const UNIT_TOLERANCE: f64 = 1e-3;

/// A rotation from a stored quaternion `w, x, y, z`; `None` unless it has unit length.
pub(crate) fn from_stored(wxyz: [f32; 4]) -> Option<UnitQuaternion<f64>> {
    let [w, x, y, z] = wxyz.map(f64::from);
    let quaternion = Quaternion::new(w, x, y, z);
    let near = (quaternion.norm() - 1.0).abs() <= UNIT_TOLERANCE;
    near.then(|| UnitQuaternion::from_quaternion(quaternion))
}

/// The stored form `w, x, y, z` of a rotation, with `w >= 0`.
pub(crate) fn to_stored(rotation: &UnitQuaternion<f64>) -> [f32; 4] {
    let sign = if rotation.w < 0.0 { -1.0 } else { 1.0 };
    [rotation.w, rotation.i, rotation.j, rotation.k].map(|v| (sign * v) as f32)
}

/// The rotation nearest to the upper left block of a head pose.
pub(crate) fn of_pose(matrix: &[[f32; 4]; 4]) -> Option<UnitQuaternion<f64>> {
    let block = Matrix3::from_fn(|row, column| f64::from(matrix[row][column]));
    let determinant = block.determinant();
    if !determinant.is_finite() || determinant <= 0.0 {
        return None;
    }
    let svd = block.svd(true, true);
    Some(UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(svd.u? * svd.v_t?)))
}

/// The stored rotation at a share of the shortest arc from `a` to `b`.
pub(crate) fn between(a: [f32; 4], b: [f32; 4], share: f64) -> [f32; 4] {
    let (Some(from), Some(to)) = (from_stored(a), from_stored(b)) else { return a };
    // `q` and `-q` are one rotation; of the two the nearer one is the short way. Half a turn has no short way.
    let to = if from.coords.dot(&to.coords) < 0.0 { UnitQuaternion::new_unchecked(-to.into_inner()) } else { to };
    from.try_slerp(&to, share, f64::EPSILON).map_or(a, |rotation| to_stored(&rotation))
}

/// Smooths rotations as rotation vectors, one after the other: `s_0 = p_0`, `s_i = weight p_i + (1 - weight) s_(i-1)`.
///
/// A weight of 1 changes nothing. Of the two vectors of a rotation the one nearer to the last is taken, so that a head
/// that passes half a turn does not spin back.
#[derive(Debug, Clone)]
pub(crate) struct Smoother {
    weight: f64,
    last: Option<Vector3<f64>>,
}

impl Smoother {
    pub(crate) fn new(weight: f64) -> Self {
        Self { weight, last: None }
    }

    /// The next smoothed rotation.
    pub(crate) fn next(&mut self, rotation: &UnitQuaternion<f64>) -> UnitQuaternion<f64> {
        let vector = rotation.scaled_axis();
        let smoothed = match self.last {
            None => vector,
            Some(last) => nearest_turn(vector, last) * self.weight + last * (1.0 - self.weight),
        };
        self.last = Some(smoothed);
        UnitQuaternion::from_scaled_axis(smoothed)
    }
}

/// All smoothed rotations, see [`Smoother`].
pub(crate) fn smooth(rotations: &[UnitQuaternion<f64>], weight: f64) -> Vec<UnitQuaternion<f64>> {
    let mut smoother = Smoother::new(weight);
    rotations.iter().map(|rotation| smoother.next(rotation)).collect()
}

/// The rotation vector of the same rotation that is nearest to another.
fn nearest_turn(vector: Vector3<f64>, other: Vector3<f64>) -> Vector3<f64> {
    let angle = vector.norm();
    if angle == 0.0 {
        return vector;
    }
    let turned = vector * ((angle - std::f64::consts::TAU) / angle);
    if (turned - other).norm() < (vector - other).norm() { turned } else { vector }
}

/// Rotation of the portrait's head: `R_new = R_source R_start^-1 R_driver`.
pub(crate) fn relative(
    source: &UnitQuaternion<f64>,
    start: &UnitQuaternion<f64>,
    driver: &UnitQuaternion<f64>,
) -> UnitQuaternion<f64> {
    source * start.inverse() * driver
}

/// The rotation vector at a share of the shortest arc between two.
pub(crate) fn between_vectors(a: [f32; 3], b: [f32; 3], share: f64) -> [f32; 3] {
    let [from, to] = [a, b].map(from_vector);
    if share == 0.0 { a } else { to_vector(&along(&from, &to, share)) }
}

/// The rotation `factor` times as far from `rest` as `rotation` is, along the shortest arc.
pub(crate) fn along(rest: &UnitQuaternion<f64>, rotation: &UnitQuaternion<f64>, factor: f64) -> UnitQuaternion<f64> {
    rest * UnitQuaternion::from_scaled_axis((rest.inverse() * rotation).scaled_axis() * factor)
}

/// The stored rotation `factor` times as far from the stored rest, see [`along`].
pub(crate) fn extrapolated(rest: [f32; 4], rotation: [f32; 4], factor: f64) -> [f32; 4] {
    let (Some(from), Some(to)) = (from_stored(rest), from_stored(rotation)) else { return rotation };
    if factor == 0.0 { rest } else { to_stored(&along(&from, &to, factor)) }
}

/// A rotation from a rotation vector.
pub(crate) fn from_vector(vector: [f32; 3]) -> UnitQuaternion<f64> {
    UnitQuaternion::from_scaled_axis(Vector3::from(vector.map(f64::from)))
}

/// The rotation vector of a rotation.
pub(crate) fn to_vector(rotation: &UnitQuaternion<f64>) -> [f32; 3] {
    rotation.scaled_axis().map(|v| v as f32).into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use skyreels_core::golden::Golden;

    use super::*;

    fn vectors(file: &Golden, name: &str) -> Vec<UnitQuaternion<f64>> {
        let values =
            if file.has_input(name) { file.input(name) } else { Ok(file.expected(name).unwrap().unwrap().values) };
        let rows = values.unwrap().data;
        rows.as_chunks::<3>().0.iter().map(|v| UnitQuaternion::from_scaled_axis(Vector3::from(*v))).collect()
    }

    fn farthest(a: &[UnitQuaternion<f64>], b: &[UnitQuaternion<f64>]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| a.angle_to(b)).fold(0.0, f64::max)
    }

    #[test]
    fn smoothing_and_relative_rotation_equal_the_original() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden/extra/pose_math.json"));
        if !path.exists() {
            println!("skipped: {} is not there", path.display());
            return;
        }
        let file = Golden::open(path).unwrap();
        let smoothed = smooth(&vectors(&file, "retarget_driving_pose"), SMOOTHING);
        // The original adds 1e-8 to angles before dividing.
        assert!(farthest(&smoothed, &vectors(&file, "retarget_smoothed_driving")) < 1e-6);
        let source = vectors(&file, "retarget_source_pose")[0];
        let moved: Vec<_> = smoothed.iter().map(|rotation| relative(&source, &smoothed[0], rotation)).collect();
        assert!(farthest(&moved, &vectors(&file, "retarget_pose")) < 1e-6);
    }

    prop_compose! {
        fn rotation()(axis in prop::array::uniform3(-3.0f64..3.0)) -> UnitQuaternion<f64> {
            UnitQuaternion::from_scaled_axis(Vector3::from(axis))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rotations_stay_rotations(
            source in rotation(), driver in prop::collection::vec(rotation(), 1..6), weight in 0.0f64..=1.0,
        ) {
            for rotation in smooth(&driver, weight) {
                let rotation = relative(&source, &driver[0], &rotation);
                let matrix = rotation.to_rotation_matrix();
                prop_assert!((matrix.matrix() * matrix.matrix().transpose() - Matrix3::identity()).norm() < 1e-9);
                prop_assert!((matrix.matrix().determinant() - 1.0).abs() < 1e-9);
            }
        }

        #[test]
        fn a_driver_that_holds_still_leaves_the_portrait_as_it_is(source in rotation(), driver in rotation()) {
            for rotation in smooth(&[driver; 5], SMOOTHING) {
                prop_assert!(relative(&source, &driver, &rotation).angle_to(&source) < 1e-6);
            }
        }

        #[test]
        fn weight_one_smooths_nothing(driver in prop::collection::vec(rotation(), 1..6)) {
            prop_assert!(farthest(&smooth(&driver, 1.0), &driver) < 1e-6);
        }

        #[test]
        fn a_stored_rotation_is_the_same_rotation(rotation in rotation()) {
            prop_assert!(from_stored(to_stored(&rotation)).unwrap().angle_to(&rotation) < 1e-5);
        }
    }

    #[test]
    fn what_is_no_rotation_is_refused() {
        assert!(from_stored([0.0; 4]).is_none());
        assert!(from_stored([f32::NAN, 0.0, 0.0, 1.0]).is_none());
        assert!(of_pose(&[[0.0; 4]; 4]).is_none());
        let mirror = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        assert!(of_pose(&mirror).is_none());
    }
}
