//! A portrait and a performance made by code, so that the whole path runs without any file.
//!
//! The head is our own formula, the portrait a drawing of it; both are simple, and both fit each other and the
//! [tracker](crate::FaceTracker)'s answers, as if a face had been found.

mod head;
mod paint;
mod performance;
mod portrait;
mod random;

pub use performance::performance;
pub use portrait::portrait;
