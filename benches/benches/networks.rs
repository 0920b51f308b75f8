//! The networks at the sizes of the peer.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skyreels_benches::{CASES, Work};
use skyreels_core::open_device;

fn networks(criterion: &mut Criterion) {
    let device = open_device("auto").expect("a device is compiled in");
    let mut group = criterion.benchmark_group("networks");
    group.sample_size(10);
    for (name, case) in CASES {
        let work = Work::new(case, &device).expect("the case describes a network");
        // An element is a floating-point operation: Gelem/s are GFLOP/s.
        group.throughput(Throughput::Elements(work.flops()));
        group.bench_function(name, |bencher| bencher.iter(|| work.run().expect("the case runs")));
    }
}

criterion_group!(benches, networks);
criterion_main!(benches);
