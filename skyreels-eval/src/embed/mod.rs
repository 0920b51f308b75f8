//! Who is in the picture: face recognition networks.

mod arcface;
mod cosine;
mod curricular;
mod embedder;
mod unit;

pub use arcface::{ArcFaceConfig, ArcFaceNetwork};
pub use cosine::{cosine, normalised};
pub use curricular::{CurricularFaceConfig, CurricularFaceNetwork};
pub use embedder::{FACE_SIDE, FaceEmbedder, IdentityNetwork};

/// Length of an embedding.
pub const EMBEDDING: usize = 512;

/// Sees intermediate results by the names that PyTorch's hooks would give them.
pub(crate) type Watch<'a> = dyn FnMut(&str, &burn::tensor::Tensor<4>) + 'a;
