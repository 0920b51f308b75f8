//! The distance of two sets of pictures, as many as the literature takes.

use criterion::{Criterion, criterion_group, criterion_main};
use skyreels_eval::{FeatureStatistics, frechet_distance};

/// Pictures of a set, and numbers of a feature.
const SAMPLES: usize = 10_000;
const WIDTH: usize = 2048;

/// Noise that is the same everywhere, with a covariance that is not that of noise: neighbours share half of their numbers.
fn features(seed: u64) -> Vec<Vec<f32>> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let mut row = move || {
        let noise: Vec<f32> = (0..=WIDTH).map(|_| next()).collect();
        noise.windows(2).map(|pair| pair[0] + pair[1]).collect()
    };
    (0..SAMPLES).map(|_| row()).collect()
}

fn fid(criterion: &mut Criterion) {
    let (a, b) = (features(1), features(2));
    let statistics = |rows: &[Vec<f32>]| FeatureStatistics::of(rows).expect("the features are finite");
    let known = [statistics(&a), statistics(&b)];
    let mut group = criterion.benchmark_group("fid");
    group.sample_size(10);
    group.bench_function("statistics/10000x2048", |bencher| bencher.iter(|| statistics(&a)));
    group.bench_function("distance/2048", |bencher| {
        bencher.iter(|| frechet_distance(&known[0], &known[1]).expect("both have the same width"));
    });
    group.bench_function("whole/2x10000x2048", |bencher| {
        bencher.iter(|| frechet_distance(&statistics(&a), &statistics(&b)).expect("both have the same width"));
    });
    group.finish();
}

criterion_group!(benches, fid);
criterion_main!(benches);
