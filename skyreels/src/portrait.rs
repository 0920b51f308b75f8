//! The picture that is to move.

use skyreels_core::Frame;
use skyreels_core::resize::{Interpolation, fit, resize_opencv};
use skyreels_landmarks::smirk::SmirkTracker;
use skyreels_landmarks::{
    CropBox, Error as LandmarkError, FaceBox, FacePick, FaceTracker, FlamePortrait, PortraitFace, aligned_face,
};

use crate::Result;

/// Side to which the face crop is resized before its landmarks are found, as in the original.
const CROP_SIDE: u32 = 512;

/// The crop around the face in the size at which it is read.
fn close_look(canvas: &Frame, crop: &CropBox) -> Result<Frame> {
    Ok(resize_opencv(&crop.cut(canvas)?, CROP_SIDE, CROP_SIDE, Interpolation::Linear)?)
}

/// A portrait fitted to the model's canvas, with one face picked for everything that follows.
#[derive(Debug, Clone)]
pub struct Portrait {
    /// The picture, cropped or padded to the model's size.
    pub canvas: Frame,
    /// The part of it in which the face is redrawn: about two face widths.
    pub crop: CropBox,
    /// The face, relative to the crop.
    pub face: PortraitFace,
    /// The face turned upright, `[512, 512, 3]`: what the vision tower reads.
    pub aligned: Frame,
    /// The same face as FLAME's coefficients, where somebody has [read](Self::with_flame) them.
    pub flame: Option<FlamePortrait>,
}

impl Portrait {
    /// Fits `picture` to `size` (width, height) and finds its face, once in the whole canvas and once
    /// more, finer, in the crop around it.
    ///
    /// # Errors
    /// [`LandmarkError::NoFace`] when there is none, and those of the tracker.
    pub fn find(picture: &Frame, size: [u32; 2], tracker: &dyn FaceTracker, pick: FacePick) -> Result<Self> {
        let nobody = |place: String| LandmarkError::NoFace {
            place,
            help: "use a picture that shows one face from the front, at least 50 pixels wide".into(),
        };
        let canvas = fit(picture, size[0], size[1])?;
        let mut faces = tracker.detect(&canvas)?;
        let chosen = pick.choose(&faces).ok_or_else(|| nobody("the portrait".into()))?;
        let coarse = faces.swap_remove(chosen);
        let crop = CropBox::around(&FaceBox::of_landmarks(&coarse, size), size)?;
        let close = close_look(&canvas, &crop)?;
        let mut faces = tracker.detect(&close)?;
        // The crop is made around one face: whatever else reaches into it is not meant.
        let chosen =
            FacePick::Center.choose(&faces).ok_or_else(|| nobody("the crop around the portrait's face".into()))?;
        let face = PortraitFace::new(&faces.swap_remove(chosen), [CROP_SIDE, CROP_SIDE])?;
        Self::new(canvas, crop, face)
    }

    /// Puts a portrait together whose face is already known, relative to `crop`.
    ///
    /// # Errors
    /// [`LandmarkError::NoFace`] when the face's points have no orientation.
    pub fn new(canvas: Frame, crop: CropBox, face: PortraitFace) -> Result<Self> {
        let on_canvas = |[x, y, _]: &[f32; 3]| {
            [
                f64::from(crop.x) + f64::from(*x) * f64::from(crop.width),
                f64::from(crop.y) + f64::from(*y) * f64::from(crop.height),
            ]
        };
        let points: Vec<[f64; 2]> = face.landmarks().iter().map(on_canvas).collect();
        let aligned = aligned_face(&canvas, &points).ok_or_else(|| LandmarkError::NoFace {
            place: "the portrait: its eyes, nose and mouth coincide".into(),
            help: "use a picture with a larger face".into(),
        })?;
        Ok(Self { canvas, crop, face, aligned, flame: None })
    }

    /// The same portrait with the coefficients that SMIRK reads from its face crop, as the original does: what
    /// [`Retargeting::Flame`](crate::Retargeting::Flame) moves.
    ///
    /// # Errors
    /// Those of [`SmirkTracker::portrait`].
    pub fn with_flame(mut self, smirk: &SmirkTracker) -> Result<Self> {
        let close = close_look(&self.canvas, &self.crop)?;
        let pixel = |[x, y, _]: &[f32; 3]| [x, y].map(|share| f64::from(*share) * f64::from(CROP_SIDE));
        let points: Vec<[f64; 2]> = self.face.landmarks().iter().map(pixel).collect();
        let whole = CropBox { x: 0, y: 0, width: CROP_SIDE, height: CROP_SIDE };
        self.flame = Some(smirk.portrait(&close, &points, whole)?);
        Ok(self)
    }
}
