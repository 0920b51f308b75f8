//! Linear blend skinning: a rest mesh follows a chain of joints.

use nalgebra::{Matrix3, Matrix4, Point3, Vector3};

/// Joints of the head: the whole, the neck, the jaw, the left and the right eye.
pub const JOINTS: usize = 5;

/// Joints, their order, and how much each vertex follows them.
#[derive(Debug, Clone)]
pub(super) struct Skeleton {
    /// Weight of every vertex in each joint's place.
    pub(super) regressor: [Vec<f64>; JOINTS],
    /// The joint that each one hangs on; the first one hangs on nothing.
    pub(super) parents: [usize; JOINTS],
    /// How much of each joint's motion each vertex takes.
    pub(super) weights: Vec<[f64; JOINTS]>,
    /// Displacement of every vertex for each entry of the rotations' differences from the identity.
    pub(super) pose_basis: Vec<Vec<f64>>,
}

/// A posed mesh and the steps that led to it.
#[derive(Debug, Clone)]
pub struct Skinned {
    /// Vertices of the rest pose: template, shape and expression.
    pub shaped: Vec<[f64; 3]>,
    /// Places of the joints in the rest pose.
    pub joints: [[f64; 3]; JOINTS],
    /// Rotation of each joint.
    pub rotations: [Matrix3<f64>; JOINTS],
    /// Places of the joints in this pose.
    pub posed_joints: [[f64; 3]; JOINTS],
    /// From the rest pose to this one, for what follows a joint wholly.
    pub transforms: [Matrix4<f64>; JOINTS],
    /// Vertices in this pose.
    pub vertices: Vec<[f64; 3]>,
}

impl Skeleton {
    /// `lbs` of FLAME. With `R` the joints' rotations, `W` weights and `A` the transforms along the chain,
    ///
    /// ```text
    /// posed    = shaped + (R_1 - I, .., R_4 - I) basis
    /// vertices = sum_j W_j A_j posed
    /// ```
    pub(super) fn skin(&self, shaped: Vec<[f64; 3]>, rotations: [Matrix3<f64>; JOINTS]) -> Skinned {
        let joints = std::array::from_fn(|joint| {
            let place = self.regressor[joint].iter().zip(&shaped);
            place.fold([0.0; 3], |sum, (weight, vertex)| std::array::from_fn(|k| sum[k] + weight * vertex[k]))
        });
        let mut posed = shaped.clone();
        let turned = rotations[1..].iter().map(|rotation| (rotation - Matrix3::identity()).transpose());
        // A column-major walk through the transpose is a row-major walk through the rotation.
        let entries = turned.flat_map(|difference| difference.as_slice().to_vec());
        for (entry, moves) in entries.zip(&self.pose_basis) {
            for (coordinate, moved) in posed.as_flattened_mut().iter_mut().zip(moves) {
                *coordinate += entry * moved;
            }
        }
        let chain = self.chain(&joints, &rotations);
        let transforms = std::array::from_fn(|joint| {
            let mut relative = chain[joint];
            let rest = chain[joint].fixed_view::<3, 3>(0, 0) * Vector3::from(joints[joint]);
            for k in 0..3 {
                relative[(k, 3)] -= rest[k];
            }
            relative
        });
        let follow = |(vertex, weights): (&[f64; 3], &[f64; JOINTS])| {
            let mixed = transforms.iter().zip(weights).fold(Matrix4::zeros(), |sum, (a, weight)| sum + a * *weight);
            mixed.transform_point(&Point3::from(*vertex)).into()
        };
        Skinned {
            vertices: posed.iter().zip(&self.weights).map(follow).collect(),
            posed_joints: chain.map(|joint| [0, 1, 2].map(|k| joint[(k, 3)])),
            shaped,
            joints,
            rotations,
            transforms,
        }
    }

    /// Each joint's place and rotation in the world.
    fn chain(&self, joints: &[[f64; 3]; JOINTS], rotations: &[Matrix3<f64>; JOINTS]) -> [Matrix4<f64>; JOINTS] {
        let mut chain = [Matrix4::identity(); JOINTS];
        for joint in 0..JOINTS {
            let mut own = rotations[joint].to_homogeneous();
            let from = if joint == 0 { [0.0; 3] } else { joints[self.parents[joint]] };
            for k in 0..3 {
                own[(k, 3)] = joints[joint][k] - from[k];
            }
            chain[joint] = if joint == 0 { own } else { chain[self.parents[joint]] * own };
        }
        chain
    }
}
