//! How much work a forward pass is.

use super::config::TransformerConfig;
use crate::Result;

impl TransformerConfig {
    /// Floating-point operations of one forward pass, two per multiply and add, matrix products
    /// only. Norms, activations and rotations are below one part in a thousand.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when the patches do not tile the latents.
    pub fn flops(&self, batch: usize, latents: [usize; 3], identity_tokens: usize) -> Result<u64> {
        let [frames, height, width] = latents;
        let video = self.grid(frames, height, width)?.iter().map(|size| *size as u64).product::<u64>();
        let (identity, model) = (identity_tokens as u64, self.width() as u64);
        let tokens = video + identity;
        let (time, text, face) = (self.time_embed_dim as u64, self.text_embed_dim as u64, self.face_hidden() as u64);
        let patch = (self.patch_size * self.patch_size) as u64;

        let identity_branch = identity * (self.identity_width() as u64 * face + face * text + text * model);
        let patches = video * model * patch * (self.in_channels + self.out_channels) as u64;
        let modulation = time * model * (12 * self.num_layers as u64 + 2) + model * time + time * time;
        let projections = 4 * tokens * model * model;
        let scores_and_values = 2 * tokens * tokens * model;
        let feed_forward = 2 * tokens * model * self.feed_forward() as u64;
        let blocks = self.num_layers as u64 * (projections + scores_and_values + feed_forward);
        Ok(2 * batch as u64 * (identity_branch + patches + modulation + blocks))
    }
}
