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

/// What a number is about: the report's groups, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// How much could be measured.
    Coverage,
    /// The person.
    Identity,
    /// The performance, frame by frame.
    Motion,
    /// How the pictures change over time.
    Time,
    /// The pictures beside the true ones.
    Truth,
    /// The released scripts' arithmetic ([`compat`](crate::compat)) on the faces that were tracked here. Names begin with `a1_`.
    Released,
}

impl MetricKind {
    /// Every kind, in the order of the report.
    pub const ALL: [Self; 6] = [Self::Coverage, Self::Identity, Self::Motion, Self::Time, Self::Truth, Self::Released];

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Coverage => "What could be measured",
            Self::Identity => "Identity: is it the portrait's person?",
            Self::Motion => "Motion: does it move as the driver, at the same time?",
            Self::Time => "Over time: does it tremble?",
            Self::Truth => "Pictures beside the true ones (self re-enactment only)",
            Self::Released => {
                "The released scripts' arithmetic on the faces tracked here: for comparison with numbers made by them, \
                 not for judging"
            }
        }
    }
}

/// A number of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in `report.json` and `report.csv`.
    pub key: &'static str,
    /// What it is about.
    pub kind: MetricKind,
    /// Its name for people.
    pub title: &'static str,
    /// What it is counted in; empty for a share or a likeness, which are numbers only.
    pub unit: &'static str,
    /// Which way is up.
    pub better: Better,
    /// How to read it.
    pub note: &'static str,
}

const fn metric(
    key: &'static str,
    kind: MetricKind,
    title: &'static str,
    unit: &'static str,
    better: Better,
    note: &'static str,
) -> Metric {
    Metric { key, kind, title, unit, better, note }
}

/// Every number that a pair can have, in the order of the report.
#[rustfmt::skip]
pub const METRICS: [Metric; 28] = {
    use Better::{Higher, LikeDriver, Lower};
    use MetricKind::{Coverage, Identity, Motion, Released, Time, Truth};
    [
        metric("detection_rate", Coverage, "Faces found", "", Higher, "share of the result's frames with a face"),
        metric("frames", Coverage, "Frames compared", "frames", LikeDriver, "at the common rate"),
        metric("identity_arcface", Identity, "Identity, ArcFace", "", Higher, "cosine with the portrait, over frames with a face"),
        metric("identity_arcface_all", Identity, "Identity, ArcFace, all frames", "", Higher, "frames without a face count 0"),
        metric("identity_curricularface", Identity, "Identity, CurricularFace", "", Higher, "cosine with the portrait, over frames with a face"),
        metric("identity_curricularface_all", Identity, "Identity, CurricularFace, all frames", "", Higher, "frames without a face count 0"),
        metric("blendshape_l1", Motion, "Expression, 51 scores", "", Lower, "mean absolute difference, 0 to 1"),
        metric("expression_cm", Motion, "Expression, 478 points", "cm", Lower, "moved since the first frame, on the canonical head"),
        metric("rotation_deg", Motion, "Head rotation", "degrees", Lower, "angle between the two heads"),
        metric("rotation_from_first_deg", Motion, "Head rotation since the start", "degrees", Lower, "the same with own first poses left aside"),
        metric("pose_l1_deg", Motion, "Head pose L1", "degrees", Lower, "mean of |yaw|, |pitch|, |roll|, as the paper's text has it"),
        metric("landmarks", Motion, "Landmark distance", "eye distances", Lower, "places in the picture; self re-enactment only"),
        metric("gaze", Motion, "Gaze", "half eye widths", Lower, "distance of the irises' places"),
        metric("eye_openness", Motion, "Eye openness", "eye widths", Lower, "difference of the gap between the lids"),
        metric("lip_openness", Motion, "Lip openness", "mouth widths", Lower, "difference of the gap between the lips"),
        metric("jitter", Time, "Landmark jitter", "eye distances", LikeDriver, "second difference; compare with the driver's"),
        metric("jitter_driving", Time, "Landmark jitter of the driver", "eye distances", LikeDriver, "what jitter should be like"),
        metric("flicker", Time, "Flicker", "", LikeDriver, "second difference of grey, 0 to 2; compare with the driver's"),
        metric("flicker_driving", Time, "Flicker of the driver", "", LikeDriver, "what flicker should be like"),
        metric("background_step", Time, "Background change", "", Lower, "grey per frame outside of the face, 0 to 1"),
        metric("background_drift", Time, "Background drift", "", Lower, "grey since the first frame, 0 to 1"),
        metric("psnr", Truth, "PSNR", "dB", Higher, "at most 100, for equal pictures"),
        metric("ssim", Truth, "SSIM", "", Higher, "likeness of grey values, 1 for equal pictures"),
        metric("ms_ssim", Truth, "MS-SSIM", "", Higher, "the same over five scales"),
        metric("a1_identity_arcface", Released, "Identity, ArcFace", "", Higher, "never below 0; lost faces hidden"),
        metric("a1_identity_curricularface", Released, "Identity, CurricularFace", "", Higher, "never below 0; lost faces hidden"),
        metric("a1_frame_fid", Released, "Image quality, \"FID\"", "", Lower, "squared distance of two features, no distance of sets"),
        metric("a1_expression", Released, "Expression, five points", "", Lower, "nearest frame of all; order means nothing"),
    ]
};

impl Metric {
    /// The number of this name.
    pub fn of(key: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.key == key)
    }

    /// Whether it is measured in re-enactment of oneself alone, where the driver is the true result.
    pub fn needs_truth(&self) -> bool {
        self.kind == MetricKind::Truth || self.key == "landmarks"
    }

    /// Its name with what it is counted in: `Head rotation (degrees)`.
    pub fn title_with_unit(&self) -> String {
        if self.unit.is_empty() { self.title.to_string() } else { format!("{} ({})", self.title, self.unit) }
    }
}
