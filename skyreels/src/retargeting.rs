//! Which retargeter carries the motion to the portrait.

use std::sync::Arc;

use skyreels_landmarks::flame::FlameModel;
use skyreels_landmarks::{FlameRetargeter, MeshRetargeter, Motion, RetargetedFrame, Retargeter};

use crate::{Error, Portrait, Result};

/// How the portrait's face is moved.
#[derive(Debug, Clone)]
pub enum Retargeting {
    /// MediaPipe's mesh alone: needs no further model.
    Mesh(MeshRetargeter),
    /// The original's way: FLAME, with the coefficients that SMIRK read from driver and portrait.
    Flame(Arc<FlameModel>),
}

impl Default for Retargeting {
    fn default() -> Self {
        Self::Mesh(MeshRetargeter::default())
    }
}

impl Retargeting {
    /// The portrait's face in every frame of the motion.
    ///
    /// # Errors
    /// Those of the retargeter; [`Error::Request`] where FLAME is to move a portrait whose coefficients were not
    /// [read](Portrait::with_flame).
    pub fn retarget(&self, portrait: &Portrait, motion: &Motion) -> Result<Vec<RetargetedFrame>> {
        match self {
            Self::Mesh(mesh) => Ok(mesh.retarget(&portrait.face, motion)?),
            Self::Flame(model) => {
                let flame = portrait.flame.as_ref().ok_or_else(|| {
                    let reason = "FLAME moves only portraits whose coefficients SMIRK has read";
                    Error::request("retargeting", reason)
                })?;
                Ok(FlameRetargeter::new(model).retarget(flame, motion)?)
            }
        }
    }
}
