//! What the program says while it works, to people or to machines; and Ctrl-C.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use skyreels::Error;
use skyreels::core::{Event, Progress};

/// Set by the first Ctrl-C; the second ends the program at once.
static STOP: AtomicBool = AtomicBool::new(false);

/// Prints a line; a reader that has gone away is no reason to fail.
macro_rules! line {
    ($($argument:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($argument)*);
    }};
}

/// True after the first Ctrl-C.
pub fn interrupted() -> bool {
    STOP.load(Ordering::SeqCst)
}

type Callback = Box<dyn Fn(Event) -> ControlFlow<()> + Sync>;

pub struct Reporter {
    json: bool,
    state: &'static Mutex<State>,
    callback: Callback,
}

#[derive(Default)]
struct State {
    bar: Option<(&'static str, ProgressBar)>,
    running: Option<Running>,
    times: Vec<(&'static str, Duration)>,
}

/// The stage under way.
struct Running {
    stage: &'static str,
    since: Instant,
    /// Its last report: when, and how many units were finished.
    last: (Instant, u64),
}

impl Reporter {
    pub fn new(json: bool) -> Self {
        // One per program: handed to a signal handler and to callbacks that outlive borrows.
        let state: &'static Mutex<State> = Box::leak(Box::new(Mutex::new(State::default())));
        let handler = move || {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(super::CANCELLED));
            }
            eprintln!("stopping after this step; press Ctrl-C again to stop at once");
        };
        // Without a handler Ctrl-C ends the program as ever: unfinished files have temporary names.
        let _ = ctrlc::set_handler(handler);
        let callback = Box::new(move |event: Event| {
            let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if json {
                state.print(event)
            } else {
                state.draw(event)
            }
            if STOP.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Self { json, state, callback }
    }

    /// True when machines read.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The callback for long operations.
    pub fn progress(&self) -> Progress<'_> {
        Progress::new(&*self.callback)
    }

    /// A line for people, or an object for machines.
    pub fn say(&self, text: &str, object: Value) {
        if self.json {
            line!("{object}");
        } else {
            self.beside_bar(|| eprintln!("{text}"));
        }
    }

    /// A result: on standard output either way.
    pub fn result(&self, text: &str, object: Value) {
        if self.json {
            line!("{object}");
        } else {
            self.beside_bar(|| line!("{text}"));
        }
    }

    /// A remark that is not a result.
    pub fn note(&self, text: &str) {
        self.say(text, json!({ "event": "note", "text": text }));
    }

    pub fn error(&self, error: &Error) {
        if self.json {
            line!("{}", json!({ "event": "error", "message": error.to_string(), "cancelled": error.is_cancelled() }));
        }
        eprintln!("error: {error}");
    }

    /// Removes the bar.
    pub fn clear(&self) {
        if let Some((_, bar)) = self.lock().bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Removes the bar and says how long the stages took.
    pub fn finish(&self) {
        self.clear();
        let mut state = self.lock();
        state.end_stage();
        if self.json {
            for (stage, time) in &state.times {
                line!("{}", json!({ "event": "time", "stage": stage, "seconds": time.as_secs_f64() }));
            }
        } else if !state.times.is_empty() {
            let times: Vec<String> =
                state.times.iter().map(|(stage, time)| format!("{stage} {:.2} s", time.as_secs_f64())).collect();
            eprintln!("{}", times.join(", "));
        }
    }

    /// Prints while the bar is out of the way.
    fn beside_bar(&self, print: impl FnOnce()) {
        match &self.lock().bar {
            Some((_, bar)) => bar.suspend(print),
            None => print(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn draw(&mut self, event: Event) {
        let seconds = self.step_seconds(&event);
        if self.bar.as_ref().is_none_or(|(stage, _)| *stage != event.stage) {
            if let Some((_, bar)) = self.bar.take() {
                bar.finish_and_clear();
            }
            let bar = ProgressBar::new(event.total.unwrap_or(0));
            let style = ProgressStyle::with_template("{msg:8} {bar:32} {pos}/{len} {prefix} {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(event.stage);
            self.bar = Some((event.stage, bar));
        }
        if let Some((_, bar)) = &self.bar {
            if let Some(total) = event.total {
                bar.set_length(total);
            }
            if let Some(seconds) = seconds {
                bar.set_prefix(format!("{} each", short_time(seconds)));
            }
            bar.set_position(event.done);
        }
    }

    fn print(&mut self, event: Event) {
        let seconds = self.step_seconds(&event);
        let Event { stage, done, total } = event;
        line!("{}", json!({ "event": "progress", "stage": stage, "done": done, "total": total, "seconds": seconds }));
    }

    /// How long each of the units took that this report adds; `None` where that is not known: at the first report of
    /// a stage, and where it begins anew.
    fn step_seconds(&mut self, event: &Event) -> Option<f64> {
        let now = Instant::now();
        if self.running.as_ref().is_none_or(|running| running.stage != event.stage) {
            self.end_stage();
            self.running = Some(Running { stage: event.stage, since: now, last: (now, event.done) });
            return None;
        }
        let (then, done) = std::mem::replace(&mut self.running.as_mut()?.last, (now, event.done));
        let units = event.done.checked_sub(done).filter(|units| *units > 0)?;
        Some((now - then).as_secs_f64() / units as f64)
    }

    fn end_stage(&mut self) {
        if let Some(Running { stage, since, .. }) = self.running.take() {
            match self.times.iter_mut().find(|(known, _)| *known == stage) {
                Some((_, time)) => *time += since.elapsed(),
                None => self.times.push((stage, since.elapsed())),
            }
        }
    }
}

/// A duration as people read it.
fn short_time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_the_time_since_the_report_before_it() {
        let mut state = State::default();
        let mut seconds = |stage, done| state.step_seconds(&Event { stage, done, total: None });
        assert_eq!(seconds("denoise", 0), None);
        std::thread::sleep(Duration::from_millis(40));
        let two = seconds("denoise", 2).unwrap();
        assert!((0.02..10.0).contains(&two), "{two}");
        // Neither a repeated report, nor one that counts anew, nor another stage says how long a step took.
        assert_eq!(seconds("denoise", 2), None);
        assert_eq!(seconds("denoise", 1), None);
        assert_eq!(seconds("decode", 5), None);
        assert!(seconds("decode", 6).is_some());
    }

    #[test]
    fn a_step_of_minutes_is_shown_in_seconds() {
        assert_eq!([200.128, 1.0, 0.0123].map(short_time), ["200.13 s", "1.00 s", "12.3 ms"]);
    }
}
