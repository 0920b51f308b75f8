//! Somebody performs, somebody else is to follow.

use std::time::Duration;

use skyreels_core::media::FrameRate;
use skyreels_core::{Frame, Progress};
use skyreels_landmarks::{CropBox, Face, FaceBox, FacePick, FaceTracker, Motion, PortraitFace, StreamOptions};
use skyreels_train::world::{Performance, Person, State};

use crate::animate::{Animation, Animator, RATE};
use crate::portrait::Portrait;
use crate::{Error, Result};

/// Seconds after which a performance is under way: a person who drives itself begins anywhere.
const UNDER_WAY: f32 = 1.0;

/// A portrait, a driving clip and the clip that a perfect result would be.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The portrait.
    pub picture: Frame,
    /// The driving clip.
    pub driving: Vec<Frame>,
    /// The true faces of the driving clip.
    pub driving_faces: Vec<Face>,
    /// The portrait's person in the states of the driving clip.
    pub truth: Vec<Frame>,
}

/// The person of a seed, at rest, as a portrait whose face is known; `size` is width and height.
///
/// # Errors
/// Those of [`Portrait::new`].
pub fn rendered_portrait(seed: u64, size: [u32; 2]) -> Result<Portrait> {
    let rendered = Person::from_seed(seed).render(&State::default(), size);
    let crop = CropBox::around(&FaceBox::of_landmarks(&rendered.face, size), size)?;
    let face = PortraitFace::in_crop(&rendered.face, size, &crop)?;
    Portrait::new(rendered.frame, crop, face)
}

impl Scene {
    /// A person drives itself: the portrait is the first frame. `size` is width and height.
    ///
    /// # Panics
    /// Without a frame.
    pub fn own(person: u64, performance: u64, frames: usize, size: [u32; 2]) -> Self {
        let states = states(performance, UNDER_WAY, frames);
        let (driving, driving_faces) = shoot(&Person::from_seed(person), &states, size);
        Self { picture: driving[0].clone(), truth: driving.clone(), driving, driving_faces }
    }

    /// A person at rest follows another one, who begins at rest too. `size` is width and height.
    pub fn across(portrait: u64, driver: u64, performance: u64, frames: usize, size: [u32; 2]) -> Self {
        let states = states(performance, 0.0, frames);
        let (driving, driving_faces) = shoot(&Person::from_seed(driver), &states, size);
        let person = Person::from_seed(portrait);
        let truth = states.iter().map(|state| person.pose(state).frame(size)).collect();
        Self { picture: person.pose(&State::default()).frame(size), driving, driving_faces, truth }
    }

    /// What `animator` makes of it, and the portrait as it was found. Nothing but the pictures is used.
    ///
    /// # Errors
    /// Those of the tracker and of [`Animator::run`].
    pub fn animate(
        &self,
        animator: &Animator,
        tracker: &dyn FaceTracker,
        progress: Progress,
    ) -> Result<(Portrait, Animation)> {
        let portrait = Portrait::find(&self.picture, animator.canvas(), tracker, FacePick::Largest)?;
        let motion = Motion::from_faces(follow(&self.driving, tracker)?, RATE.as_f64())?.motion;
        let clip = animator.run(&portrait, &motion, progress)?;
        Ok((portrait, clip))
    }
}

/// The face of every frame of a clip, each looked at on its own.
pub(super) fn follow(frames: &[Frame], tracker: &dyn FaceTracker) -> Result<Vec<Option<Face>>> {
    let mut stream = tracker.stream(&StreamOptions::image())?;
    let at = |index: usize| Duration::from_secs_f64(RATE.time_of(index as u64));
    let face = |(index, frame)| Ok::<_, Error>(stream.track(frame, at(index))?.into_iter().next());
    frames.iter().enumerate().map(face).collect()
}

/// Moments of a performance at the model's rate.
fn states(seed: u64, start: f32, frames: usize) -> Vec<State> {
    let rate: FrameRate = RATE;
    let rate = rate.as_f64() as f32;
    let length = frames + (start * rate).ceil() as usize;
    let performance = Performance::from_seed(seed, length, rate);
    (0..frames).map(|frame| performance.at(start + frame as f32 / rate)).collect()
}

/// Pictures and true faces.
fn shoot(person: &Person, states: &[State], size: [u32; 2]) -> (Vec<Frame>, Vec<Face>) {
    states
        .iter()
        .map(|state| {
            let posed = person.pose(state);
            (posed.frame(size), posed.face(size))
        })
        .unzip()
}
