//! From points of the picture to a head in centimetres: MediaPipe's face geometry.
//!
//! `modules/face_geometry/libs/{geometry_pipeline,procrustes_solver}.cc` of MediaPipe 0.10: the picture is taken as
//! seen by a camera with a fixed field of view; two rounds of a weighted Procrustes fit of the canonical face find
//! the scale, a third one the pose.

use nalgebra::{Matrix3, Matrix4, Vector3};

use super::metadata::Metadata;
use crate::draw::contours::MESH_POINTS;
use crate::retarget::camera::VERTICAL_FOV_DEGREES;

/// Smallest size of a face relative to the canonical one; below, the points are one point.
const MIN_SCALE: f64 = 1e-6;

/// A head fitted to the landmarks of one face.
pub(crate) struct Fit {
    /// Canonical head to camera, in centimetres, row-major.
    pub(crate) matrix: [[f32; 4]; 4],
    /// The landmarks in the canonical head's frame, in centimetres.
    pub(crate) head: Vec<[f32; 3]>,
}

/// A similarity: `scale * rotation * x + translation`.
struct Similarity {
    scale: f64,
    rotation: Matrix3<f64>,
    translation: Vector3<f64>,
}

/// The canonical face, ready to be fitted.
pub(crate) struct HeadModel {
    /// Points that count, with their weight and canonical position.
    basis: Vec<(usize, f64, Vector3<f64>)>,
    canonical: Vec<[f32; 3]>,
}

impl HeadModel {
    pub(super) fn new(metadata: &Metadata) -> Self {
        let basis = metadata.basis.iter().map(|&(i, weight)| (i, weight, Vector3::from(metadata.points[i])));
        let canonical = metadata.points.iter().map(|p| p.map(|v| v as f32)).collect();
        Self { basis: basis.collect(), canonical }
    }

    /// A model of another mean head: at least the 468 points of the mesh, in centimetres, and those that count, all alike.
    /// `None` if they are too few or not finite.
    pub(crate) fn on_points(canonical: &[[f32; 3]], counted: &[usize]) -> Option<Self> {
        let points: Vec<[f64; 3]> = canonical.get(..MESH_POINTS)?.iter().map(|point| point.map(f64::from)).collect();
        let spread = |axis: usize| {
            let values = counted.iter().filter_map(|i| points.get(*i)).map(|point| point[axis]);
            values.clone().fold(f64::MIN, f64::max) - values.fold(f64::MAX, f64::min)
        };
        let sound = points.iter().flatten().all(|v| v.is_finite()) && (0..3).all(|axis| spread(axis) > MIN_SCALE);
        let basis = counted.iter().filter(|i| **i < MESH_POINTS).map(|i| (*i, 1.0)).collect();
        sound.then(|| Self::new(&Metadata { points, basis }))
    }

    /// The 468 points of the canonical face in centimetres.
    pub(super) fn canonical(&self) -> &[[f32; 3]] {
        &self.canonical
    }

    /// Fits the head to landmarks relative to a frame of `size` pixels; `None` if they span no volume.
    pub(crate) fn fit(&self, landmarks: &[[f32; 3]], size: [f32; 2]) -> Option<Fit> {
        let screen = to_near_plane(landmarks, size);
        let depth = screen[..MESH_POINTS].iter().map(|p| p.z).sum::<f64>() / MESH_POINTS as f64;
        let mirrored: Vec<_> = screen.iter().map(|p| Vector3::new(p.x, p.y, -p.z)).collect();
        let first = self.procrustes(&mirrored)?.scale;
        let second = self.procrustes(&unproject(&screen, depth, first))?.scale;
        let metric = unproject(&screen, depth, first * second);
        let pose = self.procrustes(&metric)?;
        let inverse = (pose.rotation * pose.scale).try_inverse()?;
        let head = metric.iter().map(|p| (inverse * (p - pose.translation)).map(|v| v as f32).into()).collect();
        Some(Fit { matrix: pose.matrix(), head })
    }

    /// The similarity that takes the canonical face to `targets` with the least weighted squared error.
    fn procrustes(&self, targets: &[Vector3<f64>]) -> Option<Similarity> {
        let total: f64 = self.basis.iter().map(|(_, weight, _)| weight).sum();
        let center = self.basis.iter().map(|(_, weight, source)| source * *weight).sum::<Vector3<f64>>() / total;
        let mut design = Matrix3::zeros();
        for (i, weight, source) in &self.basis {
            design += targets[*i] * (source - center).transpose() * *weight;
        }
        if design.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let svd = design.svd(true, true);
        let (mut u, v_t) = (svd.u?, svd.v_t?);
        // A reflection fits as well as a rotation; heads are not reflected.
        if u.determinant() * v_t.determinant() < 0.0 {
            let weakest = svd.singular_values.imin();
            u.column_mut(weakest).neg_mut();
        }
        let rotation = u * v_t;
        let (mut along, mut norm) = (0.0, 0.0);
        for (i, weight, source) in &self.basis {
            let centered = source - center;
            along += weight * (rotation * centered).dot(&targets[*i]);
            norm += weight * centered.dot(source);
        }
        let scale = along / norm;
        if !scale.is_finite() || scale < MIN_SCALE {
            return None;
        }
        let offsets = self.basis.iter().map(|(i, weight, source)| (targets[*i] - rotation * source * scale) * *weight);
        let translation = offsets.sum::<Vector3<f64>>() / total;
        Some(Similarity { scale, rotation, translation })
    }
}

