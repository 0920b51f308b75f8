//! The whole VAE, and the landmark guider that is its encoder with other weights.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use skyreels_core::checkpoint::{Published, Weights, read_config};
use skyreels_core::{Limits, Precision, Progress};

use crate::config::VaeConfig;
use crate::decoder::Decoder;
use crate::differentiate::{Tape, TapeRef};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::halves::{Batches, check, run, run_on_tape};
use crate::pass::Trace;
use crate::posterior::Posterior;
use crate::tiling::Tiling;

/// The causal video VAE of CogVideoX (`AutoencoderKLCogVideoX`).
///
/// Frames are `[batch, 3, frames, height, width]` with values in `[-1, 1]`, latents
/// `[batch, 16, t, height / 8, width / 8]`.
///
/// In a clip of `8 n + 1` frames, latent frame 0 is made at the place of frame 0 and latent frame `k`
/// at that of frames `4 k - 3` to `4 k`. No convolution looks ahead, but every norm sees the whole
/// batch of frames ([`frame_batches`](crate::frame_batches)): any of frames 0 to 8 changes all of the
/// first three latent frames, and nothing changes a latent of an earlier batch.
#[derive(Module, Debug)]
pub struct CausalVae {
    encoder: Encoder,
    decoder: Decoder,
    #[module(skip)]
    config: VaeConfig,
}

impl Published for CausalVae {}

impl CausalVae {
    /// A VAE whose parameters wait for their values.
    ///
    /// # Errors
    /// Those of [`VaeConfig::validate`].
    pub fn new(config: &VaeConfig, device: &Device) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            encoder: Encoder::new(config, device),
            decoder: Decoder::new(config, device),
            config: config.clone(),
        })
    }

    /// Reads `config.json` and the weights of a published directory (`vae/`).
    ///
    /// # Errors
    /// Those of [`read_config`], [`VaeConfig::validate`], [`Weights::open`] and [`Weights::load`].
    pub fn load(
        directory: impl AsRef<Path>,
        limits: &Limits,
        precision: Precision,
        device: &Device,
        progress: Progress,
    ) -> Result<Self> {
        let (config, weights) = open(directory.as_ref(), limits)?;
        Ok(weights.load(Self::new(&config, device)?, precision, progress)?)
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    #[cfg(test)]
    pub(crate) fn halves(&self) -> (&Encoder, &Decoder) {
        (&self.encoder, &self.decoder)
    }

    /// Encodes frames to the distribution of their (unscaled) latents.
    ///
    /// Any number of frames and any size of at least one latent is accepted; sides that are not
    /// multiples of 8 lose their last columns and rows, and lengths other than 1, `8 k` and
    /// `8 k + 1` do not come back as they were ([`VaeConfig::check_clip`]).
    ///
    /// # Shapes
    /// `[batch, 3, frames, height, width] -> [batch, 16, t, height / 8, width / 8]`
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Tiles`] for sizes that cannot be encoded;
    /// [`Error::Core`] when `progress` asks to stop.
    pub fn encode(&self, frames: Tensor<5>, tiling: Tiling, progress: Progress) -> Result<Posterior> {
        self.encode_traced(frames, tiling, progress, &mut Trace::off())
    }

    /// [`encode`](Self::encode) that keeps intermediates.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    pub fn encode_traced(
        &self,
        frames: Tensor<5>,
        tiling: Tiling,
        progress: Progress,
        trace: &mut Trace,
    ) -> Result<Posterior> {
        run(&self.encoder, &self.config, frames, tiling, progress, trace).map(Posterior::from_moments)
    }

    /// Decodes (unscaled) latents to frames, f32, about `[-1, 1]`.
    ///
    /// # Shapes
    /// `[batch, 16, t, h, w] -> [batch, 3, frames, 8 h, 8 w]` with
    /// [`VaeConfig::frames`] frames.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Tiles`] for sizes that cannot be decoded;
    /// [`Error::Core`] when `progress` asks to stop.
    pub fn decode(&self, latents: Tensor<5>, tiling: Tiling, progress: Progress) -> Result<Tensor<5>> {
        self.decode_traced(latents, tiling, progress, &mut Trace::off())
    }

    /// [`decode`](Self::decode) that keeps intermediates.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    pub fn decode_traced(
        &self,
        latents: Tensor<5>,
        tiling: Tiling,
        progress: Progress,
        trace: &mut Trace,
    ) -> Result<Tensor<5>> {
        run(&self.decoder, &self.config, latents, tiling, progress, trace)
    }

    /// [`encode`](Self::encode) without tiles for a device with automatic differentiation, its graph cut into pieces by `tape`.
    ///
    /// # Shapes
    /// As [`encode`](Self::encode).
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that cannot be encoded.
    pub fn encode_on_tape(&self, frames: Tensor<5>, tape: &Arc<dyn Tape>) -> Result<Posterior> {
        encode_on_tape(&self.encoder, &self.config, frames, tape)
    }

    /// [`decode`](Self::decode) without tiles for a device with automatic differentiation, its graph cut into pieces by `tape`.
    ///
    /// # Shapes
    /// As [`decode`](Self::decode).
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that cannot be decoded.
    pub fn decode_on_tape(&self, latents: Tensor<5>, tape: &Arc<dyn Tape>) -> Result<Tensor<5>> {
        run_on_tape(&self.decoder, &self.config, tape.leaf(latents).value, &TapeRef(tape.clone()))
    }

    /// Decodes batch by batch without tiles, so that frames can be written while the next ones
    /// are made and never lie in memory together. Joined, they are what [`decode`](Self::decode)
    /// returns with [`Tiling::Off`].
    ///
    /// # Shapes
    /// `[batch, 16, t, h, w]` to items `[batch, 3, frames, 8 h, 8 w]`: 9 or 8 frames at first,
    /// then 8 each.
    ///
    /// # Errors
    /// [`Error::Shape`] for latents that cannot be decoded; an item is [`Error::Core`] when
    /// `progress` asks to stop.
    pub fn decode_stream<'a>(&'a self, latents: Tensor<5>, progress: Progress<'a>) -> Result<DecodeStream<'a>> {
        check::<Decoder>(&self.config, &latents)?;
        let batches = Batches::new::<Decoder>(latents);
        Ok(DecodeStream { decoder: &self.decoder, total: batches.remaining(), batches, progress, stopped: false })
    }

    /// Latents as the denoiser takes them ([`VaeConfig::scale`]).
    pub fn scale<const D: usize>(&self, latents: Tensor<D>) -> Tensor<D> {
        self.config.scale(latents)
    }

    /// Latents as the decoder takes them ([`VaeConfig::unscale`]).
    pub fn unscale<const D: usize>(&self, latents: Tensor<D>) -> Tensor<D> {
        self.config.unscale(latents)
    }
}

