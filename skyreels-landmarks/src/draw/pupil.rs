//! Where the pupils go: the map from the driver's eye contour to the retargeted one, as OpenCV finds it.
//!
//! `cv::estimateAffine2D(src, dst, RANSAC, 3, 2000, 0.99)`. Sixteen points leave RANSAC little choice, but the
//! sample it stops at decides which points count, and with them the pixel of a pupil, so
//! generator, order and stopping rule are OpenCV's.

use nalgebra::{DMatrix, Matrix3, Vector3};

use super::contours::{LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS};
use super::guide2d::check;
use crate::{Affine, Result};

/// Largest distance of an inlier, in pixels.
const THRESHOLD: f64 = 3.0;
/// Wanted probability of having seen one sample of inliers alone.
const CONFIDENCE: f64 = 0.99;
/// Most samples that are tried.
const MAX_SAMPLES: usize = 2000;
/// Points that determine an affine map.
const SAMPLE: usize = 3;
/// Attempts to draw one usable sample.
const MAX_ATTEMPTS: usize = 10_000;

/// The affine map from `source` to `target` and which points support it.
///
/// `None` when no three points that are not on a line agree: closed or degenerate eyes.
pub fn estimate_affine(source: &[[f32; 2]], target: &[[f32; 2]]) -> Option<(Affine, Vec<bool>)> {
    let count = source.len().min(target.len());
    let (source, target) = (&source[..count], &target[..count]);
    if count < SAMPLE || source.iter().chain(target).flatten().any(|v| !v.is_finite()) {
        return None;
    }
    let mut random = Generator::default();
    let mut best: Option<Vec<bool>> = None;
    let mut best_count = SAMPLE - 1;
    let mut samples = MAX_SAMPLES;
    let mut done = 0;
    while done < samples {
        let Some(chosen) = sample(&mut random, source, target) else { break };
        done += 1;
        let Some(map) = through(chosen.map(|i| source[i]), chosen.map(|i| target[i])) else { continue };
        let inliers = inliers(&map, source, target);
        let found = inliers.iter().filter(|inlier| **inlier).count();
        if found > best_count {
            best_count = found;
            best = Some(inliers);
            samples = samples_needed(found as f64 / count as f64, samples);
        }
    }
    let inliers = best?;
    let keep = |points: &[[f32; 2]]| -> Vec<[f32; 2]> {
        points.iter().zip(&inliers).filter(|(_, inlier)| **inlier).map(|(point, _)| *point).collect()
    };
    Some((least_squares(&keep(source), &keep(target))?, inliers))
}

/// OpenCV's multiply-with-carry generator in its fixed initial state.
struct Generator(u64);

impl Default for Generator {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

impl Generator {
    const FACTOR: u64 = 4_164_903_690;

