//! The published checkpoints, described without allocating them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use skyreels_core::Device;
use skyreels_core::checkpoint::Published;
use skyreels_dit::{SiglipConfig, TransformerConfig};

const LAYOUTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/layout/");

#[derive(Deserialize)]
struct Layout {
    config: Value,
    keys: BTreeMap<String, Vec<usize>>,
}

fn layout(name: &str) -> Layout {
    serde_json::from_slice(&std::fs::read(format!("{LAYOUTS}{name}.json")).unwrap()).unwrap()
}

fn elements(shapes: &BTreeMap<String, Vec<usize>>) -> usize {
    shapes.values().map(|shape| shape.iter().product::<usize>()).sum()
}

#[test]
fn the_5b_transformer_has_the_published_keys_and_shapes() {
    let layout = layout("transformer");
    let config: TransformerConfig = serde_json::from_value(layout.config).unwrap();
    assert_eq!(config, TransformerConfig::a1_5b());
    assert_eq!(config.init(&Device::flex()).unwrap().published_shapes(), layout.keys);
}

#[test]
fn the_5b_transformer_has_the_published_number_of_parameters() {
    let mut shapes = TransformerConfig::a1_5b().init(&Device::flex()).unwrap().published_shapes();
    assert_eq!(shapes.len(), 1029);
    assert_eq!(shapes.remove("patch_embed.pos_embedding"), Some(vec![1, 729 + 17550, 3072]));
    assert_eq!(elements(&shapes), 5_588_820_928);
    let block = shapes.iter().filter(|(key, _)| key.starts_with("transformer_blocks.7."));
    assert_eq!(block.map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>(), 132_197_632);
}

#[test]
fn without_learned_positions_only_their_table_is_absent() {
    let config = TransformerConfig { use_learned_positional_embeddings: false, ..TransformerConfig::a1_5b() };
    let shapes = config.init(&Device::flex()).unwrap().published_shapes();
    assert_eq!(shapes.len(), 1028);
    assert!(!shapes.contains_key("patch_embed.pos_embedding"));
}

#[test]
fn the_siglip_tower_has_the_published_keys_and_shapes() {
    let mut layout = layout("siglip");
    let config: SiglipConfig = serde_json::from_value(layout.config).unwrap();
    assert_eq!(config, SiglipConfig::so400m());
    assert_eq!(config.init_with_head(&Device::flex()).unwrap().published_shapes(), layout.keys);
    layout.keys.retain(|key, _| !key.starts_with("vision_model.head."));
    assert_eq!(config.init(&Device::flex()).unwrap().published_shapes(), layout.keys);
}

#[test]
fn a_5b_forward_pass_is_346_tflop() {
    let flops = TransformerConfig::a1_5b().flops(1, [13, 60, 90], 729).unwrap() as f64;
    assert!((flops / 346.4e12 - 1.0).abs() < 0.01, "{flops:e}");
}

#[test]
fn a_siglip_forward_pass_is_two_operations_per_weight_and_token_plus_attention() {
    let config = SiglipConfig::so400m();
    let weights = 27.0 * (4.0 * 1152.0 * 1152.0 + 2.0 * 1152.0 * 4304.0) + 3.0 * 14.0 * 14.0 * 1152.0;
    let attention = 27.0 * 4.0 * 729.0 * 729.0 * 1152.0;
    let expected = 2.0 * 729.0 * weights + attention;
    assert!((config.flops() as f64 / expected - 1.0).abs() < 1e-9);
}
