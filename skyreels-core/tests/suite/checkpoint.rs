//! Checkpoints: strict, complete, hostile files refused, the same layout back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{DType, Tensor};
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::checkpoint::{Published, Weights, fill, read_config, save, save_beside};
use skyreels_core::nn::{LayerNorm, linear};
use skyreels_core::{Device, Error, Limits, Precision, Progress, open_device};

#[derive(Module, Debug)]
struct Block {
    to_out: Linear,
    norm: LayerNorm,
}

#[derive(Module, Debug)]
struct Model {
    blocks: Vec<Block>,
}

impl Published for Model {
    const RENAMED: &'static [(&'static str, &'static str)] = &[("to_out", "to_out.0")];
    const IGNORED: &'static [&'static str] = &["extra."];
}

fn device() -> Device {
    open_device("cpu").unwrap()
}

fn model() -> Model {
    let block = |_| Block { to_out: linear(3, 2, &device()), norm: LayerNorm::new(2, 1e-5, &device()) };
    Model { blocks: (0..2).map(block).collect() }
}

fn numbered() -> Model {
    let mut next = 0.0;
    fill(model(), Precision::F32, |_, shape| {
        (0..shape.iter().product::<usize>())
            .map(|_| {
                next += 1.0;
                next
            })
            .collect()
    })
}

type File = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn file_of(model: &Model) -> File {
    let sizes = model.published_shapes();
    sizes.into_iter().map(|(key, shape)| (key, (shape.clone(), vec![0.5; shape.iter().product()]))).collect()
}

