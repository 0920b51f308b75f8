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

/// [`Tokens`] with both streams in one tensor.
#[derive(Debug, Clone)]
pub struct JoinedTokens {
    /// Identity tokens, then video tokens, `[batch, identity tokens + video tokens, width]`.
    pub all: Tensor<3>,
    /// How many of them are identity tokens.
    pub identity_tokens: usize,
    /// `[batch, time_embed_dim]`
    pub time: Tensor<2>,
}

impl Tokens {
    /// Both streams in one tensor.
    pub fn joined(self) -> JoinedTokens {
        let [_, identity_tokens, _] = self.identity.dims();
        JoinedTokens { all: Tensor::cat(vec![self.identity, self.video], 1), identity_tokens, time: self.time }
    }
}

impl JoinedTokens {
    /// Each stream in a tensor of its own.
    pub fn split(self) -> Tokens {
        let (identity, video) = split(self.all, self.identity_tokens);
        Tokens { video, identity, time: self.time }
    }

    /// The same without gradients.
    #[must_use]
    pub fn values(&self) -> Self {
        Self { all: self.all.clone().inner(), time: self.time.clone().inner(), ..*self }
    }
}

/// Identity tokens and video tokens of a joined sequence.
pub(super) fn split(tokens: Tensor<3>, identity_tokens: usize) -> (Tensor<3>, Tensor<3>) {
    let [_, count, _] = tokens.dims();
    (tokens.clone().narrow(1, 0, identity_tokens), tokens.narrow(1, identity_tokens, count - identity_tokens))
}
