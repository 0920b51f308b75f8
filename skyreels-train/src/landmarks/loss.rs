//! What the landmark network should have said.

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_landmarks::compact::CompactNetwork;
use skyreels_landmarks::draw::contours;
use skyreels_landmarks::flame::MEDIAPIPE_POINTS;
use skyreels_landmarks::{BLENDSHAPES, LANDMARKS};

use super::measure::face_side;
use super::samples::Sample;

/// Weight of the points that are drawn, relative to the others.
const DRAWN: f32 = 3.0;
/// Weight of depth relative to the places in the picture.
const DEPTH: f32 = 0.5;
/// Distance, as a share of the face, below which an error counts by its square.
const NEAR: f64 = 0.003;
/// What scores and presence count beside points.
const SCORES: f64 = 0.5;
const PRESENCE: f64 = 0.05;

/// Pictures as the network reads them.
pub(super) fn pictures(batch: &[Sample], device: &Device) -> Tensor<4> {
    let side = batch.first().map_or(0, |sample| sample.picture.width() as usize);
    let planes = batch.iter().flat_map(|sample| (0..3).map(move |channel| (sample, channel)));
    let values =
        planes.flat_map(|(sample, channel)| sample.picture.pixels().map(move |p| f32::from(p[channel]) / 255.0));
    Tensor::from_data(TensorData::new(values.collect(), [batch.len(), 3, side, side]), (device, DType::F32))
}

/// Distance of points in sizes of the face (by its square where it is small), of scores, and the cross-entropy of
/// presence.
pub(super) fn loss(network: &CompactNetwork, batch: &[Sample], device: &Device) -> Tensor<1> {
    let count = batch.len();
    let mut truth = Vec::with_capacity(count * LANDMARKS * 3);
    let (mut weights, mut scores, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    let importance = importance();
    let total: f32 = importance.iter().sum();
    for sample in batch {
        scores.extend(sample.scores);
        match &sample.points {
            Some(points) => {
                truth.extend(points.as_flattened());
                weights.extend(importance.iter().map(|weight| weight / (total * face_side(points))));
                shown.push(1.0);
            }
            None => {
                truth.extend([0.0; 3 * LANDMARKS]);
                weights.extend([0.0; LANDMARKS]);
                shown.push(0.0);
            }
        }
    }
    let output = network.forward(pictures(batch, device));
    let tensor = |values: Vec<f32>, shape: &[usize]| TensorData::new(values, shape.to_vec());
    let truth = Tensor::<3>::from_data(tensor(truth, &[count, LANDMARKS, 3]), (device, DType::F32));
    let weights = Tensor::<3>::from_data(tensor(weights, &[count, LANDMARKS, 1]), (device, DType::F32));
    let scores = Tensor::<2>::from_data(tensor(scores, &[count, BLENDSHAPES]), (device, DType::F32));
    let shown = Tensor::<2>::from_data(tensor(shown, &[count, 1]), (device, DType::F32));
    let axes = Tensor::<3>::from_data(tensor(vec![1.0, 1.0, DEPTH], &[1, 1, 3]), (device, DType::F32));
    let faces = shown.clone().sum().clamp_min(1.0);

    let apart = (output.points - truth).abs() * weights * axes;
    // `weights` make shares of the face, so that `NEAR` means the same for every face; the sum over points is a mean.
    let near = NEAR / f64::from(total);
    let quadratic = apart.clone().clamp_max(near);
    let points = quadratic.clone().powi_scalar(2).mul_scalar(0.5 / near) + (apart - quadratic);
    let points = points.sum() / faces.clone();
    let scores = ((output.scores - scores).powi_scalar(2) * shown.clone()).sum() / faces / BLENDSHAPES as f64;
    // `log(1 + exp(x)) - x y`, in a form that does not overflow.
    let logit = output.presence;
    let presence = (logit.clone().clamp_min(0.0) - logit.clone() * shown + (-logit.abs()).exp().log1p()).mean();
    points + scores * SCORES + presence * PRESENCE
}

/// What each point counts: those that a guide clip draws more than the others.
fn importance() -> Vec<f32> {
    let mut weights = vec![1.0; LANDMARKS];
    for index in MEDIAPIPE_POINTS.into_iter().chain(contours::RIGHT_IRIS..LANDMARKS) {
        weights[index] = DRAWN;
    }
    weights
}
