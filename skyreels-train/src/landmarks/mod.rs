//! Training of the small landmark network ([`CompactNetwork`](skyreels_landmarks::compact::CompactNetwork)) on the rendered world.
//!
//! Every sample is a square of a rendered picture: the whole of it, as the network's first look sees it, or the face with
//! some room, as later looks do. Where no face is in the square only the presence counts.

mod form;
mod loss;
mod measure;
mod samples;
mod task;

pub use measure::LandmarkErrors;
pub use samples::{Sample, Samples};
pub use task::{FOLDER, LandmarkSettings, LandmarkTask};
