//! `config.json` files: strict where it matters, quiet where it does not.

use serde_json::{Value, json};
use skyreels_core::Device;
use skyreels_core::checkpoint::Published;
use skyreels_dit::{Error, SiglipConfig, TransformerConfig};

fn published() -> Value {
    serde_json::to_value(TransformerConfig::a1_5b()).unwrap()
}

#[test]
fn unknown_fields_are_ignored_and_the_text_length_with_them() {
    let mut value = published();
    value["_class_name"] = json!("CogVideoXTransformer3DModel");
    value["max_text_seq_length"] = json!(226);
    value["patch_size_t"] = Value::Null;
    let config: TransformerConfig = serde_json::from_value(value).unwrap();
    assert_eq!(config, TransformerConfig::a1_5b());
}

#[test]
fn every_missing_field_is_an_error_that_names_it() {
    for field in published().as_object().unwrap().keys() {
        let mut value = published();
        value.as_object_mut().unwrap().remove(field);
        let error = serde_json::from_value::<TransformerConfig>(value).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
}

#[test]
fn what_this_crate_does_not_have_is_refused_by_name() {
    let cases = [
        ("attention_head_dim", json!(20)),
        ("num_layers", json!(0)),
        ("patch_size", json!(0)),
        ("patch_size", json!(61)),
        ("text_embed_dim", json!(1_u64 << 40)),
        ("activation_fn", json!("relu")),
        ("timestep_activation_fn", json!("geglu")),
        ("freq_shift", json!(1536)),
        ("norm_eps", json!(0.0)),
        ("use_rotary_positional_embeddings", json!(false)),
        ("patch_size_t", json!(2)),
        ("ofs_embed_dim", json!(512)),
    ];
    for (field, wrong) in cases {
        let mut value = published();
        value[field] = wrong;
        let config: TransformerConfig = serde_json::from_value(value).unwrap();
        let error = config.validate().unwrap_err();
        let Error::Config { help, .. } = &error else { panic!("{error}") };
        let message = error.to_string();
        // The original has learned positions beside rotary ones only, and names them.
        let other = field == "use_rotary_positional_embeddings" && message.contains("use_learned");
        assert!(message.contains(field) || help.contains(field) || other, "{field}: {message}");
    }
}

#[test]
fn sizes_beyond_any_model_are_refused_before_anything_is_made_of_them() {
    let hostile = [
        ("num_layers", json!(1_u64 << 20)),
        ("num_layers", json!(u64::MAX)),
        ("num_attention_heads", json!(1_u64 << 20)),
        ("attention_head_dim", json!(u64::MAX)),
        ("in_channels", json!(u64::MAX)),
        ("out_channels", json!(1_u64 << 17)),
        ("time_embed_dim", json!(u64::MAX)),
        ("patch_size", json!(u64::MAX)),
        ("sample_frames", json!(u64::MAX)),
        ("sample_height", json!(1_u64 << 40)),
        ("temporal_compression_ratio", json!(u64::MAX)),
        ("pose_embed_width", json!(u64::MAX)),
        ("pose_proj_hidden", json!(0)),
    ];
    for (field, wrong) in hostile {
        let mut value = published();
        value[field] = wrong;
        let config: TransformerConfig = serde_json::from_value(value).unwrap();
        let error = config.init(&Device::flex()).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
    let many = TransformerConfig {
        sample_frames: 1 << 16,
        sample_height: 1 << 16,
        sample_width: 1 << 16,
        ..TransformerConfig::a1_5b()
    };
    let error = many.init(&Device::flex()).unwrap_err().to_string();
    assert!(error.contains("positions"), "{error}");
}

#[test]
fn the_largest_configuration_is_a_model_that_can_be_described() {
    let config = TransformerConfig {
        num_attention_heads: 1 << 10,
        attention_head_dim: 1 << 10,
        in_channels: 1 << 16,
        out_channels: 1 << 16,
        time_embed_dim: 1 << 20,
        text_embed_dim: 1 << 20,
        num_layers: 1 << 12,
        patch_size: 1 << 10,
        pose_embed_width: Some(1 << 20),
        use_learned_positional_embeddings: false,
        ..TransformerConfig::a1_5b()
    };
    let model = config.init(&Device::flex()).unwrap();
    assert_eq!(model.published_shapes()["patch_embed.proj.weight"], [1 << 20, 1 << 16, 1 << 10, 1 << 10]);
    assert_eq!(config.flops(2, [usize::MAX; 3], usize::MAX).unwrap(), u64::MAX);
    assert!(config.rotary(1, usize::MAX, usize::MAX, &Device::flex()).is_err());
}

#[test]
fn hostile_siglip_sizes_are_refused_and_the_largest_can_be_counted() {
    let base = SiglipConfig::so400m;
    for (field, config) in [
        ("hidden_size", SiglipConfig { hidden_size: usize::MAX, ..base() }),
        ("num_hidden_layers", SiglipConfig { num_hidden_layers: 1 << 20, ..base() }),
        ("image_size", SiglipConfig { image_size: usize::MAX, ..base() }),
        ("num_channels", SiglipConfig { num_channels: usize::MAX, ..base() }),
        ("intermediate_size", SiglipConfig { intermediate_size: 0, ..base() }),
    ] {
        let error = config.init(&Device::flex()).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
    let largest = SiglipConfig {
        hidden_size: 1 << 20,
        intermediate_size: 1 << 20,
        num_hidden_layers: 1 << 12,
        image_size: 1 << 14,
        patch_size: 1,
        num_channels: 1 << 10,
        ..base()
    };
    largest.init(&Device::flex()).unwrap();
    assert_eq!(largest.flops(), u64::MAX);
}

#[test]
fn a_configuration_without_biases_and_affine_norms_has_no_such_keys() {
    let config =
        TransformerConfig { attention_bias: false, norm_elementwise_affine: false, ..TransformerConfig::a1_5b() };
    let keys = config.init(&Device::flex()).unwrap().published_shapes();
    let all = TransformerConfig::a1_5b().init(&Device::flex()).unwrap().published_shapes();
    let missing: Vec<&str> = all.keys().filter(|key| !keys.contains_key(*key)).map(String::as_str).collect();
    assert_eq!(missing.len(), 42 * (3 + 4) + 4);
    for key in ["attn1.to_q.bias", "attn1.to_k.bias", "attn1.to_v.bias", "norm1.norm.weight", "norm2.norm.bias"] {
        assert!(missing.contains(&format!("transformer_blocks.41.{key}").as_str()), "{key}");
    }
    assert!(missing.contains(&"norm_final.weight") && missing.contains(&"norm_out.norm.bias"));
    assert!(keys.contains_key("transformer_blocks.0.attn1.norm_q.weight"));
    assert!(keys.contains_key("transformer_blocks.0.attn1.to_out.0.bias"));
}

#[test]
fn the_siglip_file_may_be_the_published_one_or_the_vision_part_alone() {
    let vision = json!({
        "hidden_size": 1152, "image_size": 384, "intermediate_size": 4304, "model_type": "siglip_vision_model",
        "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14
    });
    let whole = json!({ "model_type": "siglip", "text_config": { "hidden_size": 1152 }, "vision_config": vision });
    for value in [vision, whole] {
        let config: SiglipConfig = serde_json::from_value(value).unwrap();
        assert_eq!(config, SiglipConfig::so400m());
        assert_eq!(config.tokens(), 729);
    }
}

#[test]
fn a_siglip_file_without_a_size_or_with_another_activation_is_refused() {
    let error = serde_json::from_value::<SiglipConfig>(json!({ "vision_config": {} })).unwrap_err();
    assert!(error.to_string().contains("hidden_size"), "{error}");
    let config = SiglipConfig { hidden_act: "gelu".into(), ..SiglipConfig::so400m() };
    assert!(config.validate().unwrap_err().to_string().contains("hidden_act"));
    let config = SiglipConfig { num_attention_heads: 7, ..SiglipConfig::so400m() };
    assert!(config.validate().unwrap_err().to_string().contains("num_attention_heads"));
}
