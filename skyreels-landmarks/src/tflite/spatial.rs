//! Convolutions and pooling: weights turned channels-first, padding as TensorFlow counts it.

use burn::tensor::Tensor;
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};

use super::Fault;
use super::decode::{Decoded, fused_relu, input, option_i8, option_i32};
use super::host::{HostConv, Kind, Window};
use super::layout::{padded, to_channels_first};
use super::model::{MAX_ELEMENTS, Operator};
use super::operator::{Conv, Op};
use super::patches::Patches;
use super::plan::Planner;

/// `Padding` of the schema: 0 is SAME, 1 is VALID.
const PADDING_SAME: i8 = 0;
/// Largest kernel side or stride.
const MAX_WINDOW: usize = 64;

/// `CONV_2D` (weight `[out, height, width, in]`) or `DEPTHWISE_CONV_2D` (`[1, height, width, in * multiplier]`).
pub(super) fn convolution(
    operator: &Operator<'_>,
    planner: &mut Planner<'_>,
    depthwise: bool,
) -> Result<Decoded, Fault> {
    let (source, shape) = planner.operand(input(operator, 0)?)?;
    let [batch, height, width, channels] = padded(&shape);
    let (weight_shape, weight) = planner.floats(input(operator, 1)?)?;
    let [w0, kernel_height, kernel_width, w3] = padded(&weight_shape);
    let (out_channels, groups, fits) =
        if depthwise { (w3, channels, w0 == 1 && w3 % channels == 0) } else { (w0, 1, w3 == channels) };
    if !fits || shape.len() != 4 {
        return Err(Fault::malformed(format!("weight {weight_shape:?} does not fit input {shape:?}")));
    }

    // Depthwise options hold a multiplier before the activation, which the weight's shape repeats.
    let later = usize::from(depthwise);
    let relu = fused_relu(operator, 3 + later)?;
    if (option_i32(operator, 4 + later, 1)?, option_i32(operator, 5 + later, 1)?) != (1, 1) {
        return Err(Fault::unsupported("dilated convolution"));
    }
    let (top_bottom, out_height) = window(operator, height, kernel_height, option_i32(operator, 2, 1)?)?;
    let (left_right, out_width) = window(operator, width, kernel_width, option_i32(operator, 1, 1)?)?;
    let stride = [top_bottom.stride, left_right.stride];

    let taps = kernel_height * kernel_width * (channels / groups);
    let work = [batch, out_height, out_width, out_channels].iter().try_fold(taps, |n, &d| n.checked_mul(d));
    planner.spend(work)?;
    // Backends that write the windows out need this much memory.
    if out_height * out_width > MAX_ELEMENTS / taps.max(1) {
        return Err(Fault::unsupported(format!("{out_height}x{out_width} windows of {taps} values")));
    }

    let bias = match operator.inputs.get(2).copied().flatten() {
        None => None,
        Some(tensor) => {
            let (_, bias) = planner.floats(tensor)?;
            if bias.len() != out_channels {
                return Err(Fault::malformed(format!("{} biases for {out_channels} channels", bias.len())));
            }
            Some(bias)
        }
    };

    // Where the windows do not overlap, or on the input, the convolution is a product of matrices.
    let kernel = [kernel_height, kernel_width];
    let padding = [top_bottom.padding, left_right.padding];
    let out = [out_height, out_width];
    let before = padding.map(|(before, _)| before);
    let patches = Patches { channels, size: [height, width], kernel, stride, padding: before, out };
    let (source, product) = if batch != 1 || groups != 1 {
        (source, false)
    } else if kernel == [1, 1] {
        (source, stride == [1, 1])
    } else if planner.patch_input(&source, patches) {
        (source, true)
    } else if out == [1, 1] && kernel == [height, width] {
        (planner.flattened(source), true)
    } else if tiles_exactly([height, width], kernel, stride) {
        (planner.unshuffled(source, kernel_height), true)
    } else {
        (source, false)
    };
    let result = vec![batch, out_height, out_width, out_channels];

    if batch == 1 && (product || depthwise) && planner.on_host() {
        let kind =
            if product { Kind::Product } else { Kind::Depthwise(Window { kernel, stride, padding: before, out }) };
        let bias = bias.unwrap_or_else(|| vec![0.0; out_channels]);
        return Ok((Op::HostConv(Box::new(HostConv { kind, weight, bias, relu })), vec![source], result));
    }
    let bias = bias.map(|bias| planner.upload(bias, [out_channels]));
    let conv = if product {
        // The order of the channels is that of the weights: row, column, channel.
        let weight = planner.upload(weight, [out_channels, taps, 1, 1]);
        Conv { weight, bias, options: ConvOptions::new([1, 1], [0, 0], [1, 1], 1), relu }
    } else {
        let weight = planner.upload(weight, padded(&weight_shape));
        let weight = if depthwise { weight.permute([3, 0, 1, 2]) } else { to_channels_first(weight) };
        let options = ConvOptions::new_with_padding(stride, padding, [1, 1], groups);
        Conv { weight: packed(weight), bias, options, relu }
    };
    Ok((Op::Conv(Box::new(conv)), vec![source], result))
}

