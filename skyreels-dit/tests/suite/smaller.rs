//! Models that take less memory: blocks in 8 bits, blocks that wait elsewhere.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use skyreels_core::checkpoint::{Published, SHARD_BYTES, Weights, save};
use skyreels_core::{Device, Limits, Precision, Progress, open_device};
use skyreels_dit::transformer::{EveryStep, FirstBlockCache, GuidancePass, StepReuse};
use skyreels_dit::{Transformer, TransformerConfig};

use crate::common::tiny::{distance, filled, input, tiny, values};

fn velocity(model: &Transformer, device: &Device, reuse: &mut dyn StepReuse) -> Vec<f32> {
    let latents: Tensor<5> = input(1, [1, 2, 48, 6, 8], device);
    let face: Tensor<3> = input(2, [1, 7, 6], device);
    let rotary = model.config().rotary(2, 6, 8, device).unwrap();
    let face = model.embed_identity(face.cast(model.dtype())).unwrap();
    let prediction = model.denoise_reusing(latents, face, &[500], &rotary, GuidancePass::Conditional, reuse).unwrap();
    values(prediction.velocity)
}

/// Bytes that the parameters hold.
fn held(model: &Transformer) -> u64 {
    struct Held(usize);
    impl ModuleVisitor for Held {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += param.val().into_data().bytes().len();
        }
    }
    let mut held = Held(0);
    model.visit(&mut held);
    held.0 as u64
}

#[test]
fn eight_bits_a_weight_save_what_they_announce_and_move_the_answer_by_less_than_a_hundredth() {
    let config = tiny(3);
    for (name, precision) in [("cpu", Precision::F32), ("cpu", Precision::BF16), ("ndarray", Precision::F32)] {
        let device = open_device(name).unwrap();
        let full = filled(config.init(&device).unwrap(), precision);
        let small = filled(config.init_int8(&device).unwrap(), precision);
        let [small_velocity, full_velocity] = [&small, &full].map(|model| velocity(model, &device, &mut EveryStep));
        let difference = distance(&small_velocity, &full_velocity);
        println!("{name}, {precision}: {} bytes in full, {} in 8 bits, {difference:e} off", held(&full), held(&small));
        assert!(0.0 < difference && difference < 1e-2, "{name}, {precision}: {difference:e}");
        assert_eq!(small.published_shapes(), full.published_shapes());
        // Norms are f32 in either.
        let announced = full.weight_bytes(precision, false) - full.weight_bytes(precision, true);
        assert_eq!(held(&full) - held(&small), announced, "{name}, {precision}");
    }
}

#[test]
fn the_published_model_takes_little_more_than_half_in_8_bits_and_next_to_nothing_without_its_blocks() {
    let published = TransformerConfig::a1_5b().init(&Device::flex()).unwrap();
    let giga = |bytes: u64| bytes as f64 / 1e9;
    let bytes = |int8| giga(published.weight_bytes(Precision::BF16, int8));
    assert!((bytes(false) - 11.29).abs() < 0.01 && (bytes(true) - 6.4).abs() < 0.1, "{} {}", bytes(false), bytes(true));
    let rest = bytes(false) - giga(published.block_bytes(Precision::BF16));
    assert!((0.1..0.3).contains(&rest), "{rest}");
}

#[test]
fn a_model_of_8_bits_is_saved_with_the_weights_that_it_computes_with() {
    let (device, config) = (Device::flex(), tiny(3));
    let folder = tempfile::tempdir().unwrap();
    let small = filled(config.init_int8(&device).unwrap(), Precision::F32);
    save(&small, folder.path(), "model", SHARD_BYTES).unwrap();
    let weights = Weights::open(folder.path(), &Limits::default()).unwrap();
    let back = weights.load(config.init(&device).unwrap(), Precision::F32, Progress::none()).unwrap();
    let difference = distance(&velocity(&small, &device, &mut EveryStep), &velocity(&back, &device, &mut EveryStep));
    assert!(difference < 1e-6, "{difference:e}");
}

#[test]
fn blocks_that_wait_elsewhere_give_the_same_answer() {
    let config = tiny(3);
    let host = open_device("cpu").unwrap();
    for name in ["cpu", "ndarray"] {
        let device = open_device(name).unwrap();
        let resident = filled(config.init(&device).unwrap(), Precision::F32);
        let offloaded = filled(config.init_offloaded(&device, &host).unwrap(), Precision::F32);
        assert!(offloaded.is_offloaded() && !resident.is_offloaded());
        assert_eq!(offloaded.published_shapes(), resident.published_shapes());
        let mut caches = [0.0, 0.3].map(|threshold| FirstBlockCache::new(threshold).unwrap());
        let expected = velocity(&resident, &device, &mut EveryStep);
        assert_eq!(velocity(&offloaded, &device, &mut EveryStep), expected, "{name}");
        for cache in &mut caches {
            assert_eq!(velocity(&offloaded, &device, cache), expected, "{name}");
        }
        // The second run of a cache that may reuse takes what it has kept, not the blocks.
        let again = velocity(&offloaded, &device, &mut caches[1]);
        assert!(distance(&again, &expected) < 1e-6, "{name}");
    }
}

#[test]
fn a_model_whose_blocks_wait_elsewhere_is_loaded_and_saved_as_any_other() {
    let (config, host, device) = (tiny(3), open_device("cpu").unwrap(), open_device("ndarray").unwrap());
    let resident = filled(config.init(&device).unwrap(), Precision::F32);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    save(&resident, folders[0].path(), "model", SHARD_BYTES).unwrap();
    let weights = Weights::open(folders[0].path(), &Limits::default()).unwrap();
    let empty = config.init_offloaded(&device, &host).unwrap();
    let offloaded = weights.load(empty, Precision::F32, Progress::none()).unwrap();
    let [a, b] = [&offloaded, &resident].map(|model| velocity(model, &device, &mut EveryStep));
    assert_eq!(a, b);
    save(&offloaded, folders[1].path(), "model", SHARD_BYTES).unwrap();
    let [first, second] = folders.map(|folder| std::fs::read(folder.path().join("model.safetensors")).unwrap());
    assert_eq!(first, second);
}