fn write(path: &Path, file: &File) {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = file
        .iter()
        .map(|(key, (shape, data))| (key.clone(), shape.clone(), data.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(key, shape, data)| (key, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn load(path: &Path) -> Result<Model, Error> {
    Weights::open(path, &Limits::default())?.load(model(), Precision::F32, Progress::none())
}

#[test]
fn saved_and_loaded_is_the_same_whole_or_in_shards() {
    let input = Tensor::<2>::ones([1, 3], &device());
    for shard_bytes in [usize::MAX, 20] {
        let directory = tempfile::tempdir().unwrap();
        let original = numbered();
        save(&original, directory.path(), "diffusion_pytorch_model", shard_bytes).unwrap();
        let loaded = load(directory.path()).unwrap();
        for (a, b) in original.blocks.iter().zip(&loaded.blocks) {
            let (a, b) = (a.to_out.forward(input.clone()), b.to_out.forward(input.clone()));
            assert_eq!(a.into_data(), b.into_data());
        }
        let index = directory.path().join("diffusion_pytorch_model.safetensors.index.json");
        assert_eq!(index.exists(), shard_bytes == 20);
        let weights = Weights::open(directory.path(), &Limits::default()).unwrap();
        assert_eq!(weights.raw("blocks.1.to_out.0.weight").unwrap().0, [2, 3]);
    }
}

#[test]
fn what_a_module_ignores_stays_beside_it() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut file = file_of(&model());
    file.insert("extra.unused".into(), (vec![2, 2], vec![1.0, -2.0, 3.5, 4.0]));
    write(&before.path().join("model.safetensors"), &file);
    let before = Weights::open(before.path(), &Limits::default()).unwrap();
    // Two shards: the ignored tensor is written like any other.
    save_beside(&numbered(), &before, after.path(), "model", 60).unwrap();
    let after = Weights::open(after.path(), &Limits::default()).unwrap();
    assert_eq!(after.shapes().collect::<Vec<_>>(), before.shapes().collect::<Vec<_>>());
    for (key, _) in before.shapes() {
        assert_eq!(before.raw(key) == after.raw(key), key == "extra.unused", "{key}");
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The first weight of a checkpoint.
fn first(directory: &Path) -> f32 {
    let weight = load(directory).unwrap().blocks[0].norm.weight.val();
    weight.into_data().try_to_vec::<f32>().unwrap()[0]
}

#[test]
fn a_saved_checkpoint_replaces_what_was_saved_before_whole_or_in_shards() {
    let constant = |value: f32| fill(model(), Precision::F32, |_, shape| vec![value; shape.iter().product()]);
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("config.json"), "{}").unwrap();
    fs::write(directory.join("model-of-mine.safetensors"), "mine").unwrap();
    let mut value = 0.0;
    // Each size after each other one: whole, many shards, fewer shards.
    for shard_bytes in [usize::MAX, 20, 40, 20, usize::MAX, 40, usize::MAX, usize::MAX] {
        value += 1.0;
        save(&constant(value), directory, "model", shard_bytes).unwrap();
        assert_eq!(first(directory), value, "after {shard_bytes} bytes a shard");
        let names = names(directory);
        let shards = names.iter().filter(|name| name.contains("-of-0")).count();
        assert_eq!(names.contains(&"model.safetensors".into()), shard_bytes == usize::MAX, "{names:?}");
        assert_eq!(names.contains(&"model.safetensors.index.json".into()), shards > 0, "{names:?}");
        assert!(
            shards == 0
                || names
                    .iter()
                    .all(|name| !name.contains("-of-0") || name.ends_with(&format!("{shards:05}.safetensors"))),
            "{names:?}"
        );
        assert!(names.contains(&"config.json".into()) && names.contains(&"model-of-mine.safetensors".into()));
    }
}

#[test]
fn a_save_that_cannot_be_finished_leaves_the_old_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    save(&numbered(), directory, "model", 20).unwrap();
    let before = names(directory);
    let old = first(directory);
    let changed = fill(model(), Precision::F32, |_, shape| vec![-9.0; shape.iter().product()]);
    // The last shard of the new checkpoint has nowhere to go.
    let shards = before.iter().filter(|name| name.contains("-of-")).count();
    let last = directory.join(format!("model-{shards:05}-of-{shards:05}.safetensors"));
    let aside = directory.join("aside");
    fs::rename(&last, &aside).unwrap();
    fs::create_dir(&last).unwrap();
    assert!(save(&changed, directory, "model", 20).is_err());
    fs::remove_dir(&last).unwrap();
    fs::rename(&aside, &last).unwrap();
    assert_eq!(names(directory), before);
    assert_eq!(first(directory), old);
}

#[cfg(unix)]
#[test]
fn a_saved_checkpoint_has_the_mode_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    for shard_bytes in [usize::MAX, 20] {
        save(&numbered(), directory.path(), "model", shard_bytes).unwrap();
        for name in names(directory.path()) {
            assert_eq!(mode(&directory.path().join(&name)), mode(&plain), "{name}");
        }
    }
}

#[test]
fn values_that_a_precision_cannot_hold_are_reported_and_not_loaded_as_infinity() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let mut file = file_of(&model());
    file.get_mut("blocks.0.to_out.0.weight").unwrap().1[2] = -1e5;
    // Norms stay f32, whatever the precision.
    file.get_mut("blocks.1.norm.weight").unwrap().1[0] = 1e5;
    write(&path, &file);
    let weights = Weights::open(&path, &Limits::default()).unwrap();
    let error = weights.load(model(), Precision::F16, Progress::none()).unwrap_err();
    assert!(error.to_string().contains("bf16"), "{error}");
    let Error::Checkpoint { report, .. } = error else { panic!("{error}") };
    assert_eq!(report.too_large, ["blocks.0.to_out.0.weight"]);
    assert!(report.not_finite.is_empty());
    for precision in [Precision::BF16, Precision::F32] {
        assert!(weights.load(model(), precision, Progress::none()).is_ok(), "{precision}");
    }
}

#[test]
fn descriptions_without_end_are_refused_before_they_are_read() {
    let directory = tempfile::tempdir().unwrap();
    save(&numbered(), directory.path(), "model", 20).unwrap();
    let index = directory.path().join("model.safetensors.index.json");
    let length = fs::metadata(&index).unwrap().len();
    let open = |max_header_bytes| Weights::open(directory.path(), &Limits { max_header_bytes, ..Limits::default() });
    assert!(open(length).is_ok());
    let error = open(length - 1).unwrap_err();
    assert!(matches!(error, Error::Limit { value, .. } if value == length), "{error}");
    let config = directory.path().join("config.json");
    fs::File::create(&config).unwrap().set_len(Limits::default().max_header_bytes + 1).unwrap();
    let error = read_config::<serde_json::Value>(&config).unwrap_err();
    assert!(matches!(error, Error::Limit { .. }) && error.to_string().contains("config.json"), "{error}");
}

#[test]
fn weights_take_the_precision_and_norms_stay_f32() {
    let directory = tempfile::tempdir().unwrap();
    save(&numbered(), directory.path(), "model", usize::MAX).unwrap();
    let weights = Weights::open(directory.path(), &Limits::default()).unwrap();
    let half: Model = weights.load(model(), Precision::BF16, Progress::none()).unwrap();
    assert_eq!(half.blocks[0].to_out.weight.val().dtype(), DType::BF16);
    assert_eq!(half.blocks[0].norm.weight.val().dtype(), DType::F32);
}

#[test]
fn the_report_names_every_key_that_does_not_fit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let mut file = file_of(&model());
    file.remove("blocks.0.to_out.0.bias");
    file.insert("blocks.9.stray".into(), (vec![1], vec![1.0]));
    file.insert("extra.known".into(), (vec![1], vec![1.0]));
    file.insert("blocks.1.norm.weight".into(), (vec![5], vec![1.0; 5]));
    file.get_mut("blocks.1.norm.bias").unwrap().1[1] = f32::NAN;
    write(&path, &file);
    let Err(Error::Checkpoint { report, .. }) = load(&path) else { panic!("the file must be refused") };
    assert_eq!(report.missing, ["blocks.0.to_out.0.bias"]);
    assert_eq!(report.unused, ["blocks.9.stray"]);
    assert_eq!(report.not_finite, ["blocks.1.norm.bias"]);
    assert_eq!((&report.misshapen[0].key[..], &report.misshapen[0].found[..]), ("blocks.1.norm.weight", &[5][..]));
    assert!(report.to_string().contains("file has [5], model expects [2]"), "{report}");
}

