//! Work that is the same here and in the PyTorch original: sizes, weights and inputs from an integer hash.
//!
//! Weights and inputs are functions of their index alone, so that two programs can build the same
//! model, compare a result, and only then their times.

mod attention;
mod load;
mod memory;
mod work;

pub use attention::{AttentionMeasure, measure_attention};
pub use load::{LoadMeasure, measure_load};
pub use memory::{held_bytes, most_held_bytes, peak_rss_mib};
pub use work::{CASES, Case, Work, load_average, root_mean_square};

/// `count` values, uniform in `[-1, 1)`, of tensor number `tensor`: a 32-bit mix of the element's index.
pub fn hashed(count: usize, tensor: u32) -> impl Iterator<Item = f64> {
    let offset = 0x9E37_79B9u32.wrapping_mul(tensor.wrapping_add(1));
    (0..count as u32).map(move |index| {
        let mut h = index.wrapping_add(offset);
        h ^= h >> 16;
        h = h.wrapping_mul(0x7FEB_352D);
        h ^= h >> 15;
        h = h.wrapping_mul(0x846C_A68B);
        h ^= h >> 16;
        f64::from(h) / 2_147_483_648.0 - 1.0
    })
}
