//! Looks at the frames of one file, one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use skyreels_core::Frame;
use skyreels_core::resize::fit;
use skyreels_landmarks::{FaceFollower, FaceStream, arcface_face};

use super::clip::{ClipAnalysis, PixelScores, Thumbnail};
use super::judges::{AnalysisOptions, Judges, Work};
use crate::embed::FaceEmbedder;
use crate::inception::features_of;
use crate::inference::BATCH;
use crate::metrics::{
    BackgroundMeter, FaceObservation, FlickerMeter, MS_SSIM_LEAST_SIDE, SSIM_LEAST_SIDE, ms_ssim, psnr, ssim,
};
use crate::{Error, FrameScores, Result};

/// Side of the face that the released script shows to torchvision's Inception, in pixels.
const A1_FACE_SIDE: u32 = 224;

/// Collects what is measured on one file.
pub(super) struct Watcher<'a> {
    judges: &'a Judges<'a>,
    stream: Box<dyn FaceStream>,
    follower: FaceFollower,
    rate: f64,
    wanted: Vec<usize>,
    size: Option<[u32; 2]>,
    faces: Vec<Option<FaceObservation>>,
    sampled: Vec<Sample>,
    stretches: Vec<Stretch>,
    flicker: FlickerMeter,
    background: BackgroundMeter,
}

/// What is kept of a sampled frame until the networks see it.
struct Sample {
    index: usize,
    frame: Frame,
    face: Option<Frame>,
    a1_face: Option<Frame>,
}

/// Frames on their way into a network that sees several at once.
#[derive(Default)]
struct Stretch {
    frames: Vec<Frame>,
    features: Vec<Vec<f32>>,
}

impl<'a> Watcher<'a> {
    /// Begins a file of about so many frames.
    pub(super) fn new(judges: &'a Judges<'a>, options: &AnalysisOptions, frames: usize) -> Result<Self> {
        Ok(Self {
            judges,
            stream: judges.tracker.stream(&options.stream)?,
            follower: FaceFollower::new(options.pick),
            rate: options.rate.as_f64(),
            wanted: spread(frames, options.samples),
            size: None,
            faces: Vec::new(),
            sampled: Vec::new(),
            stretches: judges.features.iter().map(|_| Stretch::default()).collect(),
            flicker: FlickerMeter::default(),
            background: BackgroundMeter::default(),
        })
    }

    /// Looks at the next frame.
    pub(super) fn push(&mut self, frame: &Frame, work: &mut Work) -> Result<()> {
        let index = self.faces.len();
        let size = *self.size.get_or_insert([frame.width(), frame.height()]);
        let at = Duration::from_secs_f64(index as f64 / self.rate);
        let face = self.follower.follow(self.stream.track(frame, at)?);
        let face = face.map(|face| FaceObservation::of(&face, size)).transpose()?;
        self.flicker.push(frame)?;
        self.background.push(frame, face.as_ref().map(|face| face.bbox))?;
        if self.wanted.contains(&index) {
            let points = face.as_ref().map(FaceObservation::five_points);
            self.sampled.push(Sample {
                index,
                frame: frame.clone(),
                face: points.and_then(|points| FaceEmbedder::face(frame, &points)),
                a1_face: points.and_then(|points| arcface_face(frame, &points, A1_FACE_SIDE)),
            });
        }
        self.faces.push(face);
        for (extractor, stretch) in self.judges.features.iter().zip(&mut self.stretches) {
            if extractor.frames() > 1 {
                stretch.frames.push(frame.clone());
                if stretch.frames.len() == extractor.frames() {
                    stretch.features.extend(features_of(extractor.as_ref(), &[&stretch.frames])?);
                    stretch.frames.clear();
                    work.forward_passes += 1;
                    work.pictures += extractor.frames() as u64;
                }
            }
        }
        work.frames += 1;
        Ok(())
    }

    /// Shows the sampled frames of several files to the networks at once.
    pub(super) fn finish(files: Vec<Self>, work: &mut Work) -> Result<Vec<ClipAnalysis>> {
        let Some(judges) = files.first().map(|file| file.judges) else { return Ok(Vec::new()) };
        let mut embeddings = BTreeMap::new();
        let mut counted = |pictures: usize| {
            work.forward_passes += pictures.div_ceil(BATCH) as u64;
            work.pictures += pictures as u64;
        };
        let of_faces = |choose: fn(&Sample) -> &Option<Frame>| -> Vec<Frame> {
            files.iter().flat_map(|file| file.sampled.iter().filter_map(move |sample| choose(sample).clone())).collect()
        };
        let faces = of_faces(|sample| &sample.face);
        for embedder in &judges.identity {
            counted(faces.len());
            embeddings.insert(embedder.key().to_string(), embedder.embed(&faces)?.into_iter());
        }
        let mut a1_features = match &judges.a1_inception {
            Some(inception) => {
                let faces = of_faces(|sample| &sample.a1_face);
                counted(faces.len());
                Some(inception.pictures(&faces)?.into_iter())
            }
            None => None,
        };
        let mut pictures = BTreeMap::new();
        for extractor in judges.features.iter().filter(|extractor| extractor.frames() == 1) {
            let frames: Vec<&[Frame]> = files
                .iter()
                .flat_map(|file| file.sampled.iter().map(|sample| std::slice::from_ref(&sample.frame)))
                .collect();
            counted(frames.len());
            pictures.insert(extractor.name().to_string(), features_of(extractor.as_ref(), &frames)?.into_iter());
        }
        files
            .into_iter()
            .map(|file| {
                let back = |network: &mut std::vec::IntoIter<Vec<f32>>, choose: fn(&Sample) -> &Option<Frame>| {
                    let each = file.sampled.iter().map(|sample| choose(sample).as_ref().and_then(|_| network.next()));
                    each.collect::<Vec<_>>()
                };
                let embeddings = embeddings
                    .iter_mut()
                    .map(|(name, network)| (name.clone(), back(network, |sample| &sample.face)))
                    .collect();
                let a1_features =
                    a1_features.as_mut().map(|network| back(network, |sample| &sample.a1_face)).unwrap_or_default();
                let mut features: BTreeMap<String, Vec<Vec<f32>>> = pictures
                    .iter_mut()
                    .map(|(name, network)| (name.clone(), network.by_ref().take(file.sampled.len()).collect()))
                    .collect();
                file.stretched(&mut features);
                file.analysis(embeddings, a1_features, features)
            })
            .collect()
    }

