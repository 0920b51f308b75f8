//! Low-rank updates: added exactly, refused by name.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{DType, Tensor, TensorData};
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::checkpoint::{
    Key, LORA_FILE, Lora, Published, PublishedVisitor, as_stored, fill, initial_values, lora_keys, save_lora,
};
use skyreels_core::nn::{LayerNorm, linear};
use skyreels_core::{Device, Error, Limits, Precision, Progress, open_device};

const OUT: usize = 5;
const INPUT: usize = 3;

#[derive(Module, Debug)]
struct Block {
    to_out: Linear,
    norm: LayerNorm,
}

impl Published for Block {
    const RENAMED: &'static [(&'static str, &'static str)] = &[("to_out", "to_out.0")];
}

fn device() -> Device {
    open_device("cpu").unwrap()
}

fn block(precision: Precision) -> Block {
    let module = Block { to_out: linear(INPUT, OUT, &device()), norm: LayerNorm::new(OUT, 1e-5, &device()) };
    fill(module, precision, |key, shape| initial_values(7, key, shape))
}

/// Values in the stored layout, by key.
fn values(module: &Block) -> BTreeMap<String, Vec<f32>> {
    struct Reader(BTreeMap<String, Vec<f32>>);
    impl PublishedVisitor for Reader {
        fn visit<const D: usize>(&mut self, key: &Key, param: &burn::module::Param<Tensor<D>>) {
            let value = as_stored(param, param.val()).into_data();
            self.0.insert(key.as_str().to_string(), value.iter().collect());
        }
    }
    let mut reader = Reader(BTreeMap::new());
    module.visit_published(&mut reader);
    reader.0
}

