//! One pair's numbers from what is known about its three files.

use std::collections::BTreeMap;

use crate::analysis::{ClipAnalysis, TruthScores};
use crate::compat::{a1_expression_score, a1_frame_fid, a1_identity_mean};
use crate::metrics::{
    Anchor, FaceObservation, blendshape_l1, expression_distance, eye_openness_error, gaze_error, head_rotation_error,
    identity_score, landmark_distance, landmark_jitter, lip_openness_error, pose_l1,
};
use crate::protocol::Pair;
use crate::{FrameScores, Result};

use super::outcome::{PairScores, Thumbnails};

/// Size of the frames in which the released expression script compares points, in pixels.
const A1_CANVAS: [f64; 2] = [720.0, 480.0];

type Faces = [Option<FaceObservation>];

/// What is known about the files of a pair.
pub(super) struct Files<'a> {
    pub pair: &'a Pair,
    pub result: &'a ClipAnalysis,
    /// `None` for the driver's first frame.
    pub portrait: Option<&'a ClipAnalysis>,
    pub driving: &'a ClipAnalysis,
    /// `None` where the driver is not the true result.
    pub truth: Option<&'a Result<TruthScores, String>>,
}

/// Collects numbers; what cannot be measured keeps its reason.
struct Collector(PairScores);

impl Collector {
    fn value(&mut self, key: &str, value: Result<Option<f64>>, without: &str) {
        match value {
            Ok(Some(value)) if value.is_finite() => drop(self.0.values.insert(key.into(), value)),
            Ok(_) => drop(self.0.missing.insert(key.into(), without.into())),
            Err(error) => drop(self.0.missing.insert(key.into(), error.to_string())),
        }
    }

    fn series(&mut self, key: &str, scores: Result<FrameScores>) {
        match scores {
            Ok(scores) => {
                self.0.values.insert(key.into(), scores.mean);
                self.0.series.insert(key.into(), scores.values);
            }
            Err(error) => drop(self.0.missing.insert(key.into(), error.to_string())),
        }
    }
}

/// Everything that can be measured on a pair.
pub(super) fn measure(files: &Files) -> PairScores {
    let Files { pair, result, driving, .. } = *files;
    let frames = [result.faces.len(), driving.faces.len()];
    let mut all = Collector(PairScores {
        name: pair.name.clone(),
        truth: pair.truth,
        frames,
        values: BTreeMap::new(),
        series: BTreeMap::new(),
        missing: BTreeMap::new(),
        thumbnails: Thumbnails {
            portrait: files.portrait.and_then(|portrait| portrait.thumbnails.first().cloned()),
            result: result.thumbnails.clone(),
            driving: driving.thumbnails.clone(),
        },
    });
    // Frames of the same instants; a result that is shorter or longer than its driver shows in `frames`.
    let common = frames[0].min(frames[1]);
    all.value("frames", Ok(Some(common as f64)), "");
    all.value("detection_rate", Ok(Some(result.detection_rate())), "");
    aligned(&mut all, &result.faces[..common], &driving.faces[..common]);
    // Across people, places in the picture mean nothing.
    if pair.truth {
        let theirs: Vec<_> = driving.faces[..common]
            .iter()
            .map(|face| face.as_ref().map(|face| on_canvas(face, driving.size, result.size)))
            .collect();
        all.series("landmarks", landmark_distance(&result.faces[..common], &theirs));
    }
    over_time(&mut all, result, driving);
    identity(&mut all, files);
    match files.truth {
        Some(Ok(truth)) => truth.scores().into_iter().for_each(|(key, scores)| all.series(key, scores)),
        Some(Err(reason)) => all.value("psnr", Ok(None), reason),
        None => {}
    }
    let expression = a1_expression_score(&a1_points(result), &a1_points(driving));
    all.value("a1_expression", expression, "the script leaves out pairs in which one frame shows no face");
    all.0
}

fn aligned(all: &mut Collector, result: &Faces, driving: &Faces) {
    all.series("blendshape_l1", blendshape_l1(result, driving));
    all.series("expression_cm", expression_distance(result, driving));
    all.series("rotation_deg", head_rotation_error(result, driving, Anchor::Camera));
    all.series("rotation_from_first_deg", head_rotation_error(result, driving, Anchor::FirstFrame));
    all.series("pose_l1_deg", pose_l1(result, driving));
    all.series("gaze", gaze_error(result, driving));
    all.series("eye_openness", eye_openness_error(result, driving));
    all.series("lip_openness", lip_openness_error(result, driving));
}

