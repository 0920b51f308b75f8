//! A performance made by formula: the head turns, eyes blink and look around, the mouth speaks and smiles.

use std::f64::consts::TAU;

use nalgebra::{Rotation3, UnitQuaternion, Vector3};

use super::head::{Expression, Identity, points};
use super::random::Random;
use crate::retarget::camera::Camera;
use crate::{BLENDSHAPE_NAMES, Error, Face, Motion, Result};

/// Largest turns of the head in degrees: nodding, turning, tilting.
const TURNS_DEGREES: [f64; 3] = [9.0, 24.0, 7.0];
/// Seconds of a blink.
const BLINK_SECONDS: f64 = 0.34;
/// Seconds between two blinks, about.
const BLINK_EVERY: f64 = 1.7;
/// The performer's picture.
const PICTURE: [u32; 2] = [512, 512];
/// Distance of the performer from the camera in centimetres.
const DISTANCE: f64 = 36.0;

/// A performance of `frames` frames at `rate` frames per second; the same seed gives the same performance.
///
/// It begins with a neutral face that looks at the camera.
///
/// # Errors
/// [`Error::Invalid`] when there is no frame, or the rate is not between 0 and 1000.
pub fn performance(frames: usize, rate: f64, seed: u64) -> Result<Motion> {
    if frames == 0 || rate.is_nan() || rate <= 0.0 {
        return Err(Error::invalid(
            "performance",
            format!("{frames} frames at a rate of {rate}; both must be above 0"),
        ));
    }
    let script = Script::new(seed);
    let face = |i: usize| {
        let (expression, rotation) = script.at(i as f64 / rate);
        Some(face(&Identity::default(), &expression, &rotation, [0.0, 0.0, -DISTANCE], PICTURE))
    };
    Ok(Motion::from_faces((0..frames).map(face), rate)?.motion)
}

/// What a tracker would say of a synthetic head; it must lie in front of the camera.
pub(super) fn face(
    identity: &Identity,
    expression: &Expression,
    rotation: &UnitQuaternion<f64>,
    place: [f64; 3],
    picture: [u32; 2],
) -> Face {
    let head = points(identity, expression);
    let camera = Camera::of(picture);
    let rotation = rotation.to_rotation_matrix();
    let seen = |point: &[f64; 3]| {
        let turned = rotation * Vector3::from(*point);
        let [x, y] = camera.project((turned + Vector3::from(place)).into()).unwrap_or([0.5; 2]);
        [x, y, -turned.z * camera.per_centimetre(-place[2])].map(|v| v as f32)
    };
    let landmarks: Vec<[f32; 3]> = head.iter().map(seen).collect();
    let side = |axis: usize, pick: fn(f32, f32) -> f32| landmarks.iter().map(|p| p[axis]).reduce(pick).unwrap_or(0.0);
    Face {
        id: None,
        blendshapes: BLENDSHAPE_NAMES.map(|name| score(name, expression) as f32),
        matrix: pose(&rotation, place),
        head_points: head.iter().map(|p| p.map(|v| v as f32)).collect(),
        presence: 1.0,
        score: 1.0,
        bbox: [side(0, f32::min), side(1, f32::min), side(0, f32::max), side(1, f32::max)],
        landmarks,
    }
}

fn pose(rotation: &Rotation3<f64>, place: [f64; 3]) -> [[f32; 4]; 4] {
    let row = |i: usize| [rotation[(i, 0)], rotation[(i, 1)], rotation[(i, 2)], place[i]].map(|v| v as f32);
    [row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]]
}

/// The expression score that a muscle shows in.
fn score(name: &str, expression: &Expression) -> f64 {
    let [left, up] = expression.gaze;
    let score = match name {
        "eyeBlinkRight" => expression.blink[0],
        "eyeBlinkLeft" => expression.blink[1],
        "eyeLookOutLeft" | "eyeLookInRight" => left,
        "eyeLookInLeft" | "eyeLookOutRight" => -left,
        "eyeLookUpLeft" | "eyeLookUpRight" => up,
        "eyeLookDownLeft" | "eyeLookDownRight" => -up,
        "browInnerUp" | "browOuterUpLeft" | "browOuterUpRight" => expression.brows,
        "jawOpen" => expression.jaw,
        "mouthSmileLeft" | "mouthSmileRight" => expression.smile,
        _ => 0.0,
    };
    score.clamp(0.0, 1.0)
}

/// Slow waves for everything that moves; each starts at rest.
struct Script {
    turns: [[f64; 2]; 3],
    gaze: [[f64; 2]; 2],
    speech: [f64; 2],
    smile: [f64; 2],
    brows: [f64; 2],
    first_blink: f64,
}

impl Script {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut wave = |slow: f64, fast: f64| [random.between(slow, fast), random.between(0.6, 1.0)];
        Self {
            turns: [wave(0.35, 0.5), wave(0.2, 0.35), wave(0.25, 0.4)],
            gaze: [wave(0.4, 0.7), wave(0.3, 0.5)],
            speech: wave(1.4, 2.0),
            smile: wave(0.22, 0.32),
            brows: wave(0.4, 0.6),
            first_blink: random.between(0.5, 1.2),
        }
    }

    /// Expression and rotation at a time in seconds.
    fn at(&self, time: f64) -> (Expression, UnitQuaternion<f64>) {
        let wave = |[frequency, strength]: [f64; 2]| strength * (TAU * frequency * time).sin();
        // Between 0 and the strength, from 0.
        let swell = |[frequency, strength]: [f64; 2]| strength * (0.5 - 0.5 * (TAU * frequency * time).cos());
        let turn = |axis: usize| wave(self.turns[axis]) * TURNS_DEGREES[axis].to_radians();
        let since_blink = (time - self.first_blink).rem_euclid(BLINK_EVERY) / BLINK_SECONDS;
        let begun = time >= self.first_blink && since_blink < 1.0;
        let blink = if begun { (since_blink * TAU / 2.0).sin() } else { 0.0 };
        // Speech comes in phrases: a slow wave opens and closes a fast one.
        let phrase = (TAU * 0.31 * time).sin().max(0.0);
        let expression = Expression {
            blink: [blink; 2],
            gaze: self.gaze.map(wave),
            brows: swell(self.brows) * 0.8,
            jaw: swell(self.speech) * phrase * 0.9,
            smile: swell(self.smile),
        };
        (expression, UnitQuaternion::from_euler_angles(turn(0), turn(1), turn(2)))
    }
}
