//! Less work for the same picture: what may be reused between steps, and what that has saved.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Tensor;
use serde::Serialize;
use skyreels_core::diffusion::Guidance;
use skyreels_dit::transformer::{FirstBlockCache, GuidancePass, StepReuse};

use crate::{Error, Result};

/// Some steps of a run, counted from 0: the first, and the one behind the last. Written `3..7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StepRange {
    /// The first step.
    pub first: usize,
    /// The step behind the last.
    pub end: usize,
}

impl StepRange {
    fn contains(self, step: usize) -> bool {
        (self.first..self.end).contains(&step)
    }
}

impl FromStr for StepRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let ends = text.split_once("..").and_then(|(first, end)| Some((first.parse().ok()?, end.parse().ok()?)));
        match ends {
            Some((first, end)) if first < end => Ok(Self { first, end }),
            Some((first, end)) => Err(Error::request("steps", format!("{first}..{end} holds no step"))),
            None => Err(Error::request(
                "steps",
                format!("`{text}` is no range; write FIRST..END, steps count from 0 and END is not part of it"),
            )),
        }
    }
}

impl fmt::Display for StepRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.end)
    }
}

/// What a run may take from its earlier steps; by default nothing.
///
/// What each costs in quality depends on the model: the bench `reuse` measures it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReuseSettings {
    /// Steps that do not run the unconditional pass: the difference between the two predictions of the last step that
    /// ran both stands in (the idea of FasterCache's CFG-Cache, arXiv 2410.19355, without its split into frequencies).
    pub reuse_unconditional: Option<StepRange>,
    /// Steps without guidance: the conditional prediction alone (limited-interval guidance, arXiv 2404.07724).
    pub skip_unconditional: Option<StepRange>,
    /// Threshold of a [`FirstBlockCache`].
    pub block_cache: Option<f64>,
}

impl ReuseSettings {
    /// Refuses what a run of `steps` steps cannot do.
    ///
    /// # Errors
    /// [`Error::Request`] for ranges beyond the run, that overlap, that have no step before them to reuse, or where
    /// guidance is off; [`Error::Dit`] for a threshold that means nothing.
    pub fn check(&self, steps: usize, guidance: &Guidance) -> Result<()> {
        self.block_cache.map(FirstBlockCache::new).transpose()?;
        let named =
            [("skip-unconditional", self.skip_unconditional), ("reuse-unconditional", self.reuse_unconditional)];
        for (what, range) in named.into_iter().filter_map(|(what, range)| Some((what, range?))) {
            if range.first >= range.end || range.end > steps {
                let reason = format!("{range} is not within the steps of this run, 0..{steps}");
                return Err(Error::request(what, reason));
            }
            if !guidance.needs_unconditional() {
                return Err(Error::request(what, "guidance is off, there is no unconditional pass to save"));
            }
        }
        let Some(reused) = self.reuse_unconditional else { return Ok(()) };
        if let Some(skipped) = self.skip_unconditional
            && (reused.first.max(skipped.first) < reused.end.min(skipped.end))
        {
            let reason = format!("{reused} and --skip-unconditional {skipped} name the same steps");
            return Err(Error::request("reuse-unconditional", reason));
        }
        if !(0..reused.first).any(|step| self.skip_unconditional.is_none_or(|skipped| !skipped.contains(step))) {
            let reason = format!("{reused}: no step before it runs both passes; begin one step later");
            return Err(Error::request("reuse-unconditional", reason));
        }
        Ok(())
    }

    /// The reuse of one run.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub fn start(&self, steps: usize, guidance: &Guidance) -> Result<Box<dyn StepReuse>> {
        self.check(steps, guidance)?;
        let blocks = self.block_cache.map(FirstBlockCache::new).transpose()?;
        Ok(Box::new(Reuse { settings: *self, difference: None, blocks }))
    }
}

/// What [`ReuseSettings`] describe, in the course of a run.
#[derive(Debug)]
struct Reuse {
    settings: ReuseSettings,
    /// Conditional minus unconditional prediction of the last step that had both.
    difference: Option<Tensor<5>>,
    blocks: Option<FirstBlockCache>,
}

impl StepReuse for Reuse {
    fn runs_unconditional(&self, step: usize) -> bool {
        let ranges = [self.settings.reuse_unconditional, self.settings.skip_unconditional];
        !ranges.into_iter().flatten().any(|range| range.contains(step))
    }

    fn keep_guidance(&mut self, unconditional: &Tensor<5>, conditional: &Tensor<5>) {
        if self.settings.reuse_unconditional.is_some() {
            self.difference = Some(conditional.clone() - unconditional.clone());
        }
    }

    fn unconditional(&mut self, step: usize, conditional: &Tensor<5>) -> Tensor<5> {
        let reused = self.settings.reuse_unconditional.is_some_and(|range| range.contains(step));
        match &self.difference {
            Some(difference) if reused => conditional.clone() - difference.clone(),
            _ => conditional.clone(),
        }
    }

