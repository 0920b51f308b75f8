//! The distance of two sets of pictures, as many as the literature takes. Beside it: `benches/peer/frechet.py`, numpy and scipy on the
//! same features.

use criterion::{Criterion, criterion_group, criterion_main};
use skyreels_benches::{hashed, peak_rss_mib};
use skyreels_eval::{FeatureStatistics, frechet_distance};

/// Pictures of a set, and numbers of a feature.
const SAMPLES: usize = 10_000;
const WIDTH: usize = 2048;

/// Noise with a covariance that is not that of noise: neighbours share half of their numbers.
fn features(tensor: u32) -> Vec<Vec<f32>> {
    let noise: Vec<f32> = hashed(SAMPLES * (WIDTH + 1), tensor).map(|value| value as f32).collect();
    noise.chunks(WIDTH + 1).map(|row| row.windows(2).map(|pair| pair[0] + pair[1]).collect()).collect()
}

fn statistics(rows: &[Vec<f32>]) -> FeatureStatistics {
    FeatureStatistics::of(rows).expect("the features are finite")
}

fn fid(criterion: &mut Criterion) {
    let (a, b) = (features(0), features(1));
    // Once by itself: what one distance holds at most, and what it says.
    let distance = frechet_distance(&statistics(&a), &statistics(&b)).expect("both have the same width");
    let peak = peak_rss_mib().map_or("not told by this system".into(), |peak| format!("{peak:.0} MiB"));
    println!("distance {:.6}, peak memory with the features {peak}", distance.value);
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
