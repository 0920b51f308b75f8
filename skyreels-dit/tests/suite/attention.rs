//! What the one attention of the workspace promises.

#![allow(deprecated)]

use burn::tensor::{DType, Tensor, TensorData};
use proptest::prelude::*;
use skyreels_core::Device;
use skyreels_dit::attention::{AttentionPlan, AttentionShape, Engine, MAX_SCORE_BYTES, attention, attention_by};

/// Numbers in `[-scale, scale)` from a hash.
fn values<const D: usize>(seed: u32, shape: [usize; D], scale: f32, device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let value = |i: u32| {
        let mut h = i.wrapping_add(seed.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
        h = (h ^ (h >> 13)).wrapping_mul(0xC2B2_AE35);
        ((h ^ (h >> 16)) as f32 / 2_147_483_648.0 - 1.0) * scale
    };
    let data: Vec<f32> = (0..count as u32).map(value).collect();
    Tensor::from_data(TensorData::new(data, shape), (device, DType::F32))
}

fn relative_difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f64 {
    let norm = |x: Tensor<D>| x.into_data().iter::<f64>().map(|v| v * v).sum::<f64>().sqrt();
    norm(a - b.clone()) / norm(b)
}

/// The definition, in f64 on the host.
fn definition(query: &Tensor<4>, key: &Tensor<4>, value: &Tensor<4>) -> Vec<f64> {
    let [batch, queries, heads, width] = query.dims();
    let [_, keys, _, _] = key.dims();
    let [q, k, v] = [query, key, value].map(|x| x.to_data().iter::<f64>().collect::<Vec<_>>());
    let row = |tokens: usize, b: usize, token: usize, head: usize| ((b * tokens + token) * heads + head) * width;
    let mut result = vec![0.0; q.len()];
    for b in 0..batch {
        for head in 0..heads {
            for i in 0..queries {
                let from = row(queries, b, i, head);
                let dot = |j: usize| {
                    let to = row(keys, b, j, head);
                    (0..width).map(|c| q[from + c] * k[to + c]).sum::<f64>() / (width as f64).sqrt()
                };
                let scores: Vec<f64> = (0..keys).map(dot).collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
                let total: f64 = weights.iter().sum();
                for (j, weight) in weights.iter().enumerate() {
                    let to = row(keys, b, j, head);
                    (0..width).for_each(|c| result[from + c] += weight / total * v[to + c]);
                }
            }
        }
    }
    result
}

fn plans() -> [AttentionPlan; 5] {
    [
        AttentionPlan::Tiled,
        AttentionPlan::Composed { queries: 5, tracked: false },
        AttentionPlan::Composed { queries: 1000, tracked: true },
        AttentionPlan::Fused { queries: 7, multiple: 1 },
        AttentionPlan::Fused { queries: 128, multiple: 128 },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_plan_meets_the_definition(
        batch in 1_usize..3,
        queries in 1_usize..120,
        keys in 1_usize..600,
        heads in 1_usize..4,
        width in prop::sample::select(vec![8_usize, 16, 24, 64, 72]),
        scale in prop::sample::select(vec![0.1_f32, 1.0, 12.0]),
        ndarray in any::<bool>(),
    ) {
        let device = if ndarray { Device::ndarray() } else { Device::flex() };
        let query = values(1, [batch, queries, heads, width], scale, &device);
        let key = values(2, [batch, keys, heads, width], scale, &device);
        let value = values(3, [batch, keys, heads, width], 1.0, &device);
        let expected: Vec<f32> = definition(&query, &key, &value).into_iter().map(|v| v as f32).collect();
        let expected: Tensor<4> =
            Tensor::from_data(TensorData::new(expected, query.dims()), (&device, DType::F32));
        // An f32 score of size s is off by s * 6e-8, and so is the exponent of its weight.
        let tolerance = 2e-6 * f64::from(scale * scale).max(1.0);
        for plan in plans() {
            let ours = attention_by(plan, query.clone(), key.clone(), value.clone());
            let difference = relative_difference(ours, expected.clone());
            prop_assert!(difference < tolerance, "{plan:?}: {difference:e}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_nan_reaches_every_result_that_depends_on_it(
        queries in 1_usize..100,
        keys in 1_usize..600,
        place in any::<prop::sample::Index>(),
        // Those of this processor, of Rust and of CUDA, and the other infinities that make them.
        bits in prop::sample::select(vec![0xffc0_0000_u32, 0x7fc0_0000, 0x7fff_ffff, 0x7fc0_0001, 0x7f80_0000, 0xff80_0000]),
        which in 0_usize..3,
    ) {
        let device = Device::flex();
        let shapes = [[1, queries, 2, 16], [1, keys, 2, 16], [1, keys, 2, 16]];
        let mut spoiled = [1, 2, 3].map(|seed| values(seed, shapes[seed as usize - 1], 1.0, &device));
        let mut data: Vec<f32> = spoiled[which].to_data().iter().collect();
        let at = place.index(data.len());
        data[at] = f32::from_bits(bits);
        spoiled[which] = Tensor::from_data(TensorData::new(data, shapes[which]), (&device, DType::F32));
        let [query, key, value] = spoiled;
        let expected = definition(&query, &key, &value);
        // Burn's fused kernel, which no plan takes on the CPU, answers a NaN with zero.
        for plan in plans().into_iter().filter(|plan| !matches!(plan, AttentionPlan::Fused { .. })) {
            let ours: Vec<f64> =
                attention_by(plan, query.clone(), key.clone(), value.clone()).into_data().iter::<f64>().collect();
            for (ours, expected) in ours.iter().zip(&expected) {
                prop_assert!(
                    if expected.is_finite() { (ours - expected).abs() < 1e-4 } else { !ours.is_finite() },
                    "{plan:?}: {ours} where {expected} is right"
                );
            }
        }
    }
}

#[test]
fn scores_far_beyond_the_exponent_range_stay_finite() {
    let device = Device::flex();
    let query = values(1, [1, 70, 2, 16], 300.0, &device);
    let key = values(2, [1, 300, 2, 16], 300.0, &device);
    let value = values(3, [1, 300, 2, 16], 1.0, &device);
    let tiled = attention_by(AttentionPlan::Tiled, query.clone(), key.clone(), value.clone());
    let whole = attention_by(AttentionPlan::Composed { queries: 70, tracked: false }, query, key, value);
    let difference = relative_difference(tiled, whole);
    assert!(difference < 1e-2, "{difference:e}");
}

#[test]
fn a_single_key_is_returned_whatever_the_query() {
    let device = Device::flex();
    let value = values(3, [1, 1, 2, 16], 1.0, &device);
    let result =
        attention(values(1, [1, 9, 2, 16], 5.0, &device), values(2, [1, 1, 2, 16], 5.0, &device), value.clone());
    assert!(relative_difference(result, value.expand([1, 9, 2, 16])) < 1e-6);
}

#[test]
fn half_precision_inputs_give_half_precision_outputs_near_the_f32_ones() {
    let device = Device::flex();
    let [query, key, value] = [1, 2, 3].map(|seed| values(seed, [1, 150, 2, 64], 1.0, &device));
    let exact = attention(query.clone(), key.clone(), value.clone());
    for dtype in [DType::BF16, DType::F16] {
        let half = attention(query.clone().cast(dtype), key.clone().cast(dtype), value.clone().cast(dtype));
        assert_eq!(half.dtype(), dtype);
        assert!(relative_difference(half.cast(DType::F32), exact.clone()) < 1e-2);
    }
}

/// One denoising step of the published model on both halves of the guidance at once.
const FIVE_B: AttentionShape = AttentionShape { batch: 2, heads: 48, queries: 18_279, keys: 18_279, head_dim: 64 };

/// All combinations of what a plan depends on beside the sizes.
fn every_plan(mut each: impl FnMut(AttentionShape, Engine, DType)) {
    for batch in [1, 2] {
        for engine in [Engine::Host, Engine::Cube, Engine::Torch, Engine::Other] {
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                each(AttentionShape { batch, ..FIVE_B }, engine, dtype);
            }
        }
    }
}

#[test]
fn no_path_without_gradients_holds_more_than_two_gigabytes_of_scores_at_the_5b_size() {
    every_plan(|shape, engine, dtype| {
        let plan = AttentionPlan::new(shape, engine, dtype, false);
        let bytes = plan.score_bytes(shape, dtype);
        assert!(bytes <= MAX_SCORE_BYTES, "{engine:?} {dtype:?}: {plan:?} holds {bytes}");
    });
}

#[test]
fn with_gradients_the_scores_of_every_chunk_are_counted() {
    every_plan(|shape, engine, dtype| {
        let plan = AttentionPlan::new(shape, engine, dtype, true);
        let matrix = (shape.batch * shape.heads * shape.queries * shape.keys) as u64;
        // Arguments and results of the powers in f32, weights in the type of the values.
        let kept = matrix * (8 + dtype.size() as u64);
        let bytes = plan.score_bytes(shape, dtype);
        assert!((kept..=kept + MAX_SCORE_BYTES).contains(&bytes), "{engine:?} {dtype:?}: {plan:?} holds {bytes}");
    });
}

#[test]
fn the_fused_kernel_of_a_card_gets_queries_in_multiples_of_128() {
    let plan = AttentionPlan::new(FIVE_B, Engine::Cube, DType::BF16, false);
    let AttentionPlan::Fused { queries, multiple } = plan else { panic!("{plan:?}") };
    assert_eq!((queries % 128, multiple), (0, 128));
    assert!(queries > 0);
}

#[test]
fn a_card_is_not_given_what_its_fused_kernel_would_spoil_or_refuse() {
    let composed = |plan| matches!(plan, AttentionPlan::Composed { .. });
    assert!(composed(AttentionPlan::new(FIVE_B, Engine::Cube, DType::F32, false)));
    assert!(composed(AttentionPlan::new(FIVE_B, Engine::Cube, DType::BF16, true)));
    let siglip = AttentionShape { batch: 1, heads: 16, queries: 729, keys: 729, head_dim: 72 };
    assert!(composed(AttentionPlan::new(siglip, Engine::Cube, DType::BF16, false)));
}

#[test]
fn the_backends_of_this_process_are_recognised() {
    assert_eq!(Engine::of(&Device::flex()), Engine::Host);
    assert_eq!(Engine::of(&Device::ndarray()), Engine::Host);
}
