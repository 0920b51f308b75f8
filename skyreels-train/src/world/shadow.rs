//! Which places the key light reaches: a depth map seen from the light.

use super::mesh::Part;
use super::person::Posed;
use super::vector::{V3, smoothstep, v3};

/// Cells of the map along each side.
const SIDE: usize = 192;
/// Half the centimetres that the map spans, around the head.
const HALF: f32 = 21.0;
/// How far a place is moved off its surface before it is looked up, and how soft the comparison is.
const OFFSET: f32 = 0.28;
const SOFT: f32 = 0.45;

/// A depth map from the key light.
pub(super) struct Shadow {
    right: V3,
    up: V3,
    to_light: V3,
    middle: V3,
    /// Place nearest to the light, towards it.
    nearest: Vec<f32>,
}

impl Shadow {
    pub(super) fn cast(posed: &Posed) -> Self {
        let to_light = posed.person.palette.key;
        let right = v3(0.0, 1.0, 0.0).cross(to_light).unit();
        let up = to_light.cross(right);
        let middle = posed.person.palette.standing + posed.state.pose.shift() + v3(0.0, -2.0, 0.0);
        let mut shadow = Self { right, up, to_light, middle, nearest: vec![f32::MIN; SIDE * SIDE] };
        let seen: Vec<V3> = posed.places.iter().map(|place| shadow.view(*place)).collect();
        let mesh = &posed.person.mesh;
        for (triangle, part) in mesh.triangles.iter().zip(&mesh.parts) {
            // What lies under lids and lips, and lashes, would only make noise.
            if !matches!(part, Part::Lash | Part::Eye | Part::Mouth | Part::Teeth | Part::Tongue) {
                shadow.fill(triangle.map(|corner| seen[corner as usize]));
            }
        }
        shadow
    }

    /// Column, row and nearness in the map.
    fn view(&self, place: V3) -> V3 {
        let offset = place - self.middle;
        let cell = |axis: V3| (offset.dot(axis) / HALF + 1.0) * 0.5 * SIDE as f32;
        v3(cell(self.right), cell(self.up), offset.dot(self.to_light))
    }

    fn fill(&mut self, [a, b, c]: [V3; 3]) {
        let area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
        if area.abs() < 1e-9 {
            return;
        }
        let first = |v: f32| (v - 0.5).ceil().clamp(0.0, SIDE as f32) as usize;
        let last = |v: f32| (v + 0.5).floor().clamp(0.0, SIDE as f32) as usize;
        let (x0, x1) = (first(a.x.min(b.x).min(c.x)), last(a.x.max(b.x).max(c.x)));
        let (y0, y1) = (first(a.y.min(b.y).min(c.y)), last(a.y.max(b.y).max(c.y)));
        let du = (c.y - a.y) / area;
        let dv = (a.y - b.y) / area;
        for row in y0..y1 {
            let y = row as f32 + 0.5 - a.y;
            let x = x0 as f32 + 0.5 - a.x;
            let mut u = (x * (c.y - a.y) - (c.x - a.x) * y) / area;
            let mut v = ((b.x - a.x) * y - x * (b.y - a.y)) / area;
            for cell in &mut self.nearest[row * SIDE + x0..row * SIDE + x1.max(x0)] {
                if u >= 0.0 && v >= 0.0 && u + v <= 1.0 {
                    *cell = cell.max(a.z + u * (b.z - a.z) + v * (c.z - a.z));
                }
                u += du;
                v += dv;
            }
        }
    }

    /// Share of the key light that reaches a place with this normal.
    pub(super) fn lit(&self, place: V3, normal: V3) -> f32 {
        let at = self.view(place + normal * OFFSET);
        let (x, y) = (at.x - 0.5, at.y - 0.5);
        let side = (SIDE - 3) as f32;
        if !(x >= 1.0 && y >= 1.0 && x < side && y < side) {
            return 1.0;
        }
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let cell =
            |dx: usize, dy: usize| smoothstep(SOFT, 0.0, self.nearest[(row + dy - 1) * SIDE + column + dx - 1] - at.z);
        // Four by four cells, the outer ones by their share: a soft edge two cells wide.
        let line = |dy: usize| (1.0 - fx) * cell(0, dy) + cell(1, dy) + cell(2, dy) + fx * cell(3, dy);
        ((1.0 - fy) * line(0) + line(1) + line(2) + fy * line(3)) / 9.0
    }
}
