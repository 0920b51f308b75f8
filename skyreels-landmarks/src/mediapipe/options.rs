//! When a face counts as found, and how a stream is followed.

use std::fmt;
use std::str::FromStr;

use crate::smoothing::{OneEuro, Smoothing};
use crate::{Error, Result};

/// When a face counts as found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LandmarkerOptions {
    /// Least score of the detector, 0..1.
    pub min_detection_confidence: f32,
    /// A face is kept if the landmark network is surer than this, 0..1.
    pub min_presence_confidence: f32,
    /// Most faces of a frame, at least 1.
    pub max_faces: usize,
    /// Faces whose landmarks span fewer pixels than this, in the longer direction, do not count; 0 counts all.
    pub min_face_pixels: u32,
    /// Where the whole frame shows no face, look again closer: around weak detections, then tile by tile.
    ///
    /// Finds small faces that MediaPipe misses; without it the answers are MediaPipe's.
    pub second_look: bool,
}

impl Default for LandmarkerOptions {
    /// MediaPipe's defaults: both confidences 0.5, one face of any size, no second look.
    fn default() -> Self {
        Self {
            min_detection_confidence: 0.5,
            min_presence_confidence: 0.5,
            max_faces: 1,
            min_face_pixels: 0,
            second_look: false,
        }
    }
}

impl LandmarkerOptions {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the option, its value and its range.
    pub fn validate(&self) -> Result<()> {
        share("min_detection_confidence", self.min_detection_confidence)?;
        share("min_presence_confidence", self.min_presence_confidence)?;
        if self.max_faces == 0 {
            return Err(Error::invalid("max_faces", "0 faces can be found; use at least 1"));
        }
        Ok(())
    }
}

/// Whether a stream's frames are looked at one by one or each with the help of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrackingMode {
    /// The detector looks at every frame: slower, and no frame depends on another. The mode of SkyReels-A1.
    Image,
    /// A face is looked for where its landmarks were in the last frame; the detector only looks for faces that are
    /// missing. Faster, and keeps faces that the detector would miss.
    #[default]
    Video,
}

impl FromStr for TrackingMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "image" => Ok(Self::Image),
            "video" => Ok(Self::Video),
            _ => Err(Error::invalid("tracking mode", format!("`{name}` is unknown; use image or video"))),
        }
    }
}

impl fmt::Display for TrackingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Video => "video",
        })
    }
}

/// How faces are followed through a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamOptions {
    /// Frame by frame, or with the help of the last frame.
    pub mode: TrackingMode,
    /// In video mode, regions that overlap more than this (intersection over union, 0..1) are one face.
    ///
    /// MediaPipe's name; it is no confidence of a network.
    pub min_tracking_confidence: f32,
    /// In video mode, let the detector look at the very frame in which a face was lost, so that a cut costs no frame.
    ///
    /// MediaPipe looks again at the next frame only.
    pub redetect_at_once: bool,
    /// What takes the tremor out of landmarks; scores and pose follow from the smoothed ones.
    pub smoothing: Smoothing,
}

/// MediaPipe's default.
const MIN_TRACKING_CONFIDENCE: f32 = 0.5;

impl Default for StreamOptions {
    /// Video mode, lost faces looked for at once, nothing smoothed.
    fn default() -> Self {
        Self {
            mode: TrackingMode::Video,
            min_tracking_confidence: MIN_TRACKING_CONFIDENCE,
            redetect_at_once: true,
            smoothing: Smoothing::Off,
        }
    }
}

impl StreamOptions {
    /// Every frame on its own, nothing smoothed: what SkyReels-A1 does.
    pub fn image() -> Self {
        Self { mode: TrackingMode::Image, ..Self::default() }
    }

    /// The video mode of MediaPipe 0.10 for one face: its filter on, a lost face looked for in the next frame.
    ///
    /// MediaPipe smooths nothing when it may find more than one face.
    pub fn mediapipe() -> Self {
        Self { redetect_at_once: false, smoothing: Smoothing::OneEuro(OneEuro::MEDIAPIPE), ..Self::default() }
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the option, its value and its range.
    pub fn validate(&self) -> Result<()> {
        share("min_tracking_confidence", self.min_tracking_confidence)?;
        self.smoothing.validate()
    }
}

fn share(what: &'static str, value: f32) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(what, format!("{value} is not between 0 and 1")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_be_meant_are_refused_by_name() {
        let good = LandmarkerOptions::default();
        good.validate().unwrap();
        let bad = [
            (LandmarkerOptions { min_detection_confidence: 1.5, ..good }, "min_detection_confidence"),
            (LandmarkerOptions { min_presence_confidence: f32::NAN, ..good }, "min_presence_confidence"),
            (LandmarkerOptions { max_faces: 0, ..good }, "max_faces"),
        ];
        for (options, name) in bad {
            assert!(options.validate().unwrap_err().to_string().contains(name), "{options:?}");
        }
        let stream = StreamOptions { min_tracking_confidence: -0.1, ..StreamOptions::default() };
        assert!(stream.validate().unwrap_err().to_string().contains("-0.1"));
        [StreamOptions::default(), StreamOptions::image(), StreamOptions::mediapipe()]
            .into_iter()
            .for_each(|options| options.validate().unwrap());
    }

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for mode in [TrackingMode::Image, TrackingMode::Video] {
            assert_eq!(mode.to_string().parse::<TrackingMode>().unwrap(), mode);
        }
        assert!("live".parse::<TrackingMode>().unwrap_err().to_string().contains("video"));
    }
}
