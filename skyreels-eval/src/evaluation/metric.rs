//! Every number of the report: its name, and how to read it.

/// Which way is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// To be compared with the driver's own value.
    LikeDriver,
}

/// A number of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in `report.json` and `report.csv`.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Which way is up.
    pub better: Better,
    /// How to read it.
    pub note: &'static str,
}

const fn metric(key: &'static str, title: &'static str, better: Better, note: &'static str) -> Metric {
    Metric { key, title, better, note }
}

/// Every number that a pair can have, in the order of the report. Names with `a1_` are the released scripts' arithmetic
/// ([`compat`](crate::compat)) on the faces that were tracked here.
pub const METRICS: [Metric; 28] = [
    metric("detection_rate", "Faces found", Better::Higher, "share of the result's frames with a face"),
    metric(
        "identity_arcface",
        "Identity, ArcFace",
        Better::Higher,
        "cosine with the portrait, over frames with a face",
    ),
    metric("identity_arcface_all", "Identity, ArcFace, all frames", Better::Higher, "frames without a face count 0"),
    metric(
        "identity_curricularface",
        "Identity, CurricularFace",
        Better::Higher,
        "cosine with the portrait, over frames with a face",
    ),
    metric(
        "identity_curricularface_all",
        "Identity, CurricularFace, all frames",
        Better::Higher,
        "frames without a face count 0",
    ),
    metric("blendshape_l1", "Expression, 51 scores", Better::Lower, "mean absolute difference, frame by frame"),
    metric("expression_cm", "Expression, 478 points", Better::Lower, "centimetres moved since the first frame"),
    metric("rotation_deg", "Head rotation", Better::Lower, "degrees between the heads, frame by frame"),
    metric("rotation_from_first_deg", "Head rotation since the start", Better::Lower, "degrees, own poses left aside"),
    metric("pose_l1_deg", "Head pose L1", Better::Lower, "mean of |yaw|, |pitch|, |roll| in degrees"),
    metric("landmarks", "Landmark distance", Better::Lower, "eye distances, in the picture"),
    metric("gaze", "Gaze", Better::Lower, "half eye widths"),
    metric("eye_openness", "Eye openness", Better::Lower, "eye widths"),
    metric("lip_openness", "Lip openness", Better::Lower, "mouth widths"),
    metric("jitter", "Landmark jitter", Better::LikeDriver, "second difference in eye distances"),
    metric("jitter_driving", "Landmark jitter of the driver", Better::LikeDriver, "for comparison"),
    metric("flicker", "Flicker", Better::LikeDriver, "second difference of grey, 0 to 2"),
    metric("flicker_driving", "Flicker of the driver", Better::LikeDriver, "for comparison"),
    metric("background_step", "Background change", Better::Lower, "grey per frame outside of the face, 0 to 1"),
    metric("background_drift", "Background drift", Better::Lower, "grey since the first frame, 0 to 1"),
    metric("psnr", "PSNR", Better::Higher, "decibels beside the truth, at most 100"),
    metric("ssim", "SSIM", Better::Higher, "beside the truth"),
    metric("ms_ssim", "MS-SSIM", Better::Higher, "beside the truth"),
    metric("a1_identity_arcface", "a1: identity, ArcFace", Better::Higher, "never below 0; lost faces hidden"),
    metric(
        "a1_identity_curricularface",
        "a1: identity, CurricularFace",
        Better::Higher,
        "never below 0; lost faces hidden",
    ),
    metric("a1_frame_fid", "a1: \"FID\"", Better::Lower, "squared distance of two features, no distance of sets"),
    metric("a1_expression", "a1: expression", Better::Lower, "five points, nearest frame of all; order means nothing"),
    metric("frames", "Frames compared", Better::LikeDriver, "at the common rate"),
];

impl Metric {
    /// The number of this name.
    pub fn of(key: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.key == key)
    }
}
