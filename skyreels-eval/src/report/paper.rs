//! What the paper reports, to stand beside: quoted, not measured.

/// A row of the paper's Table 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperRow {
    /// The method.
    pub method: &'static str,
    /// Identity by ArcFace and by CurricularFace; more is better.
    pub identity: [f64; 2],
    /// Image quality; less is better.
    pub quality: f64,
    /// Expression distance; less is better.
    pub expression: f64,
    /// Pose distance; less is better.
    pub pose: f64,
}

const fn row(method: &'static str, identity: [f64; 2], quality: f64, expression: f64, pose: f64) -> PaperRow {
    PaperRow { method, identity, quality, expression, pose }
}

/// Table 1 of "SkyReels-A1: Expressive Portrait Animation in Video Diffusion Transformers" (2025).
pub const PAPER_TABLE: [PaperRow; 4] = [
    row("Follow-Your-Emoji", [0.5771, 0.5983], 100.2192, 0.0417, 0.8502),
    row("LivePortrait", [0.7011, 0.7305], 83.3168, 0.0396, 0.8372),
    row("Act-One", [0.7219, 0.7470], 68.5953, 0.0329, 0.8204),
    row("SkyReels-A1", [0.7196, 0.7314], 59.6884, 0.0363, 0.8245),
];