type File = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn write(path: &Path, file: &File, metadata: Option<&str>) {
    let bytes: Vec<_> = file
        .iter()
        .map(|(key, (shape, values))| {
            (key, shape.clone(), values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
        })
        .collect();
    let views =
        bytes.iter().map(|(key, shape, bytes)| (key, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let metadata = metadata.map(|text| HashMap::from([("lora_adapter_metadata".to_string(), text.to_string())]));
    safetensors::serialize_to_file(views, metadata, path).unwrap();
}

const MATRIX: &str = "to_out.0.weight";

/// `A` counts up, `B` down.
fn file(rank: usize, prefix: &str) -> File {
    let values = |count: usize, sign: f32| (0..count).map(|i| sign * (i as f32 + 1.0) / 16.0).collect();
    BTreeMap::from([
        (format!("{prefix}to_out.0.lora_A.weight"), (vec![rank, INPUT], values(rank * INPUT, 1.0))),
        (format!("{prefix}to_out.0.lora_B.weight"), (vec![OUT, rank], values(OUT * rank, -1.0))),
    ])
}

/// `W + scale B A` in f64.
fn expected(rank: usize, scale: f64) -> Vec<f64> {
    let file = file(rank, "");
    let (down, up) = (&file["to_out.0.lora_A.weight"].1, &file["to_out.0.lora_B.weight"].1);
    let base = &values(&block(Precision::F32))[MATRIX];
    let product = |row: usize, column: usize| -> f64 {
        (0..rank).map(|i| f64::from(up[row * rank + i]) * f64::from(down[i * INPUT + column])).sum()
    };
    (0..OUT * INPUT).map(|i| f64::from(base[i]) + scale * product(i / INPUT, i % INPUT)).collect()
}

fn merged(path: &Path, strengths: &[f64], precision: Precision) -> Result<Block, Error> {
    let loras: Vec<Lora> =
        strengths.iter().map(|strength| Lora::open(path, *strength, &Limits::default()).unwrap()).collect();
    Lora::merge(&loras, block(precision), Progress::none())
}

fn distance(found: &Block, expected: &[f64]) -> f64 {
    let found = values(found);
    found[MATRIX].iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn products_are_added_with_their_strengths_and_nothing_else_changes(
        rank in 1usize..7, strengths in proptest::collection::vec(-2.0f64..2.0, 1..4), with_prefix: bool,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("any.safetensors");
        write(&path, &file(rank, if with_prefix { "transformer." } else { "" }), None);
        let module = merged(&path, &strengths, Precision::F32).unwrap();
        prop_assert!(distance(&module, &expected(rank, strengths.iter().sum())) < 1e-5);
        let (before, after) = (values(&block(Precision::F32)), values(&module));
        for (key, value) in before {
            prop_assert_eq!(after[&key] == value, key != MATRIX, "{}", key);
        }
    }
}

#[test]
fn an_update_of_zero_changes_no_bit_in_any_precision() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(LORA_FILE);
    let mut zero = file(4, "transformer.");
    zero.get_mut("transformer.to_out.0.lora_B.weight").unwrap().1.fill(0.0);
    write(&path, &zero, None);
    for precision in [Precision::F32, Precision::F16, Precision::BF16] {
        // A directory is as good as the file in it.
        let bits = |module: &Block| module.to_out.weight.val().into_data().into_bytes().to_vec();
        assert_eq!(
            bits(&merged(directory.path(), &[1.0, 0.5], precision).unwrap()),
            bits(&block(precision)),
            "{precision}"
        );
    }
}

#[test]
fn what_is_saved_comes_back_with_all_its_bits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(LORA_FILE);
    let [down, up] = lora_keys("transformer.to_out.0.weight").unwrap();
    assert_eq!(down, "transformer.to_out.0.lora_A.weight");
    let own = file(2, "transformer.");
    let tensor = |key: &str| {
        let (shape, values) = own[key].clone();
        Tensor::<2>::from_data(TensorData::new(values, shape), (&device(), DType::F32))
    };
    save_lora([&down, &up].map(|key| (key.clone(), tensor(key))).into(), &path).unwrap();
    let lora = Lora::open(&path, 1.0, &Limits::default()).unwrap();
    assert_eq!(lora.keys().collect::<Vec<_>>(), [MATRIX]);
    assert!(distance(&merged(&path, &[1.0], Precision::F32).unwrap(), &expected(2, 1.0)) < 1e-6);
    assert!(lora_keys("transformer.to_out.0.bias").is_none());
}

#[test]
fn the_alpha_of_the_header_counts_and_variants_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.safetensors");
    for (config, scale) in [
        (r#"{"transformer.lora_alpha": 2, "transformer.r": 4, "transformer.use_dora": false}"#, 0.5),
        (r#"{"lora_alpha": 2.0, "use_rslora": true, "alpha_pattern": {}}"#, 1.0),
        (r#"{"transformer.r": 4}"#, 1.0),
    ] {
        write(&path, &file(4, "transformer."), Some(config));
        let found = distance(&merged(&path, &[1.0], Precision::F32).unwrap(), &expected(4, scale));
        assert!(found < 1e-6, "{config}: {found}");
    }
    for (config, reason) in [
        (r#"{"transformer.use_dora": true}"#, "DoRA"),
        (r#"{"alpha_pattern": {"to_q": 3}}"#, "alpha_pattern"),
        (r#"{"lora_alpha": "much"}"#, "lora_alpha"),
        ("{", "lora_adapter_metadata"),
    ] {
        write(&path, &file(4, "transformer."), Some(config));
        let error = Lora::open(&path, 1.0, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("x.safetensors"), "{config}: {error}");
    }
}

#[test]
fn files_that_do_not_fit_are_refused_by_key_and_shape() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.safetensors");
    let refused = |file: &File, reasons: &[&str]| {
        write(&path, file, None);
        let error = merged(&path, &[1.0], Precision::F32).unwrap_err().to_string();
        for reason in reasons {
            assert!(error.contains(reason), "{reason}: {error}");
        }
    };
    let good = || file(2, "transformer.");
    let (down, up) = ("transformer.to_out.0.lora_A.weight", "transformer.to_out.0.lora_B.weight");
    let with = |key: &str, shape: &[usize]| {
        let mut file = good();
        file.insert(key.to_string(), (shape.to_vec(), vec![1.0; shape.iter().product()]));
        file
    };
    refused(&with("transformer.to_q.lora_A.weight", &[2, 3]), &["unused", "transformer.to_q.lora_A.weight"]);
    refused(&with("text_encoder.x.alpha", &[1]), &["unused", "text_encoder.x.alpha"]);
    refused(&with(down, &[2, 4]), &["misshapen", down, "[2, 4]", "[2, 3]"]);
    refused(&with(up, &[OUT, 3]), &["misshapen", up, "[5, 2]"]);
    refused(&with(up, &[]), &["misshapen", up]);
    refused(&with("transformer.norm.lora_A.weight", &[2, 3]), &["missing", "norm.lora_B.weight"]);
    let mut norm = with("transformer.norm.lora_A.weight", &[2, 3]);
    norm.insert("transformer.norm.lora_B.weight".into(), (vec![5, 2], vec![0.0; 10]));
    refused(&norm, &["misshapen", "norm.lora_A.weight", "model expects [5]"]);
    let mut infinite = good();
    infinite.get_mut(up).unwrap().1[3] = f32::NAN;
    refused(&infinite, &["NaN", up]);

    let open = |strength| Lora::open(&path, strength, &Limits::default()).map(drop).unwrap_err().to_string();
    write(&path, &good(), None);
    assert!(open(f64::NAN).contains("strength"));
    write(&path, &BTreeMap::from([("transformer.to_out.0.weight".to_string(), (vec![1], vec![0.0]))]), None);
    assert!(open(1.0).contains("lora_A"));
    std::fs::write(&path, b"garbage").unwrap();
    assert!(open(1.0).contains("x.safetensors"));
}