#[test]
fn an_index_may_only_name_files_that_are_there_and_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    save(&numbered(), directory.path(), "model", 20).unwrap();
    let index = directory.path().join("model.safetensors.index.json");
    let good = fs::read_to_string(&index).unwrap();
    for (from, to, says) in [
        ("model-00001-of", "../model-00001-of", "not a file of this directory"),
        ("model-00001-of", "/etc/model-00001-of", "not a file of this directory"),
        ("model-00001-of", "model-77777-of", "is missing"),
        ("blocks.0.norm.bias", "blocks.0.norm.nothing", "is not in"),
        ("{", "[", "not a valid shard index"),
    ] {
        fs::write(&index, good.replacen(from, to, 1)).unwrap();
        let message = load(directory.path()).unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_header_that_lies_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    write(&path, &file_of(&model()));
    let good = fs::read(&path).unwrap();
    for length in [0, 5, u64::MAX, 1 << 40, good.len() as u64] {
        let mut bad = good.clone();
        bad[..8].copy_from_slice(&length.to_le_bytes());
        fs::write(&path, bad).unwrap();
        assert!(matches!(load(&path), Err(Error::Malformed { .. } | Error::Limit { .. })), "length {length}");
    }
    fs::write(&path, b"").unwrap();
    assert!(load(&path).unwrap_err().to_string().contains("0 bytes"));
    assert!(matches!(load(&directory.path().join("absent")), Err(Error::Io { .. })));
    assert!(load(directory.path().parent().unwrap()).is_err());
}

#[test]
fn cancelling_stops_the_load() {
    let directory = tempfile::tempdir().unwrap();
    save(&numbered(), directory.path(), "model", usize::MAX).unwrap();
    let stop = |_| std::ops::ControlFlow::Break(());
    let weights = Weights::open(directory.path(), &Limits::default()).unwrap();
    let result: Result<Model, _> = weights.load(model(), Precision::F32, Progress::new(&stop));
    assert!(matches!(result, Err(Error::Cancelled { stage: "load" })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_files_are_errors_and_never_panics(at in 0.0f64..1.0, value in any::<u8>(), cut in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");
        write(&path, &file_of(&model()));
        let mut bytes = fs::read(&path).unwrap();
        let at = (at * bytes.len() as f64) as usize;
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = value;
        }
        fs::write(&path, &bytes).unwrap();
        // Whatever the damage: an error, or a file that still is whole.
        let result = load(&path);
        prop_assert!(!cut || result.is_err());
    }
}
