//! A performance: what a person does over time.

use std::f32::consts::TAU;

use skyreels_landmarks::{Face as FoundFace, Motion, Result};

use super::expression::{Expression, Pose, State, control};
use super::person::Person;
use super::random::{Random, noise};

/// Largest turns of the head in radians: nodding, turning, tilting.
const TURNS: [f32; 3] = [0.20, 0.48, 0.15];
/// Largest shifts of the head in centimetres; within a second it is off its place by a twenty-fifth of the face's height, in the
/// mean, where films of talking people have a fiftieth to a sixth.
const SHIFTS: [f32; 3] = [3.0, 1.7, 2.6];
/// Seconds that it takes to close and to open an eye.
const BLINK: [f32; 2] = [0.09, 0.16];
/// Seconds of a syllable, about.
const SYLLABLE: f32 = 0.21;
/// Seconds after the start in which everything grows out of rest.
const WAKING: f32 = 0.35;

/// How the mouth is formed while it speaks: weights of jaw, funnel, pucker, stretch, lower lip, upper lip, closing.
const VISEMES: [[f32; 7]; 9] = [
    [0.62, 0.00, 0.00, 0.05, 0.20, 0.12, 0.00], // a
    [0.34, 0.00, 0.00, 0.35, 0.30, 0.15, 0.00], // e
    [0.20, 0.00, 0.00, 0.45, 0.35, 0.10, 0.00], // i
    [0.42, 0.55, 0.25, 0.00, 0.05, 0.05, 0.00], // o
    [0.20, 0.35, 0.70, 0.00, 0.00, 0.00, 0.00], // u
    [0.04, 0.00, 0.05, 0.00, 0.00, 0.00, 0.30], // m, b, p
    [0.10, 0.00, 0.00, 0.05, 0.00, 0.18, 0.00], // f, v
    [0.14, 0.05, 0.00, 0.20, 0.30, 0.10, 0.00], // s, t, d
    [0.26, 0.00, 0.00, 0.10, 0.15, 0.08, 0.00], // l, n
];
const VISEME_CONTROLS: [[usize; 2]; 7] = [
    [control("jawOpen"); 2],
    [control("mouthFunnel"); 2],
    [control("mouthPucker"); 2],
    [control("mouthStretchLeft"), control("mouthStretchRight")],
    [control("mouthLowerDownLeft"), control("mouthLowerDownRight")],
    [control("mouthUpperUpLeft"), control("mouthUpperUpRight")],
    [control("mouthPressLeft"), control("mouthPressRight")],
];

/// Something that swells and fades at a time.
#[derive(Debug, Clone, Copy)]
struct Event {
    start: f32,
    rise: f32,
    hold: f32,
    fall: f32,
    strength: f32,
}

impl Event {
    fn at(&self, time: f32) -> f32 {
        let ease = |t: f32| {
            let t = t.clamp(0.0, 1.0);
            t * t * (3.0 - 2.0 * t)
        };
        let since = time - self.start;
        self.strength * ease(since / self.rise) * ease((self.rise + self.hold + self.fall - since) / self.fall)
    }
}

/// A performance of a seed: speech, blinks, brows, smiles, turns of the head and shifts of gaze, at any time.
///
/// It begins with a neutral face that looks at the camera, and never repeats.
#[derive(Debug, Clone)]
pub struct Performance {
    seed: f32,
    /// How lively the head is, and how much of the time it speaks, 0..1.
    lively: f32,
    talkative: f32,
    frames: usize,
    rate: f32,
    blinks: Vec<Event>,
    smiles: Vec<Event>,
    brows: Vec<(Event, usize)>,
    looks: Vec<(f32, [f32; 2])>,
    syllables: Vec<(f32, usize, f32)>,
}

/// What brows do: which controls go together.
const BROW_MOVES: [&[usize]; 4] = [
    &[control("browInnerUp"), control("browOuterUpLeft"), control("browOuterUpRight")],
    &[control("browInnerUp")],
    &[control("browDownLeft"), control("browDownRight")],
    &[control("browOuterUpLeft")],
];

