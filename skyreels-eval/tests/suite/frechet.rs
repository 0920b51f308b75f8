//! What must hold for distances of sets, whatever the features.

use proptest::prelude::*;
use skyreels_core::Progress;
use skyreels_eval::compat::{a1_calculate_fid, a1_frame_fid};
use skyreels_eval::{
    Error, FeatureStatistics, PYTORCH_FID_EPSILON, SampleWarning, frechet_distance, frechet_distance_with_epsilon,
    frechet_standard_error,
};

/// Numbers in -1..1 that look like noise and are the same everywhere.
fn noise(seed: u64, rows: usize, width: usize) -> Vec<Vec<f32>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..rows).map(|_| (0..width).map(|_| next()).collect()).collect()
}

fn statistics(rows: &[Vec<f32>]) -> FeatureStatistics {
    FeatureStatistics::of(rows).unwrap()
}

fn distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    frechet_distance(&statistics(a), &statistics(b)).unwrap().value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_set_is_at_no_distance_from_itself_even_without_full_rank(
        seed in 0u64..1000, rows in 2usize..40, width in 1usize..24,
    ) {
        let set = noise(seed, rows, width);
        prop_assert!(distance(&set, &set) < 1e-10);
    }

    #[test]
    fn the_distance_is_symmetric_and_never_negative(
        seed in 0u64..1000, rows in 2usize..30, others in 2usize..30, width in 1usize..16,
    ) {
        let (a, b) = (noise(seed, rows, width), noise(seed + 1, others, width));
        let (there, back) = (distance(&a, &b), distance(&b, &a));
        prop_assert!(there >= 0.0 && (there - back).abs() <= 1e-9 * there.max(1.0), "{there} {back}");
    }

    #[test]
    fn moving_a_set_adds_the_square_of_the_way(seed in 0u64..1000, shift in -4i8..4, width in 1usize..16) {
        // A power of two moves the features exactly.
        let set = noise(seed, 30, width);
        let moved: Vec<Vec<f32>> = set.iter().map(|row| row.iter().map(|v| v + f32::from(shift) * 4.0).collect()).collect();
        let expected = (f64::from(shift) * 4.0).powi(2) * width as f64;
        prop_assert!((distance(&set, &moved) - expected).abs() < 1e-4 * expected.max(1.0));
    }

    #[test]
    fn the_order_of_the_features_means_nothing(seed in 0u64..1000, by in 0usize..20) {
        let (a, b) = (noise(seed, 20, 8), noise(seed + 1, 25, 8));
        let mut turned = a.clone();
        turned.rotate_left(by);
        prop_assert!((distance(&a, &b) - distance(&turned, &b)).abs() < 1e-10);
    }
}

#[test]
fn one_dimension_has_a_closed_form() {
    // Means 1 and 4, variances 1 and 4: (1 - 4)^2 + (1 - 2)^2.
    let a = [vec![0.0f32], vec![1.0], vec![2.0]];
    let b = [vec![2.0f32], vec![4.0], vec![6.0]];
    assert!((distance(&a, &b) - 10.0).abs() < 1e-12);
}

#[test]
fn the_epsilon_lowers_the_distance_of_equal_sets_below_zero_as_in_pytorch_fid() {
    let set = statistics(&noise(3, 5, 8));
    let value = frechet_distance_with_epsilon(&set, &set, PYTORCH_FID_EPSILON).unwrap().value;
    assert!((value + 2.0 * 8.0 * PYTORCH_FID_EPSILON).abs() < 1e-12, "{value}");
}

#[test]
fn few_samples_are_warned_of_with_their_number() {
    let (few, many) = (statistics(&noise(1, 6, 8)), statistics(&noise(2, 40, 8)));
    let warned = frechet_distance(&few, &many).unwrap();
    assert_eq!(warned.samples, [6, 40]);
    assert_eq!(warned.warning, Some(SampleWarning::RankDeficient { samples: [6, 40], width: 8 }));
    assert!(warned.warning.unwrap().to_string().starts_with("6 and 40 samples"));
    let warned = frechet_distance(&many, &many).unwrap();
    assert_eq!(warned.warning, Some(SampleWarning::Few { samples: [40, 40] }));
    assert_eq!(SampleWarning::of([10_000, 20_000], 2048), None);
}

/// Clips of which each has its own place, around which its frames lie.
fn clips(seed: u64, count: usize, width: usize) -> Vec<Vec<Vec<f32>>> {
    let places = noise(seed * 7919 + 1, count, width);
    let clip = |(index, place): (usize, &Vec<f32>)| {
        let frames = noise(seed * 104_729 + index as u64 + 1, 12, width);
        frames.iter().map(|frame| frame.iter().zip(place).map(|(v, p)| v / 4.0 + p).collect()).collect()
    };
    places.iter().enumerate().map(clip).collect()
}

