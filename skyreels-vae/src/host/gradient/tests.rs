//! Gradients against automatic differentiation of the same functions.

use burn::tensor::module::conv3d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution};
use proptest::prelude::*;
use skyreels_core::nn::silu;

use super::*;
use crate::resize::{double_size, follow};

const EPSILON: f64 = 1e-3;
const TOLERANCE: f32 = 2e-5;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn tracked<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    x.clone().autodiff().require_grad()
}

/// How far `a` is from `b`, relative to `b`.
fn distance<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let size = b.clone().square().sum().sqrt().into_scalar::<f32>();
    (a - b).square().sum().sqrt().into_scalar::<f32>() / size.max(1e-3)
}

/// `silu(norm(x) * gain + offset)` by tensors.
fn activated(x: Tensor<5>, gain: Tensor<5>, offset: Tensor<5>, groups: usize) -> Tensor<5> {
    let shape = x.dims();
    let length = shape[1..].iter().product::<usize>() / groups;
    let x = x.reshape([shape[0], groups, length]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    let normalised = centred / variance.add_scalar(EPSILON).sqrt();
    silu(follow(normalised.reshape(shape), gain, offset))
}

/// A causal convolution by tensors, and the last frames it saw.
fn causal(x: Tensor<5>, weight: Tensor<5>, bias: Tensor<1>, past: Option<Tensor<5>>) -> (Tensor<5>, Tensor<5>) {
    let count = weight.dims()[2] - 1;
    let seen = match (count, past) {
        (0, _) => x,
        (_, Some(past)) => Tensor::cat(vec![past, x], 2),
        (_, None) => Tensor::cat(vec![x.clone().narrow(2, 0, 1).repeat_dim(2, count), x], 2),
    };
    let frames = seen.dims()[2];
    let last = seen.clone().narrow(2, frames - count.max(1), count.max(1));
    (conv3d(seen, weight, Some(bias), ConvOptions::new([1; 3], [0, 1, 1], [1; 3], 1)), last)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_convolution_and_its_gradients_are_those_of_tensors(
        batch in 1usize..3, from in 1usize..6, to in 1usize..12, frames in 1usize..4, height in 1usize..7,
        width in 1usize..24, three in any::<bool>(), doubling in any::<bool>(),
    ) {
        let (times, scale) = (if three { 3 } else { 1 }, if doubling { 2 } else { 1 });
        let x = random([batch, from, frames, height, width]);
        let (weight, bias) = (random([to, from, times, 3, 3]), random([to]));
        let sum = random([batch, to, frames, scale * height, scale * width]);
        let cotangent = random(sum.dims());

        let (leaf, kernel, shift) = (tracked(&x), tracked(&weight), tracked(&bias));
        let input = if doubling { double_size(leaf.clone()) } else { leaf.clone() };
        let (out, _) = causal(input, kernel.clone(), shift.clone(), None);
        let before = if doubling { Before::Doubling } else { Before::Nothing };
        let (ours, convolved) = Convolved::of(x, before, weight, Some(bias), None, Some(sum.clone()));
        prop_assert!(distance(ours, out.clone().inner() + sum) < TOLERANCE);

        let truth = (out * cotangent.clone().autodiff()).sum().backward();
        let ours = convolved.backward(cotangent, None);
        prop_assert!(distance(ours.input, leaf.grad(&truth).unwrap()) < TOLERANCE);
        prop_assert!(distance(ours.weight, kernel.grad(&truth).unwrap()) < TOLERANCE);
        prop_assert!(distance(ours.bias, shift.grad(&truth).unwrap()) < TOLERANCE);
        prop_assert!(ours.past.is_none() && ours.modulation.is_none());
    }

    #[test]
    fn gradients_go_through_norm_and_activation(
        batch in 1usize..3, groups in 1usize..4, to in 1usize..5, frames in 1usize..6,
        small in (1usize..4, 1usize..4), factor in 1usize..4, flat in any::<bool>(),
    ) {
        let channels = 2 * groups;
        let (height, width) = (small.0 * factor, small.1 * factor);
        // Groups of two values have a norm that is a step.
        prop_assume!(frames * height * width > 2);
        let x = random([batch, channels, frames, height, width]).mul_scalar(2.0).add_scalar(3.0);
        let sizes = if flat { [1, 1, 1] } else { [if frames % 2 == 1 { frames.div_ceil(2) } else { frames / 2 }, small.0, small.1] };
        let sizes = if frames == 3 && !flat { [2, small.0, small.1] } else { sizes };
        let [gain, offset] = [0, 1].map(|_| random([batch, channels, sizes[0], sizes[1], sizes[2]]));
        let (weight, bias) = (random([to, channels, 3, 3, 3]), random([to]));
        let cotangent = random([batch, to, frames, height, width]);

        let leaves = [&x, &gain, &offset].map(tracked);
        let kernel = tracked(&weight);
        let input = activated(leaves[0].clone(), leaves[1].clone(), leaves[2].clone(), groups);
        let (out, _) = causal(input, kernel.clone(), bias.clone().autodiff(), None);
        let before = Before::Activation { gain, offset, groups, epsilon: EPSILON };
        let (ours, convolved) = Convolved::of(x, before, weight, Some(bias), None, None);
        prop_assert!(distance(ours, out.clone().inner()) < TOLERANCE);

        let truth = (out * cotangent.clone().autodiff()).sum().backward();
        let ours = convolved.backward(cotangent, None);
        let (to_gain, to_offset) = ours.modulation.unwrap();
        prop_assert!(distance(ours.weight, kernel.grad(&truth).unwrap()) < TOLERANCE);
        for (leaf, ours) in leaves.iter().zip([ours.input, to_gain, to_offset]) {
            let far = distance(ours, leaf.grad(&truth).unwrap());
            prop_assert!(far < 10.0 * TOLERANCE, "{far}");
        }
    }
}

#[test]
fn gradients_reach_the_frames_before() {
    for (first, second) in [(3, 2), (1, 1), (2, 4)] {
        let [before, after] = [first, second].map(|frames| random([2, 3, frames, 4, 5]));
        let (weight, bias) = (random([4, 3, 3, 3, 3]), random([4]));
        let cotangents = [first, second].map(|frames| random([2, 4, frames, 4, 5]));

        let leaves = [&before, &after].map(tracked);
        let shift = bias.clone().autodiff();
        let (out, past) = causal(leaves[0].clone(), weight.clone().autodiff(), shift.clone(), None);
        let (next, _) = causal(leaves[1].clone(), weight.clone().autodiff(), shift, Some(past));
        let [own, later] = cotangents.clone().map(Tensor::autodiff);
        let truth = ((out.clone() * own).sum() + (next.clone() * later).sum()).backward();

        let run = |x, earlier: Option<&Convolved>| {
            Convolved::of(x, Before::Nothing, weight.clone(), Some(bias.clone()), earlier, None)
        };
        let (ours, earlier) = run(before, None);
        assert!(distance(ours, out.inner()) < TOLERANCE);
        let (ours, later) = run(after, Some(&earlier));
        assert!(distance(ours, next.inner()) < TOLERANCE);
        let [own, after] = cotangents;
        let later = later.backward(after, None);
        let earlier = earlier.backward(own, later.past);
        assert!(distance(later.input, leaves[1].grad(&truth).unwrap()) < TOLERANCE);
        assert!(distance(earlier.input, leaves[0].grad(&truth).unwrap()) < TOLERANCE);
    }
}
