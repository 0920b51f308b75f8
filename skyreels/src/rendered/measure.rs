//! How well a model animates rendered people that it has never seen.

use serde::Serialize;
use skyreels_core::pixels::frames_to_tensor;
use skyreels_core::{Frame, Precision, Progress};
use skyreels_eval::{Anchor, FaceObservation, expression_distance, head_rotation_error, psnr, ssim};
use skyreels_landmarks::{Face, FaceTracker, LEADING_FRAMES};
use skyreels_vae::{CausalVae, Tiling};

use super::look::{Gallery, look};
use super::scene::{Scene, follow, rendered_portrait};
use crate::animate::Animator;
use crate::model::ModelDir;
use crate::pixels::tensor_to_frames;
use crate::{Error, Result};

/// Odd seeds are people that the denoiser's training never sees, and beyond a million that of the landmark network neither, which
/// takes odd ones too.
const FIRST_PERSON: u64 = 2_000_001;
const FIRST_PERFORMANCE: u64 = 2_000_000;

/// Pictures that are nearer count as this near: equal ones are infinitely near, and no mean has room for that.
pub const MOST_DECIBELS: f64 = 60.0;

/// Whom to measure on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldOut {
    /// People.
    pub identities: u64,
    /// Performances of each.
    pub motions: u64,
}

impl Default for HeldOut {
    fn default() -> Self {
        Self { identities: 20, motions: 5 }
    }
}

/// A person drives itself; means over clips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct OwnScores {
    /// Peak signal-to-noise ratio beside the true frames, in decibels.
    pub psnr: f64,
    /// The same of the portrait standing still.
    pub still_psnr: f64,
    /// Structural similarity.
    pub ssim: f64,
    /// The same of the portrait standing still.
    pub still_ssim: f64,
    /// Of the true frames encoded and decoded, in decibels.
    pub vae_psnr: f64,
}

/// How far faces in frames are from the driver's true ones, as moved since the first frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct MotionErrors {
    /// Of 478 points, in centimetres on the head.
    pub expression: f64,
    /// Of the head's rotation, in degrees.
    pub rotation: f64,
}

/// A person follows another one; means over clips. Faces are found by the tracker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct AcrossScores {
    /// Of the result.
    pub result: MotionErrors,
    /// Of the portrait standing still.
    pub still: MotionErrors,
    /// Of the result, beside the driver's frames in another order.
    pub shuffled: MotionErrors,
    /// Of the true rendering: what the tracker itself is off.
    pub truth: MotionErrors,
    /// Clips in which faces are found in enough frames to compare; the errors are means over these.
    pub measured: u64,
    /// Share of the frames in which a face is found.
    pub found: f64,
    /// Share of the clips that look more like their own portrait than like anybody else's.
    pub own_identity: f64,
    /// Cosine with the own portrait, in 16x16 pixels of the upright face without the mean of all portraits; clips without a
    /// face count 0.
    pub likeness: f64,
}

/// What [`measure`] has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Measurement {
    /// Clips of each kind.
    pub clips: u64,
    /// People who drive themselves.
    pub own: OwnScores,
    /// People who follow others.
    pub across: AcrossScores,
}

/// Measures on rendered people; all seeds are fixed.
///
/// # Errors
/// Those of tracker, model and metrics; [`Error::Request`] without people or performances.
pub fn measure(
    model: &ModelDir,
    animator: &Animator,
    tracker: &dyn FaceTracker,
    held_out: HeldOut,
    progress: Progress,
) -> Result<Measurement> {
    const STAGE: &str = "measure";
    let clips = held_out.identities.saturating_mul(held_out.motions);
    if clips == 0 || held_out.identities < 2 {
        return Err(Error::request("measurement", "at least two people and one performance are needed".to_owned()));
    }
    let vae = model.load_vae(Precision::F32, animator.device(), progress)?;
    let run = Run { vae, animator, tracker };
    let gallery = run.gallery(held_out, progress)?;
    let mut sum = Measurement { clips, ..Measurement::default() };
    for clip in 0..clips {
        progress.report(STAGE, clip, Some(clips))?;
        run.own(held_out, clip, &mut sum.own)?;
        run.across(held_out, clip, &gallery, &mut sum.across)?;
    }
    progress.report(STAGE, clips, Some(clips))?;
    Ok(sum.mean(clips as f64))
}

/// Peak signal-to-noise ratio, of pictures that are as good as equal too.
fn decibels(made: &Frame, truth: &Frame) -> Result<f64> {
    Ok(psnr(made, truth)?.min(MOST_DECIBELS))
}

struct Run<'a> {
    vae: CausalVae,
    animator: &'a Animator<'a>,
    tracker: &'a dyn FaceTracker,
}

fn person(index: u64) -> u64 {
    FIRST_PERSON + 2 * index
}

