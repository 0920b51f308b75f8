//! Controls over a motion: plain data, applied by pure functions in one stated order.

mod face;
mod parts;
mod time;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use parts::{Aperture, Neutral, PoseOffset, Region, Repeat, RepeatMode, Retime, SmoothingWeights, Trim};

use super::frame::{MAX_APERTURE, verify};
use super::sliders;
use crate::{Error, ExpressionMode, Motion, Result};

/// What is changed about a motion; everything is off by default, and everything composes.
///
/// As JSON, every field may be left out and unknown ones are refused:
///
/// ```
/// # use skyreels_landmarks::{MotionEdit, synthetic};
/// let edit = MotionEdit::from_json(r#"{ "multiplier": 0.8, "pose": { "yaw": 10 }, "sliders": { "mouthSmileLeft": 0.5 } }"#)?;
/// let motion = synthetic::performance(12, 12.0, 1)?;
/// let calmer = edit.apply(&motion)?;
/// assert_eq!(calmer.frames().len(), 12);
/// assert_eq!(MotionEdit::default().apply(&motion)?, motion);
/// # Ok::<(), skyreels_landmarks::Error>(())
/// ```
///
/// # Order
///
/// Whatever the order in which the fields are written, they act in this one:
///
/// 1. [`trim`](Self::trim): as if the video had been cut; the first frame that stays becomes the rest, unless the motion
///    has one of its own.
/// 2. [`smoothing`](Self::smoothing).
/// 3. [`neutral`](Self::neutral) chooses the rest: what the portrait is taken to show. From here on the rest is fixed,
///    so that what follows is not taken back by retargeting relative to it.
/// 4. [`regions`](Self::regions): what is not chosen stays at rest.
/// 5. [`multiplier`](Self::multiplier): how far everything goes from the rest.
/// 6. [`sliders`](Self::sliders), 7. [`pose`](Self::pose): added to what the driver does, in all frames alike; no
///    multiplier or region touches them.
/// 8. [`eyes`](Self::eyes) and [`lips`](Self::lips): openings that win over all of the above; nothing else of the
///    motion is lost by them.
/// 9. [`retime`](Self::retime), 10. [`repeat`](Self::repeat).
///
/// Two edits one after the other are not one edit with both: a multiplier applied to an edited motion scales its
/// sliders too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MotionEdit {
    /// The part of the motion that stays.
    pub trim: Option<Trim>,
    /// Running means over time.
    pub smoothing: SmoothingWeights,
    /// The frame whose expression is the rest.
    pub neutral: Neutral,
    /// Whether expressions are added to the portrait's own or replace it; `None` leaves the motion's own mode.
    pub expression: Option<ExpressionMode>,
    /// What moves; several add up, none freezes everything.
    pub regions: Vec<Region>,
    /// How far everything goes from the rest: 1 as the driver, 0 not at all, at most [`MAX_MULTIPLIER`].
    pub multiplier: f64,
    /// Expressions added to every frame, by name ([`slider_names`](crate::slider_names)), -1..1.
    pub sliders: BTreeMap<String, f64>,
    /// Turns of the head.
    pub pose: PoseOffset,
    /// How far the eyes of the portrait are open.
    pub eyes: Option<Aperture>,
    /// How far the lips of the portrait are open.
    pub lips: Option<Aperture>,
    /// Speed, rate, length.
    pub retime: Retime,
    /// The motion several times over.
    pub repeat: Option<Repeat>,
}

/// Largest multiplier that is taken for meant.
pub const MAX_MULTIPLIER: f64 = 4.0;

impl Default for MotionEdit {
    fn default() -> Self {
        Self {
            trim: None,
            smoothing: SmoothingWeights::default(),
            neutral: Neutral::Keep,
            expression: None,
            regions: vec![Region::All],
            multiplier: 1.0,
            sliders: BTreeMap::new(),
            pose: PoseOffset::default(),
            eyes: None,
            lips: None,
            retime: Retime::default(),
            repeat: None,
        }
    }
}

