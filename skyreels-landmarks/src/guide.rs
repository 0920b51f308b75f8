//! The guide clip: the portrait's own landmarks, then its retargeted face, on a black canvas.

use skyreels_core::{Frame, Progress};

use crate::draw::{Border, guide2d, guide3d};
use crate::{CropBox, Error, PortraitFace, Result, RetargetedFrame};

/// Frames of the original's guide clip.
pub const CLIP_FRAMES: usize = 49;
/// Frames at the start of the generated video that are thrown away: the first motion and the doubled driving frame.
pub const LEADING_FRAMES: usize = 2;
/// Guide clips have this many frames times a whole number, plus one: what the video encoder takes in whole chunks.
const CHUNK: usize = 8;

/// Which motion frame each guide frame shows, and which generated frames are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipPlan {
    /// Motion frame of each guide frame after the first.
    pub motion: Vec<usize>,
    /// Number of generated frames that are kept, from [`LEADING_FRAMES`] on.
    pub keep: usize,
}

impl ClipPlan {
    /// A plan as long as the motion: each of its frames is kept, none is frozen at the end.
    ///
    /// At most `most` guide frames are used; the motion is cut to what they hold. The clip is filled up to a length of
    /// `8 k + 1` frames with the last motion frame, which is not kept.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no motion frame, or `most` is not `8 k + 1` with `k` at least 1.
    pub fn fitted(motion_frames: usize, most: usize) -> Result<Self> {
        if most < CHUNK + 1 || most % CHUNK != 1 {
            let reason = format!("{most} is not 9, 17, 25, ... (a multiple of {CHUNK} plus 1)");
            return Err(Error::invalid("frames of the guide clip", reason));
        }
        check(motion_frames)?;
        let keep = motion_frames.min(most - LEADING_FRAMES);
        let length = (keep + LEADING_FRAMES - 1).next_multiple_of(CHUNK);
        let frames = std::iter::once(0).chain(0..keep).chain(std::iter::repeat(keep - 1));
        Ok(Self { motion: frames.take(length).collect(), keep })
    }

    /// The original's plan for the first 48 frames of a motion: always 49 guide frames, 47 of them kept.
    ///
    /// The first driving frame is doubled, the 48th is lost, and a short motion is frozen at its end.
    /// (A motion of one frame gives the original one guide frame too many; here it does not.)
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no motion frame.
    pub fn original(motion_frames: usize) -> Result<Self> {
        check(motion_frames)?;
        let length = CLIP_FRAMES - 1;
        let used = motion_frames.min(length);
        let frames = std::iter::once(0).chain(0..used).chain(std::iter::repeat(used - 1));
        Ok(Self { motion: frames.take(length).collect(), keep: CLIP_FRAMES - LEADING_FRAMES })
    }

    /// Number of frames of the guide clip.
    pub fn guide_frames(&self) -> usize {
        self.motion.len() + 1
    }
}

fn check(motion_frames: usize) -> Result<()> {
    if motion_frames == 0 {
        return Err(Error::invalid("motion", "there is no frame; a guide clip needs at least one"));
    }
    Ok(())
}

/// Where the face is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuideLayout {
    /// Width and height of the canvas.
    pub canvas: [u32; 2],
    /// The part of the canvas that the face crop takes.
    pub crop: CropBox,
    /// What happens to squares at the border of the crop.
    pub border: Border,
}

impl GuideLayout {
    /// Draws one retargeted frame on the canvas.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the crop does not lie on the canvas or the frame has not 478 points.
    pub fn draw(&self, frame: &RetargetedFrame) -> Result<Frame> {
        self.place(&guide_frame(frame, [self.crop.width, self.crop.height], self.border)?)
    }

    /// A drawn face crop on the canvas.
    fn place(&self, face: &Frame) -> Result<Frame> {
        let mut canvas = Frame::new(self.canvas[0], self.canvas[1]);
        self.crop.paste(face, &mut canvas)?;
        Ok(canvas)
    }
}

