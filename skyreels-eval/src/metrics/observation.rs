//! What the measurements need to know about a face.

use serde::{Deserialize, Serialize};
use skyreels_landmarks::{BLENDSHAPES, FIVE_POINTS, Face, LANDMARKS};

use crate::{Error, Result};

/// Outer corners of the right and the left eye.
const EYE_CORNERS: [usize; 2] = [33, 263];

/// A face in a frame, as the measurements see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaceObservation {
    /// The 478 points in pixels from the upper left corner.
    pub points: Vec<[f32; 2]>,
    /// The same points in the canonical head's own frame, in centimetres.
    pub head_points: Vec<[f32; 3]>,
    /// The 52 expression scores, [`BLENDSHAPE_NAMES`](skyreels_landmarks::BLENDSHAPE_NAMES).
    pub blendshapes: Vec<f32>,
    /// Rotation of the head to the camera, row-major.
    pub rotation: [[f32; 3]; 3],
    /// Where the right and the left iris are in their eyes, along and across, in half eye widths.
    pub gaze: [[f32; 2]; 2],
    /// Gap between the lids over the width of the right and the left eye.
    pub eye_openness: [f32; 2],
    /// Gap between the lips over the width of the mouth.
    pub lip_openness: f32,
    /// Left, top, right and bottom of the points, in pixels.
    pub bbox: [f32; 4],
}

impl FaceObservation {
    /// What is needed of a face in a frame of `size` = width, height.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a face without its 478 points or without irises; [`Error::NotFinite`] for one with a number that
    /// is none.
    pub fn of(face: &Face, size: [u32; 2]) -> Result<Self> {
        let missing = || Error::invalid("face", format!("{} points instead of {LANDMARKS}", face.landmarks.len()));
        let ([Some(right), Some(left)], Some(eye_openness), Some(lip_openness)) =
            (face.irises(size), face.eye_openness(), face.lip_openness())
        else {
            return Err(missing());
        };
        let [width, height] = size.map(|side| side as f32);
        let [x0, y0, x1, y1] = face.bbox;
        let observation = Self {
            points: face.landmarks.iter().map(|[x, y, _]| [x * width, y * height]).collect(),
            head_points: face.head_points.clone(),
            blendshapes: face.blendshapes.to_vec(),
            rotation: face.rotation(),
            gaze: [right.in_eye, left.in_eye],
            eye_openness,
            lip_openness,
            bbox: [x0 * width, y0 * height, x1 * width, y1 * height],
        };
        observation.check()?;
        Ok(observation)
    }

    /// Says what is wrong with numbers from elsewhere.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn check(&self) -> Result<()> {
        for (what, count, expected) in [
            ("points", self.points.len(), LANDMARKS),
            ("head points", self.head_points.len(), LANDMARKS),
            ("expression scores", self.blendshapes.len(), BLENDSHAPES),
        ] {
            if count != expected {
                return Err(Error::invalid("face", format!("{count} {what} instead of {expected}")));
            }
        }
        let mut numbers = self.points.iter().flatten().chain(self.head_points.iter().flatten());
        let mut others =
            self.blendshapes.iter().chain(self.rotation.iter().flatten()).chain(self.gaze.iter().flatten());
        let rest = self.eye_openness.iter().chain([&self.lip_openness]).chain(&self.bbox);
        if numbers.any(|v| !v.is_finite()) || others.any(|v| !v.is_finite()) || { rest }.any(|v| !v.is_finite()) {
            return Err(Error::not_finite("face", "a point, score or angle"));
        }
        Ok(())
    }

    /// Eyes, nose tip and mouth corners in pixels: what faces are aligned by.
    pub fn five_points(&self) -> [[f64; 2]; 5] {
        FIVE_POINTS.map(|index| self.points.get(index).map_or([f64::NAN; 2], |point| point.map(f64::from)))
    }

    /// Distance of the outer corners of the eyes in pixels: the size by which distances in pictures become comparable.
    pub fn eye_distance(&self) -> f64 {
        let [right, left] = EYE_CORNERS.map(|index| self.points.get(index).copied().unwrap_or([f32::NAN; 2]));
        f64::from(right[0] - left[0]).hypot(f64::from(right[1] - left[1]))
    }
}
