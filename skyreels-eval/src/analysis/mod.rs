//! What one file shows, measured in one pass over its frames.

mod clip;
mod judges;
mod series;
mod store;
mod thumbnail;
mod walk;
mod watcher;

pub use clip::{ClipAnalysis, PixelScores, Thumbnail};
pub use judges::{AnalysisOptions, Judges, Work};
pub(crate) use series::{load_truth, save_truth};
pub(crate) use store::{load, save};
pub use walk::{Together, analyse_clip, analyse_portraits, analyse_together};
pub use watcher::TruthScores;
