//! The networks that the three stages train.

use burn::module::Module;
use skyreels_core::checkpoint::Published;
use skyreels_dit::Transformer;
use skyreels_vae::LandmarkGuider;

/// Transformer and landmark guider under one roof, so that a parameter has one key:
/// `transformer.proj_out.weight`, `pose_guider.encoder.conv_in.conv.weight`.
#[derive(Module, Debug)]
pub struct Denoising {
    /// The denoiser; the face projector is part of it.
    pub transformer: Transformer,
    /// The landmark guider.
    pub pose_guider: LandmarkGuider,
}

impl Published for Denoising {
    const RENAMED: &'static [(&'static str, &'static str)] = Transformer::RENAMED;
}