/// Draws the guide clip.
///
/// # Shapes
/// One frame of `layout.canvas` for the portrait and one per entry of `plan.motion`.
///
/// # Errors
/// [`Error::Invalid`] when the crop does not lie on the canvas or the plan names a frame that is not
/// there; [`Error::Core`] when `progress` cancels.
pub fn guide_clip(
    portrait: &PortraitFace,
    frames: &[RetargetedFrame],
    plan: &ClipPlan,
    layout: &GuideLayout,
    progress: Progress,
) -> Result<Vec<Frame>> {
    let size = [layout.crop.width, layout.crop.height];
    let total = plan.guide_frames() as u64;
    let landmarks: Vec<[f32; 2]> = portrait.landmarks().iter().map(|[x, y, _]| [*x, *y]).collect();
    let mut clip = vec![layout.place(&guide2d(&landmarks, size, layout.border)?)?];
    for index in &plan.motion {
        progress.report("draw", clip.len() as u64, Some(total))?;
        let frame = frames.get(*index).ok_or_else(|| {
            Error::invalid("clip plan", format!("it asks for motion frame {index} of {} frames", frames.len()))
        })?;
        clip.push(layout.draw(frame)?);
    }
    progress.report("draw", total, Some(total))?;
    Ok(clip)
}

/// Draws one retargeted frame on a canvas of the size of the face crop.
///
/// # Errors
/// [`Error::Invalid`] when the frame has not 478 points.
pub fn guide_frame(frame: &RetargetedFrame, size: [u32; 2], border: Border) -> Result<Frame> {
    let pixels = |[x, y]: [f64; 2]| [x * f64::from(size[0]), y * f64::from(size[1])];
    let points: Vec<[f64; 2]> = frame.points.iter().map(|[x, y, _]| pixels([*x, *y])).collect();
    guide3d(&points, frame.pupils.map(|pupil| pupil.map(pixels)), size, border)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_original_plan_doubles_the_first_frame_and_freezes_the_last() {
        let full = ClipPlan::original(48).unwrap();
        assert_eq!(full.motion[..4], [0, 0, 1, 2]);
        assert_eq!((full.motion.len(), *full.motion.last().unwrap(), full.keep), (48, 46, 47));
        let short = ClipPlan::original(5).unwrap();
        assert_eq!(short.motion[..8], [0, 0, 1, 2, 3, 4, 4, 4]);
        assert_eq!(short.guide_frames(), 49);
        assert_eq!(ClipPlan::original(1).unwrap().guide_frames(), 49);
        assert_eq!(ClipPlan::original(500).unwrap(), full);
    }

    #[test]
    fn both_plans_agree_on_a_full_clip() {
        let (fitted, original) = (ClipPlan::fitted(48, 49).unwrap(), ClipPlan::original(48).unwrap());
        assert_eq!(fitted, original);
    }

    #[test]
    fn no_motion_and_odd_lengths_are_refused() {
        assert!(ClipPlan::fitted(0, 49).is_err());
        assert!(ClipPlan::original(0).is_err());
        for most in [0, 1, 8, 48, 50] {
            assert!(ClipPlan::fitted(5, most).is_err(), "{most}");
        }
    }

    proptest! {
        #[test]
        fn a_fitted_plan_keeps_every_frame_once_in_order(motion in 1usize..200, chunks in 1usize..12) {
            let most = chunks * 8 + 1;
            let plan = ClipPlan::fitted(motion, most).unwrap();
            prop_assert_eq!(plan.guide_frames() % 8, 1);
            prop_assert!(plan.guide_frames() <= most);
            let kept: Vec<usize> = plan.motion[LEADING_FRAMES - 1..][..plan.keep].to_vec();
            prop_assert_eq!(kept, (0..motion.min(most - 2)).collect::<Vec<_>>());
        }
    }
}
