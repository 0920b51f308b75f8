//! From points to pixels: lines as OpenCV draws them, the two guide drawings, overlays for people.

mod canvas;
pub mod contours;
mod guide2d;
mod guide3d;
mod line;
mod pupil;
mod thick;

pub use canvas::Border;
pub use guide2d::guide2d;
pub use guide3d::guide3d;
pub use line::{Color, line};
pub use pupil::{Affine, apply, estimate_affine, pupils};
pub use thick::{circle, thick_line};
