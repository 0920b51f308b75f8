//! Retargeting with MediaPipe's mesh alone.

use super::stream::anchored;
use super::{PortraitFace, RetargetedFrame, Retargeter};
use crate::draw::contours::{LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS, lips};
use crate::{Error, LANDMARKS, Motion, Openness, Proportions, Result, SMOOTHING};

/// Which driving frame shows the expression and pose of the portrait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anchor {
    /// The motion's own [rest](Motion::rest): the first one, as in the original, unless the motion was edited.
    #[default]
    First,
    /// The one with the least expression: for clips that begin with an open mouth. The pose stays relative to the first.
    MostNeutral,
    /// This one, for expression and pose.
    Frame(usize),
}

/// How displacements are fitted to the portrait's proportions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Not at all: both faces are on the scale of the canonical head.
    Canonical,
    /// By region: eyes by their width and opening, the mouth by its width, the rest by the face's width, height
    /// and depth.
    #[default]
    Regions,
}

/// Rotation relative to the anchor frame, expression as displacement of the mesh in the head's own frame.
///
/// With `R` rotations, `H` head points, `D` displacements, `S` the fit of proportions and `a` the anchor frame, frame `i`
/// of the portrait shows
///
/// ```text
/// R_portrait R_a^-1 R_i (H_portrait + S (D_i - D_a))
/// ```
///
/// through the portrait's own camera, at its own place: the scale of the driver does not count, and its translation only as far as
/// `translation` asks, centimetre for centimetre. Everything is
/// relative to the anchor, eyes and lips too, except that lids close by ratio: a lid gap of half the anchor's
/// becomes half the portrait's, so that closed is closed. Rotations are smoothed as in the original. Where frames ask for
/// [apertures](crate::Apertures), lids and lips of the portrait take them last, and everything else stays as driven. A motion of
/// [absolute](crate::ExpressionMode::Absolute) expressions takes the portrait's own expression away first, as far as its scores tell, and
/// asks for the driver's apertures.
///
/// What it cannot do: when the driver's lips are open in the anchor frame and close later, the portrait's closed lips
/// would pass through each other; the gap is held at zero instead. Turned far enough, a mesh that was seen from the front has
/// one eye behind the nose: the head stops softly at `max_turn`, or where the portrait itself already looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeshRetargeter {
    /// The driving frame that the portrait is taken to show.
    pub anchor: Anchor,
    /// Fit of the displacements.
    pub scale: Scale,
    /// Weight of the newest rotation in the smoothed one, above 0 and up to 1; 1 does not smooth.
    pub smoothing: f64,
    /// How far the head may look past the camera, in degrees above 0; 180 does not limit.
    pub max_turn: f64,
    /// How much of the driver's translation since the anchor frame the head goes along with: 0 as in the original, where it stays at its
    /// place, 1 for all of it.
    pub translation: f64,
}

impl Default for MeshRetargeter {
    fn default() -> Self {
        Self {
            anchor: Anchor::First,
            scale: Scale::Regions,
            smoothing: SMOOTHING,
            max_turn: MAX_TURN_DEGREES,
            translation: 0.0,
        }
    }
}

/// Near full profile the far eye and brow fall into lines. MediaPipe's own points are unreliable there too.
const MAX_TURN_DEGREES: f64 = 55.0;

/// Proportions of two faces are never taken to differ more than by this factor: a squinting anchor must not throw lids across the face.
const MAX_RATIO: f64 = 2.0;

/// The centre of an iris and four points around it.
const IRIS_POINTS: usize = 5;

/// Pairs of inner lip points, upper and lower.
const INNER_LIPS: [[usize; 2]; 9] =
    [[191, 95], [80, 88], [81, 178], [82, 87], [13, 14], [312, 317], [311, 402], [310, 318], [415, 324]];

impl Retargeter for MeshRetargeter {
    type Portrait = PortraitFace;

    fn retarget(&self, portrait: &PortraitFace, motion: &Motion) -> Result<Vec<RetargetedFrame>> {
        self.check()?;
        let (start, rest) = anchored(self, motion)?;
        let mut stream = self.start_from(portrait, motion.proportions(), &rest, start, motion.expression_mode())?;
        motion.frames().iter().map(|frame| stream.retarget_frame(frame)).collect()
    }
}

impl MeshRetargeter {
    pub(super) fn check(&self) -> Result<()> {
        if !(self.smoothing > 0.0 && self.smoothing <= 1.0) {
            return Err(Error::invalid("smoothing", format!("{} is not above 0 and up to 1", self.smoothing)));
        }
        if !(self.max_turn > 0.0 && self.max_turn <= 180.0) {
            return Err(Error::invalid("max_turn", format!("{} degrees is not above 0 and up to 180", self.max_turn)));
        }
        if !self.translation.is_finite() {
            return Err(Error::invalid("translation", format!("{} is no share", self.translation)));
        }
        Ok(())
    }
}

impl PortraitFace {
    /// Place of a moved point: exactly the landmark when it has not moved.
    pub(super) fn moved(
        &self,
        index: usize,
        rotation: &nalgebra::UnitQuaternion<f64>,
        shift: [f64; 3],
        displacement: [f64; 3],
    ) -> Option<[f64; 3]> {
        let rest = self.project(index, self.rotation(), [0.0; 3], [0.0; 3])?;
        let now = self.project(index, rotation, shift, displacement)?;
        // The head explains the landmarks to f32 precision only; what it explains is the difference.
        Some([0, 1, 2].map(|k| f64::from(self.landmarks()[index][k]) + now[k] - rest[k]))
    }

    /// Keeps the inner lips from passing through each other: a pair that would meets in the middle.
    pub(super) fn part_lips(&self, displacement: &mut [[f64; 3]]) {
        for [upper, lower] in INNER_LIPS {
            let rest = self.height(upper) - self.height(lower);
            let crossed = -(rest + displacement[upper][1] - displacement[lower][1]);
            // Lips that touch at rest may overlap by as much as they do there.
            if crossed > (-rest).max(0.0) {
                let back = (crossed - (-rest).max(0.0)) / 2.0;
                displacement[upper][1] += back;
                displacement[lower][1] -= back;
            }
        }
    }
}

/// The factors of each point's displacement.
pub(super) fn region_fit(driver: &Proportions, driver_openness: &Openness, portrait: &PortraitFace) -> Vec<[f64; 3]> {
    let own = portrait.proportions();
    let own_openness = portrait.openness();
    let ratio = |own: f32, driver: f32| {
        let ratio = f64::from(own) / f64::from(driver);
        if ratio.is_finite() { ratio.clamp(1.0 / MAX_RATIO, MAX_RATIO) } else { 1.0 }
    };
    let mut fit = vec![[0, 1, 2].map(|k| ratio(own.face[k], driver.face[k])); LANDMARKS];
    for (side, (contour, iris)) in [(RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)].into_iter().enumerate() {
        let width = ratio(own.eye_width[side], driver.eye_width[side]);
        let opening = ratio(own_openness.eyes[side], driver_openness.eyes[side]);
        for i in contour {
            fit[i] = [width, opening, width];
        }
        fit[iris..iris + IRIS_POINTS].fill([width; 3]);
    }
    let mouth = ratio(own.mouth_width, driver.mouth_width);
    for i in lips() {
        fit[i] = [mouth; 3];
    }
    fit
}