impl Similarity {
    fn matrix(&self) -> [[f32; 4]; 4] {
        let mut matrix = Matrix4::identity();
        matrix.fixed_view_mut::<3, 3>(0, 0).copy_from(&(self.rotation * self.scale));
        matrix.fixed_view_mut::<3, 1>(0, 3).copy_from(&self.translation);
        std::array::from_fn(|row| std::array::from_fn(|column| matrix[(row, column)] as f32))
    }
}

/// Landmarks on the camera's near plane, one centimetre away: x right, y up, z on the scale of x.
fn to_near_plane(landmarks: &[[f32; 3]], [width, height]: [f32; 2]) -> Vec<Vector3<f64>> {
    let plane_height = 2.0 * (0.5 * VERTICAL_FOV_DEGREES.to_radians()).tan();
    let plane_width = plane_height * f64::from(width) / f64::from(height);
    let place = |point: &[f32; 3]| {
        let [x, y, z] = point.map(f64::from);
        Vector3::new((x - 0.5) * plane_width, (0.5 - y) * plane_height, z * plane_width)
    };
    landmarks.iter().map(place).collect()
}

/// Back along the rays to where a face of the given scale is, in a right-handed frame.
fn unproject(screen: &[Vector3<f64>], depth: f64, scale: f64) -> Vec<Vector3<f64>> {
    let place = |p: &Vector3<f64>| {
        let z = (p.z - depth + 1.0) / scale;
        Vector3::new(p.x * z, p.y * z, -z)
    };
    screen.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;
    use proptest::prelude::*;

    /// A head of points on a bent grid, all with weights.
    fn model() -> HeadModel {
        let points: Vec<[f64; 3]> = (0..MESH_POINTS)
            .map(|i| {
                let (a, b) = ((i % 26) as f64 / 26.0 - 0.5, (i / 26) as f64 / 18.0 - 0.5);
                [15.0 * a, 18.0 * b, 6.0 - 20.0 * (a * a + b * b) + a * b]
            })
            .collect();
        let basis = (0..MESH_POINTS).step_by(13).map(|i| (i, 0.1 + (i % 7) as f64 * 0.1)).collect();
        HeadModel::new(&Metadata { points, basis })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn procrustes_finds_the_similarity_it_was_given(
            angles in prop::array::uniform3(-1.2f64..1.2),
            shift in prop::array::uniform3(-40.0f64..40.0),
            scale in 0.2f64..5.0,
        ) {
            let model = model();
            let rotation = *Rotation3::from_euler_angles(angles[0], angles[1], angles[2]).matrix();
            let shift = Vector3::from(shift);
            let targets: Vec<_> = model.canonical.iter()
                .map(|p| rotation * Vector3::from(p.map(f64::from)) * scale + shift).collect();
            let found = model.procrustes(&targets).unwrap();
            // The targets come from f32 positions.
            prop_assert!((found.scale / scale - 1.0).abs() < 1e-5);
            prop_assert!((found.rotation - rotation).abs().max() < 1e-5);
            prop_assert!((found.translation - shift).abs().max() < 1e-3);
            prop_assert!((found.rotation.determinant() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_matrix_takes_head_points_to_where_the_camera_saw_them() {
        let model = model();
        let landmarks: Vec<[f32; 3]> = (0..478)
            .map(|i| {
                let p = model.canonical[i % MESH_POINTS];
                [0.5 + p[0] * 0.01, 0.45 - p[1] * 0.012, -p[2] * 0.009]
            })
            .collect();
        let fit = model.fit(&landmarks, [640.0, 480.0]).unwrap();
        let plane = to_near_plane(&landmarks, [640.0, 480.0]);
        for (head, seen) in fit.head.iter().zip(plane) {
            let at = |row: usize| fit.matrix[row][3] + (0..3).map(|k| fit.matrix[row][k] * head[k]).sum::<f32>();
            // In front of the camera and on the ray of its landmark.
            assert!(at(2) < 0.0);
            assert!((f64::from(at(0) / -at(2)) - seen.x).abs() < 1e-4);
            assert!((f64::from(at(1) / -at(2)) - seen.y).abs() < 1e-4);
        }
    }

    #[test]
    fn points_without_extent_or_number_have_no_pose() {
        let model = model();
        assert!(model.fit(&[[0.5; 3]; 478], [100.0, 100.0]).is_none());
        assert!(model.fit(&[[f32::NAN; 3]; 478], [100.0, 100.0]).is_none());
    }
}
