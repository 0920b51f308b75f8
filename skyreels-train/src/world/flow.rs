//! True optical flow: where the surface at each pixel goes.

use super::camera::Camera;
use super::person::Posed;
use super::raster::{NOTHING, look};
use super::vector::V3;

/// Where each pixel of a first picture goes in a second one, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    size: [u32; 2],
    vectors: Vec<f32>,
    hidden: Vec<bool>,
}

/// A surface counts as hidden when something is nearer to the camera by more than this share of its distance.
const HIDDEN: f32 = 0.01;

impl Flow {
    /// Both must be states of one person.
    pub(super) fn between(from: &Posed, to: &Posed, size: [u32; 2]) -> Self {
        let size = size.map(|side| side.max(1));
        let mesh = &from.person.mesh;
        let seen = look(&from.places, &mesh.triangles, &mesh.parts, size, 1);
        let later = look(&to.places, &mesh.triangles, &mesh.parts, size, 1);
        let camera = Camera::of(size);
        let (width, count) = (seen.size[0], seen.triangles.len());
        let mut vectors = vec![0.0; 2 * count];
        let mut hidden = vec![false; count];
        for (i, triangle) in seen.triangles.iter().enumerate().filter(|(_, triangle)| **triangle != NOTHING) {
            let (x, y) = ((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
            let (weights, _) = seen.setups[*triangle as usize].at(x, y);
            let corners = mesh.triangles[*triangle as usize];
            let place = corners
                .iter()
                .zip(weights)
                .fold(V3::ZERO, |sum, (corner, weight)| sum + to.places[*corner as usize] * weight);
            let [u, v, near] = camera.project(place);
            (vectors[i], vectors[count + i]) = (u - x, v - y);
            hidden[i] = match later.nearest(u, v) {
                Some(front) => front > near * (1.0 + HIDDEN),
                None => true,
            };
        }
        // The background stands still, but the person may step in front of it.
        for (i, triangle) in seen.triangles.iter().enumerate() {
            if *triangle == NOTHING {
                hidden[i] = later.triangles[i] != NOTHING;
            }
        }
        Self { size, vectors, hidden }
    }

    /// Width and height.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// How far each pixel goes to the right and down, in pixels; 0 for the background.
    ///
    /// # Shapes
    /// `[2, height, width]`: all horizontal parts, then all vertical ones, row by row.
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// True for pixels whose surface cannot be seen in the second picture: hidden, or outside of it.
    ///
    /// # Shapes
    /// `[height, width]`, row by row.
    pub fn hidden(&self) -> &[bool] {
        &self.hidden
    }
}
