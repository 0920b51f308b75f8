//! A picture to tokens.

use burn::module::{Initializer, Module, Param};
use burn::nn::conv::Conv2d;
use burn::tensor::module::linear as apply_linear;
use burn::tensor::{Device, Tensor};
use skyreels_core::checkpoint::Published;
use skyreels_core::nn::{LayerNorm, conv2d};

use super::config::SiglipConfig;
use super::head::PoolingHead;
use super::layer::Layer;
use crate::trace::Trace;
use crate::transformer::patchify;
use crate::{Error, Result};

#[derive(Module, Debug)]
struct PositionTable {
    weight: Param<Tensor<2>>,
}

/// Patches of a picture with their learned positions.
#[derive(Module, Debug)]
struct Embeddings {
    patch_embedding: Conv2d,
    position_embedding: PositionTable,
}

#[derive(Module, Debug)]
struct Encoder {
    layers: Vec<Layer>,
}

#[derive(Module, Debug)]
struct VisionModel {
    embeddings: Embeddings,
    encoder: Encoder,
    post_layernorm: LayerNorm,
    head: Option<PoolingHead>,
}

/// The vision tower of SigLIP: the picture of a face to identity tokens (`SiglipVisionModel`).
///
/// SkyReels uses the last hidden state alone, so the pooling head is neither created nor read
/// unless [`SiglipConfig::init_with_head`] asks for it.
#[derive(Module, Debug)]
pub struct SiglipVisionTower {
    vision_model: VisionModel,
    #[module(skip)]
    config: SiglipConfig,
}

impl Published for SiglipVisionTower {
    /// The published file holds the text tower and the pooling head too.
    const IGNORED: &'static [&'static str] = &["vision_model.head.", "text_model.", "logit_"];
}

impl SiglipConfig {
    /// A tower of these sizes without pooling head.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<SiglipVisionTower> {
        self.validate()?;
        let normal = Initializer::Normal { mean: 0.0, std: (self.hidden_size as f64).sqrt().recip() };
        let channels = [self.num_channels, self.hidden_size];
        Ok(SiglipVisionTower {
            vision_model: VisionModel {
                embeddings: Embeddings {
                    patch_embedding: conv2d(channels, self.patch_size, self.patch_size, device),
                    position_embedding: PositionTable {
                        weight: normal.init([self.tokens(), self.hidden_size], device),
                    },
                },
                encoder: Encoder { layers: (0..self.num_hidden_layers).map(|_| Layer::new(self, device)).collect() },
                post_layernorm: LayerNorm::new(self.hidden_size, self.layer_norm_eps, device),
                head: None,
            },
            config: self.clone(),
        })
    }

    /// A tower of these sizes with its pooling head.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init_with_head(&self, device: &Device) -> Result<SiglipVisionTower> {
        let mut tower = self.init(device)?;
        tower.vision_model.head = Some(PoolingHead::new(self, device));
        Ok(tower)
    }
}

impl SiglipVisionTower {
    /// The sizes of this tower.
    pub fn config(&self) -> &SiglipConfig {
        &self.config
    }

    /// Identity tokens of a picture: the last hidden state after `post_layernorm`.
    ///
    /// # Shapes
    /// `[batch, 3, image_size, image_size] -> [batch, tokens, hidden_size]`, tokens row by row
    ///
    /// # Errors
    /// [`Error::Shape`] for pictures of another size.
    pub fn forward(&self, pixel_values: Tensor<4>) -> Result<Tensor<3>> {
        self.forward_traced(pixel_values, &mut Trace::off())
    }

    /// [`forward`](Self::forward), with `trace` collecting the intermediate results.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward).
    pub fn forward_traced(&self, pixel_values: Tensor<4>, trace: &mut Trace) -> Result<Tensor<3>> {
        let mut tokens = self.embed(pixel_values)?;
        trace.record("embeddings", &tokens);
        for (number, layer) in self.vision_model.encoder.layers.iter().enumerate() {
            tokens = layer.forward(tokens);
            trace.record(&format!("layer{number}"), &tokens);
        }
        let tokens = self.vision_model.post_layernorm.forward(tokens);
        trace.record("last_hidden_state", &tokens);
        Ok(tokens)
    }

    /// One vector for a picture, from its last hidden state; `None` for a tower without pooling
    /// head.
    ///
    /// # Shapes
    /// `[batch, tokens, hidden_size] -> [batch, hidden_size]`
    pub fn pool(&self, last_hidden_state: Tensor<3>) -> Option<Tensor<2>> {
        self.vision_model.head.as_ref().map(|head| head.forward(last_hidden_state))
    }

    fn embed(&self, pixel_values: Tensor<4>) -> Result<Tensor<3>> {
        let SiglipConfig { num_channels, image_size, patch_size, hidden_size, .. } = self.config;
        let [batch, channels, height, width] = pixel_values.dims();
        if batch == 0 || [channels, height, width] != [num_channels, image_size, image_size] {
            return Err(Error::Shape {
                what: "pixel values",
                found: pixel_values.dims().to_vec(),
                expected: format!("[batch, {num_channels}, {image_size}, {image_size}]"),
            });
        }
        let embeddings = &self.vision_model.embeddings;
        let weight = embeddings.patch_embedding.weight.val();
        let bias = embeddings.patch_embedding.bias.as_ref().map(|bias| bias.val());
        // A convolution of stride and size `patch_size` never sees the pixels beyond the last patch.
        let seen = self.config.side() * patch_size;
        let pixels = pixel_values.narrow(2, 0, seen).narrow(3, 0, seen).cast(weight.dtype());
        let patches = patchify(pixels.unsqueeze_dim(1), patch_size);
        let weight = weight.reshape([hidden_size, num_channels * patch_size * patch_size]).swap_dims(0, 1);
        Ok(apply_linear(patches, weight, bias) + embeddings.position_embedding.weight.val().unsqueeze())
    }
}
