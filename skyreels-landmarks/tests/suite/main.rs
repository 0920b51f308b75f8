//! All tests of the crate in one program: every further one would be linked with the whole of Burn again.

mod align;
mod compact;
mod flame;
mod golden;
mod mediapipe_devices;
mod mediapipe_driving;
mod mediapipe_hostile;
mod mediapipe_portraits;
mod mediapipe_support;
mod mediapipe_video;
mod motion;
mod motion_edit;
mod motion_file;
mod motion_flame;
mod motion_portrait;
mod motion_stream;
mod motion_support;
mod overlay;
mod reenactment;
mod retarget;
mod robustness;
mod smirk;
mod synthetic;
mod two_retargeters;
