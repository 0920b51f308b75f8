//! The memory of a run, computed before it starts.

use std::fmt;

use serde::Serialize;
use skyreels_core::checkpoint::Published;
use skyreels_core::device::Backend;
use skyreels_core::{Device, Precision};
use skyreels_dit::attention::{AttentionPlan, AttentionShape, Engine};
use skyreels_vae::{CausalVae, Direction, LandmarkGuider, TilePlan, Tiling, VaeConfig, decode_bytes, encode_bytes};

use crate::model::ModelDir;
use crate::{Error, Result};

const MIB: u64 = 1 << 20;
/// Hidden-width copies of the token sequence alive in a transformer block: both streams, normed,
/// query, key, value, attention, and the two feed-forward tensors of four widths each.
const LIVE_TOKENS: u64 = 16;
/// Tensors of video tokens that a cache of blocks keeps for each guidance pass.
const KEPT_TOKENS: u64 = 2;
/// Unconditional and conditional.
const GUIDANCE_PASSES: u64 = 2;
/// Blocks on the device at a time when they are kept elsewhere.
const FETCHED_BLOCKS: u64 = 2;
/// Bytes of a number as weights of 8 bits are turned back.
const DEQUANTISED_BYTES: u64 = 4;
/// Copies of the vision tower's tokens alive in a block, counted likewise.
const LIVE_VISION_TOKENS: u64 = 16;

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest {
    /// `[frames, height, width]` in pixels.
    pub size: [usize; 3],
    /// Precision of transformer, VAE and guider.
    pub precision: Precision,
    /// Tiling of the VAE.
    pub tiling: Tiling,
    /// Tiling of the landmark guider.
    pub guider_tiling: Tiling,
    /// Both guidance passes at once.
    pub batched_guidance: bool,
    /// A cache of blocks between steps.
    pub block_cache: bool,
    /// The weights of the transformer's blocks.
    pub blocks: BlockWeights,
}

/// Where the weights of the transformer's blocks are, which are nearly all of it, and how small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum BlockWeights {
    /// On the device, in the precision of the run.
    #[default]
    Full,
    /// On the device, in 8 bits: slightly other pixels ([`TransformerConfig::init_int8`]).
    ///
    /// [`TransformerConfig::init_int8`]: skyreels_dit::TransformerConfig::init_int8
    Int8,
    /// In the host's memory; every pass fetches them one by one: the same pixels, slowly
    /// ([`TransformerConfig::init_offloaded`]).
    ///
    /// [`TransformerConfig::init_offloaded`]: skyreels_dit::TransformerConfig::init_offloaded
    Offloaded,
}

/// The device whose memory is the host's.
pub(crate) const HOST: &str = "cpu";

impl Default for PlanRequest {
    fn default() -> Self {
        Self {
            size: [49, 480, 720],
            precision: Precision::F32,
            tiling: Tiling::On,
            guider_tiling: Tiling::Off,
            batched_guidance: false,
            block_cache: false,
            blocks: BlockWeights::Full,
        }
    }
}

/// What makes a run smaller, in the order in which it is tried: what costs time alone, what costs slightly other pixels
/// too, what rounds weights, and last what costs much time.
const CHANGES: [fn(&mut PlanRequest); 5] = [
    |request| request.batched_guidance = false,
    |request| request.tiling = Tiling::On,
    |request| request.guider_tiling = Tiling::On,
    |request| request.blocks = BlockWeights::Int8,
    |request| request.blocks = BlockWeights::Offloaded,
];

impl PlanRequest {
    /// The request with as few changes as make it fit into `available` bytes, and what they are. A change that does not
    /// make this run smaller, or that this device does not know, is left out.
    ///
    /// # Errors
    /// [`Error::Memory`] when no change will do; those of [`Plan::new`].
    pub fn fitted(mut self, model: &ModelDir, device: &Device, available: u64) -> Result<(Self, Vec<&'static str>)> {
        let asked = self;
        let mut plan = Plan::new(model, &self, device)?;
        while plan.peak() > available {
            // From the first again after every change: it may help only now that another stage is the largest.
            let smaller = CHANGES.iter().find_map(|change| {
                let mut request = self;
                change(&mut request);
                // Tiles that do not work out at this size are no way to make it smaller.
                let tried = Plan::new(model, &request, device).ok()?;
                (tried.peak() < plan.peak()).then_some((request, tried))
            });
            let Some(smaller) = smaller else { break };
            (self, plan) = smaller;
        }
        plan.check(available)?;
        let made = [
            (asked.batched_guidance != self.batched_guidance, "guidance passes one after the other"),
            (asked.tiling != self.tiling, "VAE in tiles"),
            (asked.guider_tiling != self.guider_tiling, "landmark guider in tiles"),
            (asked.blocks != self.blocks && self.blocks == BlockWeights::Int8, "transformer's blocks in 8 bits"),
            (
                asked.blocks != self.blocks && self.blocks == BlockWeights::Offloaded,
                "transformer's blocks in the host's memory, which is slow",
            ),
        ];
        Ok((self, made.into_iter().filter_map(|(changed, name)| changed.then_some(name)).collect()))
    }
}

