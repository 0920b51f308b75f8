//! Configurations that are accepted, and those that are not.

use burn::tensor::Device;
use proptest::prelude::*;
use skyreels_core::Precision;
use skyreels_core::checkpoint::Published;
use skyreels_vae::{CausalVae, Error, VaeConfig, decode_bytes, decode_flops, encode_bytes, encode_flops};

fn json() -> serde_json::Value {
    serde_json::to_value(VaeConfig::published()).unwrap()
}

#[test]
fn unknown_fields_are_left_alone_and_missing_ones_are_errors() {
    let mut value = json();
    value["force_upcast"] = true.into();
    value["_class_name"] = "AutoencoderKLCogVideoX".into();
    assert_eq!(VaeConfig::published(), serde_json::from_value(value.clone()).unwrap());
    for field in ["scaling_factor", "norm_eps", "block_out_channels", "act_fn", "sample_height"] {
        let mut value = value.clone();
        value.as_object_mut().unwrap().remove(field);
        let message = serde_json::from_value::<VaeConfig>(value).unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    }
}

#[test]
fn contradictions_are_named_by_their_field() {
    let base = VaeConfig::published;
    base().validate().unwrap();
    let wrong = [
        ("norm_num_groups", VaeConfig { norm_num_groups: 0, ..base() }),
        ("block_out_channels", VaeConfig { norm_num_groups: 3, ..base() }),
        ("block_out_channels", VaeConfig { block_out_channels: Vec::new(), ..base() }),
        ("temporal_compression_ratio", VaeConfig { temporal_compression_ratio: 3, ..base() }),
        ("temporal_compression_ratio", VaeConfig { temporal_compression_ratio: 0, ..base() }),
        ("scaling_factor", VaeConfig { scaling_factor: f64::NAN, ..base() }),
        ("norm_eps", VaeConfig { norm_eps: 0.0, ..base() }),
        ("up_block_types", VaeConfig { up_block_types: vec!["CogVideoXUpBlock3D".into()], ..base() }),
    ];
    for (field, config) in wrong {
        match config.validate().unwrap_err() {
            Error::Config { field: named, .. } => assert_eq!(named, field),
            other => panic!("{field}: {other}"),
        }
    }
}

#[test]
fn variants_of_other_models_are_not_supported() {
    let base = VaeConfig::published;
    let other = [
        ("act_fn", VaeConfig { act_fn: "gelu".into(), ..base() }),
        ("use_quant_conv", VaeConfig { use_quant_conv: true, ..base() }),
        ("use_post_quant_conv", VaeConfig { use_post_quant_conv: true, ..base() }),
        ("down_block_types", VaeConfig { down_block_types: vec!["DownEncoderBlock2D".into(); 4], ..base() }),
    ];
    for (field, config) in other {
        match config.validate().unwrap_err() {
            Error::Unsupported { field: named, .. } => assert_eq!(named, field),
            other => panic!("{field}: {other}"),
        }
    }
}

#[test]
fn only_lengths_of_whole_batches_come_back_as_they_were() {
    let config = VaeConfig::published();
    let fits: Vec<usize> = (0..50).filter(|frames| config.check_clip(*frames).is_ok()).collect();
    assert_eq!(fits, [1, 8, 9, 16, 17, 24, 25, 32, 33, 40, 41, 48, 49]);
    let message = config.check_clip(13).unwrap_err().to_string();
    assert!(message.contains("use 9 or 16"), "{message}");
    assert_eq!(config.latent_frames(49), 13);
    assert_eq!(config.frames(13), 49);
}

#[test]
fn sizes_beyond_any_model_are_refused_before_anything_is_made_of_them() {
    let base = VaeConfig::published;
    let hostile = [
        ("layers_per_block", VaeConfig { layers_per_block: usize::MAX, ..base() }),
        ("layers_per_block", VaeConfig { layers_per_block: 1_000_000, ..base() }),
        ("latent_channels", VaeConfig { latent_channels: usize::MAX, ..base() }),
        ("in_channels", VaeConfig { in_channels: 1 << 40, ..base() }),
        ("out_channels", VaeConfig { out_channels: 1 << 40, ..base() }),
        ("norm_num_groups", VaeConfig { norm_num_groups: usize::MAX, ..base() }),
        ("sample_height", VaeConfig { sample_height: usize::MAX, ..base() }),
        ("block_out_channels", VaeConfig { block_out_channels: vec![32; 17], ..base() }),
        ("block_out_channels", VaeConfig { block_out_channels: vec![1 << 40; 4], ..base() }),
    ];
    for (field, config) in hostile {
        let error = CausalVae::new(&config, &Device::flex()).unwrap_err();
        assert!(matches!(&error, Error::Config { field: named, .. } if *named == field), "{field}: {error}");
    }
}

