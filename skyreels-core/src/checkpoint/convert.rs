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
    /// A value of the file is NaN or infinite.
    NotFinite,
    /// A value of the file is finite, but not in the precision it is loaded in.
    TooLarge,
}

/// Converts stored floats to `target`, checking that all are finite before and after.
pub(super) fn float_data(bytes: &[u8], stored: Dtype, shape: &[usize], target: DType) -> Result<TensorData, Defect> {
    match stored {
        Dtype::F32 => convert(bytes, shape, target, |b: [u8; 4]| checked(f32::from_le_bytes(b))),
        Dtype::F16 => convert(bytes, shape, target, |b: [u8; 2]| checked(f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => convert(bytes, shape, target, |b: [u8; 2]| checked(bf16::from_le_bytes(b).to_f32())),
        Dtype::F64 => convert(bytes, shape, target, |b: [u8; 8]| {
            let value = f64::from_le_bytes(b);
            (value as f32, value.is_finite())
        }),
        _ => Err(Defect::WrongDtype),
    }
}

/// A value, and whether it is finite in the file.
fn checked(value: f32) -> (f32, bool) {
    (value, value.is_finite())
}

fn convert<const N: usize>(
    bytes: &[u8],
    shape: &[usize],
    target: DType,
    decode: impl Fn([u8; N]) -> (f32, bool) + Sync,
) -> Result<TensorData, Defect> {
    match target {
        DType::F16 => {
            collect(bytes, decode, f16::from_f32, f16::is_finite).map(|values| TensorData::new(values, shape))
        }
        DType::BF16 => {
            collect(bytes, decode, bf16::from_f32, bf16::is_finite).map(|values| TensorData::new(values, shape))
        }
        _ => collect(bytes, decode, |value| value, f32::is_finite).map(|values| TensorData::new(values, shape)),
    }
}

fn collect<const N: usize, T: Copy + Default + Send>(
    bytes: &[u8],
    decode: impl Fn([u8; N]) -> (f32, bool) + Sync,
    encode: impl Fn(f32) -> T + Sync,
    is_finite: impl Fn(T) -> bool + Sync,
) -> Result<Vec<T>, Defect> {
    let (elements, _) = bytes.as_chunks::<N>();
    let mut values = vec![T::default(); elements.len()];
    let (finite, fits) = values
        .par_chunks_mut(CHUNK)
        .zip(elements.par_chunks(CHUNK))
        .map(|(to, from)| {
            let (mut finite, mut fits) = (true, true);
            for (to, from) in to.iter_mut().zip(from) {
                let (value, sound) = decode(*from);
                *to = encode(value);
                finite &= sound;
                fits &= is_finite(*to);
            }
            (finite, fits)
        })
        .reduce(|| (true, true), |a, b| (a.0 && b.0, a.1 && b.1));
    match (finite, fits) {
        (false, _) => Err(Defect::NotFinite),
        (true, false) => Err(Defect::TooLarge),
        (true, true) => Ok(values),
    }
}
