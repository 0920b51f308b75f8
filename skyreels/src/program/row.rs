//! Pictures beside each other.

use skyreels::core::Frame;

/// Pictures of one size from left to right.
pub fn row(pictures: &[&Frame]) -> Frame {
    let (width, height) = pictures[0].dimensions();
    let mut row = Frame::new(pictures.len() as u32 * width, height);
    for (place, picture) in (0i64..).zip(pictures) {
        image::imageops::replace(&mut row, *picture, place * i64::from(width), 0);
    }
    row
}