/// Memory of one stage. Each stage loads what it needs and drops it when it ends.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// Weights in the chosen precision, in bytes.
    pub weights: u64,
    /// Estimated activations at their peak, in bytes.
    pub activations: u64,
}

/// The stages of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// `[frames, height, width]` in pixels.
    pub size: [usize; 3],
    /// `[frames, height, width]` of the latents.
    pub latents: [usize; 3],
    /// Tokens in the transformer's sequence.
    pub tokens: usize,
    /// Whether the VAE works tile by tile.
    pub tiled: bool,
    /// The stages in order.
    pub stages: Vec<Stage>,
    #[serde(skip)]
    request: PlanRequest,
    /// No low-rank update needs the blocks as plain tensors.
    #[serde(skip)]
    unchanged_blocks: bool,
}

impl Plan {
    /// Plans a run. The networks are described, not allocated: `device` is only named.
    ///
    /// # Errors
    /// Those of [`ModelDir::latent_size`], of tiles that do not fit the frame, and of configurations
    /// that describe no network; [`Error::Request`] for low-rank updates of blocks that are not plain tensors.
    pub fn new(model: &ModelDir, request: &PlanRequest, device: &Device) -> Result<Self> {
        if request.blocks != BlockWeights::Full {
            model.check_without_loras()?;
        }
        let latents = model.latent_size(request.size)?;
        let [frames, height, width] = request.size;
        let precision = request.precision;
        let patch = model.transformer.patch_size;
        let identity = model.siglip.tokens();
        let tokens = identity + latents[0] * (latents[1] / patch) * (latents[2] / patch);
        let (tiled, [vae_height, vae_width]) = tile(&model.vae, request.tiling, [height, width])?;
        let (_, [guide_height, guide_width]) = tile(&model.guider, request.guider_tiling, [height, width])?;
        if tiled {
            // A tiling that does not work out should not be found out after an hour.
            TilePlan::new(&model.vae, &model.vae.tile_sizes(), Direction::Decode, latents[1], latents[2])?;
        }

        let bytes = precision.bytes() as u64;
        let sequences = if request.batched_guidance { 2 } else { 1 };
        let hidden = model.transformer.width() as u64;
        let shape = AttentionShape {
            batch: sequences as usize,
            heads: model.transformer.num_attention_heads,
            queries: tokens,
            keys: tokens,
            head_dim: model.transformer.attention_head_dim,
        };
        let scores = AttentionPlan::new(shape, Engine::of(device), precision.dtype(), false)
            .score_bytes(shape, precision.dtype());
        let mut denoise = sequences * LIVE_TOKENS * tokens as u64 * hidden * bytes + scores;
        if request.block_cache {
            // What both passes have said together is kept beside what one has said alone.
            denoise += (GUIDANCE_PASSES + u64::from(request.batched_guidance))
                * KEPT_TOKENS
                * (tokens - identity) as u64
                * hidden
                * bytes;
        }
        let see = LIVE_VISION_TOKENS * (identity * model.siglip.hidden_size * 4) as u64;
        let ratio = model.vae.spatial_compression_ratio();
        let guide = encode_bytes(&model.guider, frames, guide_height, guide_width, precision);
        let picture = encode_bytes(&model.vae, 1, vae_height, vae_width, precision);
        let decode = decode_bytes(&model.vae, latents[0], vae_height / ratio, vae_width / ratio, precision);
        let video = (3 * frames * height * width * 4) as u64;

        let guider_weights = parameters(&LandmarkGuider::new(&model.guider, device)?) * bytes;
        let vae_weights = parameters(&CausalVae::new(&model.vae, device)?) * bytes;
        let siglip_weights = parameters(&model.siglip.init(device)?) * Precision::F32.bytes() as u64;
        let largest_layer = hidden * model.transformer.feed_forward() as u64;
        let transformer_weights = match request.blocks {
            BlockWeights::Full => model.transformer.init(device)?.weight_bytes(precision, false),
            BlockWeights::Int8 => {
                // One layer at a time is there in full, first in f32.
                denoise += largest_layer * (DEQUANTISED_BYTES + bytes);
                model.transformer.init_int8(device)?.weight_bytes(precision, true)
            }
            BlockWeights::Offloaded => {
                if Backend::of(device).is_host() {
                    return Err(Error::request("offload", "this device computes in the host's memory already"));
                }
                let transformer = model.transformer.init(device)?;
                let blocks = transformer.block_bytes(precision);
                // The block at work, and the next one that may be under way.
                let fetched = FETCHED_BLOCKS * blocks / model.transformer.num_layers as u64;
                transformer.weight_bytes(precision, false) - blocks + fetched
            }
        };
        let stage = |name, weights, activations| Stage { name, weights, activations };
        let stages = vec![
            stage("guide clip to control latents", guider_weights, guide + video),
            stage("portrait to image latents", vae_weights, picture),
            stage("face to identity tokens", siglip_weights, see),
            stage("denoise", transformer_weights, denoise),
            stage("latents to frames", vae_weights, decode + video),
        ];
        let unchanged_blocks = model.check_without_loras().is_ok();
        Ok(Self { size: request.size, latents, tokens, tiled, stages, request: *request, unchanged_blocks })
    }

