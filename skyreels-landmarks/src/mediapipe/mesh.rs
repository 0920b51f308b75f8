//! The 478 points of a face crop.

use burn::tensor::Device;

use super::networks::{FaceNetwork, sigmoid};
use super::warp::{Border, Region, warp};
use crate::Result;
use crate::task::FaceTask;
use skyreels_core::Frame;

/// Points of a face: 468 of the mesh, then 5 of each iris.
pub const LANDMARKS: usize = 478;

/// Side of the network's input; its coordinates are in these pixels.
const SIDE: usize = 256;
/// Pixels are mapped to 0..1.
const PIXEL_RANGE: [f32; 2] = [1.0 / 255.0, 0.0];

pub(crate) struct MeshNetwork(FaceNetwork);

impl MeshNetwork {
    pub(crate) fn new(task: &FaceTask, device: &Device) -> Result<Self> {
        let (input, outputs) = ([1, SIDE, SIDE, 3], [LANDMARKS * 3, 1]);
        let name = "face_landmarks_detector.tflite";
        Ok(Self(FaceNetwork::new(task, name, &task.landmarks, device, input, &outputs)?))
    }

    /// Points relative to the frame (z on the scale of x), and how sure the network is that this is a face.
    pub(crate) fn run(&self, frame: &Frame, region: &Region) -> Result<(Vec<[f32; 3]>, f32)> {
        let outputs = self.0.run(warp(frame, region, SIDE, Border::Replicate, PIXEL_RANGE))?;
        let projection = region.projection([frame.width() as f32, frame.height() as f32]);
        // Depth is on the scale of x.
        let depth = projection.width();
        let points = outputs[0].as_chunks::<3>().0.iter().map(|point| {
            let [x, y, z] = point.map(|v| v / SIDE as f32);
            let [x, y] = projection.apply([x, y]);
            [x, y, depth * z]
        });
        Ok((points.collect(), sigmoid(outputs[1][0])))
    }
}