impl Performance {
    /// `frames` frames at `rate` frames per second; the same seed gives the same performance, and a longer one begins
    /// with the shorter one.
    ///
    /// A rate that is no positive number counts as 1.
    pub fn from_seed(seed: u64, frames: usize, rate: f32) -> Self {
        let rate = if rate.is_finite() && rate > 0.0 { rate } else { 1.0 };
        let length = frames as f32 / rate + 1.0;
        let stream = |purpose: u64| Random::new(seed, 10 + purpose);
        let mut temper = stream(0);
        Self {
            seed: temper.between(0.0, 1000.0),
            lively: temper.between(0.55, 1.0),
            talkative: temper.between(0.65, 1.0),
            frames,
            rate,
            blinks: blinks(&mut stream(1), length),
            smiles: events(&mut stream(2), length, [0.8, 3.2], [0.35, 1.0]),
            brows: {
                let events = events(&mut stream(3), length, [0.6, 2.6], [0.4, 1.0]);
                let mut random = stream(6);
                events.into_iter().map(|event| (event, random.pick(&[0, 0, 1, 2, 2, 3]))).collect()
            },
            looks: looks(&mut stream(4), length),
            syllables: syllables(&mut stream(5), length),
        }
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.frames
    }

    /// True when there is no frame.
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Frames per second.
    pub fn rate(&self) -> f32 {
        self.rate
    }

    /// All states in order.
    pub fn states(&self) -> impl Iterator<Item = State> + '_ {
        (0..self.frames).map(|frame| self.at(frame as f32 / self.rate))
    }

    /// The state at a time in seconds from the start. A second after the last frame nobody speaks, blinks or smiles any more.
    pub fn at(&self, time: f32) -> State {
        let time = if time.is_finite() { time.max(0.0) } else { 0.0 };
        let awake = {
            let t = (time / WAKING).min(1.0);
            t * t * (3.0 - 2.0 * t)
        };
        let mut expression = Expression::default();
        self.speak(time, awake, &mut expression);
        let smile = sum(&self.smiles, time) * awake;
        for name in [control("mouthSmileLeft"), control("mouthSmileRight")] {
            expression.set(name, 0.85 * smile);
        }
        for name in [control("cheekSquintLeft"), control("cheekSquintRight")] {
            expression.set(name, 0.6 * smile);
        }
        for (event, kind) in &self.brows {
            let weight = event.at(time) * awake;
            for name in BROW_MOVES[*kind] {
                expression.set(*name, expression.at(*name) + weight);
            }
        }
        let blink = sum(&self.blinks, time);
        for name in [control("eyeBlinkLeft"), control("eyeBlinkRight")] {
            expression.set(name, blink * awake);
        }
        let [left, up] = self.look(time);
        let pose = self.pose(time, awake);
        // Eyes hold on to what they look at while the head turns.
        let counter = [-0.45 * pose.rotation[1] / 0.5, -0.35 * pose.rotation[0] / 0.4];
        let expression = expression.looking((left + counter[0]) * awake, (up + counter[1]) * awake);
        State { expression, pose }
    }

    /// Slow noise around 0 within about -1..1.
    fn drift(&self, channel: f32, time: f32, speed: f32) -> f32 {
        let slow = noise(time * speed + self.seed, 17.0 * channel + 0.5) - 0.5;
        let quick = noise(time * speed * 2.3 + self.seed, 17.0 * channel + 8.5) - 0.5;
        (1.9 * slow + 0.5 * quick).clamp(-1.0, 1.0)
    }

    fn pose(&self, time: f32, awake: f32) -> Pose {
        let amount = self.lively * awake;
        let speed = 0.55 + 0.35 * self.lively;
        // Speakers nod with their words.
        let nod = 0.035 * self.voice(time) * (TAU * 1.7 * time).sin();
        let mut rotation = [0, 1, 2].map(|axis| TURNS[axis] * amount * self.drift(axis as f32, time, speed));
        rotation[0] += nod * awake;
        let translation = [0, 1, 2].map(|axis| SHIFTS[axis] * amount * self.drift(3.0 + axis as f32, time, speed));
        Pose { rotation, translation }
    }

    /// How loud it speaks, 0..1: phrases with pauses.
    fn voice(&self, time: f32) -> f32 {
        let phrase = noise(time * 0.75 + self.seed, 77.5);
        ((phrase - (1.0 - self.talkative) * 0.8) * 5.0).clamp(0.0, 1.0)
    }

    fn speak(&self, time: f32, awake: f32, expression: &mut Expression) {
        let voice = self.voice(time) * awake;
        let next = self.syllables.partition_point(|(start, ..)| *start <= time);
        let (Some((from, a, strong_a)), Some((to, b, strong_b))) =
            (next.checked_sub(1).map(|i| self.syllables[i]), self.syllables.get(next).copied())
        else {
            return;
        };
        let t = ((time - from) / (to - from)).clamp(0.0, 1.0);
        let share = t * t * (3.0 - 2.0 * t);
        for (k, controls) in VISEME_CONTROLS.iter().enumerate() {
            let weight = VISEMES[a][k] * strong_a * (1.0 - share) + VISEMES[b][k] * strong_b * share;
            for name in controls {
                expression.set(*name, weight * voice);
            }
        }
    }

    /// Where the eyes look: quick jumps between places.
    fn look(&self, time: f32) -> [f32; 2] {
        const JUMP: f32 = 0.07;
        let next = self.looks.partition_point(|(start, _)| *start <= time);
        let Some(i) = next.checked_sub(1) else { return [0.0; 2] };
        let (start, to) = self.looks[i];
        let from = if i == 0 { [0.0; 2] } else { self.looks[i - 1].1 };
        let share = ((time - start) / JUMP).min(1.0);
        [0, 1].map(|k| from[k] + (to[k] - from[k]) * share)
    }
}

