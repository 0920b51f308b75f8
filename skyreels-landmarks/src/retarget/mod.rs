//! Retargeting: whose face moves, and how another one's motion moves it.

mod apertures;
pub(crate) mod camera;
pub(crate) mod flame;
mod mesh;
pub(crate) mod orthographic;
mod portrait;
mod stream;
mod turn;

pub use camera::VERTICAL_FOV_DEGREES;
pub use flame::{FlamePortrait, FlameRetargeter};
pub use mesh::{Anchor, MeshRetargeter, Scale};
pub use portrait::PortraitFace;
pub use stream::MeshStream;

use crate::{Motion, Result};

/// The portrait's face in one frame of the motion.
#[derive(Debug, Clone, PartialEq)]
pub struct RetargetedFrame {
    /// 478 points: x and y relative to the portrait's picture (the face crop), z on the scale of x.
    pub points: Vec<[f64; 3]>,
    /// Centres of the right and the left pupil, x and y relative to the picture; `None` where there is none.
    pub pupils: [Option<[f64; 2]>; 2],
}

/// Moves a portrait's face as a motion says.
///
/// A retargeter may use more than a [`Motion`] of MediaPipe's points holds, but gives the same points.
pub trait Retargeter {
    /// What it has to know of the face that is to move.
    type Portrait;

    /// One frame per frame of the motion.
    ///
    /// # Errors
    /// When motion and portrait do not fit this retargeter.
    fn retarget(&self, portrait: &Self::Portrait, motion: &Motion) -> Result<Vec<RetargetedFrame>>;
}
