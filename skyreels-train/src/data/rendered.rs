//! Clips of the rendered world, made when they are asked for.

use serde::{Deserialize, Serialize};
use skyreels_core::{Frame, Progress};
use skyreels_landmarks::draw::Border;
use skyreels_landmarks::draw::contours::{LEFT_IRIS, RIGHT_IRIS};
use skyreels_landmarks::{
    ClipPlan, CropBox, Face, FaceBox, GuideLayout, PortraitFace, RetargetedFrame, aligned_face, guide_clip,
};

use super::dataset::{Dataset, mix};
use super::example::{Example, Moving};
use crate::world::{Performance, Person, State};
use crate::{Error, Result};

/// Which identities a dataset shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Those to train on: even seeds.
    #[default]
    Train,
    /// Those that training never sees: odd seeds.
    HeldOut,
}

/// Which frame the face is cut from that the vision tower reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityFrom {
    /// Another moment of the performance, as the paper says: tokens that cannot tell the first frame's expression.
    #[default]
    RandomFrame,
    /// The portrait, as at inference.
    Portrait,
}

/// Performances of rendered people, with true landmarks and, where wanted, true flow.
///
/// A clip is what inference makes of a person's own performance: guide and video begin with the portrait and go on as
/// [`ClipPlan::fitted`] says (the first moment is doubled, as there). The guide is drawn from true landmarks, shifts of
/// the head included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderedWorld {
    /// Frames (`8 k + 1`, at least 9), height and width of a clip in pixels.
    pub size: [usize; 3],
    /// Number of people.
    pub identities: u64,
    /// Clips of each person; every one has a performance of its own.
    pub clips: u64,
    /// Training or held-out people.
    #[serde(default)]
    pub split: Split,
    /// Seed of people and performances.
    #[serde(default)]
    pub seed: u64,
    /// Frames per second.
    #[serde(default = "model_rate")]
    pub rate: f32,
    /// Which frame the vision tower's face is cut from.
    #[serde(default)]
    pub identity_from: IdentityFrom,
    /// Share of clips, 0..=1, whose portrait is any moment of the performance and not the one where the clip begins.
    ///
    /// Where the portrait is the clip's beginning, a copy of it is nearly right, and nothing has to look at the guide.
    #[serde(default)]
    pub portrait_elsewhere: f32,
    /// Whether to compute the true flow, which takes about as long as the pictures.
    #[serde(default)]
    pub flow: bool,
}

/// Frames per second of the published model.
fn model_rate() -> f32 {
    12.0
}

/// A performance may begin anywhere in this many seconds, after the moment in which it wakes up.
const LATEST_START: f32 = 6.0;
/// Seconds after which a performance has left its neutral beginning.
const EARLIEST_START: f32 = 0.4;

/// Moments of a performance.
struct Moments {
    portrait: State,
    /// What the clip shows after the portrait, in order.
    driving: Vec<State>,
    /// What the vision tower sees where it is not shown the portrait.
    face: State,
}

impl RenderedWorld {
    /// Training clips of `size` = frames, height, width; no flow.
    pub fn new(size: [usize; 3], identities: u64, clips: u64) -> Self {
        Self {
            size,
            identities,
            clips,
            split: Split::Train,
            seed: 0,
            rate: model_rate(),
            identity_from: IdentityFrom::RandomFrame,
            portrait_elsewhere: 0.0,
            flow: false,
        }
    }

    /// The same world with people that training never sees.
    #[must_use]
    pub fn held_out(&self) -> Self {
        Self { split: Split::HeldOut, ..self.clone() }
    }

    /// The seed of the person that an example shows: even for training, odd for the others.
    pub fn identity(&self, index: u64) -> u64 {
        let number = mix(self.seed, index % self.identities.max(1)) & !1;
        number | u64::from(self.split == Split::HeldOut)
    }

    /// What a clip is made of.
    fn moments(&self, index: u64) -> Moments {
        let seed = mix(self.identity(index), 1 + index / self.identities.max(1));
        let frames = self.size[0] - 2;
        let length = EARLIEST_START + LATEST_START + frames as f32 / self.rate;
        let performance = Performance::from_seed(seed, (2.0 * length * self.rate) as usize, self.rate);
        let share = |salt: u64| (mix(seed, salt) >> 40) as f32 / (1u64 << 24) as f32;
        let start = EARLIEST_START + LATEST_START * share(2);
        let driving: Vec<State> = (0..frames).map(|frame| performance.at(start + frame as f32 / self.rate)).collect();
        let anywhere = |salt: u64| performance.at(2.0 * length * share(salt));
        let portrait = if share(4) < self.portrait_elsewhere { anywhere(5) } else { driving[0] };
        Moments { portrait, driving, face: anywhere(3) }
    }
}

