//! RAFT, the optical flow network that the paper uses: Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow"
//! (ECCV 2020), with the weights of its authors (`raft-things.pth`, `raft-small.pth`, ..) or of torchvision.
//!
//! Features of both frames at an eighth of the size; the inner product of every feature of one with every feature of
//! the other ([`Correlation`]); a recurrent unit that looks at these products around where it believes each pixel to go, and
//! corrects its belief; and an upsampling that the network learns too.

mod correlation;
mod encoder;
mod estimator;
mod layout;
mod network;
mod update;
mod upsample;

pub use correlation::Correlation;
pub use estimator::{RaftFlow, RaftOptions};
pub use layout::Layout;
pub use network::{Raft, RaftStep, Size};

pub(crate) use layout::load_golden;

/// Features lie at this share of the picture.
const STRIDE: usize = 8;
