//! `cv2.resize`, bilinear, for drawings: the only resizing of this crate.
//!
//! The core's comes with all its codecs, which nobody needs who wants landmarks alone.

use skyreels_core::Frame;

/// Fraction bits of an interpolation weight in OpenCV.
const WEIGHT_BITS: u32 = 11;

/// Two neighbours and their weights.
type Taps = [(u32, i32); 2];

fn taps(position: u32, from: u32, to: u32) -> Taps {
    let at = ((f64::from(position) + 0.5) * (f64::from(from) / f64::from(to)) - 0.5) as f32;
    let last = from - 1;
    let (first, share) = match at.floor() {
        floor if floor < 0.0 => (0, 0.0),
        floor if floor >= last as f32 => (last, 0.0),
        floor => (floor as u32, at - floor),
    };
    let fixed = |weight: f32| (weight * (1 << WEIGHT_BITS) as f32).round_ties_even() as i32;
    [(first, fixed(1.0 - share)), ((first + 1).min(last), fixed(share))]
}

/// Resizes a picture that is not empty to `size` = width, height.
pub(super) fn bilinear(picture: &Frame, size: [u32; 2]) -> Frame {
    let columns: Vec<Taps> = (0..size[0]).map(|x| taps(x, picture.width(), size[0])).collect();
    Frame::from_fn(size[0], size[1], |x, y| {
        let rows = taps(y, picture.height(), size[1]);
        let channel = |channel: usize| {
            let part = |(row, weight): (u32, i32)| {
                let along =
                    |(column, weight): (u32, i32)| i32::from(picture.get_pixel(column, row).0[channel]) * weight;
                let [a, b] = columns[x as usize];
                // OpenCV's vector code drops four bits before and sixteen after each product.
                (weight * ((along(a) + along(b)) >> 4)) >> 16
            };
            ((part(rows[0]) + part(rows[1]) + 2) >> 2).clamp(0, 255) as u8
        };
        image::Rgb([channel(0), channel(1), channel(2)])
    })
}
