//! From files to a model in memory.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skyreels_core::checkpoint::{DIFFUSERS_STEM, SHARD_BYTES, Weights, fill, save};
use skyreels_core::{Limits, Precision, Progress, open_device};
use skyreels_vae::{CausalVae, VaeConfig};

/// The published VAE: 215 million parameters.
fn checkpoint_load(criterion: &mut Criterion) {
    let device = open_device("auto").expect("a device is compiled in");
    let config = VaeConfig::published();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let model = CausalVae::new(&config, &device).expect("the published configuration is valid");
    let model = fill(model, Precision::BF16, |_, shape| vec![0.01; shape.iter().product()]);
    save(&model, directory.path(), DIFFUSERS_STEM, SHARD_BYTES).expect("the disk has room");
    drop(model);
    let weights = Weights::open(directory.path(), &Limits::default()).expect("the files were just written");

    let mut group = criterion.benchmark_group("checkpoint_load");
    group.sample_size(10).throughput(Throughput::Bytes(weights.stored_bytes()));
    for (name, precision) in [("vae_bf16_to_f32", Precision::F32), ("vae_bf16", Precision::BF16)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let empty = CausalVae::new(&config, &device).expect("the published configuration is valid");
                weights.load(empty, precision, Progress::none()).expect("the files fit")
            });
        });
    }
}

criterion_group!(benches, checkpoint_load);
criterion_main!(benches);
