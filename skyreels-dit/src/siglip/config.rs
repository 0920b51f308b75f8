//! `siglip-so400m-patch14-384/config.json`.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Error, Result};

/// Sizes of the SigLIP vision tower.
///
/// Reads the published file, where they stand under `vision_config` and where the last three
/// fields are left out when they have the values that `transformers` gives them; and the bare
/// vision configuration. Everything else is required.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SiglipConfig {
    /// Width of a token.
    pub hidden_size: usize,
    /// Hidden width of a layer's feed-forward part.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Side of the picture in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Channels of the picture; 3 when absent.
    pub num_channels: usize,
    /// Activation; `gelu_pytorch_tanh` when absent.
    pub hidden_act: String,
    /// Epsilon of the norms; 1e-6 when absent.
    pub layer_norm_eps: f64,
}

#[derive(Deserialize)]
struct Fields {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    image_size: usize,
    patch_size: usize,
    #[serde(default = "rgb")]
    num_channels: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
}

fn rgb() -> usize {
    3
}

fn gelu() -> String {
    GELU_TANH.into()
}

fn epsilon() -> f64 {
    1e-6
}

const GELU_TANH: &str = "gelu_pytorch_tanh";
/// Widest layer of a configuration file that is believed.
const MAX_WIDTH: usize = 1 << 20;
/// Most layers. Each one costs memory before it is loaded.
const MAX_LAYERS: usize = 1 << 12;
/// Longest side of the picture.
const MAX_SIDE: usize = 1 << 14;
/// Most channels of the picture.
const MAX_CHANNELS: usize = 1 << 10;

impl<'de> Deserialize<'de> for SiglipConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        let vision = match value.get_mut("vision_config") {
            Some(vision) => vision.take(),
            None => value,
        };
        let fields: Fields = serde_json::from_value(vision).map_err(serde::de::Error::custom)?;
        Ok(Self {
            hidden_size: fields.hidden_size,
            intermediate_size: fields.intermediate_size,
            num_hidden_layers: fields.num_hidden_layers,
            num_attention_heads: fields.num_attention_heads,
            image_size: fields.image_size,
            patch_size: fields.patch_size,
            num_channels: fields.num_channels,
            hidden_act: fields.hidden_act,
            layer_norm_eps: fields.layer_norm_eps,
        })
    }
}

impl SiglipConfig {
    /// The published tower, `siglip-so400m-patch14-384`.
    pub fn so400m() -> Self {
        Self {
            hidden_size: 1152,
            intermediate_size: 4304,
            num_hidden_layers: 27,
            num_attention_heads: 16,
            image_size: 384,
            patch_size: 14,
            num_channels: 3,
            hidden_act: GELU_TANH.into(),
            layer_norm_eps: 1e-6,
        }
    }

    /// Patches along a side; what is left of the picture beyond them is not seen.
    pub fn side(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Tokens of a picture.
    pub fn tokens(&self) -> usize {
        self.side() * self.side()
    }

    /// Floating-point operations of one picture up to the last hidden state, two per multiply and
    /// add, matrix products only. The largest number for sizes beyond all counting.
    pub fn flops(&self) -> u64 {
        // A validated configuration is far from the end of 128 bits.
        let [tokens, width, hidden] = [self.tokens(), self.hidden_size, self.intermediate_size].map(|n| n as u128);
        let patch = (self.num_channels * self.patch_size * self.patch_size) as u128;
        let layer = 4 * tokens * width * width + 2 * tokens * tokens * width + 2 * tokens * width * hidden;
        u64::try_from(2 * (tokens * patch * width + self.num_hidden_layers as u128 * layer)).unwrap_or(u64::MAX)
    }

    /// Checks that this crate has the tower that the fields describe.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that does not fit.
    pub fn validate(&self) -> Result<()> {
        let check = |fits: bool, field: &'static str, value: &dyn std::fmt::Debug, help: &str| {
            if fits {
                return Ok(());
            }
            Err(Error::Config { model: "siglip", field, value: format!("{value:?}"), help: help.to_string() })
        };
        for (field, value, most) in [
            ("hidden_size", self.hidden_size, MAX_WIDTH),
            ("intermediate_size", self.intermediate_size, MAX_WIDTH),
            ("num_hidden_layers", self.num_hidden_layers, MAX_LAYERS),
            ("num_attention_heads", self.num_attention_heads, MAX_WIDTH),
            ("image_size", self.image_size, MAX_SIDE),
            ("patch_size", self.patch_size, MAX_SIDE),
            ("num_channels", self.num_channels, MAX_CHANNELS),
        ] {
            check((1..=most).contains(&value), field, &value, &format!("a size between 1 and {most} is needed"))?;
        }
        let (heads, patch) = (self.num_attention_heads, self.patch_size);
        check(self.hidden_size.is_multiple_of(heads), "num_attention_heads", &heads, "it must divide hidden_size")?;
        check(patch <= self.image_size, "patch_size", &patch, "a patch must fit into the picture")?;
        check(self.hidden_act == GELU_TANH, "hidden_act", &self.hidden_act, "only gelu_pytorch_tanh is supported")?;
        let epsilon = self.layer_norm_eps;
        check(epsilon > 0.0 && epsilon.is_finite(), "layer_norm_eps", &epsilon, "a positive number is needed")
    }
}
