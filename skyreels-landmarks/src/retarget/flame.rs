//! Retargeting with FLAME, as the original does it.

use nalgebra::Vector3;

use super::orthographic::{CropTransform, OrthographicCamera};
use super::{RetargetedFrame, Retargeter};
use crate::draw::pupils;
use crate::flame::{
    EyePoints, FaceCoefficients, FlameModel, MEDIAPIPE_POINTS, rotation_matrix, rotation_vector, smooth,
};
use crate::smirk::FaceSquare;
use crate::{CropBox, Error, LANDMARKS, Motion, MotionFrame, Result, SMOOTHING};

/// The face that is to move, as FLAME's coefficients and where they were seen.
#[derive(Debug, Clone, PartialEq)]
pub struct FlamePortrait {
    /// Rotation, camera and shape; expression, jaw and eyelids come from the driver.
    pub coefficients: FaceCoefficients,
    /// The square that the coefficients were read from, in pixels of the portrait's picture.
    pub square: FaceSquare,
    /// The part of that picture that is drawn on. In the original the picture is the face crop itself, and this all of it.
    pub crop: CropBox,
}

/// Rotation relative to the motion's rest (the first driving frame, unless it was edited); expression, jaw and eyelids as the driver has them.
///
/// With `R` rotations, the driver's smoothed (`s_0 = p_0`, `s_i = 0.7 p_i + 0.3 s_(i-1)` as vectors), frame `i` shows the
/// portrait's shape under
///
/// ```text
/// R_portrait R_rest^-1 R_i
/// ```
///
/// through the portrait's own camera (without perspective): neither translation nor scale of the driver count. Of the 478
/// points the 105 that are embedded in FLAME's mesh ([`MEDIAPIPE_POINTS`]) have a place, which is all that is drawn; the
/// others are not numbers. Pupils follow the driver's irises by the affine map between the contours of the eyes, or,
/// where there is none (a closed eye), by their place relative to the corners.
#[derive(Debug, Clone, Copy)]
pub struct FlameRetargeter<'a> {
    /// The head.
    pub model: &'a FlameModel,
    /// Weight of the newest rotation in the smoothed one, above 0 and up to 1; 1 does not smooth.
    pub smoothing: f64,
}

impl<'a> FlameRetargeter<'a> {
    /// A retargeter with the original's smoothing.
    pub fn new(model: &'a FlameModel) -> Self {
        Self { model, smoothing: SMOOTHING }
    }

    /// Moves a portrait as a driver does: one frame per driving frame. In `rest` the driver's head is where the portrait's
    /// is; the original takes the first frame.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a number is not finite, the model has fewer coefficients than are given, the crop is empty or
    /// the smoothing is out of range.
    pub fn follow(
        &self,
        portrait: &FlamePortrait,
        rest: &FaceCoefficients,
        driver: &[FaceCoefficients],
    ) -> Result<Vec<RetargetedFrame>> {
        if !(self.smoothing > 0.0 && self.smoothing <= 1.0) {
            return Err(Error::invalid("smoothing", format!("{} is not above 0 and up to 1", self.smoothing)));
        }
        if portrait.crop.width == 0 || portrait.crop.height == 0 {
            return Err(Error::invalid("crop", format!("{:?} is empty", portrait.crop)));
        }
        portrait.coefficients.check()?;
        rest.check()?;
        for (index, face) in driver.iter().enumerate() {
            face.check().map_err(|error| Error::invalid("motion", format!("frame {index}: {error}")))?;
        }
        let vectors: Vec<_> = driver.iter().map(|face| vector(face.rotation)).collect();
        let smoothed = smooth(&vectors, self.smoothing);
        let rotations = relative(&vector(portrait.coefficients.rotation), &vector(rest.rotation), &smoothed)?;
        driver.iter().zip(rotations).map(|(face, rotation)| self.frame(portrait, face, rotation)).collect()
    }

