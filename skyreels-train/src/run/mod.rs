//! A training run: steps, logs, checkpoints, and going on where it stopped.

mod chart;
mod checkpoint;
mod exchange;
mod history;
mod layout;
mod learner;
mod note;
mod replicas;
mod settings;
mod task;
mod trainer;

pub use chart::draw_loss;
pub(crate) use checkpoint::STATE;
pub use checkpoint::{Position, latest};
pub use history::{History, Record};
pub use layout::{link_others, save_component};
pub use note::Note;
pub use settings::RunSettings;
pub use task::{Samples, Task};
pub use trainer::Trainer;
