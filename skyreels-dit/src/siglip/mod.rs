//! The portrait's face as identity tokens: the vision tower of SigLIP.

mod config;
mod head;
mod layer;
mod pixels;
mod tower;

pub use config::SiglipConfig;
pub use tower::SiglipVisionTower;
