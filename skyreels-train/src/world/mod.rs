//! A rendered world: people made by formula, seen by a camera, with everything about the picture known.
//!
//! A [`Person`] is built from an [`Identity`] (who) and a [`Scene`] (clothes, light, background), both by seed. A
//! [`State`] is an [`Expression`] in MediaPipe's 52 words and a [`Pose`]; a [`Performance`] gives one for every time.
//! Posed, a person has a picture, 478 landmarks, masks, depth and optical flow, all true. The geometry is our own.
//!
//! The same seed gives the same picture; nothing depends on the number of threads.

mod backdrop;
mod body;
mod brows;
mod camera;
mod ears;
mod expression;
mod eyeball;
mod face;
mod flow;
mod folds;
mod grid;
mod hair;
mod identity;
mod labels;
mod landmarks;
mod lids;
mod lips;
mod mesh;
mod mouth;
mod muscles;
mod occlusion;
mod palette;
mod performance;
mod person;
mod picture;
pub(crate) mod random;
mod raster;
mod scene;
mod shade;
mod shadow;
mod skull;
mod vector;

pub use expression::{Expression, Pose, State};
pub use flow::Flow;
pub use identity::{
    BrowShape, Color, EarShape, EyeShape, Hair, HairStyle, HeadShape, Identity, MouthShape, NoseShape, Skin,
};
pub use labels::{Label, Labels};
pub use performance::Performance;
pub use person::{Person, Posed, Rendered};
pub use scene::{Background, Clothes, Collar, Light, Scene};
