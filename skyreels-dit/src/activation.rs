//! Activations of the feed-forward layers and of the time embedding, by the names that the original
//! has for them.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, mish, relu, sigmoid, softplus};
use skyreels_core::nn::silu;

use crate::host;

/// Slope of the sigmoid approximation of GELU.
const SIGMOID_SLOPE: f64 = 1.702;

/// An elementwise function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// GELU, tanh approximation.
    GeluTanh,
    /// GELU, sigmoid approximation.
    GeluSigmoid,
    /// GELU, exact.
    Gelu,
    /// `x sigmoid(x)`.
    Silu,
    /// `x tanh(softplus(x))`.
    Mish,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// Applies the function to every element.
    pub(crate) fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::GeluTanh => gelu_tanh(x),
            Self::GeluSigmoid => x.clone() * sigmoid(x.mul_scalar(SIGMOID_SLOPE)),
            Self::Gelu => gelu(x),
            Self::Silu => silu(x),
            Self::Mish => mish(x),
            Self::Relu => relu(x),
        }
    }

    /// The derivative at every element; without gradients.
    pub(crate) fn slope<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        // Of x f(x), whatever f: f(x) + x f'(x).
        let of = |share: Tensor<D>, inner: Tensor<D>| share + x.clone() * inner;
        // The derivative of a share that is a sigmoid, or of a tanh.
        let bell = |share: Tensor<D>| share.clone() * (-share).add_scalar(1.0);
        let arch = |share: Tensor<D>| (-share.square()).add_scalar(1.0);
        match self {
            Self::GeluTanh => gelu_tanh_slope(x),
            Self::GeluSigmoid => {
                let share = sigmoid(x.clone().mul_scalar(SIGMOID_SLOPE));
                of(share.clone(), bell(share).mul_scalar(SIGMOID_SLOPE))
            }
            Self::Gelu => {
                let share = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0).mul_scalar(0.5);
                let normal = (-x.clone().square().mul_scalar(0.5)).exp();
                of(share, normal.mul_scalar((2.0 * std::f64::consts::PI).sqrt().recip()))
            }
            Self::Silu => {
                let share = sigmoid(x.clone());
                of(share.clone(), bell(share))
            }
            Self::Mish => {
                let share = softplus(x.clone(), 1.0).tanh();
                of(share.clone(), arch(share) * sigmoid(x.clone()))
            }
            Self::Relu => x.clone().greater_elem(0.0).float().cast(x.dtype()),
        }
    }
}

/// The activation of a feed-forward layer called `name`, and whether half of the layer gates the
/// other half; `None` for names that the original does not have.
pub(crate) fn feed_forward_activation(name: &str) -> Option<(Activation, bool)> {
    Some(match name {
        "gelu-approximate" => (Activation::GeluTanh, false),
        "gelu" => (Activation::Gelu, false),
        "geglu" => (Activation::Gelu, true),
        "geglu-approximate" => (Activation::GeluSigmoid, false),
        "swiglu" => (Activation::Silu, true),
        "linear-silu" => (Activation::Silu, false),
        _ => return None,
    })
}

/// The activation of the time embedding called `name`; `None` for names that the original does not
/// have.
pub(crate) fn timestep_activation(name: &str) -> Option<Activation> {
    Some(match name {
        "silu" | "swish" => Activation::Silu,
        "mish" => Activation::Mish,
        "gelu" => Activation::Gelu,
        "relu" => Activation::Relu,
        _ => return None,
    })
}

/// GELU, tanh approximation: one pass where the tensor lies in this process's memory.
///
/// Where gradients will be asked for, it is the tangent at the tensor's own values: the same value and the same gradient, with one
/// product to differentiate in the place of seven operations.
pub(crate) fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let device = x.device();
    if host::serves(&device) {
        return host::gelu_tanh(x);
    }
    if device.is_autodiff() {
        let values = x.clone().inner();
        if host::serves(&values.device()) {
            let [slope, offset] = host::gelu_tanh_tangent(values).map(Tensor::from_inner);
            return x * slope + offset;
        }
    }
    skyreels_core::nn::gelu_tanh(x)
}

