//! Does the clip tremble?

use skyreels_core::Frame;

use super::observation::FaceObservation;
use super::scores::FrameScores;
use crate::{Error, Result};

/// Grey of ITU-R BT.601, as SSIM's first implementation weighs the channels.
const GREY: [f32; 3] = [0.299, 0.587, 0.114];
const WHITE: f32 = 255.0;

/// Grey values of a picture in 0..1, row by row.
pub(super) fn grey(picture: &Frame) -> Vec<f32> {
    let weigh = |pixel: &image::Rgb<u8>| (0..3).map(|c| GREY[c] * f32::from(pixel[c])).sum::<f32>() / WHITE;
    picture.pixels().map(weigh).collect()
}

/// Mean second difference of the 478 points over three frames, over the distance of the eyes' outer corners: trembling shows, a
/// steady motion of any speed does not. The value stands at the middle frame.
///
/// A driver that trembles makes a result tremble: compare with the driver's own.
///
/// # Errors
/// [`Error::Empty`] when no three frames in a row show a face.
pub fn landmark_jitter(faces: &[Option<FaceObservation>]) -> Result<FrameScores> {
    let mut values = vec![None; faces.len()];
    for (index, three) in faces.windows(3).enumerate() {
        let [Some(before), Some(now), Some(after)] = three else { continue };
        let sum: f64 = (0..now.points.len())
            .map(|i| {
                let second = |axis: usize| {
                    f64::from(before.points[i][axis]) - 2.0 * f64::from(now.points[i][axis])
                        + f64::from(after.points[i][axis])
                };
                second(0).hypot(second(1))
            })
            .sum();
        values[index + 1] = Some(sum / now.points.len() as f64 / now.eye_distance());
    }
    FrameScores::new("landmark jitter", values)
}

/// Mean absolute second difference of the grey values over three frames, 0 to 2, frame by frame: what flickers shows, what
/// brightens steadily does not. Motion of edges shows too: compare with the driver's own.
#[derive(Debug, Clone, Default)]
pub struct FlickerMeter {
    last: Vec<Vec<f32>>,
    size: Option<(u32, u32)>,
    values: Vec<Option<f64>>,
}

impl FlickerMeter {
    /// Looks at the next frame.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a frame of another size than the first, [`Error::Empty`] for one without pixels.
    pub fn push(&mut self, frame: &Frame) -> Result<()> {
        check_size("flicker", &mut self.size, frame)?;
        let now = grey(frame);
        if let [before, middle] = &self.last[..] {
            let differences = before.iter().zip(middle).zip(&now).map(|((a, b), c)| f64::from((a - 2.0 * b + c).abs()));
            let index = self.values.len() - 1;
            self.values[index] = Some(differences.sum::<f64>() / now.len() as f64);
            self.last.remove(0);
        }
        self.last.push(now);
        self.values.push(None);
        Ok(())
    }

    /// The value of each frame but the first and the last.
    ///
    /// # Errors
    /// [`Error::Empty`] for fewer than three frames.
    pub fn finish(self) -> Result<FrameScores> {
        FrameScores::new("flicker", self.values)
    }
}

/// Refuses frames that are not as large as the first.
pub(super) fn check_size(what: &str, first: &mut Option<(u32, u32)>, frame: &Frame) -> Result<()> {
    let size = frame.dimensions();
    if size.0 == 0 || size.1 == 0 {
        return Err(Error::empty(format!("{what} of a frame"), "it has no pixels"));
    }
    let expected = *first.get_or_insert(size);
    if expected == size {
        return Ok(());
    }
    let pixels = |(width, height)| format!("{width}x{height} pixels");
    Err(Error::mismatch(format!("{what} of frames"), pixels(expected), pixels(size)))
}
