//! What the landmark network should have said.

use std::collections::BTreeSet;

use burn::nn::conv::Conv2d;
use burn::tensor::module::conv3d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rayon::prelude::*;
use skyreels_landmarks::compact::{CompactNetwork, Convolve};
use skyreels_landmarks::draw::contours;
use skyreels_landmarks::flame::MEDIAPIPE_POINTS;
use skyreels_landmarks::{BLENDSHAPES, LANDMARKS};
use skyreels_vae::differentiate::{Before, Convolution, Tape};

use super::form::{MOTIONS, motions};
use super::measure::face_side;
use super::samples::Sample;
use crate::optimise::Pieces;

/// Channels of a picture.
const COLORS: usize = 3;
/// Weight of the points that are drawn, relative to the others.
const DRAWN: f32 = 3.0;
/// Points of an iris: its middle and four on its rim.
const IRIS_POINTS: usize = 5;
/// Weight of depth relative to the places in the picture; both make the head's points.
const DEPTH: f32 = 1.0;
/// What the shapes of mouth and eyes count beside the places of all points. A mouth that opens moves its points by no more than
/// the whole face is off: without this, expressions are the last thing that is learnt.
const SHAPES: f64 = 3.0;
/// What all points count once more, without what a motion of the whole head explains: that is what an expression is read from.
const FORM: f64 = 3.0;
/// Distance, as a share of the face, below which an error counts by its square.
const NEAR: f64 = 0.003;
/// What scores and presence count beside points.
const SCORES: f64 = 2.0;
const PRESENCE: f64 = 0.05;

/// Pictures as the network reads them.
pub(super) fn pictures(batch: &[Sample], device: &Device) -> Tensor<4> {
    let clip = clip(batch, device);
    let [_, channels, count, height, width] = clip.dims();
    clip.reshape([channels, count, height, width]).swap_dims(0, 1)
}

/// Pictures as frames of a clip, `[1, 3, pictures, side, side]`.
fn clip(batch: &[Sample], device: &Device) -> Tensor<5> {
    let side = batch.first().map_or(0, |sample| sample.picture.width() as usize);
    let area = side * side;
    let mut values = vec![0.0; 3 * area * batch.len()];
    values.par_chunks_mut(area.max(1)).enumerate().for_each(|(plane, values)| {
        let (channel, picture) = (plane / batch.len(), plane % batch.len());
        let pixels = batch[picture].picture.pixels();
        values.iter_mut().zip(pixels).for_each(|(value, pixel)| *value = f32::from(pixel[channel]) / 255.0);
    });
    Tensor::from_data(TensorData::new(values, [1, 3, batch.len(), side, side]), (device, DType::F32))
}

/// Convolutions on a tape, but for the first one: its pictures are large and have few channels.
struct OnTape<'a>(&'a Pieces);

impl Convolve<5> for OnTape<'_> {
    fn convolve(&self, layer: &Conv2d, x: Tensor<5>) -> Tensor<5> {
        let Self(tape) = self;
        let [_, channels, ..] = x.dims();
        if channels == COLORS {
            let weight = layer.weight.val().unsqueeze_dim(2);
            let [up, left] = layer.stride;
            let options = ConvOptions::new([1, up, left], [0, 1, 1], [1; 3], 1);
            return conv3d(x, weight, layer.bias.as_ref().map(|bias| bias.val()), options);
        }
        let convolution = Convolution::new(&layer.weight, layer.bias.as_ref(), Before::Nothing);
        let y = tape.convolution(&tape.leaf(x), convolution).value;
        // Every other position of a convolution of stride 1: four times the work, a fraction of the time.
        if layer.stride == [2, 2] { even_positions(y) } else { y }
    }

    fn shared(&self, x: Tensor<5>) -> Tensor<5> {
        self.0.leaf(x).value
    }
}