/// Frames of [`CausalVae::decode_stream`].
#[derive(Debug)]
pub struct DecodeStream<'a> {
    decoder: &'a Decoder,
    batches: Batches,
    total: usize,
    progress: Progress<'a>,
    stopped: bool,
}

impl Iterator for DecodeStream<'_> {
    type Item = Result<Tensor<5>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        let frames = self.batches.next(self.decoder, &mut Trace::off())?;
        let done = (self.total - self.batches.remaining()) as u64;
        let report = self.progress.report(<Decoder as crate::halves::Half>::STAGE, done, Some(self.total as u64));
        self.stopped = report.is_err();
        Some(report.map(|()| frames).map_err(Error::from))
    }
}

/// The landmark guider of SkyReels-A1 (`pose_guider/`): the encoder of a VAE with weights of its own. The published file holds
/// the decoder too, which nothing uses.
#[derive(Module, Debug)]
pub struct LandmarkGuider {
    encoder: Encoder,
    #[module(skip)]
    config: VaeConfig,
}

impl Published for LandmarkGuider {
    const IGNORED: &'static [&'static str] = &["decoder."];
}

impl LandmarkGuider {
    /// A guider whose parameters wait for their values.
    ///
    /// # Errors
    /// Those of [`VaeConfig::validate`].
    pub fn new(config: &VaeConfig, device: &Device) -> Result<Self> {
        config.validate()?;
        Ok(Self { encoder: Encoder::new(config, device), config: config.clone() })
    }

    /// Reads `config.json` and the encoder's weights of a published directory (`pose_guider/`).
    ///
    /// # Errors
    /// Those of [`CausalVae::load`].
    pub fn load(
        directory: impl AsRef<Path>,
        limits: &Limits,
        precision: Precision,
        device: &Device,
        progress: Progress,
    ) -> Result<Self> {
        let (config, weights) = open(directory.as_ref(), limits)?;
        Ok(weights.load(Self::new(&config, device)?, precision, progress)?)
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// Control latents of a guide clip: the posterior's mean times `scaling_factor`.
    ///
    /// The original never tiles here; [`Tiling::Off`] gives its result.
    ///
    /// # Shapes
    /// `[batch, 3, 49, 480, 720]` in `[-1, 1]` to `[batch, 16, 13, 60, 90]`
    ///
    /// # Errors
    /// Those of [`CausalVae::encode`].
    pub fn control_latents(&self, clip: Tensor<5>, tiling: Tiling, progress: Progress) -> Result<Tensor<5>> {
        Ok(self.config.scale(self.encode(clip, tiling, progress)?.mean))
    }

    /// The posterior of a guide clip, unscaled.
    ///
    /// # Shapes
    /// As [`CausalVae::encode`].
    ///
    /// # Errors
    /// Those of [`CausalVae::encode`].
    pub fn encode(&self, clip: Tensor<5>, tiling: Tiling, progress: Progress) -> Result<Posterior> {
        run(&self.encoder, &self.config, clip, tiling, progress, &mut Trace::off()).map(Posterior::from_moments)
    }

    /// [`control_latents`](Self::control_latents) without tiles for a device with automatic differentiation, its graph cut into
    /// pieces by `tape`.
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that cannot be encoded.
    pub fn control_latents_on_tape(&self, clip: Tensor<5>, tape: &Arc<dyn Tape>) -> Result<Tensor<5>> {
        Ok(self.config.scale(encode_on_tape(&self.encoder, &self.config, clip, tape)?.mean))
    }
}

fn encode_on_tape(encoder: &Encoder, config: &VaeConfig, frames: Tensor<5>, tape: &Arc<dyn Tape>) -> Result<Posterior> {
    let moments = run_on_tape(encoder, config, frames, &TapeRef(tape.clone()))?;
    let Posterior { mean, logvar } = Posterior::from_moments(tape.leaf(moments).value);
    // What is made of one of them may be another piece than what is made of both.
    Ok(Posterior { mean: tape.leaf(mean).value, logvar: tape.leaf(logvar).value })
}

fn open(directory: &Path, limits: &Limits) -> Result<(VaeConfig, Weights)> {
    Ok((read_config(directory.join("config.json"))?, Weights::open(directory, limits)?))
}
