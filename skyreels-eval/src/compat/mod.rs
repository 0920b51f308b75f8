//! The released scripts' arithmetic, defects included, each under a name that says so.
//!
//! `arc_score.py`, `expression_score.py` and `pose_score.py` of the original. What they call FID, expression and pose is neither
//! what the words say nor what the paper says; these functions are for comparing with numbers made by those scripts, and for
//! showing what is wrong with them. The measurements to trust are in the crate's root.

mod fid;
mod identity;
mod motion;

pub use fid::{a1_calculate_fid, a1_frame_fid};
pub use identity::{a1_frame_indices, a1_identity, a1_identity_mean, a1_padded, curricular_face};
pub use motion::{a1_expression_score, a1_pose_score, a1_pose_score_mean};
