//! The published files, described without reading or allocating them.

use std::collections::BTreeMap;

use burn::tensor::Device;
use serde::Deserialize;
use skyreels_core::checkpoint::{Published, read_config};
use skyreels_vae::{CausalVae, LandmarkGuider, VaeConfig};

const LAYOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/layout/vae.json");
/// Totals of the published file.
const ENCODER_PARAMETERS: usize = 92_215_456;
const DECODER_PARAMETERS: usize = 123_368_451;

#[derive(Deserialize)]
struct Layout {
    config: VaeConfig,
    keys: BTreeMap<String, Vec<usize>>,
}

fn parameters(shapes: &BTreeMap<String, Vec<usize>>, prefix: &str) -> usize {
    shapes.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

#[test]
fn the_published_configuration_has_the_published_number_of_parameters() {
    let vae = CausalVae::new(&VaeConfig::published(), &Device::flex()).unwrap();
    let shapes = vae.published_shapes();
    assert_eq!(parameters(&shapes, "encoder."), ENCODER_PARAMETERS);
    assert_eq!(parameters(&shapes, "decoder."), DECODER_PARAMETERS);
    assert_eq!(shapes["decoder.up_blocks.1.resnets.0.conv_shortcut.weight"], [256, 512, 1, 1, 1]);
    assert_eq!(shapes["encoder.down_blocks.2.downsamplers.0.conv.weight"], [256, 256, 3, 3]);
    assert_eq!(shapes["decoder.norm_out.conv_y.conv.weight"], [128, 16, 1, 1, 1]);
}

#[test]
fn keys_and_shapes_equal_those_of_the_published_file() {
    let layout: Layout = read_config(LAYOUT).unwrap();
    assert_eq!(layout.config, VaeConfig::published());
    let device = Device::flex();
    let vae = CausalVae::new(&layout.config, &device).unwrap();
    assert_eq!(vae.published_shapes(), layout.keys);
    let guider = LandmarkGuider::new(&layout.config, &device).unwrap();
    let encoder: BTreeMap<_, _> = layout.keys.into_iter().filter(|(key, _)| key.starts_with("encoder.")).collect();
    assert_eq!(guider.published_shapes(), encoder);
}
