//! `config.json` files: strict where it matters, quiet where it does not.

use serde_json::{Value, json};
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
        ("patch_size", json!(7)),
        ("text_embed_dim", json!(1_u64 << 40)),
        ("activation_fn", json!("gelu")),
        ("timestep_activation_fn", json!("gelu")),
        ("flip_sin_to_cos", json!(false)),
        ("freq_shift", json!(1)),
        ("norm_eps", json!(0.0)),
        ("attention_bias", json!(false)),
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
        assert!(message.contains(field) || field == "patch_size" && help.contains(field), "{field}: {message}");
    }
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
