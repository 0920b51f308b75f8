//! What goes through the blocks.

use burn::tensor::Tensor;

/// The two streams of tokens and the time embedding, which stays the same from block to block.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// `[batch, video tokens, width]`
    pub video: Tensor<3>,
    /// `[batch, identity tokens, width]`
    pub identity: Tensor<3>,
    /// `[batch, time_embed_dim]`
    pub time: Tensor<2>,
}