    /// Estimated peak, in bytes.
    pub fn peak(&self) -> u64 {
        self.stages.iter().map(|stage| stage.weights + stage.activations).max().unwrap_or(0)
    }

    /// Refuses the plan when `available` bytes are too few.
    ///
    /// # Errors
    /// [`Error::Memory`] with the smaller plan.
    pub fn check(&self, available: u64) -> Result<()> {
        if self.peak() <= available {
            return Ok(());
        }
        let request = &self.request;
        let mut smaller = Vec::new();
        if request.batched_guidance {
            smaller.push("run the guidance passes one after the other");
        }
        if request.tiling == Tiling::Off {
            smaller.push("use `--tiling on`");
        } else if request.guider_tiling == Tiling::Off {
            smaller.push("use `--tiling all`");
        }
        if request.precision == Precision::F32 {
            smaller.push("use `--precision bf16`");
        }
        if request.blocks == BlockWeights::Full && self.unchanged_blocks {
            smaller.push("use `--int8` or, on a card, `--offload`");
        }
        smaller.push("choose fewer `--frames`, or `--force` the run");
        Err(Error::Memory { needed: self.peak() / MIB, available: available / MIB, help: smaller.join(", ") })
    }
}

/// Whether a network works in tiles at this size, and height and width of what it sees at a time.
fn tile(config: &VaeConfig, tiling: Tiling, [height, width]: [usize; 2]) -> Result<(bool, [usize; 2])> {
    let sizes = config.tile_sizes();
    if tiling == Tiling::Off || (height <= sizes.height && width <= sizes.width) {
        return Ok((false, [height, width]));
    }
    // A tiling that does not work out should not be found out after an hour.
    TilePlan::new(config, &sizes, Direction::Encode, height, width)?;
    Ok((true, [height.min(sizes.height), width.min(sizes.width)]))
}

/// Parameters of a network.
pub(crate) fn parameters<M: Published>(module: &M) -> u64 {
    module.published_shapes().values().map(|shape| shape.iter().product::<usize>() as u64).sum()
}

/// Memory that a run on `device` may take, in bytes: what this machine has free, within the limit that
/// its container sets. `None` for a device with memory of its own, which nobody can ask.
pub fn available_memory(device: &Device) -> Option<u64> {
    if !Backend::of(device).is_host() {
        return None;
    }
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    Some(system.cgroup_limits().map_or(free, |limits| free.min(limits.free_memory)))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [frames, height, width] = self.size;
        let [latent_frames, latent_height, latent_width] = self.latents;
        writeln!(
            f,
            "plan: {frames} frames of {height}x{width}, latents {latent_frames}x{latent_height}x{latent_width}, {} tokens, VAE {}",
            self.tokens,
            if self.tiled { "in tiles" } else { "whole" }
        )?;
        for stage in &self.stages {
            writeln!(
                f,
                "  {:32} {:>8.1} MiB weights, about {:>8.1} MiB beside them",
                stage.name,
                stage.weights as f64 / MIB as f64,
                stage.activations as f64 / MIB as f64
            )?;
        }
        write!(f, "  peak about {:.1} MiB", self.peak() as f64 / MIB as f64)
    }
}
