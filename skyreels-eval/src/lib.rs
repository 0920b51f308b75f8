#![doc = include_str!("../README.md")]

mod analysis;
pub mod compat;
mod embed;
mod error;
mod evaluation;
mod frechet;
pub mod golden;
mod inception;
mod inference;
mod metrics;
mod protocol;
mod report;

pub use analysis::{
    AnalysisOptions, ClipAnalysis, Judges, PixelScores, Thumbnail, Together, TruthScores, Work, analyse_clip,
    analyse_portraits, analyse_together,
};
pub use embed::{
    ArcFaceConfig, ArcFaceNetwork, CurricularFaceConfig, CurricularFaceNetwork, EMBEDDING, FACE_SIDE, FaceEmbedder,
    IdentityNetwork, cosine, normalised,
};
pub use error::{Error, Result};
pub use evaluation::{
    Better, Evaluation, EvaluationOptions, Failure, FidReference, Interval, METRICS, Metric, MetricKind, PairScores,
    SetDistance, Summary, Thumbnails, bootstrap_mean, evaluate,
};
pub use frechet::{
    FeatureStatistics, FrechetDistance, PYTORCH_FID_EPSILON, RECOMMENDED_SAMPLES, SampleWarning, frechet_distance,
    frechet_distance_with_epsilon, frechet_standard_error,
};
pub use inception::{
    FEATURES, FeatureExtractor, INPUT_SIDE, InceptionConfig, InceptionExtractor, InceptionNetwork, InceptionVariant,
};
pub use metrics::{
    Anchor, AudioVisualOffset, AudioVisualSync, BackgroundMeter, BackgroundStability, FaceObservation, FlickerMeter,
    FrameScores, IdentityScore, MS_SSIM_LEAST_SIDE, SSIM_LEAST_SIDE, Samples, blendshape_l1, expression_distance,
    eye_openness_error, gaze_error, head_rotation_error, identity_score, landmark_distance, landmark_jitter,
    lip_openness_error, ms_ssim, pose_l1, psnr, ssim,
};
pub use protocol::{Directories, ListedPair, PAPER_PORTRAITS, Pair, PairList, Protocol, draw_pairs};
pub use report::{PAPER_TABLE, PaperRow, csv, page, write_report};
