//! The regressor as a face tracker.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use skyreels_core::checkpoint::{Weights, read_config};
use skyreels_core::{Device, Frame, Limits, Precision, Progress};

use super::network::{CompactConfig, CompactNetwork};
use super::view::SquareView;
use crate::inference::{images, values};
use crate::mediapipe::{HeadModel, bounds};
use crate::smoothing::LandmarkFilter;
use crate::{BLENDSHAPES, Error, Face, FaceStream, FaceTracker, LANDMARKS, Result, StreamOptions, TrackingMode};

/// How errors call the network.
const NAME: &str = "compact landmarks";
/// Looks at a face whose place is not known from the frame before: the first one finds it.
const LOOKS: usize = 3;
/// The views whose answers the last look averages, as shifts of the closest one and factors of its side: errors that come from
/// how the pixels happen to lie are a tenth smaller for a sixth more time.
const VIEWS: [([f32; 2], f32); 3] = [([0.0, 0.0], 1.0), ([-0.06, -0.06], 1.1), ([0.06, -0.06], 0.95)];
/// Points that expressions hardly move, by which the pose is found: temples, cheeks, forehead, corners of the eyes, ridge and
/// tip of the nose.
const STEADY: [usize; 18] = [127, 356, 234, 454, 10, 67, 297, 109, 338, 33, 133, 362, 263, 168, 6, 197, 195, 4];

/// When a face counts as found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactOptions {
    /// A face is kept if the network is surer than this, 0..1.
    pub min_presence: f32,
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self { min_presence: 0.5 }
    }
}

/// Finds one face in a picture and follows it through a stream. Clones share the network.
#[derive(Clone)]
pub struct CompactLandmarker {
    inner: Arc<Inner>,
    options: CompactOptions,
}

struct Inner {
    network: CompactNetwork,
    side: u32,
    head: HeadModel,
    device: Device,
}

/// What the network says about one view.
struct Sight {
    /// Relative to the frame.
    landmarks: Vec<[f32; 3]>,
    scores: [f32; BLENDSHAPES],
    presence: f32,
}

impl CompactLandmarker {
    /// A landmarker with a network that lies on `device`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the mean head is no head, [`Error::Inference`] when the device fails.
    pub fn new(network: CompactNetwork, config: &CompactConfig, device: &Device) -> Result<Self> {
        config.validate()?;
        let head = triples(values(NAME, network.canonical())?);
        let head = HeadModel::on_points(&head, &STEADY)
            .ok_or_else(|| Error::invalid("landmark network", "its mean head spans no volume".to_owned()))?;
        let inner = Inner { network, side: config.side as u32, head, device: device.clone() };
        Ok(Self { inner: Arc::new(inner), options: CompactOptions::default() })
    }

    /// Opens a directory with `config.json` and `model.safetensors`.
    ///
    /// # Errors
    /// [`Error::Core`] for files that are missing or damaged, or tensors that are not the network's; [`Error::Invalid`] for
    /// sizes that cannot be.
    pub fn open(directory: &Path, limits: &Limits, device: &Device) -> Result<Self> {
        let config: CompactConfig = read_config(directory.join("config.json"))?;
        let network = config.init(device)?;
        let network = Weights::open(directory, limits)?.load(network, Precision::F32, Progress::none())?;
        Self::new(network, &config, device)
    }

    /// The same network with other options.
    #[must_use]
    pub fn with_options(&self, options: CompactOptions) -> Self {
        Self { inner: Arc::clone(&self.inner), options }
    }

    /// What the network sees in views; points that are no numbers are an error of the device.
    fn look(&self, frame: &Frame, views: &[SquareView]) -> Result<Sight> {
        let Inner { network, side, device, .. } = &*self.inner;
        let pictures = views.iter().map(|view| view.cut(frame, *side)).collect::<Result<Vec<_>>>()?;
        let output = network.forward(images(&pictures, device)?);
        let points = triples(values(NAME, output.points)?);
        let scores = values(NAME, output.scores)?;
        let logits = values(NAME, output.presence)?;
        let share = 1.0 / views.len() as f32;
        let mut sight = Sight { landmarks: vec![[0.0; 3]; LANDMARKS], scores: [0.0; BLENDSHAPES], presence: 0.0 };
        for (index, view) in views.iter().enumerate() {
            for (sum, point) in sight.landmarks.iter_mut().zip(&points[index * LANDMARKS..]) {
                let point = view.to_frame(*point, frame.dimensions().into());
                sum.iter_mut().zip(point).for_each(|(sum, value)| *sum += share * value);
            }
            for (sum, score) in sight.scores.iter_mut().zip(&scores[index * BLENDSHAPES..]) {
                *sum += share * score.clamp(0.0, 1.0);
            }
            sight.presence += share / (1.0 + (-logits[index]).exp());
        }
        Ok(sight)
    }

