//! Identity as `arc_score.py` has it.

use skyreels_core::Frame;
use skyreels_core::resize::{Interpolation, resize_opencv};
use skyreels_landmarks::arcface_face;

use crate::embed::{FACE_SIDE, cosine};
use crate::{Error, Result};

/// Frames of a video that the script looks at.
const FRAMES: usize = 16;
/// Side of the face that the script cuts for CurricularFace, in pixels.
const WIDE_SIDE: u32 = 224;
/// Share of each side that the script adds where it sees no face, and the grey of it.
const PADDING: f64 = 0.25;
const GREY: [u8; 3] = [128; 3];

/// The frames that the script looks at: 16 from the first to the last, their numbers cut toward zero.
pub fn a1_frame_indices(frames: usize) -> Vec<usize> {
    let last = frames.saturating_sub(1) as f64;
    let at = |step: usize| (last * step as f64 / (FRAMES - 1) as f64) as usize;
    if frames == 0 { Vec::new() } else { (0..FRAMES).map(at).collect() }
}

/// The script's similarity of two embeddings: their cosine, but never below 0.
///
/// # Errors
/// Those of [`cosine`].
pub fn a1_identity(a: &[f32], b: &[f32]) -> Result<f64> {
    Ok(cosine(a, b)?.max(0.0))
}

/// The script's similarity of a video: the mean over the frames with a face; 0 for a video without one.
///
/// Frames without a face do not count, so that a video that shows the right person in one frame of sixteen, and nobody in the
/// others, has the best score.
///
/// # Errors
/// Those of [`cosine`].
pub fn a1_identity_mean<R: AsRef<[f32]>>(reference: &[f32], frames: &[Option<R>]) -> Result<f64> {
    let seen = frames.iter().flatten().map(|frame| a1_identity(reference, frame.as_ref()));
    let seen = seen.collect::<Result<Vec<f64>>>()?;
    Ok(if seen.is_empty() { 0.0 } else { seen.iter().sum::<f64>() / seen.len() as f64 })
}

/// The picture in a grey frame, and by how many pixels it moved: the script's second look where it sees no face.
///
/// # Errors
/// [`Error::Empty`] for a picture without pixels.
pub fn a1_padded(picture: &Frame) -> Result<(Frame, [u32; 2])> {
    let (width, height) = picture.dimensions();
    if width == 0 || height == 0 {
        return Err(Error::empty("picture", "give one with pixels"));
    }
    let [across, down] = [width, height].map(|side| (f64::from(side) * PADDING) as u32);
    let mut padded = Frame::from_pixel(width + 2 * across, height + 2 * down, image::Rgb(GREY));
    image::imageops::replace(&mut padded, picture, across.into(), down.into());
    Ok((padded, [across, down]))
}

/// The face that the script shows to CurricularFace, `[112, 112, 3]`: cut at 224 pixels, then halved.
///
/// `None` when the points coincide or are not finite.
///
/// # Errors
/// None in practice: of resizing.
pub fn curricular_face(picture: &Frame, points: &[[f64; 2]; 5]) -> Result<Option<Frame>> {
    let Some(wide) = arcface_face(picture, points, WIDE_SIDE) else { return Ok(None) };
    Ok(Some(resize_opencv(&wide, FACE_SIDE, FACE_SIDE, Interpolation::Linear)?))
}
