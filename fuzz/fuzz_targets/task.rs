//! `.task` bundles as they are: the zip and everything behind it.
#![no_main]

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use skyreels_fuzz::{limits, with_file};
use skyreels_landmarks::FaceLandmarker;

fuzz_target!(|bytes: &[u8]| {
    with_file(bytes, |path| {
        let _ = FaceLandmarker::open(path, &limits(), &Device::flex());
    });
});
