//! Directories as an evaluation finds them, and judges of its files.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use skyreels_core::checkpoint::{fill, initial_values};
use skyreels_core::media::{FrameRate, write_picture};
use skyreels_core::{Device, Frame, Limits, Precision, Progress};
use skyreels_eval::{
    AnalysisOptions, ArcFaceConfig, ArcFaceNetwork, Directories, Evaluation, EvaluationOptions, FaceEmbedder,
    FeatureExtractor, FidReference, IdentityNetwork, Judges, Pair, PairScores, Result, evaluate,
};
use skyreels_landmarks::{FacePick, StreamOptions};

use super::{Clock, scene, write_video};

/// Features that a test can follow: brightness of sixteen places.
pub struct Places {
    pub frames: usize,
}

impl FeatureExtractor for Places {
    fn name(&self) -> &str {
        if self.frames == 1 { "places" } else { "stretches" }
    }

    fn frames(&self) -> usize {
        self.frames
    }

    fn width(&self) -> usize {
        16
    }

    fn features(&self, stretches: &[&[Frame]]) -> Result<Vec<Vec<f32>>> {
        let place = |frame: &Frame, i: u32| {
            let at = |side: u32, i: u32| side * (2 * i + 1) / 8;
            f32::from(frame.get_pixel(at(frame.width(), i % 4), at(frame.height(), i / 4))[0]) / 255.0
        };
        assert!(stretches.iter().all(|stretch| stretch.len() == self.frames));
        Ok(stretches
            .iter()
            .map(|stretch| (0..16).map(|i| stretch.iter().map(|f| place(f, i)).sum()).collect())
            .collect())
    }
}

pub fn judges(identity: Vec<FaceEmbedder>) -> Judges<'static> {
    Judges {
        tracker: &Clock,
        identity,
        features: vec![Box::new(Places { frames: 1 }), Box::new(Places { frames: 3 })],
        a1_inception: None,
    }
}

/// A network that nobody has trained: the tests ask whether it is asked, and the same face looks the same to it.
/// Its weights are the same in every run, as what it takes for alike depends on them.
pub fn arcface(device: &Device) -> ArcFaceNetwork {
    fill(ArcFaceConfig::R18.init(device), Precision::F32, |key, shape| match key.rsplit_once('.') {
        Some((_, "running_mean")) => vec![0.0; shape[0]],
        Some((layer, "weight")) if layer.ends_with("prelu") => vec![0.25; shape[0]],
        _ => initial_values(1, key, shape),
    })
}

pub fn embedder() -> FaceEmbedder {
    static EMBEDDER: LazyLock<FaceEmbedder> = LazyLock::new(|| {
        let device = Device::flex();
        FaceEmbedder::new(IdentityNetwork::ArcFace(Box::new(arcface(&device))), &device)
    });
    EMBEDDER.clone()
}

/// Directories with portraits, a driver of ten frames and results that are better or worse.
pub struct Stage {
    pub directory: tempfile::TempDir,
    pub directories: Directories,
    pub device: Device,
}

/// The driver's times.
pub const TIMES: [u32; 10] = [1, 2, 3, 5, 8, 9, 7, 6, 4, 3];

impl Stage {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| -> PathBuf {
            let path = directory.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let directories =
            Directories { results: place("results"), portraits: place("portraits"), driving: place("driving") };
        write_picture(directories.portraits.join("anna.png"), &scene(1, 1)).unwrap();
        write_picture(directories.portraits.join("bert.png"), &scene(2, 1)).unwrap();
        clip(&directories.driving.join("talk.mp4"), 1, &TIMES);
        clip(&directories.driving.join("sing.mp4"), 1, &[4, 3, 2, 2, 3, 4, 6, 8, 9, 9]);
        let device = Device::flex();
        Self { directory, directories, device }
    }

    pub fn result(&self, name: &str, person: u32, times: &[u32]) {
        clip(&self.directories.results.join(name), person, times);
    }

    pub fn options(&self) -> EvaluationOptions {
        EvaluationOptions {
            analysis: AnalysisOptions {
                rate: FrameRate::NATIVE,
                max_frames: 100,
                samples: 4,
                stream: StreamOptions::image(),
                pick: FacePick::Largest,
            },
            jobs: 2,
            keep: Some(self.directory.path().join("kept")),
            networks: "test".into(),
            reference: FidReference::All,
            resamples: 200,
            seed: 1,
            limits: Limits::default(),
        }
    }

    /// Without a face recognition network, which takes most of the time.
    pub fn evaluate_motion(&self, pairs: &[Pair], options: &EvaluationOptions) -> Result<Evaluation> {
        evaluate(pairs, &judges(Vec::new()), options, Progress::none())
    }

    pub fn evaluate(&self, pairs: &[Pair]) -> Evaluation {
        let judges = judges(vec![embedder()]);
        evaluate(pairs, &judges, &self.options(), Progress::none()).unwrap()
    }
}

pub fn clip(path: &Path, person: u32, times: &[u32]) {
    write_video(path, &times.iter().map(|time| scene(person, *time)).collect::<Vec<_>>());
}

pub fn pair<'a>(evaluation: &'a Evaluation, name: &str) -> &'a PairScores {
    evaluation.pairs.iter().find(|pair| pair.name == name).unwrap()
}