    fn reuses_blocks(&self) -> bool {
        self.blocks.is_some()
    }

    fn rest(&mut self, pass: GuidancePass, first: &Tensor<3>) -> skyreels_dit::Result<Option<Tensor<3>>> {
        self.blocks.as_mut().map_or(Ok(None), |blocks| blocks.rest(pass, first))
    }

    fn keep_rest(&mut self, pass: GuidancePass, first: Tensor<3>, rest: Tensor<3>) {
        if let Some(blocks) = &mut self.blocks {
            blocks.keep_rest(pass, first, rest);
        }
    }
}

/// What a run has computed, and what it has not had to. A batch of both guidance passes counts as two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WorkCounts {
    /// Passes through the transformer, whole or in part.
    pub passes: usize,
    /// Passes that were not run.
    pub passes_saved: usize,
    /// Blocks computed.
    pub blocks: usize,
    /// Blocks not computed, those of saved passes included.
    pub blocks_saved: usize,
}

impl WorkCounts {
    /// Share of the blocks that was not computed, 0 to 1.
    pub fn saved(&self) -> f64 {
        let all = self.blocks + self.blocks_saved;
        if all == 0 { 0.0 } else { self.blocks_saved as f64 / all as f64 }
    }

    /// Adds `passes` that computed `blocks` of their `depth` blocks each.
    pub(crate) fn ran(&mut self, passes: usize, blocks: usize, depth: usize) {
        self.passes += passes;
        self.blocks += passes * blocks;
        self.blocks_saved += passes * (depth - blocks);
    }

    /// Adds a pass of `depth` blocks that was not run.
    pub(crate) fn saved_pass(&mut self, depth: usize) {
        self.passes_saved += 1;
        self.blocks_saved += depth;
    }
}

impl fmt::Display for WorkCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} passes and {} of {} blocks computed, {:.0} % of the blocks saved",
            self.passes,
            self.passes + self.passes_saved,
            self.blocks,
            self.blocks + self.blocks_saved,
            100.0 * self.saved()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> StepRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_written_as_it_is_read() {
        assert_eq!(range("3..7"), StepRange { first: 3, end: 7 });
        assert_eq!(range("3..7").to_string(), "3..7");
        for text in ["", "3", "3..", "..7", "7..3", "3..3", "a..b", "-1..3", "3...7"] {
            assert!(text.parse::<StepRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_guidance_of_the_last_full_step_goes_on() {
        let device = skyreels_core::open_device("cpu").unwrap();
        let at = |value: f32| Tensor::<5>::full([1, 1, 1, 1, 2], value, &device);
        let settings = ReuseSettings {
            reuse_unconditional: Some(range("1..3")),
            skip_unconditional: Some(range("3..4")),
            block_cache: None,
        };
        let mut reuse = settings.start(5, &Guidance::Constant(3.0)).unwrap();
        assert_eq!([0, 1, 2, 3, 4].map(|step| reuse.runs_unconditional(step)), [true, false, false, false, true]);
        reuse.keep_guidance(&at(2.0), &at(5.0));
        let mut read = |step| reuse.unconditional(step, &at(7.0)).into_data().try_to_vec::<f32>().unwrap()[0];
        assert_eq!([read(1), read(2), read(3)], [4.0, 4.0, 7.0]);
    }

    #[test]
    fn ranges_that_a_run_cannot_do_are_refused_and_say_why() {
        let on = Guidance::Constant(3.0);
        let refused = |reuse: Option<&str>, skip: Option<&str>, guidance: Guidance| {
            let settings = ReuseSettings {
                reuse_unconditional: reuse.map(range),
                skip_unconditional: skip.map(range),
                block_cache: None,
            };
            settings.check(10, &guidance).unwrap_err().to_string()
        };
        for (reuse, skip, says) in [
            (Some("0..4"), None, "begin one step later"),
            (Some("8..11"), None, "0..10"),
            (None, Some("8..11"), "0..10"),
            (Some("3..7"), Some("6..8"), "same steps"),
            (Some("2..4"), Some("0..2"), "begin one step later"),
        ] {
            let message = refused(reuse, skip, on);
            assert!(message.contains(says), "{message}");
        }
        assert!(refused(Some("3..7"), None, Guidance::Constant(1.0)).contains("guidance is off"));
        let fine = ReuseSettings {
            reuse_unconditional: Some(range("3..7")),
            skip_unconditional: Some(range("7..10")),
            block_cache: Some(0.1),
        };
        assert!(fine.check(10, &on).is_ok());
        let threshold = ReuseSettings { block_cache: Some(f64::NAN), ..ReuseSettings::default() };
        assert!(threshold.check(10, &on).unwrap_err().to_string().contains("threshold"));
    }
}
