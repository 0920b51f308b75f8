//! What the landmark network is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use image::Rgb;
use rayon::prelude::*;
use skyreels_core::Frame;
use skyreels_landmarks::compact::SquareView;
use skyreels_landmarks::{BLENDSHAPE_NAMES, BLENDSHAPES, Face};

use crate::Result;
use crate::world::random::Random;
use crate::world::{Identity, Performance, Person, Pose, Scene, State};

/// Rows and columns of rendered pictures.
const SIDES: [u32; 5] = [80, 96, 112, 128, 144];
/// Heights of the picture where the head is, in centimetres: from a face that fills it to one that is a fifth of it.
const HEIGHTS: [f32; 2] = [27.0, 95.0];
/// Length of a performance of which one moment is shown.
const SECONDS: f32 = 8.0;
/// How much livelier than in a performance a head may be.
const LIVELY: [f32; 2] = [0.6, 1.7];
/// Share of samples that are a square without a face.
const WITHOUT: f32 = 0.07;
/// Shares of the views of a face: the whole picture, and one as the last look has it. The others are close.
const WHOLE: f32 = 0.2;
const LAST: f32 = 0.5;
/// How far a view may lie from where it should, in shares of its side, and by which factors it may be larger.
struct Looseness {
    shift: f32,
    stretch: [f32; 2],
}
/// Close: what a look at the whole picture leads to, or a face that has moved since the frame before.
const LOOSE: Looseness = Looseness { shift: 0.12, stretch: [0.8, 1.35] };
/// The last look: what it says is what counts.
const TIGHT: Looseness = Looseness { shift: 0.05, stretch: [0.92, 1.14] };
/// Renderings that are made at a time. All are seen once before the first is seen again: a batch of many people says more than one
/// of many views of a few.
const ROUND: u64 = 512;
/// Samples that are made of one rendering, each with its own view, exposure and grain: to render takes longer than to learn from it.
const VIEWS: u64 = 8;
/// Purposes of the random numbers.
const RENDERING: u64 = 40;
const VIEW: u64 = 41;

/// A square picture and what is true about it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The picture, as large as the network sees it.
    pub picture: Frame,
    /// The 478 points relative to the picture, z on the scale of x; `None` where there is no face.
    pub points: Option<Vec<[f32; 3]>>,
    /// Expression scores.
    pub scores: [f32; BLENDSHAPES],
}

/// An endless, numbered supply of samples; the same number gives the same sample. Clones share the renderings that they keep.
#[derive(Debug, Clone)]
pub struct Samples {
    identities: Range<u64>,
    seed: u64,
    side: u32,
    /// By their numbers, as long as they are needed again.
    kept: Arc<Mutex<BTreeMap<u64, Arc<Rendering>>>>,
}

impl Samples {
    /// People of these seeds in squares of `side` pixels; `seed` decides everything else.
    pub fn new(identities: Range<u64>, seed: u64, side: u32) -> Self {
        Self { identities, seed, side, kept: Arc::default() }
    }

    /// Samples by their numbers, rendered on all cores.
    ///
    /// # Errors
    /// Those of cutting and resizing.
    pub fn batch(&self, numbers: Range<u64>) -> Result<Vec<Sample>> {
        let renderings = self.renderings(numbers.clone().map(rendering_of).collect());
        numbers.into_par_iter().map(|number| self.view(&renderings[&rendering_of(number)], number)).collect()
    }

    /// Renderings by their numbers; those of other rounds are forgotten.
    fn renderings(&self, numbers: BTreeSet<u64>) -> BTreeMap<u64, Arc<Rendering>> {
        // Nobody holds the lock while cores render: one that waits for the others may take up work that asks for it.
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let rounds: BTreeSet<u64> = numbers.iter().map(|number| number / ROUND).collect();
        kept().retain(|number, _| rounds.contains(&(number / ROUND)));
        let mut found = kept().clone();
        let missing: Vec<u64> = numbers.into_iter().filter(|number| !found.contains_key(number)).collect();
        let made: Vec<_> = missing.into_par_iter().map(|number| (number, Arc::new(self.rendering(number)))).collect();
        kept().extend(made.iter().cloned());
        found.extend(made);
        found
    }

    fn random(&self, number: u64, purpose: u64) -> Random {
        Random::new(self.seed.wrapping_add(number.wrapping_mul(0x2545_F491_4F6C_DD1D)), purpose)
    }

