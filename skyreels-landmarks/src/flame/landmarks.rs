//! Points that are embedded in the mesh: on a triangle, at barycentric coordinates.

use nalgebra::Matrix3;

use super::tables::Tables;

/// MediaPipe's index of each of the 105 points that are embedded in FLAME's mesh (`landmark_indices` of
/// `mediapipe_landmark_embedding.npz`).
#[rustfmt::skip]
pub const MEDIAPIPE_POINTS: [usize; 105] = [
    276, 282, 283, 285, 293, 295, 296, 300, 334, 336, 46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 249, 263, 362, 373,
    374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 466, 7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159,
    160, 161, 163, 173, 246, 168, 6, 197, 195, 5, 4, 129, 98, 97, 2, 326, 327, 358, 0, 13, 14, 17, 37, 39, 40, 61, 78,
    80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270, 291, 308, 310, 311, 312, 314, 317, 318,
    321, 324, 375, 402, 405, 409, 415,
];

/// The last table of the moving contour is for heads turned this many degrees or more.
const MAX_TURN: f64 = 39.0;
/// Points of the contour of a jaw, of the other landmarks, and of both.
const CONTOUR: usize = 17;
const STATIC: usize = 51;
const ALL: usize = CONTOUR + STATIC;
/// Contours: 0 to 39 degrees to one side, 1 to 39 to the other.
const CONTOURS: usize = 79;

/// Triangles and coordinates of some points.
#[derive(Debug, Clone, Default)]
pub(super) struct Embedding {
    pub(super) triangles: Vec<usize>,
    pub(super) coordinates: Vec<[f64; 3]>,
}

impl Embedding {
    /// Reads the points `faces`, `coordinates` of a file; what is wrong is remembered by `tables`, an index that is too
    /// large is the error.
    pub(super) fn read(
        tables: &mut Tables,
        [faces, coordinates]: [&'static str; 2],
        shape: &[usize],
        triangles: usize,
    ) -> Result<Self, String> {
        let found = tables.integers(faces, shape);
        let coordinates = tables.floats(coordinates, &[shape, &[3]].concat());
        let index = |face: &i64| usize::try_from(*face).ok().filter(|face| *face < triangles);
        let Some(indices) = found.iter().map(index).collect() else {
            return Err(format!("`{faces}` names a triangle that is not among {triangles}"));
        };
        Ok(Self { triangles: indices, coordinates: coordinates.as_chunks::<3>().0.to_vec() })
    }

    /// Places of the points on a mesh.
    pub(super) fn place(&self, vertices: &[[f64; 3]], triangles: &[[usize; 3]]) -> Vec<[f64; 3]> {
        let on = |(triangle, weights): (&usize, &[f64; 3])| {
            let corners = triangles[*triangle].map(|vertex| vertices[vertex]);
            std::array::from_fn(|k| corners.iter().zip(weights).map(|(corner, weight)| corner[k] * weight).sum())
        };
        self.triangles.iter().zip(&self.coordinates).map(on).collect()
    }
}

/// The 68 points that most landmark detectors know.
#[derive(Debug, Clone, PartialEq)]
pub struct FanLandmarks {
    /// As they are seen: a contour that slides along the jaw as the head turns, then 51 points of the inner face.
    pub seen: Vec<[f64; 3]>,
    /// All 68 fixed on the mesh.
    pub fixed: Vec<[f64; 3]>,
    /// Triangles of the contour.
    pub contour_triangles: Vec<usize>,
}

/// Where the 68 points are.
#[derive(Debug, Clone)]
pub(super) struct FanEmbedding {
    inner: Embedding,
    fixed: Embedding,
    /// One contour after the other.
    contours: Embedding,
}

impl FanEmbedding {
    pub(super) const KEYS: [[&'static str; 2]; 3] = [
        ["lmk_faces_idx", "lmk_bary_coords"],
        ["full_lmk_faces_idx", "full_lmk_bary_coords"],
        ["dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords"],
    ];

    pub(super) fn read(tables: &mut Tables, triangles: usize) -> Result<Self, String> {
        let [inner, fixed, contours] = Self::KEYS;
        Ok(Self {
            inner: Embedding::read(tables, inner, &[STATIC], triangles)?,
            fixed: Embedding::read(tables, fixed, &[1, ALL], triangles)?,
            contours: Embedding::read(tables, contours, &[CONTOURS, CONTOUR], triangles)?,
        })
    }

    /// The points of a head whose neck has this rotation in the world.
    pub(super) fn place(&self, neck: &Matrix3<f64>, vertices: &[[f64; 3]], triangles: &[[usize; 3]]) -> FanLandmarks {
        let start = contour(neck) * CONTOUR;
        let contour = Embedding {
            triangles: self.contours.triangles[start..start + CONTOUR].to_vec(),
            coordinates: self.contours.coordinates[start..start + CONTOUR].to_vec(),
        };
        let mut seen = contour.place(vertices, triangles);
        seen.extend(self.inner.place(vertices, triangles));
        FanLandmarks { seen, fixed: self.fixed.place(vertices, triangles), contour_triangles: contour.triangles }
    }
}

/// Which contour a turned head shows, by its angle about the vertical axis in whole degrees.
fn contour(rotation: &Matrix3<f64>) -> usize {
    let ahead = rotation[(0, 0)].hypot(rotation[(1, 0)]);
    let degrees = (-rotation[(2, 0)]).atan2(ahead).to_degrees().min(MAX_TURN).round_ties_even();
    let index = if degrees >= 0.0 { degrees } else { MAX_TURN - degrees.max(-MAX_TURN) };
    index as usize
}

#[cfg(test)]
mod tests {
    use nalgebra::Rotation3;

    use super::*;

    #[test]
    fn every_turn_has_a_contour() {
        let turned = |degrees: f64| {
            contour(Rotation3::from_axis_angle(&nalgebra::Vector3::y_axis(), degrees.to_radians()).matrix())
        };
        assert_eq!([0.0, 20.0, 39.0, 80.0].map(turned), [0, 20, 39, 39]);
        assert_eq!([-1.0, -20.0, -39.0, -80.0].map(turned), [40, 59, 78, 78]);
    }
}