    fn below(&mut self, limit: usize) -> usize {
        self.0 = (self.0 & 0xffff_ffff).wrapping_mul(Self::FACTOR).wrapping_add(self.0 >> 32);
        (self.0 as u32) as usize % limit
    }
}

/// Three different points, on no common line in either set; the last one is what makes a sample unusable.
fn sample(random: &mut Generator, source: &[[f32; 2]], target: &[[f32; 2]]) -> Option<[usize; SAMPLE]> {
    for _ in 0..MAX_ATTEMPTS {
        let mut chosen = [0; SAMPLE];
        for i in 0..SAMPLE {
            chosen[i] = loop {
                let candidate = random.below(source.len());
                if !chosen[..i].contains(&candidate) {
                    break candidate;
                }
            };
        }
        if !collinear(chosen.map(|i| source[i])) && !collinear(chosen.map(|i| target[i])) {
            return Some(chosen);
        }
    }
    None
}

/// True when the last point lies on the line through the other two, to f32 precision.
fn collinear([a, b, c]: [[f32; 2]; 3]) -> bool {
    let from_last = |p: [f32; 2]| [f64::from(p[0] - c[0]), f64::from(p[1] - c[1])];
    let ([ax, ay], [bx, by]) = (from_last(a), from_last(b));
    (bx * ay - by * ax).abs() <= f64::from(f32::EPSILON) * (bx.abs() + by.abs() + ax.abs() + ay.abs())
}

/// The map that takes three points exactly to three others.
fn through(source: [[f32; 2]; 3], target: [[f32; 2]; 3]) -> Option<Affine> {
    let corners = Matrix3::from_fn(|row, column| if column < 2 { f64::from(source[row][column]) } else { 1.0 });
    let decomposed = corners.lu();
    let solve = |axis: usize| decomposed.solve(&Vector3::from_fn(|row, _| f64::from(target[row][axis])));
    Some([solve(0)?.into(), solve(1)?.into()])
}

/// Image of a point.
pub fn apply(map: &Affine, [x, y]: [f64; 2]) -> [f64; 2] {
    map.map(|[a, b, t]| a * x + b * y + t)
}

fn inliers(map: &Affine, source: &[[f32; 2]], target: &[[f32; 2]]) -> Vec<bool> {
    let near = |(from, to): (&[f32; 2], &[f32; 2])| {
        let [x, y] = apply(map, from.map(f64::from));
        let error = (x - f64::from(to[0])).powi(2) + (y - f64::from(to[1])).powi(2);
        error as f32 <= (THRESHOLD * THRESHOLD) as f32
    };
    source.iter().zip(target).map(near).collect()
}

/// Samples after which one without outliers has been seen with the wanted probability.
fn samples_needed(inlier_share: f64, most: usize) -> usize {
    let missed = 1.0 - inlier_share.powi(SAMPLE as i32);
    if missed < f64::MIN_POSITIVE {
        return 0;
    }
    let (numerator, denominator) = ((1.0 - CONFIDENCE).ln(), missed.ln());
    if denominator >= 0.0 || -numerator >= most as f64 * -denominator {
        return most;
    }
    (numerator / denominator).round_ties_even() as usize
}

/// The map with the least squared error.
fn least_squares(source: &[[f32; 2]], target: &[[f32; 2]]) -> Option<Affine> {
    // About the mean of the sources, so that the system is well conditioned.
    let count = source.len() as f64;
    let mean = [0, 1].map(|axis| source.iter().map(|p| f64::from(p[axis])).sum::<f64>() / count);
    let design = DMatrix::from_fn(source.len(), 3, |row, column| match column {
        2 => 1.0,
        axis => f64::from(source[row][axis]) - mean[axis],
    });
    let values = DMatrix::from_fn(target.len(), 2, |row, axis| f64::from(target[row][axis]));
    let solution = design.svd(true, true).solve(&values, f64::EPSILON).ok()?;
    let row = |axis: usize| {
        let [a, b, t] = [0, 1, 2].map(|k| solution[(k, axis)]);
        [a, b, t - a * mean[0] - b * mean[1]]
    };
    let map = [row(0), row(1)];
    map.iter().flatten().all(|v| v.is_finite()).then_some(map)
}

/// Centres of the right and left pupil: the driver's irises, carried along with the contours of the eyes.
///
/// Where no affine map fits, the iris keeps its place along and across the line between the eye's corners, in
/// units of that line; where the corners coincide as well, there is no pupil.
///
/// # Shapes
/// `driver` and `target`: 478 points in pixels; x and y count.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) when there are not 478 points.
pub fn pupils(driver: &[[f64; 2]], target: &[[f64; 2]]) -> Result<[Option<[f64; 2]>; 2]> {
    check(driver.len())?;
    check(target.len())?;
    let eye = |contour: &[usize; 16], corners: [usize; 2], iris: usize| {
        let points = |all: &[[f64; 2]]| contour.map(|i| all[i].map(|v| v as f32));
        let carried = estimate_affine(&points(driver), &points(target)).map(|(map, _)| apply(&map, driver[iris]));
        carried.or_else(|| between_corners(corners.map(|i| driver[i]), corners.map(|i| target[i]), driver[iris]))
    };
    Ok([eye(&RIGHT_EYE, [33, 133], RIGHT_IRIS), eye(&LEFT_EYE, [362, 263], LEFT_IRIS)])
}

/// Place of a point in an eye: along and across the line between its corners, from the middle, in half eye widths.
///
/// `None` when the corners coincide.
pub fn eye_relative([from, to]: [[f64; 2]; 2], point: [f64; 2]) -> Option<[f64; 2]> {
    let axis = [to[0] - from[0], to[1] - from[1]];
    let squared = axis[0] * axis[0] + axis[1] * axis[1];
    let offset = [0, 1].map(|k| point[k] - (from[k] + to[k]) / 2.0);
    let along = 2.0 * (offset[0] * axis[0] + offset[1] * axis[1]) / squared;
    let across = 2.0 * (offset[1] * axis[0] - offset[0] * axis[1]) / squared;
    (along.is_finite() && across.is_finite()).then_some([along, across])
}

/// Carries a point by the similarity that takes one pair of corners to another.
fn between_corners(from: [[f64; 2]; 2], to: [[f64; 2]; 2], point: [f64; 2]) -> Option<[f64; 2]> {
    let [along, across] = eye_relative(from, point)?;
    let half = [0, 1].map(|k| (to[1][k] - to[0][k]) / 2.0);
    let middle = [0, 1].map(|k| (to[0][k] + to[1][k]) / 2.0);
    let carried = [middle[0] + along * half[0] - across * half[1], middle[1] + along * half[1] + across * half[0]];
    carried.iter().all(|v| v.is_finite()).then_some(carried)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_affine_map_is_found_through_a_few_outliers(
            points in prop::collection::vec(prop::array::uniform2(0.0f32..60.0), 16),
            map in prop::array::uniform2(prop::array::uniform3(-2.0f64..2.0)),
            outliers in 0..4usize,
        ) {
            let determinant = map[0][0] * map[1][1] - map[0][1] * map[1][0];
            prop_assume!(determinant.abs() > 0.3);
            let target: Vec<[f32; 2]> = points.iter().enumerate().map(|(i, point)| {
                let [x, y] = apply(&map, point.map(f64::from));
                [(x + if i < outliers { 40.0 * (i + 1) as f64 } else { 0.0 }) as f32, y as f32]
            }).collect();
            let (found, _) = estimate_affine(&points, &target).unwrap();
            for point in &points {
                let (ours, truth) = (apply(&found, point.map(f64::from)), apply(&map, point.map(f64::from)));
                prop_assert!((ours[0] - truth[0]).hypot(ours[1] - truth[1]) < 1.5);
            }
        }
    }

    #[test]
    fn a_closed_eye_has_no_affine_map_but_a_pupil() {
        let flat: Vec<[f32; 2]> = (0..16).map(|i| [i as f32, 2.0 * i as f32]).collect();
        assert!(estimate_affine(&flat, &flat).is_none());
        let mut face = vec![[5.0, 5.0]; 478];
        face[133] = [25.0, 5.0];
        face[RIGHT_IRIS] = [15.0, 6.0];
        let [right, left] = pupils(&face, &face).unwrap();
        assert_eq!(right, Some([15.0, 6.0]));
        assert_eq!(left, None, "the corners of that eye coincide");
    }

    #[test]
    fn points_that_are_no_numbers_have_no_map() {
        assert!(estimate_affine(&[[f32::NAN; 2]; 16], &[[1.0; 2]; 16]).is_none());
        assert!(estimate_affine(&[], &[]).is_none());
    }
}