    fn rendering(&self, number: u64) -> Rendering {
        let r = &mut self.random(number, RENDERING);
        let people = self.identities.end.saturating_sub(self.identities.start).max(1);
        let identity = Identity::from_seed(self.identities.start + (r.unit() as f64 * people as f64) as u64);
        let mut scene = Scene::from_seed((r.unit() * 1e6) as u64);
        // Sizes of faces are spread evenly by factor.
        scene.height = HEIGHTS[0] * (HEIGHTS[1] / HEIGHTS[0]).powf(r.unit());
        let state = state(r);
        let size = [r.pick(&SIDES), r.pick(&SIDES)];
        let posed = Person::new(&identity, &scene);
        let posed = posed.pose(&state);
        Rendering { frame: posed.frame(size), face: posed.face(size), size }
    }

    fn view(&self, rendering: &Rendering, number: u64) -> Result<Sample> {
        let r = &mut self.random(number, VIEW);
        let Rendering { frame, face, size } = rendering;
        let mut frame = frame.clone();
        disturb(&mut frame, r);
        let (view, shown) = if r.chance(WITHOUT) {
            match beside(face, *size, r) {
                Some(view) => (view, false),
                None => (SquareView::whole(*size), true),
            }
        } else if r.chance(WHOLE) {
            (SquareView::whole(*size), true)
        } else {
            (close(face, *size, if r.chance(LAST) { TIGHT } else { LOOSE }, r), true)
        };
        let picture = view.cut(&frame, self.side)?;
        let points = shown.then(|| face.landmarks.iter().map(|point| view.to_view(*point, *size)).collect());
        Ok(Sample { picture, points, scores: face.blendshapes })
    }
}

/// The rendering that a sample shows.
fn rendering_of(number: u64) -> u64 {
    number / (ROUND * VIEWS) * ROUND + number % ROUND
}

/// A picture of somebody.
#[derive(Debug)]
struct Rendering {
    frame: Frame,
    face: Face,
    size: [u32; 2],
}

/// A moment of a performance, moved further than it would, with a few expressions of its own.
fn state(r: &mut Random) -> State {
    let performance = Performance::from_seed((r.unit() * 1e6) as u64, SECONDS as usize, 1.0);
    let mut state = performance.at(r.between(0.3, SECONDS));
    let lively = r.between(LIVELY[0], LIVELY[1]);
    state.pose = Pose {
        rotation: state.pose.rotation.map(|angle| angle * lively + 0.04 * r.bell()),
        translation: state.pose.translation.map(|shift| shift * lively + r.bell()),
    };
    if r.chance(0.6) {
        for _ in 0..4 {
            let name = BLENDSHAPE_NAMES[(r.unit() * BLENDSHAPES as f32) as usize % BLENDSHAPES];
            let weight = r.unit();
            state.expression = state.expression.with(name, weight);
        }
    }
    state
}

/// A square around the face, not quite where it should be.
fn close(face: &Face, size: [u32; 2], Looseness { shift, stretch }: Looseness, r: &mut Random) -> SquareView {
    let Some(view) = SquareView::around(&face.landmarks, size) else { return SquareView::whole(size) };
    let factor = r.between(stretch[0], stretch[1]);
    view.moved([shift * r.bell(), shift * r.bell()], factor)
}

/// A square that shares nothing with the face; `None` where there is no room for one.
fn beside(face: &Face, size: [u32; 2], r: &mut Random) -> Option<SquareView> {
    let [left, top, right, bottom] = face.bbox;
    let pixels = [left * size[0] as f32, top * size[1] as f32, right * size[0] as f32, bottom * size[1] as f32];
    let tries = (0..8).map(|_| {
        let side = r.between(0.2, 0.6) * size[0].min(size[1]) as f32;
        let corner = [0, 1].map(|axis| r.between(-0.2 * side, size[axis] as f32 - 0.8 * side));
        (corner, side)
    });
    let free = |([x, y], side): &([f32; 2], f32)| {
        x + side < pixels[0] || *x > pixels[2] || y + side < pixels[1] || *y > pixels[3]
    };
    let ([x, y], side) = tries.collect::<Vec<_>>().into_iter().find(free)?;
    Some(SquareView { left: x as i64, top: y as i64, side: (side as u32).max(1) })
}

/// Exposure, tint and grain of cameras that are not ours.
fn disturb(frame: &mut Frame, r: &mut Random) {
    let gain = [0; 3].map(|_: u8| r.between(0.85, 1.15));
    let lift = r.between(-14.0, 14.0);
    let contrast = r.between(0.8, 1.2);
    let grain = if r.chance(0.5) { r.between(0.0, 9.0) } else { 0.0 };
    for Rgb(channels) in frame.pixels_mut() {
        for (value, gain) in channels.iter_mut().zip(gain) {
            let v = (f32::from(*value) - 128.0) * contrast * gain + 128.0 + lift + grain * r.bell();
            *value = v.round().clamp(0.0, 255.0) as u8;
        }
    }
}