    fn stretched(&self, features: &mut BTreeMap<String, Vec<Vec<f32>>>) {
        for (extractor, stretch) in self.judges.features.iter().zip(&self.stretches) {
            if extractor.frames() > 1 {
                features.insert(extractor.name().to_string(), stretch.features.clone());
            }
        }
    }

    fn analysis(
        self,
        embeddings: BTreeMap<String, Vec<Option<Vec<f32>>>>,
        a1_features: Vec<Option<Vec<f32>>>,
        features: BTreeMap<String, Vec<Vec<f32>>>,
    ) -> Result<ClipAnalysis> {
        let size = self.size.ok_or_else(|| Error::empty("a file without frames", "give a video that has some"))?;
        // What needs several frames is absent where there are too few: a picture has no flicker.
        let pixels = PixelScores { flicker: self.flicker.finish().ok(), background: self.background.finish().ok() };
        let shown = spread(self.sampled.len(), Thumbnail::MOST_OF_A_CLIP);
        let shown = shown.iter().filter_map(|index| self.sampled.get(*index));
        Ok(ClipAnalysis {
            size,
            faces: self.faces,
            samples: self.sampled.iter().map(|sample| sample.index).collect(),
            embeddings,
            a1_features,
            features,
            pixels,
            thumbnails: shown.map(|sample| Thumbnail::of(sample.index, &sample.frame)).collect::<Result<_>>()?,
        })
    }
}

/// `count` numbers from the first to the last frame, cut toward zero, each once: the released script's spread.
fn spread(frames: usize, count: usize) -> Vec<usize> {
    let (last, steps) = (frames.saturating_sub(1) as f64, count.saturating_sub(1).max(1) as f64);
    let mut numbers: Vec<usize> = (0..count.max(1)).map(|step| (last * step as f64 / steps) as usize).collect();
    numbers.dedup();
    numbers
}

/// A result beside the truth, frame by frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TruthScores {
    /// Peak signal-to-noise ratio in decibels, at most [`TruthScores::MOST_PSNR`].
    pub psnr: Vec<Option<f64>>,
    /// Structural similarity; empty for pictures that are too small.
    pub ssim: Vec<Option<f64>>,
    /// Structural similarity over five scales; empty for pictures that are too small.
    pub ms_ssim: Vec<Option<f64>>,
}

impl TruthScores {
    /// What equal pictures count as, whose ratio is infinite: a mean over frames has to stay a number.
    pub const MOST_PSNR: f64 = 100.0;

    /// Compares two frames; the truth is first brought to the size of the result, as the pipeline brings a portrait to its canvas.
    pub(super) fn push(&mut self, result: &Frame, truth: &Frame) -> Result<()> {
        let (width, height) = result.dimensions();
        let truth = if truth.dimensions() == (width, height) { truth.clone() } else { fit(truth, width, height)? };
        self.psnr.push(Some(psnr(result, &truth)?.min(Self::MOST_PSNR)));
        if width.min(height) >= SSIM_LEAST_SIDE {
            self.ssim.push(Some(ssim(result, &truth)?));
        }
        if width.min(height) >= MS_SSIM_LEAST_SIDE {
            self.ms_ssim.push(Some(ms_ssim(result, &truth)?));
        }
        Ok(())
    }

    /// Means by the names of the measurements, or why there is none.
    pub(crate) fn scores(&self) -> [(&'static str, Result<FrameScores>); 3] {
        [("psnr", &self.psnr, 1), ("ssim", &self.ssim, SSIM_LEAST_SIDE), ("ms_ssim", &self.ms_ssim, MS_SSIM_LEAST_SIDE)]
            .map(|(name, values, least)| {
                if values.is_empty() {
                    let help = format!("both sides of a result must have at least {least} pixels");
                    return (name, Err(Error::empty(format!("{name} of no frame"), help)));
                }
                (name, FrameScores::new(name, values.clone()))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_from_the_first_to_the_last_and_come_once() {
        assert_eq!(spread(49, 16).len(), 16);
        assert_eq!((spread(49, 16)[1], *spread(49, 16).last().unwrap()), (3, 48));
        assert_eq!(spread(3, 16), [0, 1, 2]);
        assert_eq!((spread(1, 16), spread(9, 1), spread(5, 0)), (vec![0], vec![0], vec![0]));
    }
}
