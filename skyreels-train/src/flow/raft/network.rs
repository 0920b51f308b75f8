//! The network: `core/raft.py`.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::correlation::{Correlation, Products};
use super::encoder::{Encoder, Norm};
use super::update::UpdateBlock;
use super::upsample::{MaskPredictor, bilinear};

/// Which of the two published networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 5.3 million parameters; upsampling is learned.
    Large,
    /// 1 million parameters; upsampling is bilinear.
    Small,
}

impl Size {
    /// The one of `large` and `small` that this is.
    const fn pick(self, large: usize, small: usize) -> usize {
        match self {
            Self::Large => large,
            Self::Small => small,
        }
    }

    pub(super) const fn encoder_widths(self) -> [usize; 3] {
        match self {
            Self::Large => [64, 96, 128],
            Self::Small => [32, 64, 96],
        }
    }

    /// Channels that are compared.
    const fn features(self) -> usize {
        self.pick(256, 128)
    }

    /// Channels of the hidden state.
    pub(super) const fn hidden(self) -> usize {
        self.pick(128, 96)
    }

    /// Channels that say what the first frame shows.
    pub(super) const fn context(self) -> usize {
        self.pick(128, 64)
    }

    /// Channels that say how it moves.
    pub(super) const fn motion(self) -> usize {
        self.pick(128, 82)
    }

    /// Channels inside of the flow head.
    pub(super) const fn flow_head(self) -> usize {
        self.pick(256, 128)
    }

    /// Places along each side of what is looked at around a place: a radius of 4 or 3.
    pub(super) const fn window(self) -> usize {
        self.pick(9, 7)
    }
}

/// The network, without the scaling of its input and without padding; [`RaftFlow`](super::RaftFlow) does both.
#[derive(Module, Debug)]
pub struct Raft {
    feature_encoder: Encoder,
    context_encoder: Encoder,
    update_block: UpdateBlock,
    mask_predictor: Option<MaskPredictor>,
    #[module(skip)]
    size: Size,
}

/// What an iteration found.
#[derive(Debug, Clone)]
pub struct RaftStep {
    /// The products that it looked at, `[batch, 4 window^2, height / 8, width / 8]`.
    pub correlation: Tensor<4>,
    /// The hidden state after it, `[batch, channels, height / 8, width / 8]`.
    pub hidden: Tensor<4>,
    /// The flow after it in units of 8 pixels, right and down, `[batch, 2, height / 8, width / 8]`.
    pub flow: Tensor<4>,
}

impl Raft {
    /// Sides of pictures are multiples of this.
    pub const MULTIPLE: usize = super::STRIDE;
    /// Sides of pictures are at least this: the coarsest level of the correlation needs two places.
    pub const SMALLEST: usize = (2 * super::STRIDE) << (super::correlation::LEVELS - 1);

    /// An untrained network.
    pub fn new(size: Size, device: &Device) -> Self {
        // The small network has no norms in its context encoder.
        let context_norm = if size == Size::Large { Norm::Batch } else { Norm::None };
        Self {
            feature_encoder: Encoder::new(size, size.features(), Norm::Instance, device),
            context_encoder: Encoder::new(size, size.hidden() + size.context(), context_norm, device),
            update_block: UpdateBlock::new(size, device),
            mask_predictor: (size == Size::Large).then(|| MaskPredictor::new(size.hidden(), device)),
            size,
        }
    }

    /// Which of the two it is.
    pub fn size(&self) -> Size {
        self.size
    }

    /// What is compared between frames.
    ///
    /// # Shapes
    /// `[batch, 3, height, width]`, red, green, blue in -1..1, `-> [batch, 256 or 128, height / 8, width / 8]`
    pub fn features(&self, pictures: Tensor<4>) -> Tensor<4> {
        self.feature_encoder.forward(pictures)
    }

    /// What the first frame of a pair shows.
    ///
    /// # Shapes
    /// `[batch, 3, height, width]`, red, green, blue in -1..1, `-> [batch, 256 or 160, height / 8, width / 8]`
    pub fn context(&self, pictures: Tensor<4>) -> Tensor<4> {
        self.context_encoder.forward(pictures)
    }

    /// Starts at no motion and corrects it with each step of the iterator, which never ends.
    ///
    /// # Shapes
    /// `first` and `second` of [`features`](Self::features), `context` of [`context`](Self::context) of the first frame;
    /// pictures have sides that are multiples of [`MULTIPLE`](Self::MULTIPLE), at least [`SMALLEST`](Self::SMALLEST).
    pub fn refine(
        &self,
        first: Tensor<4>,
        second: Tensor<4>,
        context: Tensor<4>,
        memory: Correlation,
    ) -> Refinement<'_> {
        let [batch, _, height, width] = first.dims();
        let here = coordinates([height, width], &first.device()).repeat_dim(0, batch);
        Refinement {
            hidden: context.clone().narrow(1, 0, self.size.hidden()).tanh(),
            context: relu(context.narrow(1, self.size.hidden(), self.size.context())),
            products: Products::new(first, second, self.size.window(), memory),
            to: here.clone(),
            here,
            raft: self,
        }
    }

    /// Flow of every pixel after a step.
    ///
    /// # Shapes
    /// `-> [batch, 2, height, width]`, right and down in pixels
    pub fn upsample(&self, step: &RaftStep) -> Tensor<4> {
        match &self.mask_predictor {
            Some(mask) => mask.upsample(step.hidden.clone(), step.flow.clone()),
            None => bilinear(step.flow.clone()),
        }
    }
}

/// A flow on its way; see [`Raft::refine`].
#[derive(Debug)]
pub struct Refinement<'a> {
    raft: &'a Raft,
    products: Products,
    hidden: Tensor<4>,
    context: Tensor<4>,
    /// Column and row of each place, and where it is believed to go.
    here: Tensor<4>,
    to: Tensor<4>,
}

impl Refinement<'_> {
    /// The stored products, finest level first.
    pub(crate) fn pyramid(&self) -> &[Tensor<4>] {
        self.products.pyramid.as_deref().unwrap_or_default()
    }
}

impl Iterator for Refinement<'_> {
    type Item = RaftStep;

    fn next(&mut self) -> Option<RaftStep> {
        let correlation = self.products.lookup(self.to.clone());
        let flow = self.to.clone() - self.here.clone();
        let [hidden, correction] =
            self.raft.update_block.forward(self.hidden.clone(), self.context.clone(), correlation.clone(), flow);
        self.to = self.to.clone() + correction;
        self.hidden = hidden.clone();
        Some(RaftStep { correlation, hidden, flow: self.to.clone() - self.here.clone() })
    }
}

/// Column and row of each place, `[1, 2, height, width]`.
fn coordinates([height, width]: [usize; 2], device: &Device) -> Tensor<4> {
    let columns = (0..height).flat_map(|_| (0..width).map(|x| x as f32));
    let rows = (0..height).flat_map(|y| std::iter::repeat_n(y as f32, width));
    let values: Vec<f32> = columns.chain(rows).collect();
    Tensor::from_data(TensorData::new(values, [1, 2, height, width]), (device, DType::F32))
}
