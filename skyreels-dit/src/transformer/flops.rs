//! How much work a forward pass is.

use super::config::TransformerConfig;
use crate::Result;
use crate::activation::feed_forward_activation;

impl TransformerConfig {
    /// Floating-point operations of one forward pass, two per multiply and add, matrix products
    /// only. Norms, activations and rotations are below one part in a thousand. The largest number
    /// for sizes beyond all counting.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when a side is shorter than a patch.
    pub fn flops(&self, batch: usize, latents: [usize; 3], identity_tokens: usize) -> Result<u64> {
        let [frames, height, width] = latents;
        let video = product(&self.grid(frames, height, width)?);
        let [identity, model] = [identity_tokens, self.width()].map(|size| size as u128);
        let tokens = video.saturating_add(identity);
        let [time, text, face] =
            [self.time_embed_dim, self.text_embed_dim, self.face_hidden()].map(|size| size as u128);
        let (layers, hidden) = (self.num_layers as u128, self.feed_forward() as u128);
        let gated = feed_forward_activation(&self.activation_fn).is_some_and(|(_, gated)| gated);

        let identity_branch = identity * (self.identity_width() as u128 * face + face * text + text * model);
        let patches = video
            .saturating_mul(model * product(&[self.patch_size, self.patch_size, self.in_channels + self.out_channels]));
        let modulation = time * model * (12 * layers + 2) + model * time + time * time;
        let projections = 4 * model * model;
        let scores_and_values = tokens.saturating_mul(2 * model);
        let feed_forward = if gated { 3 } else { 2 } * model * hidden;
        let token = scores_and_values.saturating_add(projections + feed_forward);
        let blocks = tokens.saturating_mul(token).saturating_mul(layers);
        let sum = identity_branch.saturating_add(patches).saturating_add(modulation).saturating_add(blocks);
        Ok(u64::try_from(sum.saturating_mul(2 * batch as u128)).unwrap_or(u64::MAX))
    }
}

/// What does not fit into 128 bits has no meaning as work either.
fn product(sizes: &[usize]) -> u128 {
    sizes.iter().fold(1, |product: u128, size| product.saturating_mul(*size as u128))
}
