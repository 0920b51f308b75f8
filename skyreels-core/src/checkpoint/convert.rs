//! Bytes of a file to numbers of a precision, in one pass.

use burn::tensor::{DType, TensorData};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

/// Elements a thread converts at a time.
const CHUNK: usize = 1 << 16;

/// Why a stored tensor cannot become a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    WrongDtype,
    NotFinite,
}

/// Converts stored floats to `target`, checking that all are finite.
pub(super) fn float_data(bytes: &[u8], stored: Dtype, shape: &[usize], target: DType) -> Result<TensorData, Defect> {
    match stored {
        Dtype::F32 => convert(bytes, shape, target, |b: [u8; 4]| f32::from_le_bytes(b)),
        Dtype::F16 => convert(bytes, shape, target, |b: [u8; 2]| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => convert(bytes, shape, target, |b: [u8; 2]| bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 => convert(bytes, shape, target, |b: [u8; 8]| f64::from_le_bytes(b) as f32),
        _ => Err(Defect::WrongDtype),
    }
}

fn convert<const N: usize>(
    bytes: &[u8],
    shape: &[usize],
    target: DType,
    decode: impl Fn([u8; N]) -> f32 + Sync,
) -> Result<TensorData, Defect> {
    match target {
        DType::F16 => collect(bytes, decode, f16::from_f32).map(|values| TensorData::new(values, shape)),
        DType::BF16 => collect(bytes, decode, bf16::from_f32).map(|values| TensorData::new(values, shape)),
        _ => collect(bytes, decode, |value| value).map(|values| TensorData::new(values, shape)),
    }
}

fn collect<const N: usize, T: Copy + Default + Send>(
    bytes: &[u8],
    decode: impl Fn([u8; N]) -> f32 + Sync,
    encode: impl Fn(f32) -> T + Sync,
) -> Result<Vec<T>, Defect> {
    let (elements, _) = bytes.as_chunks::<N>();
    let mut values = vec![T::default(); elements.len()];
    let finite = values
        .par_chunks_mut(CHUNK)
        .zip(elements.par_chunks(CHUNK))
        .map(|(to, from)| {
            let mut finite = true;
            for (to, from) in to.iter_mut().zip(from) {
                let value = decode(*from);
                finite &= value.is_finite();
                *to = encode(value);
            }
            finite
        })
        .reduce(|| true, |a, b| a && b);
    if finite { Ok(values) } else { Err(Defect::NotFinite) }
}
