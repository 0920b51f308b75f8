//! Progress and cancellation: one callback for every long operation.

use std::ops::ControlFlow;

use crate::{Error, Result};

/// One report of a long operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Which operation: `"decode"`, `"track"`, `"denoise"`, ...
    pub stage: &'static str,
    /// Units finished.
    pub done: u64,
    /// Units in all, where that is known.
    pub total: Option<u64>,
}

/// The callback handed to long operations; it watches, and it may stop them.
///
/// ```
/// use std::ops::ControlFlow;
/// use skyreels_core::{Event, Progress};
///
/// let show = |event: Event| {
///     println!("{} {}", event.stage, event.done);
///     ControlFlow::Continue(())
/// };
/// let progress = Progress::new(&show);
/// progress.report("decode", 1, Some(49))?;
/// # Ok::<(), skyreels_core::Error>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Progress<'a> {
    callback: Option<&'a (dyn Fn(Event) -> ControlFlow<()> + Sync)>,
}

impl<'a> Progress<'a> {
    /// Reports to `callback`; `ControlFlow::Break` cancels the operation at its next report.
    pub fn new(callback: &'a (dyn Fn(Event) -> ControlFlow<()> + Sync)) -> Self {
        Self { callback: Some(callback) }
    }

    /// Reports to nobody and never cancels.
    pub fn none() -> Self {
        Self::default()
    }

    /// Tells that `done` of `total` units of `stage` are finished.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the callback asks to stop.
    pub fn report(&self, stage: &'static str, done: u64, total: Option<u64>) -> Result<()> {
        match self.callback.map(|callback| callback(Event { stage, done, total })) {
            Some(ControlFlow::Break(())) => Err(Error::Cancelled { stage }),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("watched", &self.callback.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_cancels_and_names_the_stage() {
        let stop = |event: Event| {
            if event.done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let progress = Progress::new(&stop);
        assert!(progress.report("denoise", 1, Some(3)).is_ok());
        let error = progress.report("denoise", 2, Some(3)).unwrap_err();
        assert_eq!(error.to_string(), "cancelled during denoise");
    }
}
