//! In a process of its own: its memory is what is measured.

use skyreels_benches::measure_attention;
use skyreels_core::{Precision, open_device};

#[test]
fn an_attention_that_holds_no_scores_is_told_from_one_that_would() {
    let device = open_device("cpu").unwrap();
    let measure = measure_attention([6144, 4, 32], Precision::F32, 1, &device).unwrap();
    assert_eq!(measure.score_bytes, 6144 * 6144 * 4 * 4);
    let held = measure.held_bytes.expect("this system tells");
    println!("{held} bytes held, a score matrix is {}", measure.score_bytes);
    assert_eq!(measure.holds_no_scores, Some(held < measure.score_bytes / 4));
    assert_eq!(measure.holds_no_scores, Some(true));
    assert_eq!(measure.timing.flops, 4 * 6144 * 6144 * 4 * 32);
    // Too small to tell.
    assert_eq!(measure_attention([64, 1, 16], Precision::F32, 1, &device).unwrap().holds_no_scores, None);
}
