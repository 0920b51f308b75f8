//! From frames to flow.

use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::{Frame, Progress};

use super::correlation::Correlation;
use super::network::Raft;
use crate::flow::{FlowField, OpticalFlow, STAGE, common_size};
use crate::{Error, Result};

/// How much work and memory an estimate may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RaftOptions {
    /// Corrections of the flow, at least one. More are slower and, with trained weights, better.
    pub iterations: usize,
    /// Pairs of frames at a time.
    pub pairs: usize,
    /// Where the products of features are kept.
    pub correlation: Correlation,
}

impl Default for RaftOptions {
    /// 20 iterations, as the authors' demo; one pair at a time.
    fn default() -> Self {
        Self { iterations: 20, pairs: 1, correlation: Correlation::Stored }
    }
}

/// [`OpticalFlow`] by RAFT.
#[derive(Debug)]
pub struct RaftFlow {
    raft: Raft,
    device: Device,
    options: RaftOptions,
}

impl RaftFlow {
    /// `raft` must be on `device`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no iterations or no pairs.
    pub fn new(raft: Raft, device: &Device, options: RaftOptions) -> Result<Self> {
        if options.iterations == 0 || options.pairs == 0 {
            let reason = format!("{} iterations of {} pairs at a time", options.iterations, options.pairs);
            return Err(Error::Invalid { what: "flow", reason });
        }
        Ok(Self { raft, device: device.clone(), options })
    }

    /// Pictures of one size as `[frames, 3, height, width]` in -1..1, padded.
    fn pictures(&self, frames: &[Frame], size: [u32; 2], padding: Padding) -> Tensor<4> {
        let planes = frames.iter().flat_map(|frame| (0..3).map(move |channel| (frame, channel)));
        let value = |byte: u8| 2.0 * (f32::from(byte) / 255.0) - 1.0;
        let values: Vec<f32> =
            planes.flat_map(|(frame, channel)| frame.pixels().map(move |pixel| value(pixel[channel]))).collect();
        let shape = [frames.len(), 3, size[1] as usize, size[0] as usize];
        let pictures = Tensor::from_data(TensorData::new(values, shape), (&self.device, DType::F32));
        let [across, along] = padding.sides;
        pictures.pad((across[0], across[1], along[0], along[1]), PadMode::Edge)
    }
}

impl OpticalFlow for RaftFlow {
    fn between(&self, frames: &[Frame], progress: Progress) -> Result<Vec<FlowField>> {
        let size = common_size(frames)?;
        let padding = Padding::of(size);
        let pairs = frames.len() - 1;
        let mut flows = Vec::with_capacity(pairs);
        // Features of the last frame of a chunk, which is the first of the next one.
        let mut carried: Option<Tensor<4>> = None;
        for start in (0..pairs).step_by(self.options.pairs) {
            let count = self.options.pairs.min(pairs - start);
            let pictures = self.pictures(&frames[start..=start + count], size, padding);
            let features = match carried.take() {
                None => self.raft.features(pictures.clone()),
                Some(last) => Tensor::cat(vec![last, self.raft.features(pictures.clone().narrow(0, 1, count))], 0),
            };
            carried = Some(features.clone().narrow(0, count, 1));
            let context = self.raft.context(pictures.narrow(0, 0, count));
            let (first, second) = (features.clone().narrow(0, 0, count), features.narrow(0, 1, count));
            let mut step = None;
            for next in self.raft.refine(first, second, context, self.options.correlation).take(self.options.iterations)
            {
                progress.report(STAGE, start as u64, Some(pairs as u64))?;
                step = Some(next);
            }
            let step = step.expect("there is at least one iteration");
            let [across, along] = padding.sides;
            let flow = self.raft.upsample(&step);
            let flow = flow.narrow(2, along[0], size[1] as usize).narrow(3, across[0], size[0] as usize);
            let values: Vec<f32> = flow
                .try_into_vec_as()
                .map_err(|error| Error::Inference { what: "optical flow", reason: error.to_string() })?;
            for vectors in values.chunks_exact(values.len() / count) {
                flows.push(FlowField::new(size, vectors.to_vec())?);
            }
            progress.report(STAGE, (start + count) as u64, Some(pairs as u64))?;
        }
        Ok(flows)
    }
}

/// Pixels that are added at the left and right, and at the top and bottom, half on either side, as the original's
/// `InputPadder` does for its first data set; small pictures get more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Padding {
    sides: [[usize; 2]; 2],
}

impl Padding {
    fn of(size: [u32; 2]) -> Self {
        let sides = size.map(|side| {
            let side = side as usize;
            let missing = side.next_multiple_of(Raft::MULTIPLE).max(Raft::SMALLEST) - side;
            [missing / 2, missing - missing / 2]
        });
        Self { sides }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_become_multiples_of_eight_with_the_odd_pixel_behind() {
        assert_eq!(Padding::of([720, 480]).sides, [[0, 0], [0, 0]]);
        assert_eq!(Padding::of([721, 477]).sides, [[3, 4], [1, 2]]);
        assert_eq!(Padding::of([128, 100]).sides, [[0, 0], [14, 14]]);
    }
}
