//! Motion files: an error, or a motion that can be written, read again, edited and drawn from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skyreels_fuzz::{limits, with_file};
use skyreels_landmarks::{MeshRetargeter, Motion, MotionEdit, PortraitFace, Retargeter, SaveOptions, synthetic};

fuzz_target!(|bytes: &[u8]| {
    let Ok(motion) = Motion::from_bytes(bytes, "input", &limits()) else { return };
    with_file(&[], |path| {
        let options = SaveOptions { identity: true, ..SaveOptions::default() };
        motion.save_with(path, &options).expect("what was read can be written");
        let again = Motion::open(path, &limits()).expect("what was written can be read");
        assert_eq!(again.frames().len(), motion.frames().len());
    });
    let size = [64, 64];
    let face = synthetic::portrait(size[0], size[1], 1).expect("a portrait of 64 pixels").1;
    let portrait = PortraitFace::new(&face, size).expect("a drawn face is one");
    // Points may be thrown behind the camera, which is an error.
    let _ = MeshRetargeter::default().retarget(&portrait, &motion);
    let edit = MotionEdit { multiplier: 2.0, ..MotionEdit::default() };
    let _ = edit.apply(&motion);
});
