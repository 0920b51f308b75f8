//! One member of a `.task` bundle whose checksums are right: the geometry (first byte even) or a network (odd).
#![no_main]

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use skyreels_fuzz::{bundle, geometry, limits, with_file};
use skyreels_landmarks::FaceLandmarker;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let good = geometry();
    let members = if which % 2 == 0 { [bytes, &[], &[], &[]] } else { [&good, bytes, bytes, bytes] };
    with_file(&bundle(members), |path| {
        let _ = FaceLandmarker::open(path, &limits(), &Device::flex());
    });
});
