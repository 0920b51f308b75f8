//! Options of each operator, and the shape of its result.

use super::Fault;
use super::layout::{channels_first, channels_first_axis, channels_first_permutation, padded};
use super::model::Operator;
use super::operator::{Binary, Op};
use super::plan::{Planner, Source};
use super::spatial;

/// An operator, its operands, and the shape of its result.
pub(super) type Decoded = (Op, Vec<Source>, Vec<usize>);

/// Values of `ActivationFunctionType` that occur.
const ACTIVATION_NONE: i8 = 0;
const ACTIVATION_RELU: i8 = 1;

/// Decodes one operator; the numbers are the schema's `BuiltinOperator`.
pub(super) fn decode(operator: &Operator<'_>, planner: &mut Planner<'_>) -> Result<Decoded, Fault> {
    match operator.code {
        0 => binary(operator, planner, Binary::Add),
        2 => concat(operator, planner),
        3 => spatial::convolution(operator, planner, false),
        4 => spatial::convolution(operator, planner, true),
        14 => unary(operator, planner, Op::Logistic),
        17 => spatial::max_pool(operator, planner),
        18 => binary(operator, planner, Binary::Mul),
        19 => unary(operator, planner, Op::Relu),
        22 => reshape(operator, planner),
        34 => pad(operator, planner),
        39 => transpose(operator, planner),
        40 => reduce(operator, planner, true),
        41 => binary(operator, planner, Binary::Sub),
        42 => binary(operator, planner, Binary::Div),
        45 => slice(operator, planner),
        54 => prelu(operator, planner),
        59 => unary(operator, planner, Op::Neg),
        74 => reduce(operator, planner, false),
        75 => unary(operator, planner, Op::Sqrt),
        76 => unary(operator, planner, Op::Rsqrt),
        99 => binary(operator, planner, Binary::SquaredDifference),
        code => Err(Fault::unsupported(format!("operator code {code} of the TensorFlow Lite schema"))),
    }
}

/// Input `index` of an operator; an error if it was left out.
pub(super) fn input(operator: &Operator<'_>, index: usize) -> Result<usize, Fault> {
    operator.inputs.get(index).copied().flatten().ok_or_else(|| Fault::malformed(format!("input {index} is missing")))
}

/// One option of an operator; a missing options table means all defaults.
pub(super) fn option_i8(operator: &Operator<'_>, field: usize) -> Result<i8, Fault> {
    operator.options.map_or(Ok(0), |table| table.i8(field, 0))
}

/// As [`option_i8`] for integers.
pub(super) fn option_i32(operator: &Operator<'_>, field: usize, default: i32) -> Result<i32, Fault> {
    operator.options.map_or(Ok(default), |table| table.i32(field, default))
}

/// Whether a ReLU follows; other fused activations do not occur.
pub(super) fn fused_relu(operator: &Operator<'_>, field: usize) -> Result<bool, Fault> {
    match option_i8(operator, field)? {
        ACTIVATION_NONE => Ok(false),
        ACTIVATION_RELU => Ok(true),
        other => Err(Fault::unsupported(format!("fused activation {other}"))),
    }
}

fn unary(operator: &Operator<'_>, planner: &mut Planner<'_>, op: Op) -> Result<Decoded, Fault> {
    let (source, shape) = planner.operand(input(operator, 0)?)?;
    Ok((op, vec![source], shape))
}

fn binary(operator: &Operator<'_>, planner: &mut Planner<'_>, kind: Binary) -> Result<Decoded, Fault> {
    let (a, a_shape) = planner.operand(input(operator, 0)?)?;
    let (b, b_shape) = planner.operand(input(operator, 1)?)?;
    let rank = a_shape.len().max(b_shape.len());
    let (a_full, b_full) = (padded(&a_shape), padded(&b_shape));
    let mut shape = Vec::with_capacity(rank);
    for (&x, &y) in a_full.iter().zip(&b_full).skip(4 - rank) {
        if x != y && x != 1 && y != 1 {
            return Err(Fault::malformed(format!("shapes {a_shape:?} and {b_shape:?} do not broadcast")));
        }
        shape.push(x.max(y));
    }
    // The squared difference has no options, hence no activation.
    let relu = !matches!(kind, Binary::SquaredDifference) && fused_relu(operator, 0)?;
    Ok((Op::Binary { kind, relu }, vec![a, b], shape))
}