/// Rows and columns 0, 2, 4 and so on of an even number.
fn even_positions(x: Tensor<5>) -> Tensor<5> {
    let [batch, channels, frames, height, width] = x.dims();
    let (planes, rows, columns) = (batch * channels * frames, height / 2, width / 2);
    let pairs = x.reshape([planes, rows, 2, columns, 2]);
    pairs.slice([0..planes, 0..rows, 0..1, 0..columns, 0..1]).reshape([batch, channels, frames, rows, columns])
}

/// Distance of points in sizes of the face (by its square where it is small), of scores, and the cross-entropy of
/// presence.
///
/// The network's convolutions are differentiated on the tape, where there is one.
pub(super) fn loss(network: &CompactNetwork, batch: &[Sample], device: &Device, pieces: Option<&Pieces>) -> Tensor<1> {
    let count = batch.len();
    let mut truth = Vec::with_capacity(count * LANDMARKS * 3);
    let (mut sizes, mut scores, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    let mut heads = Vec::with_capacity(count * MOTIONS * LANDMARKS * 3);
    for sample in batch {
        scores.extend(sample.scores);
        match &sample.points {
            Some(points) => {
                truth.extend(points.as_flattened());
                heads.extend(motions(points));
                sizes.push(face_side(points).recip());
                shown.push(1.0);
            }
            None => {
                truth.extend([0.0; 3 * LANDMARKS]);
                heads.extend([0.0; MOTIONS * LANDMARKS * 3]);
                sizes.push(0.0);
                shown.push(0.0);
            }
        }
    }
    let output = match pieces {
        Some(pieces) => network.forward_by(clip(batch, device), &OnTape(pieces)),
        None => network.forward(pictures(batch, device)),
    };
    let tensor = |values: Vec<f32>, shape: &[usize]| TensorData::new(values, shape.to_vec());
    let truth = Tensor::<3>::from_data(tensor(truth, &[count, LANDMARKS, 3]), (device, DType::F32));
    let sizes = Tensor::<3>::from_data(tensor(sizes, &[count, 1, 1]), (device, DType::F32));
    let importance = Tensor::<3>::from_data(tensor(importance(), &[1, LANDMARKS, 1]), (device, DType::F32));
    let scores = Tensor::<2>::from_data(tensor(scores, &[count, BLENDSHAPES]), (device, DType::F32));
    let shown = Tensor::<2>::from_data(tensor(shown, &[count, 1]), (device, DType::F32));
    let axes = Tensor::<3>::from_data(tensor(vec![1.0, 1.0, DEPTH], &[1, 1, 3]), (device, DType::F32));
    let faces = shown.clone().sum().clamp_min(1.0);

    // Shares of the face, so that `NEAR` means the same for every face.
    let apart = (output.points - truth) * sizes * axes;
    let (about_middles, counted) = about_middles();
    let about_middles = Tensor::<3>::from_data(tensor(about_middles, &[1, LANDMARKS, LANDMARKS]), (device, DType::F32));
    let shapes = robust(about_middles.matmul(apart.clone())).sum() / faces.clone() / counted as f64;
    let flat = apart.clone().reshape([count, 1, LANDMARKS * 3]);
    let heads = Tensor::<3>::from_data(tensor(heads, &[count, MOTIONS, LANDMARKS * 3]), (device, DType::F32));
    let explained = flat.clone().matmul(heads.clone().swap_dims(1, 2)).matmul(heads);
    let form = robust(flat - explained).sum() / faces.clone() / LANDMARKS as f64;
    let points = (robust(apart) * importance).sum() / faces.clone();
    let scores = ((output.scores - scores).powi_scalar(2) * shown.clone()).sum() / faces / BLENDSHAPES as f64;
    // `log(1 + exp(x)) - x y`, in a form that does not overflow.
    let logit = output.presence;
    let presence = (logit.clone().clamp_min(0.0) - logit.clone() * shown + (-logit.abs()).exp().log1p()).mean();
    points + shapes * SHAPES + form * FORM + scores * SCORES + presence * PRESENCE
}

/// The distance, but its square below [`NEAR`].
fn robust(apart: Tensor<3>) -> Tensor<3> {
    let apart = apart.abs();
    let quadratic = apart.clone().clamp_max(NEAR);
    quadratic.clone().powi_scalar(2).mul_scalar(0.5 / NEAR) + (apart - quadratic)
}

/// What each point counts: those that a guide clip draws more than the others; all together 1.
fn importance() -> Vec<f32> {
    let mut weights = vec![1.0; LANDMARKS];
    for index in MEDIAPIPE_POINTS.into_iter().chain(contours::RIGHT_IRIS..LANDMARKS) {
        weights[index] = DRAWN;
    }
    let total: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// The matrix that takes places of points to their places about the middle of the mouth, or of the eye, that they belong to (zero
/// for points of no such part), `[478, 478]`, and how many points that are.
fn about_middles() -> (Vec<f32>, usize) {
    let iris = |first: usize| first..first + IRIS_POINTS;
    // Corners of the mouth belong to two of its lines.
    let parts: [BTreeSet<usize>; 3] = [
        contours::lips().collect(),
        contours::RIGHT_EYE.into_iter().chain(iris(contours::RIGHT_IRIS)).collect(),
        contours::LEFT_EYE.into_iter().chain(iris(contours::LEFT_IRIS)).collect(),
    ];
    let mut matrix = vec![0.0; LANDMARKS * LANDMARKS];
    for part in &parts {
        for row in part {
            for column in part {
                matrix[row * LANDMARKS + column] -= 1.0 / part.len() as f32;
            }
            matrix[row * LANDMARKS + row] += 1.0;
        }
    }
    (matrix, parts.iter().map(BTreeSet::len).sum())
}

#[cfg(test)]
mod tests {
    use skyreels_core::Precision;
    use skyreels_core::checkpoint::{fill, initial_values};
    use skyreels_landmarks::compact::CompactConfig;

    use super::*;
    use crate::landmarks::Samples;

    #[test]
    fn on_the_tape_the_loss_and_its_gradients_are_those_of_burn() {
        let device = Device::flex();
        let config = CompactConfig { side: 32, channels: vec![8, 12], squeezed: 4, features: 12 };
        let network = fill(config.init(&device.clone().autodiff()).unwrap(), Precision::F32, |key, shape| {
            initial_values(1, key, shape)
        });
        let batch = Samples::new(0..100, 4, config.side as u32).batch(0..6).unwrap();
        let of = |pieces: Option<&Pieces>| {
            let loss = loss(&network, &batch, &device.clone().autodiff(), pieces);
            let gradients = Pieces::gradients(pieces, &loss, &network);
            (loss.into_scalar::<f32>(), gradients)
        };
        let pieces = Pieces::for_device(&device, DType::F32).unwrap();
        let ((own, ours), (value, theirs)) = (of(Some(&pieces)), of(None));
        assert!((own - value).abs() < 1e-5 * value, "{own} {value}");
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        assert!(ours.keys().any(|key| key == "stages.1.down.weight"));
        let mut difference = ours;
        difference.add(theirs.clone().scaled(-1.0));
        assert!(difference.norm() < 1e-4 * theirs.norm(), "{} {}", difference.norm(), theirs.norm());
    }

    #[test]
    fn a_shape_is_what_a_shift_leaves_alone() {
        let (matrix, counted) = about_middles();
        assert_eq!(counted, 40 + 2 * 21);
        let about = |places: &[f32], row: usize| -> f32 {
            matrix[row * LANDMARKS..][..LANDMARKS].iter().zip(places).map(|(a, b)| a * b).sum()
        };
        let shifted = vec![0.7; LANDMARKS];
        assert!((0..LANDMARKS).all(|row| about(&shifted, row).abs() < 1e-5));
        // The lower lip alone goes down: its middle point does so about the mouth's middle, the nose does not.
        let mut opened = vec![0.0; LANDMARKS];
        opened[17] = 1.0;
        assert!((about(&opened, 17) - 39.0 / 40.0).abs() < 1e-6 && about(&opened, contours::NOSE_TIP) == 0.0);
    }
}
