#![doc = include_str!("../README.md")]

pub mod animate;
mod conditioning;
mod denoise;
mod driving;
mod error;
pub mod golden;
mod intermediates;
pub mod model;
mod pixels;
mod plan;
mod portrait;
mod random;
pub mod rendered;
mod retargeting;
mod reuse;
pub mod tune;

pub use animate::{Animation, Animator, AnimatorOptions, decode};
pub use conditioning::{Conditioning, control_latents, identity_tokens, image_latents};
pub use denoise::{DenoiseSettings, DenoiseStep, Denoised, Denoiser, NoiseSource};
pub use driving::{Driving, Tracking, flame_frame, track};
pub use error::{Error, Result};
pub use intermediates::{Intermediates, KeptLatents, read_conditioning, read_guide, read_latents};
pub use model::{ModelDir, Preset};
pub use pixels::tensor_to_frames;
pub use plan::{BlockWeights, Plan, PlanRequest, available_memory};
pub use portrait::Portrait;
pub use random::random_weights;
pub use retargeting::Retargeting;
pub use reuse::{ReuseSettings, StepRange, WorkCounts};

pub use skyreels_core as core;
pub use skyreels_core::pixels::frames_to_tensor;
pub use skyreels_dit as dit;
pub use skyreels_eval as eval;
pub use skyreels_landmarks as landmarks;
pub use skyreels_train as train;
pub use skyreels_vae as vae;
