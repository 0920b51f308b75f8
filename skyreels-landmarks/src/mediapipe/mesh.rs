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
        let size = [frame.width() as f32, frame.height() as f32];
        let project = projection(region, size);
        let points = outputs[0].chunks_exact(3).map(|p| project([p[0], p[1], p[2]].map(|v| v / SIDE as f32)));
        Ok((points.collect(), sigmoid(outputs[1][0])))
    }
}

/// From the unit square of the crop to the frame (`LandmarkProjectionCalculator`).
fn projection(region: &Region, [width, height]: [f32; 2]) -> impl Fn([f32; 3]) -> [f32; 3] {
    let (sin, cos) = region.rotation.sin_cos();
    let ([w, h], [cx, cy]) = (region.size, region.center);
    let x_row = [w * cos / width, -h * sin / width, (-0.5 * w * cos + 0.5 * h * sin + cx) / width];
    let y_row = [w * sin / height, h * cos / height, (-0.5 * h * cos - 0.5 * w * sin + cy) / height];
    let z_scale = x_row[0].hypot(y_row[0]);
    move |[x, y, z]| [x_row[0] * x + x_row[1] * y + x_row[2], y_row[0] * x + y_row[1] * y + y_row[2], z_scale * z]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_crop_is_its_centre_in_the_frame() {
        let region = Region { center: [30.0, 40.0], size: [20.0, 10.0], rotation: 0.7 };
        let [x, y, z] = projection(&region, [100.0, 200.0])([0.5, 0.5, 0.0]);
        assert!((x - 0.3).abs() < 1e-6 && (y - 0.2).abs() < 1e-6 && z == 0.0);
    }

    #[test]
    fn an_upright_crop_is_scaled_and_shifted() {
        let region = Region { center: [50.0, 50.0], size: [20.0, 40.0], rotation: 0.0 };
        let [x, y, z] = projection(&region, [100.0, 100.0])([0.0, 1.0, 0.5]);
        assert!((x - 0.4).abs() < 1e-6 && (y - 0.7).abs() < 1e-6 && (z - 0.1).abs() < 1e-6);
    }
}
