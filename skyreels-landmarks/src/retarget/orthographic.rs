//! The camera of the original's renderer, for heads made of FLAME's mesh.

use nalgebra::{Matrix3, RowVector3, Vector3};

/// Side of the picture that the camera's `[-1, 1]` square stands for.
const CROP_SIDE: f64 = 224.0;
/// The renderer moves every vertex this far back.
const DEPTH_OFFSET: f32 = 10.0;

/// A camera without perspective: `scale * (x + shift)`, then y and z turned around.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OrthographicCamera {
    pub(crate) scale: f32,
    pub(crate) shift: [f32; 2],
}

impl OrthographicCamera {
    /// `batch_orth_proj`: a vertex in the camera's square, y up, z towards the camera.
    pub(crate) fn scaled(&self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        [x + self.shift[0], y + self.shift[1], z].map(|v| v * self.scale)
    }

    /// Where a vertex appears in `[-1, 1]` (x right, y down), and its depth.
    pub(crate) fn project(&self, vertex: [f32; 3]) -> [f32; 3] {
        let [right, up, near] = self.scaled(vertex);
        [right, -up, -near + DEPTH_OFFSET]
    }
}

/// A point on a triangle of the mesh; `None` when the triangle names a vertex that is not there.
pub(crate) fn on_mesh(vertices: &[[f32; 3]], triangle: &[usize; 3], weights: [f64; 3]) -> Option<[f64; 3]> {
    let mut point = [0.0; 3];
    for (vertex, weight) in triangle.iter().zip(weights) {
        let vertex = vertices.get(*vertex)?;
        for axis in 0..3 {
            point[axis] += weight * f64::from(vertex[axis]);
        }
    }
    Some(point)
}

/// From the camera's square to the picture that the crop was taken from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CropTransform(Matrix3<f64>);

impl CropTransform {
    /// The way back of the affine transform (first two rows) that made the crop.
    pub(crate) fn inverse_of([first, second]: [[f64; 3]; 2]) -> Option<Self> {
        let [a, b] = [first, second].map(RowVector3::from);
        let forward = Matrix3::from_rows(&[a, b, RowVector3::new(0.0, 0.0, 1.0)]);
        forward.try_inverse().map(Self)
    }

    /// Pixel of a projected point.
    pub(crate) fn to_picture(self, [x, y, _]: [f64; 3]) -> [f64; 2] {
        let in_crop = [x, y].map(|v| (v + 1.0) * CROP_SIDE / 2.0);
        let pixel = self.0 * Vector3::new(in_crop[0], in_crop[1], 1.0);
        [pixel.x, pixel.y]
    }
}
