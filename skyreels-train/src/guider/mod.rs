//! Training of a landmark guider before there is a denoiser for it: the VAE teaches it.
//!
//! The original's guider begins as a copy of the VAE's encoder. One of other sizes cannot be copied, and one that says random things
//! undoes what a denoiser knows. But a guide clip is a drawing, and what the VAE says of it is soon learnt by a smaller network,
//! which then learns on with the denoiser.

mod task;

pub use task::{Guider, GuiderSettings, GuiderTask};
