//! Triangles of a whole person, each with the part it belongs to.

use super::vector::V3;

/// What a triangle is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Skin of face and head.
    Skin,
    /// Skin of an ear.
    Ear,
    /// Skin of neck and chest, cloth where the collar says so.
    Body,
    /// Lashes.
    Lash,
    /// An eyeball.
    Eye,
    /// The inside of the mouth.
    Mouth,
    /// Teeth.
    Teeth,
    /// The tongue.
    Tongue,
    /// Hair of the head.
    Hair,
}

/// A corner of triangles and what shading needs to know about it; places are kept apart, because they change.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Corner {
    /// Place on the part's own chart.
    pub(super) chart: [f32; 2],
    /// On skin: 1 inside the lips, 0 outside, a half at their border.
    pub(super) lip: f32,
    /// How much light from all around arrives, 0..1.
    pub(super) open: f32,
}

/// A mesh under construction and after.
#[derive(Debug, Clone, Default)]
pub(super) struct Mesh {
    pub(super) places: Vec<V3>,
    pub(super) corners: Vec<Corner>,
    pub(super) triangles: Vec<[u32; 3]>,
    pub(super) parts: Vec<Part>,
}

impl Mesh {
    /// Adds a corner and gives its number.
    pub(super) fn corner(&mut self, place: V3, corner: Corner) -> u32 {
        self.places.push(place);
        self.corners.push(corner);
        (self.places.len() - 1) as u32
    }

    pub(super) fn triangle(&mut self, corners: [u32; 3], part: Part) {
        self.triangles.push(corners);
        self.parts.push(part);
    }

    /// Two triangles; corners counter-clockwise as seen from outside.
    pub(super) fn quad(&mut self, [a, b, c, d]: [u32; 4], part: Part) {
        self.triangle([a, b, c], part);
        self.triangle([a, c, d], part);
    }

    /// The quads between rows of equally many corners, `first` the number of the first corner.
    ///
    /// Rows go up and columns to the right as seen from outside; `closed` joins the last column to the first.
    pub(super) fn sheet(&mut self, first: u32, [rows, columns]: [u32; 2], closed: bool, part: Part) {
        let at = |row: u32, column: u32| first + row * columns + column % columns;
        for row in 0..rows - 1 {
            for column in 0..if closed { columns } else { columns - 1 } {
                let corners = [at(row, column), at(row, column + 1), at(row + 1, column + 1), at(row + 1, column)];
                self.quad(corners, part);
            }
        }
    }
}

/// Unit normals at the corners, weighted by the area of the triangles around.
pub(super) fn normals(places: &[V3], triangles: &[[u32; 3]]) -> Vec<V3> {
    let mut normals = vec![V3::ZERO; places.len()];
    for triangle in triangles {
        let [a, b, c] = triangle.map(|i| places[i as usize]);
        let normal = (b - a).cross(c - a);
        for corner in triangle {
            normals[*corner as usize] += normal;
        }
    }
    normals.iter_mut().for_each(|normal| *normal = normal.unit());
    normals
}