fn prelu(operator: &Operator<'_>, planner: &mut Planner<'_>) -> Result<Decoded, Fault> {
    let (source, shape) = planner.operand(input(operator, 0)?)?;
    let channels = padded(&shape)[3];
    let (slope_shape, slope) = planner.floats(input(operator, 1)?)?;
    if slope.len() != channels || padded(&slope_shape)[3] != channels {
        return Err(Fault::unsupported(format!("slopes of shape {slope_shape:?} for {channels} channels")));
    }
    Ok((Op::Prelu(Box::new(planner.upload(slope, [channels]))), vec![source], shape))
}

fn concat(operator: &Operator<'_>, planner: &mut Planner<'_>) -> Result<Decoded, Fault> {
    let mut sources = Vec::new();
    let mut shape: Vec<usize> = Vec::new();
    if fused_relu(operator, 1)? {
        return Err(Fault::unsupported("CONCATENATION with a fused activation"));
    }
    let raw_axis = option_i32(operator, 0, 0)?;
    let mut axis = 0;
    for i in 0..operator.inputs.len() {
        let (source, next) = planner.operand(input(operator, i)?)?;
        sources.push(source);
        if i == 0 {
            axis = resolve_axis(raw_axis, next.len())?;
            shape = next;
            continue;
        }
        let fits = next.len() == shape.len() && (0..next.len()).all(|d| d == axis || next[d] == shape[d]);
        if !fits {
            return Err(Fault::malformed(format!("shapes {shape:?} and {next:?} cannot be joined on axis {axis}")));
        }
        shape[axis] += next[axis];
    }
    if sources.is_empty() {
        return Err(Fault::malformed("CONCATENATION of nothing"));
    }
    let axis = channels_first_axis(axis, shape.len());
    Ok((Op::Concat(axis), sources, shape))
}

fn reduce(operator: &Operator<'_>, planner: &mut Planner<'_>, mean: bool) -> Result<Decoded, Fault> {
    let (source, mut shape) = planner.operand(input(operator, 0)?)?;
    let rank = shape.len();
    let axes = planner.integers(input(operator, 1)?)?;
    let axes = axes.into_iter().map(|a| resolve_axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    for &axis in &axes {
        shape[axis] = 1;
    }
    let keep_dims = option_i8(operator, 0)? != 0;
    let mut dropped = None;
    if !keep_dims {
        shape = (0..rank).filter(|d| !axes.contains(d)).map(|d| shape[d]).collect();
        dropped = Some(padded(&shape));
    }
    let axes = axes.into_iter().map(|a| channels_first_axis(a, rank)).collect();
    Ok((Op::Reduce { mean, axes, shape: dropped }, vec![source], shape))
}

fn transpose(operator: &Operator<'_>, planner: &mut Planner<'_>) -> Result<Decoded, Fault> {
    let (source, shape) = planner.operand(input(operator, 0)?)?;
    let raw = planner.integers(input(operator, 1)?)?;
    let permutation: Vec<usize> = raw.iter().filter_map(|&a| usize::try_from(a).ok()).collect();
    let mut sorted = permutation.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..shape.len()) {
        return Err(Fault::malformed(format!("{raw:?} is no permutation of {} axes", shape.len())));
    }
    let result = permutation.iter().map(|&axis| shape[axis]).collect();
    Ok((Op::Transpose(channels_first_permutation(&permutation)), vec![source], result))
}

fn reshape(operator: &Operator<'_>, planner: &mut Planner<'_>) -> Result<Decoded, Fault> {
    let (source, from) = planner.operand(input(operator, 0)?)?;
    let sizes = match operator.inputs.get(1).copied().flatten() {
        Some(tensor) => planner.integers(tensor)?,
        None => operator.options.map_or(Ok(None), |table| table.i32s(0, 4))?.unwrap_or_default(),
    };
    let bad = || Fault::malformed(format!("shape {from:?} cannot become {sizes:?}"));
    if sizes.len() > 4 {
        return Err(bad());
    }
    let total: usize = from.iter().product();
    let known = sizes.iter().filter(|&&s| s != -1).try_fold(1usize, |n, &s| n.checked_mul(usize::try_from(s).ok()?));
    let known = known.filter(|&n| n > 0).ok_or_else(bad)?;
    let shape: Vec<usize> = sizes.iter().map(|&s| usize::try_from(s).unwrap_or(total / known)).collect();
    if sizes.iter().filter(|&&s| s == -1).count() > 1 || shape.iter().product::<usize>() != total {
        return Err(bad());
    }
    Ok((Op::Reshape(padded(&shape)), vec![source], shape))
}

