//! What the tests of the face landmarker share: where the references are, and how far an answer is from one.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use skyreels_core::{Device, Frame, Limits};
use skyreels_landmarks::{Face, FaceLandmarker, LANDMARKS};

/// Largest mean difference of an expression score, whose network has sums that Burn takes.
const BLENDSHAPE_BAR: f32 = 1e-5;
/// Largest difference of an entry of the pose matrix (centimetres in its last column).
const MATRIX_BAR: f32 = 5e-4;

/// The reference media, if they are here.
pub fn media() -> Option<PathBuf> {
    let media = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/media"));
    if media.is_dir() {
        return Some(media.to_path_buf());
    }
    println!("skipped: the reference media are not in {}", media.display());
    None
}

pub fn task(media: &Path) -> PathBuf {
    media.join("models/face_landmarker_v2_with_blendshapes.task")
}

pub fn landmarker(media: &Path) -> FaceLandmarker {
    FaceLandmarker::open(&task(media), &Limits::default(), &Device::flex()).unwrap()
}

pub fn picture(path: &Path) -> Frame {
    let reader = image::ImageReader::open(path).unwrap().with_guessed_format().unwrap();
    reader.decode().unwrap().to_rgb8()
}

/// MediaPipe's answers for a list of frames.
pub struct Expected {
    bytes: Vec<u8>,
    prefix: String,
}

impl Expected {
    pub fn read(media: &Path, name: &str, prefix: &str) -> Self {
        let bytes = std::fs::read(media.join("expected").join(name)).unwrap();
        Self { bytes, prefix: prefix.to_owned() }
    }

    fn tensor<const N: usize, T>(&self, name: &str, from: fn([u8; N]) -> T) -> Vec<T> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = tensors.tensor(&format!("{}.{name}", self.prefix)).unwrap();
        view.data().chunks_exact(N).map(|c| from(c.try_into().unwrap())).collect()
    }

    /// Which frames of the video the answers belong to.
    pub fn frame_index(&self) -> Vec<u64> {
        self.tensor("frame_index", u64::from_le_bytes)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.tensor("found", u8::from_le_bytes).len()
    }

    /// Asserts that the answer for entry `i` is MediaPipe's, its landmarks to the bit.
    ///
    /// That asks for a processor with fused products and for the C library's `atan2f`, `sinf`, `cosf` and `expf` as they were where
    /// MediaPipe answered (glibc 2.36): crops are sampled at 1/32 pixel, so that a last bit may show as 0.005 pixels.
    pub fn check(&self, i: usize, faces: &[Face], frame: &Frame, what: &str) -> Difference {
        let difference = self.measure(i, faces, frame, what);
        assert_eq!((difference.landmarks, difference.depth), (0.0, 0.0), "{what}: {difference:?}");
        assert!(difference.blendshapes < BLENDSHAPE_BAR, "{what}: {difference:?}");
        assert!(difference.matrix < MATRIX_BAR, "{what}: {difference:?}");
        difference
    }

    /// How far the answer for entry `i` is from MediaPipe's; asserts that both found a face or none.
    fn measure(&self, i: usize, faces: &[Face], frame: &Frame, what: &str) -> Difference {
        let found = self.tensor("found", u8::from_le_bytes)[i] == 1;
        assert_eq!(!faces.is_empty(), found, "{what}: face found");
        let [face] = faces else { return Difference::default() };

        let landmarks = self.tensor("landmarks", f32::from_le_bytes);
        let expected = &landmarks[i * 3 * LANDMARKS..][..3 * LANDMARKS];
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        let distances = face.landmarks.iter().zip(expected.chunks_exact(3));
        let distances = distances.map(|(p, e)| ((p[0] - e[0]) * width).hypot((p[1] - e[1]) * height));
        let depth = face.landmarks.iter().zip(expected.chunks_exact(3)).map(|(p, e)| (p[2] - e[2]).abs() * width);
        Difference {
            landmarks: distances.sum::<f32>() / LANDMARKS as f32,
            depth: depth.sum::<f32>() / LANDMARKS as f32,
            blendshapes: mean_abs(&face.blendshapes, &self.tensor("blendshapes", f32::from_le_bytes)[i * 52..]),
            matrix: max_abs(face.matrix.as_flattened(), &self.tensor("matrix", f32::from_le_bytes)[i * 16..]),
        }
    }
}

/// How far one face is from MediaPipe's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Difference {
    /// Mean distance in pixels.
    pub landmarks: f32,
    /// Mean difference of z in pixels.
    pub depth: f32,
    /// Mean difference.
    pub blendshapes: f32,
    /// Largest difference.
    pub matrix: f32,
}

impl Difference {
    /// The worst of each of two.
    pub fn worst(self, other: Self) -> Self {
        Self {
            landmarks: self.landmarks.max(other.landmarks),
            depth: self.depth.max(other.depth),
            blendshapes: self.blendshapes.max(other.blendshapes),
            matrix: self.matrix.max(other.matrix),
        }
    }
}

fn mean_abs(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32
}

fn max_abs(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