impl Run<'_> {
    fn frames(&self) -> usize {
        self.animator.size()[0] - LEADING_FRAMES
    }

    fn scene(&self, held_out: HeldOut, clip: u64, across: bool) -> Scene {
        let (identity, motion) = (clip % held_out.identities, FIRST_PERFORMANCE + clip);
        let (frames, size) = (self.frames(), self.animator.canvas());
        if !across {
            return Scene::own(person(identity), motion, frames, size);
        }
        // Everybody follows everybody in turn.
        let step = 1 + clip / held_out.identities % (held_out.identities - 1);
        Scene::across(person(identity), person((identity + step) % held_out.identities), motion, frames, size)
    }

    fn gallery(&self, held_out: HeldOut, progress: Progress) -> Result<Gallery> {
        let look = |identity| {
            progress.report("portraits", identity, Some(held_out.identities))?;
            let portrait = rendered_portrait(person(identity), self.animator.canvas())?.canvas;
            let face = self.tracker.detect(&portrait)?.into_iter().next();
            let found = face.map(|face| look(&portrait, &face)).transpose()?.flatten();
            found.ok_or_else(|| Error::request("measurement", format!("no face is found in portrait {identity}")))
        };
        let looks: Result<Vec<_>> = (0..held_out.identities).map(look).collect();
        Ok(Gallery::new(&looks?))
    }

    fn own(&self, held_out: HeldOut, clip: u64, sum: &mut OwnScores) -> Result<()> {
        let scene = self.scene(held_out, clip, false);
        let (_, made) = scene.animate(self.animator, self.tracker, Progress::none())?;
        let count = made.frames.len() as f64;
        for (made, truth) in made.frames.iter().zip(&scene.truth).skip(1) {
            // The first frame is the portrait itself: nothing to make.
            let share = 1.0 / (count - 1.0);
            sum.psnr += share * decibels(made, truth)?;
            sum.still_psnr += share * decibels(&scene.picture, truth)?;
            sum.ssim += share * ssim(made, truth)?;
            sum.still_ssim += share * ssim(&scene.picture, truth)?;
        }
        let through = self.through_vae(&scene.truth)?;
        let each = through.iter().zip(&scene.truth).map(|(made, truth)| decibels(made, truth));
        sum.vae_psnr += each.sum::<Result<f64>>()? / through.len() as f64;
        Ok(())
    }

    /// Frames encoded and decoded in f32 without tiles; as many as the VAE gives back.
    /// The frames as the VAE shows them, in a clip of the length that the model works with: others do not come back as they were.
    fn through_vae(&self, frames: &[Frame]) -> Result<Vec<Frame>> {
        let leading = std::iter::repeat_n(&frames[0], LEADING_FRAMES);
        let clip: Vec<Frame> = leading.chain(frames).cloned().collect();
        let latents =
            self.vae.encode(frames_to_tensor(&clip, self.animator.device()), Tiling::Off, Progress::none())?;
        let shown = tensor_to_frames(self.vae.decode(latents.mode(), Tiling::Off, Progress::none())?)?;
        Ok(shown.into_iter().skip(LEADING_FRAMES).collect())
    }

    fn across(&self, held_out: HeldOut, clip: u64, gallery: &Gallery, sum: &mut AcrossScores) -> Result<()> {
        let scene = self.scene(held_out, clip, true);
        let (_, made) = scene.animate(self.animator, self.tracker, Progress::none())?;
        let size = self.animator.canvas();
        let faces = follow(&made.frames, self.tracker)?;
        let observed = |face: &Face| FaceObservation::of(face, size).map_err(Error::from);
        let all_observed = |faces: &[Option<Face>]| {
            faces.iter().map(|face| face.as_ref().map(observed).transpose()).collect::<Result<Vec<_>>>()
        };
        let result = all_observed(&faces)?;
        let truth = all_observed(&follow(&scene.truth, self.tracker)?)?;
        let driver: Vec<_> =
            scene.driving_faces.iter().map(|face| observed(face).map(Some)).collect::<Result<Vec<_>>>()?;
        // No frame keeps its place.
        let mut shuffled = driver.clone();
        shuffled.rotate_left(driver.len() / 2);
        let still = vec![driver[0].clone(); driver.len()];
        if faces.iter().any(Option::is_some) && truth.iter().any(Option::is_some) {
            sum.measured += 1;
            sum.result.add(&result, &driver)?;
            sum.still.add(&still, &driver)?;
            sum.shuffled.add(&result, &shuffled)?;
            sum.truth.add(&truth, &driver)?;
        }
        sum.found += faces.iter().flatten().count() as f64 / faces.len() as f64;
        let seen = made.frames.iter().zip(&faces).filter_map(|(frame, face)| Some((frame, face.as_ref()?)));
        let looks: Vec<Vec<f32>> =
            seen.map(|(frame, face)| look(frame, face)).filter_map(Result::transpose).collect::<Result<_>>()?;
        if !looks.is_empty() {
            let likeness = gallery.likeness(&looks)?;
            let own = likeness[(clip % held_out.identities) as usize];
            sum.likeness += own;
            sum.own_identity += f64::from(u8::from(likeness.iter().all(|other| *other <= own)));
        }
        Ok(())
    }
}

impl MotionErrors {
    fn add(&mut self, faces: &[Option<FaceObservation>], driver: &[Option<FaceObservation>]) -> Result<()> {
        self.expression += expression_distance(faces, driver)?.mean;
        self.rotation += head_rotation_error(faces, driver, Anchor::FirstFrame)?.mean;
        Ok(())
    }
}

impl Measurement {
    fn mean(mut self, clips: f64) -> Self {
        let own = &mut self.own;
        for value in [&mut own.psnr, &mut own.still_psnr, &mut own.ssim, &mut own.still_ssim, &mut own.vae_psnr] {
            *value /= clips;
        }
        let across = &mut self.across;
        for value in [&mut across.found, &mut across.own_identity, &mut across.likeness] {
            *value /= clips;
        }
        for errors in [&mut across.result, &mut across.still, &mut across.shuffled, &mut across.truth] {
            errors.expression /= across.measured as f64;
            errors.rotation /= across.measured as f64;
        }
        self
    }
}
