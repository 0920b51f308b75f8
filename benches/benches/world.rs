//! Frames of the rendered world: one picture, one after another as a training clip needs them, and what is true about it.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;
use skyreels_train::world::{Performance, Person, State};

const SEED: u64 = 4;
/// Frames of the published model's clip.
const FRAMES: usize = 49;
const RATE: f32 = 12.0;

fn world(criterion: &mut Criterion) {
    let person = Person::from_seed(SEED);
    let states: Vec<State> = Performance::from_seed(SEED, FRAMES, RATE).states().collect();
    let talking = states[FRAMES / 2];
    criterion.bench_function("world/person", |bencher| bencher.iter(|| Person::from_seed(SEED)));
    for [width, height] in [[128, 128], [144, 96], [720, 480]] {
        let mut group = criterion.benchmark_group(format!("world/{width}x{height}"));
        group.bench_function("frame", |bencher| bencher.iter(|| person.pose(&talking).frame([width, height])));
        group.bench_function("flow", |bencher| {
            bencher.iter(|| person.flow(&states[0], &talking, [width, height]));
        });
        group.throughput(Throughput::Elements(FRAMES as u64)).sample_size(10);
        group.bench_function("clip", |bencher| {
            bencher.iter(|| {
                let frames = states.par_iter().map(|state| person.pose(state).frame([width, height]));
                frames.collect::<Vec<_>>()
            });
        });
    }
}

criterion_group!(benches, world);
criterion_main!(benches);
