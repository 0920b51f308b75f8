//! The face that is to move.

use nalgebra::{UnitQuaternion, Vector3};

use super::camera::Camera;
use crate::motion::rotation;
use crate::{BLENDSHAPES, CropBox, Error, Face, LANDMARKS, Openness, Proportions, Result};

/// The portrait's face: its points, and the head and camera that explain them.
#[derive(Debug, Clone, PartialEq)]
pub struct PortraitFace {
    landmarks: Vec<[f32; 3]>,
    head: Vec<[f32; 3]>,
    blendshapes: [f32; BLENDSHAPES],
    rotation: UnitQuaternion<f64>,
    scale: f64,
    translation: Vector3<f64>,
    camera: Camera,
    view: View,
}

/// Which part of the tracked picture is drawn on: offset and extent relative to it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct View {
    start: [f64; 2],
    extent: [f64; 2],
}

impl View {
    const WHOLE: Self = Self { start: [0.0; 2], extent: [1.0; 2] };

    /// A point relative to the picture as one relative to the view; z keeps the scale of x.
    fn see(&self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        let ([left, top], [width, height]) = (self.start, self.extent);
        [(x - left) / width, (y - top) / height, z / width]
    }
}

impl PortraitFace {
    /// Takes over a face found in a picture of `tracked` = width, height pixels, which is the face crop in any size.
    ///
    /// That picture sets the shape of the camera, not the size of the drawing.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the face has not 478 finite points in front of the camera, or no pose.
    pub fn new(face: &Face, tracked: [u32; 2]) -> Result<Self> {
        let wrong = |reason: String| Error::invalid("portrait face", reason);
        if face.landmarks.len() != LANDMARKS || face.head_points.len() != LANDMARKS {
            let counts = (face.landmarks.len(), face.head_points.len());
            return Err(wrong(format!("{counts:?} points instead of {LANDMARKS}")));
        }
        if tracked.contains(&0) {
            return Err(wrong(format!("it was found in a picture of {tracked:?} pixels")));
        }
        let points = face.landmarks.iter().chain(&face.head_points).flatten();
        if points.chain(face.matrix.as_flattened()).chain(&face.blendshapes).any(|v| !v.is_finite()) {
            return Err(wrong("a point, a score or its pose is not finite".into()));
        }
        let rotation = rotation::of_pose(&face.matrix).ok_or_else(|| wrong("its pose has no rotation".into()))?;
        let portrait = Self {
            landmarks: face.landmarks.clone(),
            head: face.head_points.clone(),
            blendshapes: face.blendshapes,
            rotation,
            scale: f64::from(face.scale()),
            translation: Vector3::from(face.translation().map(f64::from)),
            camera: Camera::of(tracked),
            view: View::WHOLE,
        };
        if portrait.translation.z >= 0.0
            || (0..LANDMARKS).any(|i| portrait.project(i, &rotation, [0.0; 3], [0.0; 3]).is_none())
        {
            return Err(wrong("it lies behind the camera".into()));
        }
        Ok(portrait)
    }

    /// Takes over a face found in a whole picture of `size` = width, height pixels, to be drawn on its crop.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and [`Error::Invalid`] for an empty crop.
    pub fn in_crop(face: &Face, size: [u32; 2], crop: &CropBox) -> Result<Self> {
        if crop.width == 0 || crop.height == 0 {
            return Err(Error::invalid("crop", format!("{crop:?} is empty")));
        }
        let mut portrait = Self::new(face, size)?;
        let relative = |[x, y]: [u32; 2]| [f64::from(x) / f64::from(size[0]), f64::from(y) / f64::from(size[1])];
        portrait.view = View { start: relative([crop.x, crop.y]), extent: relative([crop.width, crop.height]) };
        for point in &mut portrait.landmarks {
            *point = portrait.view.see(point.map(f64::from)).map(|v| v as f32);
        }
        Ok(portrait)
    }

    /// The 478 points as found, x and y relative to the picture, z on the scale of x.
    pub fn landmarks(&self) -> &[[f32; 3]] {
        &self.landmarks
    }

    /// Sizes of the face.
    pub fn proportions(&self) -> Proportions {
        Proportions::of(&self.head)
    }

    /// How far its eyes and mouth are open.
    pub fn openness(&self) -> Openness {
        Openness::of(&self.head)
    }

    /// Its expression scores, named by [`BLENDSHAPE_NAMES`](crate::BLENDSHAPE_NAMES).
    pub fn blendshapes(&self) -> [f32; BLENDSHAPES] {
        self.blendshapes
    }

    /// Its points in the head's frame at rest.
    pub(crate) fn head(&self) -> &[[f32; 3]] {
        &self.head
    }

    /// Height of a point in the head's frame at rest.
    pub(crate) fn height(&self, index: usize) -> f64 {
        f64::from(self.head[index][1])
    }

    /// Rotation of its head.
    pub(crate) fn rotation(&self) -> &UnitQuaternion<f64> {
        &self.rotation
    }

    /// Where point `index` of the head appears once it is displaced and the head is turned and shifted; x and y relative to the picture, z
    /// on the scale of x, smaller towards the camera. `None` behind the camera.
    pub(crate) fn project(
        &self,
        index: usize,
        rotation: &UnitQuaternion<f64>,
        shift: [f64; 3],
        displacement: [f64; 3],
    ) -> Option<[f64; 3]> {
        let rest = Vector3::from(self.head[index].map(f64::from));
        let turned = rotation * (rest + Vector3::from(displacement)) * self.scale;
        let place = self.translation + Vector3::from(shift);
        let [x, y] = self.camera.project((turned + place).into())?;
        (place.z < 0.0).then(|| self.view.see([x, y, -turned.z * self.camera.per_centimetre(-place.z)]))
    }
}
