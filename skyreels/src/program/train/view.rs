//! How a run is shown while it goes on.

use std::path::Path;

use skyreels::train::run::Note;

pub trait View {
    /// Shows what has happened; `written` is the clip of a note with samples.
    fn tell(&mut self, note: &Note, written: Option<&Path>);
}