/// A face of the driver where the result's canvas shows it. [`fit`](skyreels_core::resize::fit) brings a picture onto a canvas: its
/// whole height is kept, and so is the middle of its width.
fn on_canvas(face: &FaceObservation, from: [u32; 2], to: [u32; 2]) -> FaceObservation {
    if from == to {
        return face.clone();
    }
    let ([width, height], [to_width, to_height]) = (from.map(|side| side as f32), to.map(|side| side as f32));
    let scale = to_height / height.max(1.0);
    let point = |[x, y]: [f32; 2]| [(x - width / 2.0) * scale + to_width / 2.0, y * scale];
    FaceObservation { points: face.points.iter().copied().map(point).collect(), ..face.clone() }
}

fn over_time(all: &mut Collector, result: &ClipAnalysis, driving: &ClipAnalysis) {
    all.series("jitter", landmark_jitter(&result.faces));
    all.value("jitter_driving", landmark_jitter(&driving.faces).map(|scores| Some(scores.mean)), "");
    let few = "the clip has too few frames";
    let flicker = |clip: &ClipAnalysis| Ok(clip.pixels.flicker.as_ref().map(|scores| scores.mean));
    all.value("flicker", flicker(result), few);
    all.value("flicker_driving", flicker(driving), few);
    if let Some(flicker) = &result.pixels.flicker {
        all.0.series.insert("flicker".into(), flicker.values.clone());
    }
    let background = result.pixels.background.as_ref();
    all.value("background_step", Ok(background.map(|b| b.step.mean)), "nothing is seen around the face");
    all.value("background_drift", Ok(background.map(|b| b.drift.mean)), "nothing is seen around the face");
    if let Some(background) = background {
        all.0.series.insert("background_drift".into(), background.drift.values.clone());
    }
}

fn identity(all: &mut Collector, files: &Files) {
    // The driver's first frame stands for a portrait that is not there.
    let portrait = files.portrait.unwrap_or(files.driving);
    let faceless = "the portrait shows no face";
    for (network, frames) in &files.result.embeddings {
        let key = format!("identity_{network}");
        let reference = portrait.embeddings.get(network).and_then(|embeddings| embeddings.first()?.as_ref());
        let Some(reference) = reference else {
            all.value(&key, Ok(None), faceless);
            continue;
        };
        match identity_score(reference, frames) {
            Ok(score) => {
                all.value(&key, Ok(score.similarity), "no sampled frame shows a face");
                all.value(&format!("{key}_all"), Ok(Some(score.similarity_over_all)), "");
                all.0.series.insert(key, placed(&files.result.samples, &score.frames, files.result.faces.len()));
            }
            Err(error) => all.value(&key, Err(error), ""),
        }
        all.value(&format!("a1_identity_{network}"), a1_identity_mean(reference, frames).map(Some), "");
    }
    let frames: Vec<&Vec<f32>> = files.result.a1_features.iter().flatten().collect();
    match portrait.a1_features.first() {
        Some(Some(reference)) => {
            all.value("a1_frame_fid", a1_frame_fid(reference, &frames), "no sampled frame shows a face");
        }
        Some(None) => all.value("a1_frame_fid", Ok(None), faceless),
        // No such network was given.
        None => {}
    }
}

/// Values of sampled frames at their places among all.
fn placed(samples: &[usize], values: &[Option<f64>], frames: usize) -> Vec<Option<f64>> {
    let mut all = vec![None; frames];
    for (index, value) in samples.iter().zip(values) {
        if let Some(place) = all.get_mut(*index) {
            *place = *value;
        }
    }
    all
}

/// Five points of each face on the released script's canvas.
fn a1_points(clip: &ClipAnalysis) -> Vec<Option<[[f64; 2]; 5]>> {
    let scale = [0, 1].map(|axis| A1_CANVAS[axis] / f64::from(clip.size[axis].max(1)));
    let points = |face: &FaceObservation| face.five_points().map(|[x, y]| [x * scale[0], y * scale[1]]);
    clip.faces.iter().map(|face| face.as_ref().map(points)).collect()
}