#[test]
fn the_error_of_a_distance_is_how_much_other_clips_would_change_it() {
    const WIDTH: usize = 4;
    let reference = statistics(&noise(1, 4000, WIDTH));
    let draws: Vec<_> = (2..62).map(|seed| clips(seed, 20, WIDTH)).collect();
    let distances: Vec<f64> =
        draws.iter().map(|clips| frechet_distance(&statistics(&clips.concat()), &reference).unwrap().value).collect();
    let mean = distances.iter().sum::<f64>() / 60.0;
    let deviation = (distances.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 59.0).sqrt();
    let errors =
        draws.iter().map(|clips| frechet_standard_error(clips, &reference, Progress::none()).unwrap().unwrap());
    let typical = (errors.map(|error| error * error).sum::<f64>() / 60.0).sqrt();
    assert!((0.6..1.7).contains(&(typical / deviation)), "{typical} instead of {deviation}");
}

#[test]
fn few_clips_have_no_error_and_as_many_frames_of_one_do_not_help() {
    let reference = statistics(&noise(1, 50, 3));
    let error = |clips: &[Vec<Vec<f32>>]| frechet_standard_error(clips, &reference, Progress::none());
    assert_eq!(error(&clips(1, 4, 3)).unwrap(), None);
    assert_eq!(error(&[clips(1, 4, 3), vec![Vec::new(); 9]].concat()).unwrap(), None, "clips without frames are none");
    assert!(error(&clips(1, 5, 3)).unwrap().unwrap() > 0.0);
    assert!(matches!(error(&clips(1, 5, 4)), Err(Error::Mismatch { .. })));
    let stop = |_| std::ops::ControlFlow::Break(());
    assert!(frechet_standard_error(&clips(1, 5, 3), &reference, Progress::new(&stop)).unwrap_err().is_cancelled());
}

#[test]
fn sets_that_mean_nothing_are_errors() {
    let none: [Vec<f32>; 0] = [];
    assert!(matches!(FeatureStatistics::of(&none), Err(Error::Empty { .. })));
    assert!(matches!(FeatureStatistics::of(&[vec![1.0]]), Err(Error::Empty { .. })));
    assert!(matches!(FeatureStatistics::of(&[vec![], vec![]]), Err(Error::Empty { .. })));
    assert!(matches!(FeatureStatistics::of(&[vec![1.0], vec![1.0, 2.0]]), Err(Error::Mismatch { .. })));
    for bad in [f32::NAN, f32::INFINITY] {
        let error = FeatureStatistics::of(&[vec![1.0, 2.0], vec![1.0, bad]]).unwrap_err();
        assert!(error.to_string().contains("number 1 of feature 1"), "{error}");
    }
    let (a, b) = (statistics(&noise(1, 5, 2)), statistics(&noise(1, 5, 3)));
    assert!(matches!(frechet_distance(&a, &b), Err(Error::Mismatch { .. })));
    assert!(matches!(a1_calculate_fid(&a, &b), Err(Error::Mismatch { .. })));
}

#[test]
fn the_released_fid_is_not_a_distance_of_sets() {
    // It reads the lower triangle of a product that is not symmetric: other axes, another "distance" of the same sets.
    let (a, b) = (noise(5, 60, 6), noise(6, 60, 6));
    let mixed = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
        rows.iter().map(|r| vec![r[0], r[1], r[2], r[3] + 3.0 * r[0], r[4] - 2.0 * r[1], r[5] + r[2]]).collect()
    };
    let (a, b) = (mixed(&a), b);
    let reversed =
        |rows: &[Vec<f32>]| -> Vec<Vec<f32>> { rows.iter().map(|row| row.iter().rev().copied().collect()).collect() };
    let (ra, rb) = (reversed(&a), reversed(&b));
    let released = |a: &[Vec<f32>], b: &[Vec<f32>]| a1_calculate_fid(&statistics(a), &statistics(b)).unwrap();
    assert!((distance(&a, &b) - distance(&ra, &rb)).abs() < 1e-9, "naming the numbers otherwise changes no distance");
    assert!((released(&a, &b) - released(&ra, &rb)).abs() > 1e-3, "but it changes the released one");
    // A picture doubled has no covariance: what is left is the distance of two points.
    let (one, other) = (&a[0], &b[0]);
    let doubled = |row: &[f32]| statistics(&[row.to_vec(), row.to_vec()]);
    let of_points = a1_frame_fid(one, std::slice::from_ref(other)).unwrap().unwrap();
    let of_sets = a1_calculate_fid(&doubled(one), &doubled(other)).unwrap();
    assert!((of_points - of_sets).abs() < 1e-9 * of_points);
    assert_eq!(a1_frame_fid(one, &[] as &[Vec<f32>]).unwrap(), None);
}