impl Dataset for RenderedWorld {
    fn len(&self) -> u64 {
        self.identities.saturating_mul(self.clips)
    }

    fn example(&self, index: u64) -> Result<Example> {
        let [frames, height, width] = self.size;
        if height == 0 || width == 0 || !(self.rate.is_finite() && self.rate > 0.0) {
            let reason = format!("{height}x{width} at {} frames per second cannot be rendered", self.rate);
            return Err(Error::Invalid { what: "rendered world", reason });
        }
        let size = [width as u32, height as u32];
        if !(0.0..=1.0).contains(&self.portrait_elsewhere) {
            let reason = format!("portrait_elsewhere is {}, a share lies in 0..=1", self.portrait_elsewhere);
            return Err(Error::Invalid { what: "rendered world", reason });
        }
        let plan = ClipPlan::fitted(frames.saturating_sub(2), frames)?;
        let person = Person::from_seed(self.identity(index));
        let moments = self.moments(index);
        let rendered = |state: &State| {
            let posed = person.pose(state);
            (posed.frame(size), posed.face(size))
        };
        let (portrait, own) = rendered(&moments.portrait);
        let (frames, faces): (Vec<Frame>, Vec<Face>) = moments.driving.iter().map(rendered).unzip();
        let guide = guide(&own, &faces, &plan, size)?;
        let video = std::iter::once(&portrait).chain(plan.motion.iter().map(|at| &frames[*at])).cloned().collect();
        let face = match self.identity_from {
            IdentityFrom::Portrait => cut_face(&portrait, &own)?,
            IdentityFrom::RandomFrame => {
                let (picture, face) = rendered(&moments.face);
                cut_face(&picture, &face)?
            }
        };
        let moving = self.flow.then(|| Moving::Flow(flow(&person, &moments, &plan, size)));
        Ok(Example { video, guide, portrait, face, moving, latents: None, tokens: None })
    }
}

/// The guide clip of faces that are known, drawn as inference draws it.
fn guide(own: &Face, driving: &[Face], plan: &ClipPlan, size: [u32; 2]) -> Result<Vec<Frame>> {
    let crop = CropBox::around(&FaceBox::of_landmarks(own, size), size)?;
    let portrait = PortraitFace::in_crop(own, size, &crop)?;
    let (start, extent) = ([crop.x, crop.y].map(f64::from), [crop.width, crop.height].map(f64::from));
    let relative = |[x, y, z]: &[f32; 3]| {
        let [x, y, z] = [*x, *y, *z].map(f64::from);
        let [width, height] = size.map(f64::from);
        [(x * width - start[0]) / extent[0], (y * height - start[1]) / extent[1], z * width / extent[0]]
    };
    let moved: Vec<RetargetedFrame> = driving
        .iter()
        .map(|face| {
            let points: Vec<[f64; 3]> = face.landmarks.iter().map(relative).collect();
            let pupils = [RIGHT_IRIS, LEFT_IRIS].map(|iris| Some([points[iris][0], points[iris][1]]));
            RetargetedFrame { points, pupils }
        })
        .collect();
    let layout = GuideLayout { canvas: size, crop, border: Border::Clip };
    Ok(guide_clip(&portrait, &moved, plan, &layout, Progress::none())?)
}

/// The aligned face of a picture.
fn cut_face(picture: &Frame, face: &Face) -> Result<Frame> {
    let (width, height) = picture.dimensions();
    let pixels = |[x, y, _]: &[f32; 3]| [f64::from(*x) * f64::from(width), f64::from(*y) * f64::from(height)];
    let points: Vec<[f64; 2]> = face.landmarks.iter().map(pixels).collect();
    aligned_face(picture, &points).ok_or_else(|| Error::Invalid {
        what: "rendered face",
        reason: "its points coincide; use larger frames".into(),
    })
}

/// Length of the true flow between the frames of a clip.
fn flow(person: &Person, moments: &Moments, plan: &ClipPlan, size: [u32; 2]) -> Vec<Vec<f32>> {
    let pixels = (size[0] * size[1]) as usize;
    let shown: Vec<&State> =
        std::iter::once(&moments.portrait).chain(plan.motion.iter().map(|at| &moments.driving[*at])).collect();
    shown
        .windows(2)
        .map(|pair| {
            if pair[0] == pair[1] {
                return vec![0.0; pixels];
            }
            let [from, to] = [pair[0], pair[1]].map(|state| person.pose(state));
            let flow = from.flow(&to, size);
            let (across, down) = flow.vectors().split_at(pixels);
            across.iter().zip(down).map(|(u, v)| u.hypot(*v)).collect()
        })
        .collect()
}
