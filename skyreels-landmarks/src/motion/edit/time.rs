//! Controls of time: cut, speed, rate, repetition.

use super::{MotionEdit, Repeat, RepeatMode, Retime, Trim};
use crate::motion::frame::blend;
use crate::{Error, Motion, MotionFrame, Result};

/// Most frames that an edit may make.
const MAX_FRAMES: usize = 1_000_000;
/// Slowest and fastest speed that is taken for meant.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.01..=100.0;

pub(super) fn check(edit: &MotionEdit) -> Result<()> {
    if let Some(Trim { start, end }) = edit.trim
        && !(start >= 0.0 && start.is_finite() && end.is_none_or(|end| end > start && end.is_finite()))
    {
        let reason =
            format!("from {start} to {end:?} seconds is no part of a motion; the end must lie after the start");
        return Err(Error::invalid("trim", reason));
    }
    let Retime { speed, frames, .. } = edit.retime;
    if !SPEEDS.contains(&speed) {
        let reason = format!("{speed} is not between {} and {}", SPEEDS.start(), SPEEDS.end());
        return Err(Error::invalid("speed", reason));
    }
    if frames == Some(0) {
        return Err(Error::invalid("retime", "0 frames; a motion needs at least one"));
    }
    if edit.repeat.is_some_and(|repeat| repeat.times == 0) {
        return Err(Error::invalid("repeat", "0 times would leave nothing; use 1 or more"));
    }
    Ok(())
}

/// First and one past the last frame that stay.
pub(super) fn range(motion: &Motion, trim: Option<&Trim>) -> Result<(usize, usize)> {
    let count = motion.frames().len();
    let Some(Trim { start, end }) = trim else { return Ok((0, count)) };
    let frame = |seconds: f64| (seconds * motion.rate()).round() as usize;
    let (first, last) = (frame(*start), end.map_or(count, frame).min(count));
    if first >= last {
        let (all, end) = (motion.seconds(), end.unwrap_or_else(|| motion.seconds()));
        let reason = format!("nothing is left between {start} and {end} seconds of a motion of {all:.3} seconds");
        return Err(Error::invalid("trim", reason));
    }
    Ok((first, last))
}

pub(super) fn trimmed(motion: &Motion, trim: Option<&Trim>) -> Result<Motion> {
    let (first, last) = range(motion, trim)?;
    motion.select(first..last, motion.rate())
}

/// Which instants of a motion are shown, counted in its frames.
pub(super) struct Plan {
    /// Instants of one pass.
    pass: Vec<f64>,
    rate: f64,
    repeat: Option<Repeat>,
}

impl Plan {
    /// A plan for `count` frames at `rate`.
    pub(super) fn new(count: usize, rate: f64, retime: &Retime, repeat: Option<&Repeat>) -> Result<Self> {
        let last = (count - 1) as f64;
        let new_rate = retime.rate.unwrap_or(rate);
        if !(new_rate > 0.0 && new_rate <= crate::motion::MAX_RATE) {
            let reason = format!("{new_rate} is not between 0 and {}", crate::motion::MAX_RATE);
            return Err(Error::invalid("frame rate", reason));
        }
        let length = retime.frames.map_or_else(|| (last * new_rate / rate / retime.speed).round() + 1.0, |n| n as f64);
        let whole = match repeat {
            None => length,
            Some(Repeat { mode: RepeatMode::Loop, times }) => length * *times as f64,
            Some(Repeat { mode: RepeatMode::PingPong, times }) => 2.0 * (length - 1.0) * *times as f64 + 1.0,
        };
        if whole > MAX_FRAMES as f64 {
            return Err(Error::invalid("motion", format!("the edit would make {whole} frames, at most {MAX_FRAMES}")));
        }
        let length = length as usize;
        // The ends stay what they are: the first and the last instant are those of the motion.
        let instant = |k: usize| if length == 1 { 0.0 } else { last * k as f64 / (length - 1) as f64 };
        Ok(Self { pass: (0..length).map(instant).collect(), rate: new_rate, repeat: repeat.copied() })
    }

    /// All instants in order.
    pub(super) fn positions(&self) -> impl Iterator<Item = f64> {
        let length = self.pass.len();
        let order: Box<dyn Iterator<Item = usize>> = match self.repeat {
            None => Box::new(0..length),
            Some(Repeat { mode: RepeatMode::Loop, times }) => Box::new((0..times).flat_map(move |_| 0..length)),
            Some(Repeat { mode: RepeatMode::PingPong, times }) => {
                // One frame has no way to go, however often it goes there.
                let times = if length == 1 { 0 } else { times };
                let there_and_back = move |_| (1..length).chain((0..length - 1).rev());
                Box::new(std::iter::once(0).chain((0..times).flat_map(there_and_back)))
            }
        };
        order.map(|k| self.pass[k])
    }
}

pub(super) fn retimed(motion: Motion, retime: &Retime, repeat: Option<&Repeat>) -> Result<Motion> {
    if *retime == Retime::default() && repeat.is_none() {
        return Ok(motion);
    }
    let plan = Plan::new(motion.frames().len(), motion.rate(), retime, repeat)?;
    let frames = plan.positions().map(|position| at(motion.frames(), position)).collect();
    // The rest was the first frame, which is still the first; a rest of its own stays as it is.
    motion.with_frames(plan.rate, frames)
}

/// The motion at an instant; its state is that of the nearer frame.
fn at(frames: &[MotionFrame], position: f64) -> MotionFrame {
    let index = (position.floor() as usize).min(frames.len() - 1);
    let share = (position - index as f64) as f32;
    match frames.get(index + 1) {
        Some(next) if share > 0.0 => {
            let nearer = if share < 0.5 { frames[index].state } else { next.state };
            MotionFrame { state: nearer, ..blend(&frames[index], next, share) }
        }
        _ => frames[index].clone(),
    }
}
