//! The face-aware loss (section 4.2 of the paper): errors count for more where something moves.

/// How eq. 7 is read.
///
/// It divides the flow by 255, adds 1/2 and clips to `[1, 1.5]`. Flow in pixels passes 1 only above 127 pixels per frame:
/// read to the letter the loss has no effect on any usual video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Flow is first scaled so that the fastest pixel of a frame is 255: pixels above half the peak count up to 1.5 times.
    #[default]
    Rescaled,
    /// Flow in pixels, as printed.
    PixelLiteral,
}

/// From optical flow to the weight of every pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceAware {
    /// How eq. 7 is read.
    pub reading: Reading,
    /// Smallest and largest weight; the paper's are 1 and 1.5.
    pub range: [f32; 2],
    /// Frames whose fastest pixel moves less than this many pixels are taken for still: rescaling would amplify noise.
    pub still: f32,
}

impl Default for FaceAware {
    fn default() -> Self {
        Self { reading: Reading::Rescaled, range: [1.0, 1.5], still: STILL_PIXELS }
    }
}

/// Less than a pixel is within the error of flow estimates.
const STILL_PIXELS: f32 = 1.0;
/// What eq. 7 divides by.
const FULL_SCALE: f32 = 255.0;
/// What eq. 7 adds.
const OFFSET: f32 = 0.5;
/// Keeps a still frame from dividing by zero.
const EPSILON: f32 = 1e-6;

impl FaceAware {
    /// Weights of one frame from the magnitude of its flow in pixels.
    ///
    /// The foreground is what moves faster than the mean (the mask under eq. 5); the rest has the smallest weight. The
    /// mean foreground flow of eq. 6 is used by no other equation, nor here. `region`, where it is given, limits
    /// the foreground: 1 inside (a mask of face, lips or eyes), 0 outside.
    ///
    /// # Shapes
    /// `magnitude` and `region` `[height * width] -> [height * width]`
    ///
    /// # Panics
    /// When `region` has another length than `magnitude`.
    pub fn weights(&self, magnitude: &[f32], region: Option<&[f32]>) -> Vec<f32> {
        assert!(region.is_none_or(|region| region.len() == magnitude.len()), "a region covers the frame");
        let [low, high] = self.range;
        let count = magnitude.len().max(1) as f64;
        let threshold = (magnitude.iter().map(|flow| f64::from(*flow)).sum::<f64>() / count) as f32;
        let inside = |i: usize| region.map_or(1.0, |region| region[i]);
        let foreground = |i: usize| if magnitude[i] > threshold { magnitude[i] * inside(i) } else { 0.0 };
        let peak = (0..magnitude.len()).map(foreground).fold(0.0, f32::max);
        let scale = match self.reading {
            Reading::PixelLiteral => 1.0,
            Reading::Rescaled if peak < self.still => return vec![low; magnitude.len()],
            Reading::Rescaled => FULL_SCALE / (peak + EPSILON),
        };
        (0..magnitude.len()).map(|i| (foreground(i) * scale / FULL_SCALE + OFFSET).clamp(low, high)).collect()
    }

    /// Weights of a clip from the flow between its frames: nothing moves before the first frame.
    ///
    /// # Shapes
    /// `magnitudes`, of the flow from frame `i` to frame `i + 1`, `frames - 1` times `[height * width]`
    /// `-> [frames * height * width]`
    pub fn clip_weights(&self, magnitudes: &[Vec<f32>], pixels: usize) -> Vec<f32> {
        let mut weights = vec![self.range[0]; pixels];
        weights.extend(magnitudes.iter().flat_map(|magnitude| self.weights(magnitude, None)));
        weights
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pixels_above_half_the_peak_count_up_to_one_and_a_half() {
        let weights = FaceAware::default().weights(&[0.0, 0.0, 0.0, 4.0, 6.0, 8.0], None);
        assert_eq!(weights[..4], [1.0; 4]);
        assert!((weights[4] - 1.25).abs() < 1e-5 && (weights[5] - 1.5).abs() < 1e-5, "{weights:?}");
    }

    #[test]
    fn the_literal_reading_does_nothing_below_127_pixels() {
        let literal = FaceAware { reading: Reading::PixelLiteral, ..FaceAware::default() };
        assert_eq!(literal.weights(&[0.0, 1.0, 50.0, 127.0], None), [1.0; 4]);
        assert!(literal.weights(&[0.0, 1.0, 50.0, 200.0], None)[3] > 1.28);
    }

    #[test]
    fn a_still_clip_weighs_everything_alike() {
        assert_eq!(FaceAware::default().weights(&[0.3, 0.2, 0.9, 0.0], None), [1.0; 4]);
        assert_eq!(FaceAware::default().clip_weights(&[vec![0.0; 4], vec![0.0; 4]], 4), [1.0; 12]);
    }

    proptest! {
        #[test]
        fn weights_stay_in_range_and_outside_a_region_nothing_counts_more(
            pixels in prop::collection::vec((0.0f32..300.0, prop::bool::ANY), 1..64), literal in prop::bool::ANY,
        ) {
            let reading = if literal { Reading::PixelLiteral } else { Reading::Rescaled };
            let settings = FaceAware { reading, ..FaceAware::default() };
            let (magnitude, inside): (Vec<f32>, Vec<bool>) = pixels.into_iter().unzip();
            let region: Vec<f32> = inside.iter().map(|inside| f32::from(u8::from(*inside))).collect();
            for (weight, inside) in settings.weights(&magnitude, Some(&region)).iter().zip(inside) {
                prop_assert!((1.0..=1.5).contains(weight));
                prop_assert!(inside || *weight == 1.0);
            }
        }
    }
}
