//! The denoiser: patches and identity tokens in, velocity out.

mod block;
mod block_cache;
mod config;
mod embed;
mod flops;
mod int8;
mod model;
mod modulation;
mod norm;
mod offload;
mod pass;
mod patch;
mod positions;
mod reuse;
mod rotary;
mod streams;
mod time;
mod tokens;
mod validate;

pub use block::{Block, FeedForward, SelfAttention};
pub use block_cache::FirstBlockCache;
pub(crate) use config::LATENT_PIXELS;
pub use config::{IDENTITY_TOKENS, TransformerConfig};
pub use embed::{FaceProjector, PatchEmbed};
pub use model::Transformer;
pub use modulation::{ModulatedNorm, Modulation, OutputNorm};
pub use pass::{BlockGradients, BlockPass};
pub use patch::{patchify, unpatchify};
pub use positions::sincos_positions;
pub use reuse::{EveryStep, GuidancePass, Prediction, StepReuse};
pub use rotary::{Rotary, crop_region};
pub use time::{TimeEmbedding, timestep_code};
pub use tokens::{JoinedTokens, Tokens};
