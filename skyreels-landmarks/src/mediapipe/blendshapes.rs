//! 52 expression scores from the points of a face.

use burn::tensor::Device;

use super::mesh::LANDMARKS;
use super::networks::FaceNetwork;
use crate::Result;
use crate::task::FaceTask;

/// Number of expression scores.
pub const BLENDSHAPES: usize = 52;

/// Names of the scores (ARKit's, after the neutral one), in MediaPipe's order.
pub const BLENDSHAPE_NAMES: [&str; BLENDSHAPES] = [
    "_neutral",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
];

/// Points the network looks at (`FaceBlendshapesGraph` of MediaPipe 0.10).
const POINTS: [usize; 146] = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
];

pub(crate) struct BlendshapeNetwork(FaceNetwork);

impl BlendshapeNetwork {
    pub(crate) fn new(task: &FaceTask, device: &Device) -> Result<Self> {
        let name = "face_blendshapes.tflite";
        let input = [1, 1, POINTS.len(), 2];
        Ok(Self(FaceNetwork::new(task, name, &task.blendshapes, device, input, &[BLENDSHAPES])?))
    }

    /// Scores in 0..1; `landmarks` are relative to a frame of `size` pixels.
    pub(crate) fn run(&self, landmarks: &[[f32; 3]], size: [f32; 2]) -> Result<[f32; BLENDSHAPES]> {
        debug_assert_eq!(landmarks.len(), LANDMARKS);
        let plane = |axis: usize| POINTS.iter().map(move |&p| landmarks[p][axis] * size[axis]);
        let outputs = self.0.run(plane(0).chain(plane(1)).collect())?;
        let mut scores = [0.0; BLENDSHAPES];
        scores.copy_from_slice(&outputs[0]);
        Ok(scores)
    }
}
