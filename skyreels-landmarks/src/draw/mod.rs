//! From points to pixels: lines as OpenCV draws them, the two guide drawings, overlays for people.

mod canvas;
pub mod contours;
mod guide2d;
mod guide3d;
mod lettering;
mod line;
mod overlay;
mod panel;
mod polygon;
mod pupil;
mod thick;

pub use canvas::Border;
pub use guide2d::{guide2d, whole_face2d};
pub use guide3d::guide3d;
pub(crate) use guide3d::{contours3d, guide3d_colored};
pub use line::{Color, line};
pub use overlay::Overlay;
pub use polygon::{face_mask, fill_polygon};
pub use pupil::{apply, estimate_affine, eye_relative, pupils};
pub use thick::{circle, thick_line};