impl MotionEdit {
    /// Reads an edit from JSON.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the line and what is wrong there, and the errors of [`check`](Self::check).
    pub fn from_json(text: &str) -> Result<Self> {
        let edit: Self = serde_json::from_str(text).map_err(|error| Error::invalid("edit", error.to_string()))?;
        edit.check()?;
        Ok(edit)
    }

    /// The edit as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data with text keys is valid JSON")
    }

    /// Whether every value can be used.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the control, its value and what is accepted.
    pub fn check(&self) -> Result<()> {
        let within = |what: &'static str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::invalid(what, format!("{value} is not between {low} and {high}")))
        };
        within("multiplier", self.multiplier, 0.0, MAX_MULTIPLIER)?;
        for (what, weight) in
            [("smoothing of the expression", self.smoothing.expression), ("smoothing of the pose", self.smoothing.pose)]
        {
            if !(weight > 0.0 && weight <= 1.0) {
                return Err(Error::invalid(what, format!("{weight} is not above 0 and up to 1, which is off")));
            }
        }
        for (name, value) in &self.sliders {
            if !sliders::is_slider(name) {
                let known: Vec<_> = sliders::slider_names().collect();
                return Err(Error::invalid("slider", format!("`{name}` is none of {}", known.join(", "))));
            }
            if !(-1.0..=1.0).contains(value) {
                return Err(Error::invalid("slider", format!("{name} = {value} is not between -1 and 1")));
            }
        }
        for (what, degrees) in [
            ("yaw in degrees", self.pose.yaw),
            ("pitch in degrees", self.pose.pitch),
            ("roll in degrees", self.pose.roll),
        ] {
            within(what, degrees, -90.0, 90.0)?;
        }
        for (what, aperture) in [("opening of the eyes", self.eyes), ("opening of the lips", self.lips)] {
            if let Some(Aperture::Ratio(ratio)) = aperture {
                within(what, ratio, 0.0, f64::from(MAX_APERTURE))?;
            }
        }
        time::check(self)
    }

    /// True when lengths or instants change, so that a frame of the result is no longer the frame of that number.
    pub fn changes_time(&self) -> bool {
        self.trim.is_some() || self.repeat.is_some() || self.retime != Retime::default()
    }

    /// The edited motion; with nothing changed, the motion itself.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); [`Error::Invalid`] when trimming leaves nothing, a frame is not there, a point
    /// is thrown out of range, or the result has more than a million frames.
    pub fn apply(&self, motion: &Motion) -> Result<Motion> {
        self.check()?;
        let mut edited = time::trimmed(motion, self.trim.as_ref())?;
        face::smooth(&mut edited, &self.smoothing);
        face::choose_rest(&mut edited, self.neutral)?;
        face::hold_regions(&mut edited, &self.regions);
        face::multiply(&mut edited, self.multiplier);
        let sliders: Vec<(&str, f64)> = self.sliders.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        face::slide(&mut edited, &sliders);
        face::turn(&mut edited, &self.pose);
        face::open(&mut edited, self.eyes, self.lips);
        if let Some(mode) = self.expression {
            edited = edited.with_expression_mode(mode);
        }
        for (index, frame) in edited.frames.iter().enumerate() {
            verify(frame).map_err(|reason| Error::invalid("edited motion", format!("frame {index}: {reason}")))?;
        }
        time::retimed(edited, &self.retime, self.repeat.as_ref())
    }

    /// For each frame of the result the nearest frame of `motion` that it shows.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply) that concern time.
    pub fn shown_frames(&self, motion: &Motion) -> Result<Vec<usize>> {
        self.check()?;
        let (start, end) = time::range(motion, self.trim.as_ref())?;
        let plan = time::Plan::new(end - start, motion.rate(), &self.retime, self.repeat.as_ref())?;
        Ok(plan.positions().map(|position| start + position.round() as usize).collect())
    }
}
