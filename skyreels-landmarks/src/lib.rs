#![doc = include_str!("../README.md")]

mod align;
pub mod compact;
pub mod detection;
pub mod draw;
mod error;
mod face_crop;
pub mod flame;
pub mod golden;
mod guide;
mod inference;
mod mediapipe;
mod motion;
mod retarget;
pub mod retinaface;
pub mod scrfd;
pub mod smirk;
mod smoothing;
pub mod synthetic;
mod task;
mod tflite;

pub use align::{
    ALIGNED_SIDE, Affine, FIVE_POINTS, aligned_face, aligned_to_points, arcface_face, arcface_similarity, similarity,
    warp_affine,
};
pub use error::{Error, Result};
pub use face_crop::{CropBox, FaceBox};
pub use guide::{CLIP_FRAMES, ClipPlan, GuideLayout, LEADING_FRAMES, guide_clip, guide_frame};
pub use mediapipe::{
    BLENDSHAPE_NAMES, BLENDSHAPES, Face, FaceLandmarker, FaceStream, FaceTracker, HeadAngles, Iris, LANDMARKS,
    LandmarkerOptions, StreamOptions, TrackingMode,
};
pub use motion::{
    Aperture, Apertures, Counts, EYE_POINTS, ExpressionMode, FLAME_EXPRESSION, FLAME_SHAPE, FaceFollower, FacePick,
    FlameFrame, Gathered, LiveMotion, MAX_MULTIPLIER, MeshPrecision, Motion, MotionEdit, MotionFrame, Neutral,
    Openness, PoseOffset, Proportions, Region, Repeat, RepeatMode, Retime, SMOOTHING, SaveOptions, SmoothingWeights,
    State, Trim, slider_names,
};
pub use retarget::{
    Anchor, FlamePortrait, FlameRetargeter, MeshRetargeter, MeshStream, PortraitFace, RetargetedFrame, Retargeter,
    Scale, VERTICAL_FOV_DEGREES,
};
pub use smoothing::{OneEuro, Smoothing};
