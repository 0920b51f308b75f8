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

type Callback = Box<dyn Fn(Event) -> ControlFlow<()> + Sync>;

pub struct Reporter {
    json: bool,
    state: &'static Mutex<State>,
    callback: Callback,
}

#[derive(Default)]
struct State {
    bar: Option<(&'static str, ProgressBar)>,
    stage: Option<(&'static str, Instant)>,
    times: Vec<(&'static str, Duration)>,
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

    /// The callback for long operations.
    pub fn progress(&self) -> Progress<'_> {
        Progress::new(&*self.callback)
    }

    /// A line for people, or an object for machines.
    pub fn say(&self, text: &str, object: Value) {
        if self.json {
            line!("{object}");
        } else {
            let state = self.lock();
            match &state.bar {
                Some((_, bar)) => bar.suspend(|| eprintln!("{text}")),
                None => eprintln!("{text}"),
            }
        }
    }

    /// A result: on standard output either way.
    pub fn result(&self, text: &str, object: Value) {
        if self.json {
            line!("{object}");
        } else {
            line!("{text}");
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

    /// Removes the bar and says how long the stages took.
    pub fn finish(&self) {
        let mut state = self.lock();
        state.end_stage();
        if let Some((_, bar)) = state.bar.take() {
            bar.finish_and_clear();
        }
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

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn draw(&mut self, event: Event) {
        self.begin(event.stage);
        if self.bar.as_ref().is_none_or(|(stage, _)| *stage != event.stage) {
            if let Some((_, bar)) = self.bar.take() {
                bar.finish_and_clear();
            }
            let bar = ProgressBar::new(event.total.unwrap_or(0));
            let style = ProgressStyle::with_template("{msg:8} {bar:32} {pos}/{len} {per_sec} {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(event.stage);
            self.bar = Some((event.stage, bar));
        }
        if let Some((_, bar)) = &self.bar {
            if let Some(total) = event.total {
                bar.set_length(total);
            }
            bar.set_position(event.done);
        }
    }

    fn print(&mut self, event: Event) {
        self.begin(event.stage);
        line!("{}", json!({ "event": "progress", "stage": event.stage, "done": event.done, "total": event.total }));
    }

    fn begin(&mut self, stage: &'static str) {
        if self.stage.is_none_or(|(current, _)| current != stage) {
            self.end_stage();
            self.stage = Some((stage, Instant::now()));
        }
    }

    fn end_stage(&mut self) {
        if let Some((stage, start)) = self.stage.take() {
            match self.times.iter_mut().find(|(known, _)| *known == stage) {
                Some((_, time)) => *time += start.elapsed(),
                None => self.times.push((stage, start.elapsed())),
            }
        }
    }
}
