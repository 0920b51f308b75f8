//! True landmarks: the 478 points of the face mesh on the drawn head.

use skyreels_landmarks::draw::contours::{FACE_OVAL, LEFT_EYE, MESH_POINTS, NOSE_TIP, RIGHT_EYE};
use skyreels_landmarks::{Face as FoundFace, LANDMARKS};

use super::brows::Brows;
use super::camera::Camera;
use super::expression::State;
use super::face::Face;
use super::grid::{EYE_POINTS, MOUTH_POINTS};
use super::lips::LIP_RINGS;
use super::mesh::{Mesh, Part};
use super::person::Posed;
use super::vector::V3;

/// Lower and upper edge of the brows, from the outer to the inner end.
const RIGHT_BROW: [[usize; 5]; 2] = [[46, 53, 52, 65, 55], [70, 63, 105, 66, 107]];
const LEFT_BROW: [[usize; 5]; 2] = [[276, 283, 282, 295, 285], [300, 293, 334, 296, 336]];
/// Upper and lower edge of the outer, then of the inner lips, from the right corner to the left one.
const LIPS: [[[usize; 11]; 2]; 2] = [
    [[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291], [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]],
    [[78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308], [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]],
];
/// Points of the nose: index and chart place, the height relative to the tip.
const NOSE: [(usize, [f32; 2]); 14] = [
    (168, [0.0, 3.8]),
    (6, [0.0, 2.9]),
    (197, [0.0, 2.0]),
    (195, [0.0, 1.2]),
    (5, [0.0, 0.55]),
    (NOSE_TIP, [0.0, 0.0]),
    (1, [0.0, -0.4]),
    (2, [0.0, -1.35]),
    (129, [-1.6, -0.5]),
    (98, [-1.1, -1.1]),
    (97, [-0.5, -1.3]),
    (326, [0.5, -1.3]),
    (327, [1.1, -1.1]),
    (358, [1.6, -0.5]),
];
/// Half axes of the face oval on the chart, and the height of its middle.
const OVAL: [f32; 2] = [7.35, 8.95];
const OVAL_MIDDLE: f32 = -0.5;
/// How far outside of a triangle a place may lie that counts as inside, as a weight, and more than that in centimetres of the chart.
const OUTSIDE: f32 = 1e-4;
const EDGE: f32 = 0.01;

/// Where a landmark sits on the mesh.
#[derive(Debug, Clone, Copy)]
struct Attachment {
    corners: [u32; 3],
    weights: [f32; 3],
}

/// Where all landmarks but those of the irises sit on a person's mesh.
#[derive(Debug, Clone)]
pub(super) struct Attachments {
    points: Vec<Attachment>,
}

fn on(corner: u32) -> Attachment {
    Attachment { corners: [corner; 3], weights: [1.0, 0.0, 0.0] }
}

impl Attachments {
    pub(super) fn new(face: &Face, mesh: &Mesh, brows: &Brows) -> Self {
        let mut charted = scattered();
        for (i, index) in FACE_OVAL.into_iter().enumerate() {
            let angle = std::f32::consts::TAU * i as f32 / FACE_OVAL.len() as f32;
            charted[index] = [OVAL[0] * angle.sin(), OVAL_MIDDLE + OVAL[1] * angle.cos()];
        }
        let tip = face.skull().nose_tip();
        for (index, [x, y]) in NOSE {
            charted[index] = [x, tip + y];
        }
        for (rows, sign) in [(RIGHT_BROW, -1.0), (LEFT_BROW, 1.0)] {
            for (upper, row) in rows.into_iter().enumerate() {
                for (k, index) in row.into_iter().enumerate() {
                    charted[index] = brows.edge(1.0 - k as f32 / 4.0, upper == 1, sign);
                }
            }
        }
        // Eyes and mouth have rings of corners of their own, in the middle of which there is no skin to look for.
        let mut rings: [Option<Attachment>; MESH_POINTS] = [None; MESH_POINTS];
        for (side, contour) in [RIGHT_EYE, LEFT_EYE].into_iter().enumerate() {
            for (k, index) in contour.into_iter().enumerate() {
                // The contour runs below first, the ring above.
                let i = (EYE_POINTS - k * EYE_POINTS / contour.len()) % EYE_POINTS;
                rings[index] = Some(on(face.lid_edges[side] + i as u32));
            }
        }
        for (ring, edges) in LIPS.into_iter().enumerate() {
            let first =
                if ring == 0 { face.lip_line as usize + LIP_RINGS * MOUTH_POINTS } else { face.lip_line as usize };
            for (lower, indices) in edges.into_iter().enumerate() {
                for (k, index) in indices.into_iter().enumerate() {
                    let i = k * MOUTH_POINTS / 20;
                    let i = if lower == 1 { (MOUTH_POINTS - i) % MOUTH_POINTS } else { i };
                    rings[index] = Some(on((first + i) as u32));
                }
            }
        }
        let chart = Chart::new(mesh);
        let points = rings.into_iter().zip(charted).map(|(ring, place)| ring.unwrap_or_else(|| chart.attach(place)));
        Self { points: points.collect() }
    }