#[test]
fn the_largest_configuration_is_a_model_that_can_be_described() {
    let config = VaeConfig {
        block_out_channels: vec![1 << 16; 2],
        layers_per_block: 2048,
        latent_channels: 1 << 16,
        norm_num_groups: 1 << 16,
        down_block_types: Vec::new(),
        up_block_types: Vec::new(),
        ..VaeConfig::published()
    };
    let vae = CausalVae::new(&config, &Device::flex()).unwrap();
    assert!(vae.published_shapes().len() > 2 * 2048 * 8);
    assert_eq!(encode_flops(&config, usize::MAX, 1 << 20, 1 << 20), u64::MAX);
    assert_eq!(decode_flops(&config, usize::MAX, 1 << 20, 1 << 20), u64::MAX);
    assert_eq!(encode_bytes(&config, usize::MAX, 1 << 40, 1 << 40, Precision::F32), u64::MAX);
    assert_eq!(decode_bytes(&config, usize::MAX, 1 << 40, 1 << 40, Precision::F32), u64::MAX);
}

#[test]
fn the_ratio_of_time_may_be_a_float_and_more_than_the_levels_give() {
    for (written, read) in [
        (serde_json::json!(4.0), Some(4)),
        (serde_json::json!(4), Some(4)),
        (serde_json::json!(4.5), None),
        (serde_json::json!(-4), None),
        (serde_json::json!(1e300), None),
    ] {
        let mut value = json();
        value["temporal_compression_ratio"] = written;
        let config = serde_json::from_value::<VaeConfig>(value);
        assert_eq!(config.ok().map(|config| config.temporal_compression_ratio), read);
    }
    // The last level changes no size: of two levels, one halves the frames.
    let two = VaeConfig {
        block_out_channels: vec![8, 8],
        norm_num_groups: 4,
        down_block_types: Vec::new(),
        up_block_types: Vec::new(),
        ..VaeConfig::published()
    };
    two.validate().unwrap();
    assert_eq!((two.latent_frames(9), two.frames(5)), (5, 9));
    let one = VaeConfig { block_out_channels: vec![8], ..two };
    one.validate().unwrap();
    assert_eq!((one.latent_frames(9), one.frames(9)), (9, 9));
}

#[test]
fn a_clip_of_any_length_is_judged_at_once() {
    let config = VaeConfig::published();
    let message = config.check_clip(400_000_000_003).unwrap_err().to_string();
    assert!(message.contains("use 400000000001 or 400000000008"), "{message}");
    config.check_clip(400_000_000_000).unwrap();
    assert!(config.check_clip(usize::MAX).is_err());
    let message = config.check_clip(0).unwrap_err().to_string();
    assert!(message.ends_with("use 1"), "{message}");
    // Four levels of time: no batch but a single frame comes back as it was.
    let deep = VaeConfig { temporal_compression_ratio: 16, block_out_channels: vec![32; 5], ..config };
    let message = deep.check_clip(100).unwrap_err().to_string();
    assert!(message.ends_with("use 1"), "{message}");
}

proptest! {
    #[test]
    fn the_lengths_that_are_named_are_the_nearest_that_fit(frames in 1usize..300, levels in 0u32..4) {
        let config = VaeConfig { temporal_compression_ratio: 1 << levels, ..VaeConfig::published() };
        let fits = |frames: usize| config.frames(config.latent_frames(frames)) == frames;
        prop_assert_eq!(config.check_clip(frames).is_ok(), fits(frames));
        if let Err(error) = config.check_clip(frames) {
            let shorter = (1..frames).rev().find(|frames| fits(*frames)).unwrap_or(1);
            let longer = (frames + 1..frames + 100).find(|frames| fits(*frames)).unwrap();
            prop_assert!(error.to_string().ends_with(&format!("use {shorter} or {longer}")), "{}", error);
        }
    }
}
