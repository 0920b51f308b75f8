//! Pictures: an error, or a picture within the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skyreels_core::media::read_picture;
use skyreels_fuzz::{limits, with_file};

fuzz_target!(|bytes: &[u8]| {
    with_file(bytes, |path| {
        if let Ok(picture) = read_picture(path, &limits()) {
            let (width, height) = picture.dimensions();
            assert!(width > 0 && height > 0 && width.max(height) <= limits().max_side);
        }
    });
});
