//! Linear layers.

use burn::nn::{Linear, LinearConfig, LinearLayout};
use burn::tensor::{Device, Tensor};

use crate::device::Backend;

/// A linear layer whose weight is stored `[d_output, d_input]`, as PyTorch stores it.
pub fn linear(d_input: usize, d_output: usize, device: &Device) -> Linear {
    linear_with(d_input, d_output, true, device)
}

/// [`linear`], with a bias or without.
pub fn linear_with(d_input: usize, d_output: usize, bias: bool, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(d_input, d_output).with_bias(bias).with_layout(LinearLayout::Col).init(device);
    layer.weight = layer.weight.load_mapper(|stored| in_order(stored.transpose()));
    layer
}

/// A weight in the order in which products on the processor read it: every product would bring it into that order again, which costs
/// more than the product of a few hundred rows. Cards read both orders, and gradients need both: for them it is what it was.
pub fn in_order<const D: usize>(weight: Tensor<D>) -> Tensor<D> {
    let (device, dtype) = (weight.device(), weight.dtype());
    if device.is_autodiff() || !Backend::of(&device).is_host() {
        return weight;
    }
    Tensor::from_data(weight.into_data(), (&device, dtype))
}

/// `x W + b`, all leading axes as one: with several, Burn may copy the weight for every product.
///
/// # Shapes
/// `[.., d_input] -> [.., d_output]`
pub fn project<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    let mut shape = x.dims();
    let rows = shape[..D - 1].iter().product::<usize>();
    let result: Tensor<2> = layer.forward(x.reshape([rows, shape[D - 1]]));
    let [_, width] = result.dims();
    shape[D - 1] = width;
    result.reshape(shape)
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};
    use proptest::prelude::*;

    use super::*;
    use crate::diffusion::NoiseGenerator;

    /// A layer that has loaded `weight`, `[outputs, inputs]`.
    fn loaded(weight: &Tensor<2>, device: &Device) -> Linear {
        let [outputs, inputs] = weight.dims();
        let mut layer = linear(inputs, outputs, device);
        let id = layer.weight.id;
        layer.weight = layer.weight.transform_for_load(weight.clone().to_device(device), id);
        layer
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn axes_in_front_are_rows(batch in 1usize..4, count in 1usize..40, inputs in 1usize..9, outputs in 1usize..9, seed: u64) {
            let device = Device::flex();
            let mut random = NoiseGenerator::new(seed);
            let layer = loaded(&random.normal([outputs, inputs], &device), &device);
            let x: Tensor<3> = random.normal([batch, count, inputs], &device);
            let difference = (project(&layer, x.clone()) - layer.forward(x)).abs().max().into_scalar::<f32>();
            prop_assert!(difference < 1e-5);
        }
    }

    #[test]
    fn a_weight_is_saved_as_it_was_stored() {
        let stored: Tensor<2> = NoiseGenerator::new(1).normal([3, 5], &Device::flex());
        for device in [Device::flex(), Device::flex().autodiff()] {
            let layer = loaded(&stored, &device).no_grad();
            let saved: Param<Tensor<2>> = layer.weight.transform_for_save();
            assert_eq!(saved.val().into_data(), stored.to_data());
            assert_eq!(layer.weight.val().into_data(), stored.clone().transpose().into_data());
        }
    }
}