    /// The face that is seen when looking first at `view`, then closer; `None` when the closest look finds none.
    fn find(&self, frame: &Frame, mut view: SquareView, looks: usize) -> Result<Option<Sight>> {
        for _ in 1..looks {
            let sight = self.look(frame, &[view])?;
            let Some(close) = SquareView::around(&sight.landmarks, frame.dimensions().into()) else { return Ok(None) };
            // Where another look would be at the same place, the last one can be taken.
            if close == view {
                break;
            }
            view = close;
        }
        let sight = self.look(frame, &VIEWS.map(|(shift, factor)| view.moved(shift, factor)))?;
        Ok((sight.presence > self.options.min_presence).then_some(sight))
    }

    fn whole(&self, frame: &Frame) -> Result<Option<Sight>> {
        if frame.width() == 0 || frame.height() == 0 {
            let reason = format!("{}x{} has no pixels", frame.width(), frame.height());
            return Err(skyreels_core::Error::invalid("frame", reason).into());
        }
        self.find(frame, SquareView::whole(frame.dimensions().into()), LOOKS)
    }

    fn face(&self, sight: Sight, id: Option<u32>, size: [u32; 2]) -> Option<Face> {
        let fit = self.inner.head.fit(&sight.landmarks, size.map(|side| side as f32))?;
        Some(Face {
            id,
            bbox: bounds(&sight.landmarks),
            landmarks: sight.landmarks,
            blendshapes: sight.scores,
            matrix: fit.matrix,
            head_points: fit.head,
            presence: sight.presence,
            score: sight.presence,
        })
    }
}

impl FaceTracker for CompactLandmarker {
    fn detect(&self, frame: &Frame) -> Result<Vec<Face>> {
        let sight = self.whole(frame)?;
        Ok(sight.and_then(|sight| self.face(sight, None, frame.dimensions().into())).into_iter().collect())
    }

    /// In video mode a face is looked for where it was, and in the whole frame once it is not there any more. The one face
    /// of a stream is number 0.
    fn stream(&self, options: &StreamOptions) -> Result<Box<dyn FaceStream>> {
        options.validate()?;
        let filter = LandmarkFilter::new(options.smoothing);
        Ok(Box::new(CompactStream { landmarker: self.clone(), options: *options, filter, seen: None, last: None }))
    }
}

/// One face through a stream.
struct CompactStream {
    landmarker: CompactLandmarker,
    options: StreamOptions,
    filter: LandmarkFilter,
    /// Where the face was in the last frame.
    seen: Option<SquareView>,
    last: Option<(Duration, [u32; 2])>,
}

impl FaceStream for CompactStream {
    fn track(&mut self, frame: &Frame, at: Duration) -> Result<Vec<Face>> {
        let size: [u32; 2] = frame.dimensions().into();
        if let Some((last, last_size)) = self.last {
            if at <= last {
                let reason = format!("{at:?} is not later than {last:?}, the time of the frame before");
                return Err(Error::invalid("time of a frame", reason));
            }
            if size != last_size {
                self.seen = None;
            }
        }
        let followed = self.seen.take().filter(|_| self.options.mode == TrackingMode::Video);
        let mut sight = match followed {
            Some(view) => self.landmarker.find(frame, view, 1)?,
            None => None,
        };
        if sight.is_none() {
            sight = self.landmarker.whole(frame)?;
            self.filter = LandmarkFilter::new(self.options.smoothing);
        }
        self.last = Some((at, size));
        let Some(mut sight) = sight else { return Ok(Vec::new()) };
        self.seen = SquareView::around(&sight.landmarks, size);
        self.filter.apply(&mut sight.landmarks, at, size.map(|side| side as f32));
        Ok(self.landmarker.face(sight, Some(0), size).into_iter().collect())
    }
}

/// Coordinates three by three; the network has as many as there are landmarks.
fn triples(values: Vec<f32>) -> Vec<[f32; 3]> {
    let points: Vec<[f32; 3]> = values.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    debug_assert_eq!(points.len() % LANDMARKS, 0);
    points
}
