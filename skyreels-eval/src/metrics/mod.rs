//! What is measured, one file each.

mod background;
mod identity;
mod motion;
mod observation;
mod picture;
mod row;
mod scores;
mod ssim;
mod sync;
mod temporal;

pub use background::{BackgroundMeter, BackgroundStability};
pub use identity::{IdentityScore, identity_score};
pub use motion::{
    Anchor, blendshape_l1, expression_distance, eye_openness_error, gaze_error, head_rotation_error, landmark_distance,
    lip_openness_error, pose_l1,
};
pub use observation::FaceObservation;
pub use picture::psnr;
pub use scores::FrameScores;
pub use ssim::{MS_SSIM_LEAST_SIDE, SSIM_LEAST_SIDE, ms_ssim, ssim};
pub use sync::{AudioVisualOffset, AudioVisualSync, Samples};
pub use temporal::{FlickerMeter, landmark_jitter};