    /// All 478 points in the head's frame.
    pub(super) fn landmarks(&self, places: &[V3], irises: &[[V3; 5]; 2]) -> Vec<V3> {
        let place = |point: &Attachment| {
            let corners = point.corners.iter().zip(point.weights);
            corners.fold(V3::ZERO, |sum, (corner, weight)| sum + places[*corner as usize] * weight)
        };
        // The mesh comes first, then the right iris, then the left one.
        self.points.iter().map(place).chain(irises.iter().flatten().copied()).collect()
    }
}

/// Points of no special meaning, spread evenly over the face like the seeds of a sunflower.
fn scattered() -> Vec<[f32; 2]> {
    const GOLDEN_ANGLE: f32 = 2.399_963_2;
    let seed = |i: usize| {
        let (radius, angle) = (0.9 * (i as f32 / LANDMARKS as f32).sqrt(), i as f32 * GOLDEN_ANGLE);
        [OVAL[0] * radius * angle.sin(), OVAL_MIDDLE + OVAL[1] * radius * angle.cos()]
    };
    (0..LANDMARKS).map(seed).collect()
}

/// The skin's triangles spread flat.
struct Chart<'a> {
    mesh: &'a Mesh,
    triangles: Vec<Flat>,
}

/// A triangle of the chart.
struct Flat {
    corners: [u32; 3],
    /// Smallest and largest coordinates: most triangles need no closer look.
    low: [f32; 2],
    high: [f32; 2],
}

impl<'a> Chart<'a> {
    fn new(mesh: &'a Mesh) -> Self {
        let skin = mesh.triangles.iter().zip(&mesh.parts).filter(|(_, part)| **part == Part::Skin);
        let triangles = skin.map(|(&corners, _)| {
            let places = corners.map(|corner| mesh.corners[corner as usize].chart);
            let bound = |pick: fn(f32, f32) -> f32| {
                [0, 1].map(|axis| places.map(|place| place[axis]).into_iter().reduce(pick).unwrap_or_default())
            };
            Flat { corners, low: bound(f32::min), high: bound(f32::max) }
        });
        Self { mesh, triangles: triangles.collect() }
    }

    /// Where a chart place sits on the mesh; in an opening, the corner next to it.
    fn attach(&self, place: [f32; 2]) -> Attachment {
        let near = |triangle: &&Flat| {
            (0..2).all(|axis| (triangle.low[axis] - EDGE..=triangle.high[axis] + EDGE).contains(&place[axis]))
        };
        let found = self.triangles.iter().filter(near).find_map(|triangle| self.inside(triangle.corners, place));
        found.unwrap_or_else(|| {
            let squared = |corner: u32| {
                let chart = self.mesh.corners[corner as usize].chart;
                (chart[0] - place[0]).powi(2) + (chart[1] - place[1]).powi(2)
            };
            let corners = self.triangles.iter().flat_map(|triangle| triangle.corners);
            on(corners.min_by(|a, b| squared(*a).total_cmp(&squared(*b))).unwrap_or_default())
        })
    }

    fn inside(&self, corners: [u32; 3], [x, y]: [f32; 2]) -> Option<Attachment> {
        let [a, b, c] = corners.map(|corner| self.mesh.corners[corner as usize].chart);
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
        let second = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / area;
        let third = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / area;
        let weights = [1.0 - second - third, second, third];
        // Hanging corners share their place: their triangles have no area.
        (area > 1e-6 && weights.iter().all(|weight| *weight >= -OUTSIDE)).then_some(Attachment { corners, weights })
    }
}

/// The face of a posed person as a perfect tracker would find it in a picture of `size`.
pub(super) fn face(posed: &Posed, size: [u32; 2]) -> FoundFace {
    let camera = Camera::of(size);
    let State { expression, pose } = &posed.state;
    let (turn, place) = (pose.turn(), pose.shift() + posed.person.palette.standing);
    // MediaPipe's geometry takes the mean of the mesh to be where depth has the scale of x; only then does it find this very head.
    let depths = posed.landmarks[..MESH_POINTS].iter().map(|point| turn.apply(*point).z);
    let middle = place.z + depths.sum::<f32>() / MESH_POINTS as f32;
    let scale = camera.per_centimetre(-middle) / size[0] as f32;
    let seen = |point: &V3| {
        let turned = turn.apply(*point);
        let [x, y, _] = camera.project(turned + place);
        [x / size[0] as f32, y / size[1] as f32, -turned.z * scale]
    };
    let landmarks: Vec<[f32; 3]> = posed.landmarks.iter().map(seen).collect();
    let side = |axis: usize, pick: fn(f32, f32) -> f32| landmarks.iter().map(|p| p[axis]).reduce(pick).unwrap_or(0.0);
    let row = |axis: usize| {
        let V3 { x, y, z } = turn.0[axis];
        [x, y, z, <[f32; 3]>::from(place)[axis]]
    };
    FoundFace {
        id: None,
        blendshapes: *expression.weights(),
        matrix: [row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]],
        head_points: posed.landmarks.iter().map(|point| (*point).into()).collect(),
        presence: 1.0,
        score: 1.0,
        bbox: [side(0, f32::min), side(1, f32::min), side(0, f32::max), side(1, f32::max)],
        landmarks,
    }
}