fn sum(events: &[Event], time: f32) -> f32 {
    events.iter().map(|event| event.at(time)).fold(0.0, f32::max)
}

fn blinks(random: &mut Random, length: f32) -> Vec<Event> {
    let mut blinks = Vec::new();
    let mut start = random.between(0.3, 1.4);
    while start < length {
        let hold = random.between(0.02, 0.08);
        blinks.push(Event { start, rise: BLINK[0], hold, fall: BLINK[1], strength: random.between(0.92, 1.0) });
        // Now and then two in a row.
        start += if random.chance(0.12) { 0.45 } else { random.between(0.9, 3.4) };
    }
    blinks
}

fn events(random: &mut Random, length: f32, pause: [f32; 2], strength: [f32; 2]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut start = random.between(0.1, pause[1]);
    while start < length {
        let event = Event {
            start,
            rise: random.between(0.18, 0.45),
            hold: random.between(0.2, 1.1),
            fall: random.between(0.25, 0.6),
            strength: random.between(strength[0], strength[1]),
        };
        start += event.rise + event.hold + event.fall + random.between(pause[0], pause[1]);
        events.push(event);
    }
    events
}

fn looks(random: &mut Random, length: f32) -> Vec<(f32, [f32; 2])> {
    let mut looks = Vec::new();
    let mut start = random.between(0.3, 1.2);
    while start < length {
        // Most of the time at the camera.
        let place = if random.chance(0.4) { [0.08, 0.05] } else { [0.75, 0.5] };
        looks.push((start, [place[0] * random.bell() * 1.4, place[1] * random.bell() * 1.4]));
        start += random.between(0.35, 1.6);
    }
    looks
}

fn syllables(random: &mut Random, length: f32) -> Vec<(f32, usize, f32)> {
    let mut syllables = Vec::new();
    let mut start = 0.0;
    // One beyond the end, so that there is always a next one.
    while start < length + 2.0 * SYLLABLE {
        let consonant = syllables.len() % 2 == 0;
        let viseme = if consonant { random.pick(&[5, 6, 7, 7, 8, 8]) } else { random.pick(&[0, 0, 1, 2, 3, 4]) };
        syllables.push((start, viseme, random.between(0.9, 1.45)));
        start += SYLLABLE * random.between(0.35, 0.75);
    }
    syllables
}

impl Person {
    /// The faces of a performance, as a perfect tracker would find them in frames of `size` = width, height.
    pub fn faces(&self, performance: &Performance, size: [u32; 2]) -> Vec<FoundFace> {
        performance.states().map(|state| self.pose(&state).face(size)).collect()
    }

    /// The motion of a performance: true, without a tracker.
    ///
    /// # Errors
    /// Those of [`Motion::from_faces`]: when the performance has no frame, or its rate is too high.
    pub fn motion(&self, performance: &Performance, size: [u32; 2]) -> Result<Motion> {
        let faces = self.faces(performance, size).into_iter().map(Some);
        Ok(Motion::from_faces(faces, f64::from(performance.rate()))?.motion)
    }
}