/// Whether windows cover a picture without overlap, gap or padding, and are square.
fn tiles_exactly(size: [usize; 2], kernel: [usize; 2], stride: [usize; 2]) -> bool {
    kernel == stride && kernel[0] == kernel[1] && (0..2).all(|d| size[d].is_multiple_of(kernel[d]))
}

/// A weight whose values lie in the order of its axes: the kernels want that, and here it is done once.
fn packed(weight: Tensor<4>) -> Tensor<4> {
    let dims = weight.dims();
    weight.reshape([dims.iter().product::<usize>()]).reshape(dims)
}

/// `MAX_POOL_2D`.
pub(super) fn max_pool(operator: &Operator<'_>, planner: &mut Planner<'_>) -> Result<Decoded, Fault> {
    let (source, shape) = planner.operand(input(operator, 0)?)?;
    let [batch, height, width, channels] = padded(&shape);
    let kernel = |field| usize::try_from(option_i32(operator, field, 0)?).map_err(|_| Fault::malformed("window"));
    let (kernel_height, kernel_width) = (kernel(4)?, kernel(3)?);
    let (top_bottom, out_height) = window(operator, height, kernel_height, option_i32(operator, 2, 0)?)?;
    let (left_right, out_width) = window(operator, width, kernel_width, option_i32(operator, 1, 0)?)?;
    if fused_relu(operator, 5)? || shape.len() != 4 {
        return Err(Fault::unsupported("MAX_POOL_2D with a fused activation or of a value that is no picture"));
    }
    let (kernel, stride) = ([kernel_height, kernel_width], [top_bottom.stride, left_right.stride]);
    let result = vec![batch, out_height, out_width, channels];
    if batch == 1 && tiles_exactly([height, width], kernel, stride) {
        let source = planner.unshuffled(source, kernel_height);
        return Ok((Op::MaxOfGroups(kernel_height * kernel_width), vec![source], result));
    }
    let mut options = MaxPoolOptions::new(kernel);
    options.stride = stride;
    options.padding = [top_bottom.padding, left_right.padding];
    Ok((Op::MaxPool(options), vec![source], result))
}

/// Stride and zeros before and after, along one axis.
struct Steps {
    stride: usize,
    padding: (usize, usize),
}

/// SAME gives `ceil(size / stride)` results, with the odd zero at the end; VALID pads nothing.
fn window(operator: &Operator<'_>, size: usize, kernel: usize, stride: i32) -> Result<(Steps, usize), Fault> {
    let stride = usize::try_from(stride).unwrap_or(0);
    if !(1..=MAX_WINDOW).contains(&stride) || !(1..=MAX_WINDOW).contains(&kernel) {
        return Err(Fault::unsupported(format!("a window of {kernel} with stride {stride}")));
    }
    if option_i8(operator, 0)? == PADDING_SAME {
        let out = size.div_ceil(stride);
        let total = ((out - 1) * stride + kernel).saturating_sub(size);
        let before = total / 2;
        return Ok((Steps { stride, padding: (before, total - before) }, out));
    }
    if kernel > size {
        return Err(Fault::malformed(format!("a window of {kernel} on {size} values")));
    }
    Ok((Steps { stride, padding: (0, 0) }, (size - kernel) / stride + 1))
}
