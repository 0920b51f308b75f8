//! Expression and pose as `expression_score.py` and `pose_score.py` have them.

use crate::{Error, Result};

/// What the script divides the sum over five points by.
const EXPRESSION_DIVISOR: f64 = 1200.0 * 10.0;
/// What the script divides the sum over the body's points by.
const POSE_DIVISOR: f64 = 1200.0 * 16.0;
/// Frames above this do not count.
const POSE_MOST: f64 = 1.0;
/// Videos at or below this do not count.
const POSE_LEAST: f64 = 1e-4;

/// The script's expression distance: not of expressions, but of five face points (eyes, nose, mouth corners) in frames resized
/// to 720 x 480 pixels.
///
/// For each frame of the result the *least* distance to any frame of the driver, whenever that is; so the order of frames
/// means nothing: a result that performs the driver backwards, or holds one of its frames, has the best score. `None`, as
/// the script leaves a video out, when one frame of either shows no face.
///
/// # Errors
/// [`Error::Empty`] without frames, [`Error::NotFinite`] for points that are no numbers.
pub fn a1_expression_score(result: &[Option<[[f64; 2]; 5]>], driving: &[Option<[[f64; 2]; 5]>]) -> Result<Option<f64>> {
    check("a1 expression", result.len(), driving.len())?;
    let all = |frames: &[Option<[[f64; 2]; 5]>]| frames.iter().copied().collect::<Option<Vec<_>>>();
    let (Some(result), Some(driving)) = (all(result), all(driving)) else { return Ok(None) };
    let scores = result.iter().map(|ours| {
        let nearest = driving.iter().map(|theirs| sum_of_differences(ours, theirs)).fold(f64::INFINITY, f64::min);
        nearest / EXPRESSION_DIVISOR
    });
    let mean = scores.sum::<f64>() / result.len() as f64;
    if mean.is_finite() { Ok(Some(mean)) } else { Err(Error::not_finite("a1 expression", "a point")) }
}

/// The script's pose distance of a video: of lists of body points as OpenPose's network proposes them, in pixels.
///
/// Lists are cut to the shorter of two, so that points of different parts of the body are compared; for each frame of the result
/// the least distance to any frame of the driver counts, whenever that is; distances above 1 are left out. `None` when
/// none is left.
///
/// # Errors
/// [`Error::Empty`] without frames, [`Error::NotFinite`] for points that are no numbers.
pub fn a1_pose_score(result: &[Vec<[f64; 2]>], driving: &[Vec<[f64; 2]>]) -> Result<Option<f64>> {
    check("a1 pose", result.len(), driving.len())?;
    if result.iter().chain(driving).flatten().flatten().any(|value| !value.is_finite()) {
        return Err(Error::not_finite("a1 pose", "a point"));
    }
    let nearest = |ours: &Vec<[f64; 2]>| {
        let distances = driving.iter().map(|theirs| sum_of_differences(ours, theirs) / POSE_DIVISOR);
        distances.fold(f64::INFINITY, f64::min)
    };
    let kept: Vec<f64> = result.iter().map(nearest).filter(|score| *score <= POSE_MOST).collect();
    Ok((!kept.is_empty()).then(|| kept.iter().sum::<f64>() / kept.len() as f64))
}

/// The script's mean over videos, without those at or below 1e-4; `None` when none is left.
pub fn a1_pose_score_mean(videos: &[f64]) -> Option<f64> {
    let kept: Vec<f64> = videos.iter().copied().filter(|score| *score > POSE_LEAST).collect();
    (!kept.is_empty()).then(|| kept.iter().sum::<f64>() / kept.len() as f64)
}

fn sum_of_differences(a: &[[f64; 2]], b: &[[f64; 2]]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a[0] - b[0]).abs() + (a[1] - b[1]).abs()).sum()
}

fn check(what: &str, result: usize, driving: usize) -> Result<()> {
    if result == 0 || driving == 0 {
        return Err(Error::empty(format!("{what}: {result} frames and {driving} frames"), "give videos with frames"));
    }
    Ok(())
}