fn gelu_tanh_slope<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    /// Beyond this the slope is 1 or 0 in f32, and its cube could overflow.
    const END: f64 = 20.0;
    /// `sqrt(2 / pi)`.
    const FIRST: f64 = 0.797_884_560_802_865_4;
    const CUBIC: f64 = 0.044_715;
    if host::serves(&x.device()) {
        let [slope, _] = host::gelu_tanh_tangent(x);
        return slope;
    }
    let x = x.clamp(-END, END);
    let square = x.clone().square();
    let inner = (x.clone() * square.clone().mul_scalar(CUBIC).add_scalar(1.0)).mul_scalar(FIRST).tanh();
    let inner_slope = square.mul_scalar(3.0 * CUBIC).add_scalar(1.0).mul_scalar(FIRST);
    let beyond = x * (-inner.clone().square()).add_scalar(1.0) * inner_slope;
    (inner.add_scalar(1.0) + beyond).mul_scalar(0.5)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;

    #[test]
    fn one_pass_and_tensor_operations_agree_from_end_to_end() {
        // An odd number: the last vector is not full.
        let values: Vec<f32> = (0..40_001).map(|i| (i - 20_000) as f32 * 1e-3).collect();
        let x = Tensor::<1>::from_data(TensorData::new(values, [40_001]), (&Device::flex(), DType::F32));
        let difference = gelu_tanh(x.clone()) - skyreels_core::nn::gelu_tanh(x);
        let difference = difference.abs().max().into_scalar::<f32>();
        assert!(difference < 2e-6, "{difference:e}");
    }

    #[test]
    fn the_tangent_has_the_value_and_the_gradient_of_the_tensor_operations() {
        let values: Vec<f32> =
            (0..16_001).map(|i| (i - 8_000) as f32 * 1e-3).chain([-1e20, -100.0, 100.0, 1e20]).collect();
        let data = TensorData::new(values, [16_005]);
        let both = |function: fn(Tensor<1>) -> Tensor<1>| {
            let x = Tensor::<1>::from_data(data.clone(), (&Device::flex().autodiff(), DType::F32)).require_grad();
            let value = function(x.clone());
            let gradients = value.clone().sum().backward();
            [value.inner(), x.grad(&gradients).unwrap()]
                .map(|tensor| tensor.into_data().iter::<f32>().collect::<Vec<_>>())
        };
        let [value, slope] = both(gelu_tanh);
        let [their_value, their_slope] = both(skyreels_core::nn::gelu_tanh);
        // Theirs overflow at the ends.
        for i in 0..16_001 {
            assert!((value[i] - their_value[i]).abs() < 3e-6, "{} {}", value[i], their_value[i]);
            assert!((slope[i] - their_slope[i]).abs() < 3e-6, "{} {}", slope[i], their_slope[i]);
        }
        assert_eq!((value[16_003], value[16_004]), (100.0, 1e20));
        assert_eq!((slope[16_003], slope[16_004]), (1.0, 1.0));
        for ends in [value, slope] {
            assert!(ends[16_001..16_003].iter().all(|end| end.abs() < 1e-10), "{:?}", &ends[16_001..]);
        }
    }

    #[test]
    fn slopes_are_those_of_automatic_differentiation() {
        // Not at 0, where one of them has none.
        let values: Vec<f32> = (0..2_000).map(|i| (i - 1_000) as f32 * 8e-3 + 1e-3).collect();
        let data = TensorData::new(values, [2_000]);
        let all = [
            Activation::GeluTanh,
            Activation::GeluSigmoid,
            Activation::Gelu,
            Activation::Silu,
            Activation::Mish,
            Activation::Relu,
        ];
        for activation in all {
            let x = Tensor::<1>::from_data(data.clone(), (&Device::flex(), DType::F32));
            let leaf = Tensor::from_inner(x.clone()).require_grad();
            let theirs = leaf.grad(&activation.apply(leaf.clone()).sum().backward()).unwrap();
            // In one pass, and by tensor operations, as they are on a device with automatic differentiation.
            for ours in [activation.slope(x), activation.slope(leaf).inner()] {
                let difference = (ours - theirs.clone()).abs().max().into_scalar::<f32>();
                assert!(difference < 1e-5, "{activation:?}: {difference:e}");
            }
        }
    }

    #[test]
    fn large_inputs_neither_overflow_nor_vanish() {
        let x = Tensor::<1>::from_data([-1e20_f32, -100.0, -0.0, 100.0, 1e20], (&Device::flex(), DType::F32));
        let values: Vec<f32> = gelu_tanh(x).into_data().iter().collect();
        assert_eq!(values[3..], [100.0, 1e20]);
        assert!(values[..3].iter().all(|value| value.abs() < 1e-10), "{values:?}");
    }

    #[test]
    fn approximations_are_near_what_they_approximate_and_gates_are_those_of_the_original() {
        let values: Vec<f32> = (-60..=60).map(|i| i as f32 * 0.1).collect();
        let x = Tensor::<1>::from_data(TensorData::new(values, [121]), (&Device::flex(), DType::F32));
        for (approximation, tolerance) in [(Activation::GeluTanh, 1e-3), (Activation::GeluSigmoid, 0.03)] {
            let difference = approximation.apply(x.clone()) - Activation::Gelu.apply(x.clone());
            let difference = difference.abs().max().into_scalar::<f32>();
            assert!(difference > 0.0 && difference < tolerance, "{approximation:?}: {difference:e}");
        }
        let gated = ["gelu", "gelu-approximate", "geglu", "geglu-approximate", "swiglu", "linear-silu"]
            .map(|name| feed_forward_activation(name).unwrap().1);
        assert_eq!(gated, [false, false, true, false, true, false]);
        assert_eq!(feed_forward_activation("silu"), None);
        assert_eq!(timestep_activation("geglu"), None);
    }
}
