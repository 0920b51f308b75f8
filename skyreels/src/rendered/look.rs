//! What a face looks like, as a handful of numbers that no network of the model sees.

use skyreels_core::Frame;
use skyreels_core::resize::{Filter, resize_pillow};
use skyreels_eval::cosine;
use skyreels_landmarks::{Face, aligned_face};

use crate::Result;

/// Side of the picture that is left of a face.
const SIDE: u32 = 16;

/// The upright face in 16x16 pixels; `None` for points that coincide.
pub(super) fn look(frame: &Frame, face: &Face) -> Result<Option<Vec<f32>>> {
    let (width, height) = frame.dimensions();
    let pixel = |[x, y, _]: &[f32; 3]| [f64::from(*x) * f64::from(width), f64::from(*y) * f64::from(height)];
    let points: Vec<[f64; 2]> = face.landmarks.iter().map(pixel).collect();
    let Some(upright) = aligned_face(frame, &points) else { return Ok(None) };
    let small = resize_pillow(&upright, SIDE, SIDE, Filter::Bicubic)?;
    Ok(Some(small.as_raw().iter().map(|value| f32::from(*value)).collect()))
}

/// The looks of several people, told apart by what differs from their mean.
pub(super) struct Gallery {
    mean: Vec<f32>,
    looks: Vec<Vec<f32>>,
}

impl Gallery {
    pub(super) fn new(looks: &[Vec<f32>]) -> Self {
        let mean = mean(looks);
        let looks = looks.iter().map(|look| apart(look, &mean)).collect();
        Self { mean, looks }
    }

    /// Cosine of the mean of `looks` with each person.
    pub(super) fn likeness(&self, looks: &[Vec<f32>]) -> Result<Vec<f64>> {
        let own = apart(&mean(looks), &self.mean);
        self.looks.iter().map(|look| Ok(cosine(&own, look)?)).collect()
    }
}

fn mean(looks: &[Vec<f32>]) -> Vec<f32> {
    let mut sum = vec![0.0; looks.first().map_or(0, Vec::len)];
    for look in looks {
        sum.iter_mut().zip(look).for_each(|(sum, value)| *sum += value / looks.len() as f32);
    }
    sum
}

fn apart(look: &[f32], mean: &[f32]) -> Vec<f32> {
    look.iter().zip(mean).map(|(value, mean)| value - mean).collect()
}
