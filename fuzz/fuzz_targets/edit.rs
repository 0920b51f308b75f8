//! Edits in JSON: an error, or an edit that can be written again and gives a motion or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skyreels_landmarks::{MotionEdit, synthetic};

/// More frames than this are a long repetition, which is no finding.
const MOST: usize = 64;

fuzz_target!(|text: &str| {
    let Ok(edit) = MotionEdit::from_json(text) else { return };
    MotionEdit::from_json(&edit.to_json()).expect("what was written can be read");
    let motion = synthetic::performance(3, 12.0, 1).expect("three frames");
    match edit.shown_frames(&motion) {
        Ok(shown) if shown.len() <= MOST => {
            assert!(shown.iter().all(|frame| *frame < 3));
            if let Ok(edited) = edit.apply(&motion) {
                assert_eq!(edited.frames().len(), shown.len());
            }
        }
        _ => {}
    }
});
