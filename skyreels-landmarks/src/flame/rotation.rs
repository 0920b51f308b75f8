//! Rotation vectors and matrices, with the small constants of the original.

use nalgebra::{Matrix3, Vector3};

/// What the original adds so as not to divide by zero.
const EPSILON: f64 = 1e-8;
/// Angles this near to zero or half a turn are treated apart.
const NEAR: f64 = 1e-4;

/// `rodrigues_to_matrix` of the original's retargeting: `cos I + sin [r] + (1 - cos) r r^T` with
/// `r = vector / (angle + 1e-8)`.
///
/// `vector` is an axis times an angle in radians.
pub fn rotation_matrix(vector: &Vector3<f64>) -> Matrix3<f64> {
    let angle = vector.norm();
    let axis = vector / (angle + EPSILON);
    let (sin, cos) = angle.sin_cos();
    Matrix3::identity() * cos + axis.cross_matrix() * sin + axis * axis.transpose() * (1.0 - cos)
}

/// `batch_rodrigues` of FLAME: `I + sin K + (1 - cos) K K`, the angle being the length of `vector + 1e-8`.
pub fn flame_rotation_matrix(vector: &Vector3<f64>) -> Matrix3<f64> {
    let angle = vector.add_scalar(EPSILON).norm();
    let turn = (vector / angle).cross_matrix();
    let (sin, cos) = angle.sin_cos();
    Matrix3::identity() + turn * sin + turn * turn * (1.0 - cos)
}

/// `matrix_to_rodrigues` of the original: the rotation vector of a matrix.
///
/// Below 1e-4 radians it is zero; within 1e-4 of half a turn the axis is the longest column of `R + I`, whose sign is
/// arbitrary. Just outside of that it is ill-conditioned, as in the original.
pub fn rotation_vector(matrix: &Matrix3<f64>) -> Vector3<f64> {
    let angle = ((matrix.trace() - 1.0) / 2.0).clamp(-1.0, 1.0).acos();
    if angle.abs() < NEAR {
        return Vector3::zeros();
    }
    if (angle - std::f64::consts::PI).abs() < NEAR {
        let sum = matrix + Matrix3::identity();
        // The first of equally long columns.
        let longest = (1..3).fold(0, |best, c| if sum.column(c).norm() > sum.column(best).norm() { c } else { best });
        return sum.column(longest).normalize() * std::f64::consts::PI;
    }
    let skew =
        Vector3::new(matrix[(2, 1)] - matrix[(1, 2)], matrix[(0, 2)] - matrix[(2, 0)], matrix[(1, 0)] - matrix[(0, 1)]);
    skew / (2.0 * angle.sin()) * angle
}

/// `s_0 = p_0`, `s_i = weight p_i + (1 - weight) s_(i-1)`, on rotation vectors as numbers; a weight of 1 changes nothing.
pub fn smooth(vectors: &[Vector3<f64>], weight: f64) -> Vec<Vector3<f64>> {
    let mut last: Option<Vector3<f64>> = None;
    let step = |vector: &Vector3<f64>| {
        let smoothed = last.map_or(*vector, |last| vector * weight + last * (1.0 - weight));
        *last.insert(smoothed)
    };
    vectors.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_vector_survives_the_matrix(direction in prop::array::uniform3(-1.0f64..1.0), angle in 1e-3f64..3.1) {
            let direction = Vector3::from(direction);
            prop_assume!(direction.norm() > 0.1);
            let vector = direction.normalize() * angle;
            prop_assert!((rotation_vector(&rotation_matrix(&vector)) - vector).norm() < 1e-4);
        }

        #[test]
        fn both_matrices_are_rotations(vector in prop::array::uniform3(-3.0f64..3.0)) {
            let vector = Vector3::from(vector);
            for matrix in [rotation_matrix(&vector), flame_rotation_matrix(&vector)] {
                prop_assert!((matrix * matrix.transpose() - Matrix3::identity()).norm() < 1e-6);
            }
        }
    }

    #[test]
    fn no_turn_and_half_a_turn_have_vectors() {
        assert_eq!(rotation_vector(&Matrix3::identity()), Vector3::zeros());
        let half = Matrix3::from_diagonal(&Vector3::new(-1.0, 1.0, -1.0));
        assert!((rotation_vector(&half).abs() - Vector3::new(0.0, std::f64::consts::PI, 0.0)).norm() < 1e-12);
    }
}