fn pad(operator: &Operator<'_>, planner: &mut Planner<'_>) -> Result<Decoded, Fault> {
    let (source, mut shape) = planner.operand(input(operator, 0)?)?;
    let sides = planner.integers(input(operator, 1)?)?;
    if sides.len() != 2 * shape.len() {
        return Err(Fault::malformed(format!("{} pad sizes for {} axes", sides.len(), shape.len())));
    }
    let mut full = [(0, 0); 4];
    let lead = 4 - shape.len();
    for (axis, side) in sides.chunks_exact(2).enumerate() {
        let [before, after] = [side[0], side[1]].map(usize::try_from);
        let (Ok(before), Ok(after)) = (before, after) else {
            return Err(Fault::malformed(format!("negative pad sizes {side:?}")));
        };
        full[lead + axis] = (before, after);
        shape[axis] += before + after;
    }
    Ok((Op::Pad(channels_first(full)), vec![source], shape))
}

fn slice(operator: &Operator<'_>, planner: &mut Planner<'_>) -> Result<Decoded, Fault> {
    let (source, from) = planner.operand(input(operator, 0)?)?;
    let mut bounds = [Vec::new(), Vec::new(), Vec::new()];
    for (i, list) in bounds.iter_mut().enumerate() {
        *list = planner.integers(input(operator, i + 1)?)?;
    }
    let [begin, end, strides] = bounds;
    let rank = from.len();
    if [begin.len(), end.len(), strides.len()] != [rank; 3] {
        return Err(Fault::unsupported(format!("a slice with {} bounds of {rank} axes", begin.len())));
    }
    let masks = [0, 1, 2, 3, 4].map(|field| option_i32(operator, field, 0));
    let [begin_mask, end_mask, ellipsis, new_axis, shrink] = masks;
    if strides.iter().any(|&s| s != 1) || ellipsis? != 0 || new_axis? != 0 {
        return Err(Fault::unsupported("a slice with strides, an ellipsis or new axes"));
    }
    let (begin_mask, end_mask, shrink) = (begin_mask?, end_mask?, shrink?);
    let mut ranges = [(0, 1); 4];
    let mut shape = Vec::with_capacity(rank);
    for d in 0..rank {
        let size = from[d] as i64;
        let bound = |raw: i32| if raw < 0 { i64::from(raw) + size } else { i64::from(raw) }.clamp(0, size) as usize;
        let has = |mask: i32| mask >> d & 1 == 1;
        let start = if has(begin_mask) { 0 } else { bound(begin[d]) };
        let stop = match (has(shrink), has(end_mask)) {
            (true, _) => start + 1,
            (false, true) => from[d],
            (false, false) => bound(end[d]),
        };
        if start >= stop || stop > from[d] {
            return Err(Fault::malformed(format!("slice {start}..{stop} of an axis of size {}", from[d])));
        }
        ranges[4 - rank + d] = (start, stop);
        if !has(shrink) {
            shape.push(stop - start);
        }
    }
    let dropped = (shape.len() != rank).then(|| padded(&shape));
    Ok((Op::Slice { ranges: channels_first(ranges), shape: dropped }, vec![source], shape))
}

/// An axis counted from the front or, if negative, from the back.
fn resolve_axis(axis: i32, rank: usize) -> Result<usize, Fault> {
    let resolved = if axis < 0 { i64::from(axis) + rank as i64 } else { i64::from(axis) };
    let resolved = usize::try_from(resolved).ok().filter(|&a| a < rank);
    resolved.ok_or_else(|| Fault::malformed(format!("axis {axis} of a value of rank {rank}")))
}
