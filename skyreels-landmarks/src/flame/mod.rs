//! FLAME: a head as a mesh, moved by a few hundred coefficients.
//!
//! Li et al., "Learning a model of facial shape and expression from 4D scans" (SIGGRAPH Asia 2017), as the original uses it:
//! linear blend skinning over five joints, pose blendshapes, SMIRK's eyelids, and MediaPipe points embedded in the mesh. The
//! model itself has a licence of its own and is not shipped.

mod coefficients;
mod landmarks;
mod model;
mod normals;
mod rotation;
mod skinning;
mod tables;

pub use coefficients::{EyePoints, FaceCoefficients};
pub use landmarks::{FanLandmarks, MEDIAPIPE_POINTS};
pub(crate) use model::by_blendshapes;
pub use model::{FlameConfig, FlameModel, HeadPose};
pub use normals::vertex_normals;
pub use rotation::{flame_rotation_matrix, rotation_matrix, rotation_vector, smooth};
pub use skinning::{JOINTS, Skinned};
