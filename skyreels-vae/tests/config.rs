//! Configurations that are accepted, and those that are not.

use skyreels_vae::{Error, VaeConfig};

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
        ("temporal_compression_ratio", VaeConfig { temporal_compression_ratio: 16, ..base() }),
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