    fn frame(
        &self,
        portrait: &FlamePortrait,
        driver: &FaceCoefficients,
        rotation: Vector3<f64>,
    ) -> Result<RetargetedFrame> {
        let own = &portrait.coefficients;
        let moved = FaceCoefficients {
            rotation: rotation.map(|v| v as f32).into(),
            camera: own.camera,
            shape: own.shape.clone(),
            ..driver.clone()
        };
        let head = self.model.head(&moved)?;
        let view = View::of(portrait)?;
        let mut pixels = vec![[f64::NAN; 3]; LANDMARKS];
        for (place, point) in MEDIAPIPE_POINTS.into_iter().zip(self.model.mediapipe_points(&head.vertices)?) {
            pixels[place] = view.pixel(point);
        }
        let pupils = match &driver.eyes {
            None => [None; 2],
            Some(eyes) => {
                let flat: Vec<[f64; 2]> = pixels.iter().map(|[x, y, _]| [*x, *y]).collect();
                pupils(&EyePoints::on_mesh(eyes), &flat)?
            }
        };
        Ok(RetargetedFrame {
            points: pixels.into_iter().map(|point| view.relative(point)).collect(),
            pupils: pupils.map(|pupil| pupil.map(|[x, y]| [0, 1].map(|k| view.relative([x, y, 0.0])[k]))),
        })
    }
}

fn vector(v: [f32; 3]) -> Vector3<f64> {
    Vector3::from(v.map(f64::from))
}

/// `R_source R_rest^-1 R_i` as rotation vectors, for all (smoothed) rotation vectors of the driver.
///
/// # Errors
/// [`Error::Invalid`] when the matrix of `rest` has no inverse, which that of finite numbers has.
pub(crate) fn relative(
    source: &Vector3<f64>,
    rest: &Vector3<f64>,
    driver: &[Vector3<f64>],
) -> Result<Vec<Vector3<f64>>> {
    let inverse = rotation_matrix(rest)
        .try_inverse()
        .ok_or_else(|| Error::invalid("motion", "the rotation of its rest is none"))?;
    let fixed = rotation_matrix(source) * inverse;
    Ok(driver.iter().map(|turned| rotation_vector(&(fixed * rotation_matrix(turned)))).collect())
}

impl Retargeter for FlameRetargeter<'_> {
    type Portrait = FlamePortrait;

    /// [`follow`](FlameRetargeter::follow) with the FLAME coefficients of the motion, which it must have. Apertures, which
    /// are fractions of mesh widths, are left to [`MeshRetargeter`](crate::MeshRetargeter).
    fn retarget(&self, portrait: &FlamePortrait, motion: &Motion) -> Result<Vec<RetargetedFrame>> {
        let coefficients = |frame: &MotionFrame| frame.flame.as_deref().map(FaceCoefficients::from);
        let driver: Option<Vec<_>> = motion.frames().iter().map(coefficients).collect();
        let (Some(rest), Some(driver)) = (coefficients(motion.rest()), driver) else {
            return Err(Error::invalid(
                "motion",
                "it holds no FLAME coefficients; extract it with SMIRK (`SmirkTracker`, `--smirk`)",
            ));
        };
        self.follow(portrait, &rest, &driver)
    }
}

/// From the head to pixels of the portrait's picture, and to its crop.
struct View {
    camera: OrthographicCamera,
    to_picture: CropTransform,
    /// Pixels of the picture per unit of the camera's square.
    depth_scale: f64,
    start: [f64; 2],
    extent: [f64; 2],
}

impl View {
    fn of(portrait: &FlamePortrait) -> Result<Self> {
        let [scale, right, up] = portrait.coefficients.camera;
        let to_picture = CropTransform::inverse_of(portrait.square.to_crop())
            .ok_or_else(|| Error::invalid("face square", format!("{:?} has no extent", portrait.square)))?;
        let across = |x: f64| to_picture.to_picture([x, 0.0, 0.0])[0];
        let crop = &portrait.crop;
        Ok(Self {
            camera: OrthographicCamera { scale, shift: [right, up] },
            to_picture,
            depth_scale: across(1.0) - across(0.0),
            start: [crop.x, crop.y].map(f64::from),
            extent: [crop.width, crop.height].map(f64::from),
        })
    }

    /// Pixel of a point of the head, with its depth in pixels, smaller towards the camera.
    fn pixel(&self, point: [f64; 3]) -> [f64; 3] {
        let point = point.map(|v| v as f32);
        let [x, y] = self.to_picture.to_picture(self.camera.project(point).map(f64::from));
        [x, y, -f64::from(self.camera.scaled(point)[2]) * self.depth_scale]
    }

    /// x and y relative to the crop, z on the scale of x.
    fn relative(&self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        [(x - self.start[0]) / self.extent[0], (y - self.start[1]) / self.extent[1], z / self.extent[0]]
    }
}
