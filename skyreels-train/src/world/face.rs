//! The skin of a head: built once per person, moved by an expression.

use skyreels_landmarks::BLENDSHAPES;

use super::expression::{Expression, control};
use super::grid::{EYE_POINTS, Grid, MOUTH_POINTS};
use super::identity::Identity;
use super::lids::Eye;
use super::lips::{LIP_RINGS, Lips, MOUTH_RINGS};
use super::mesh::{Corner, Mesh, Part};
use super::muscles::muscles;
use super::occlusion::openness;
use super::skull::{CROWN, HALF_WIDTH, Skull, UNDERSIDE};
use super::vector::{Rotation, V3, mix, smooth_max, smoothstep, v3};

/// Shares of the way from the lid's edge to the grid at which rings lie.
const LID_RINGS: [f32; 6] = [0.0, 0.09, 0.21, 0.37, 0.56, 0.78];
/// The jaw's joint: height and depth in the head's frame.
const HINGE: [f32; 2] = [-0.8, -1.2];
/// How far a fully opened jaw turns, in radians, and slides forward and down, in centimetres.
const JAW_TURN: f32 = 0.32;
const JAW_SLIDE: [f32; 2] = [0.5, 0.25];
/// Sideways and forward reach of the jaw in centimetres.
const JAW_REACH: [f32; 2] = [0.75, 0.65];
/// Smallest shift in centimetres that is worth remembering.
const NEGLIGIBLE: f32 = 2e-3;

const JAW_OPEN: usize = control("jawOpen");
const JAW_LEFT: usize = control("jawLeft");
const JAW_RIGHT: usize = control("jawRight");
const JAW_FORWARD: usize = control("jawForward");
const MOUTH_CLOSE: usize = control("mouthClose");

/// How far around an opening point `i` of `count` lies, -1..1, and whether it is on the upper edge.
pub(super) fn around(i: usize, count: usize) -> (f32, bool) {
    let half = count / 2;
    let turn = std::f32::consts::PI * i as f32 / half as f32;
    (-turn.cos(), i <= half)
}

/// A point of a lid.
#[derive(Debug, Clone, Copy)]
struct LidPoint {
    side: usize,
    across: f32,
    upper: bool,
    /// 0 at the lid's edge, 1 at the grid.
    share: f32,
    rim: [f32; 2],
}

/// How the jaw moves a point, and which lip it belongs to.
#[derive(Debug, Clone, Copy, Default)]
struct Hold {
    jaw: f32,
    /// Share of the jaw's motion when `mouthClose` holds the lips together.
    closed: f32,
    lower: f32,
}

/// The skin of one person's head.
#[derive(Debug, Clone)]
pub(super) struct Face {
    skull: Skull,
    pub(super) lips: Lips,
    pub(super) eyes: [Eye; 2],
    rest: Vec<V3>,
    holds: Vec<Hold>,
    lids: Vec<(u32, LidPoint)>,
    /// By control: what it moves and how far.
    shifts: Vec<Vec<(u32, V3)>>,
    /// First corner of the ring on the lids' edges, of the ring inside it, and of the lashes.
    pub(super) lid_edges: [u32; 2],
    lid_backs: [u32; 2],
    lashes: [u32; 2],
    lash_length: f32,
    /// First corner of the line between the lips, and of the two rings inside it.
    pub(super) lip_line: u32,
    lip_backs: u32,
}

/// The jaw under an expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jaw {
    turn: Rotation,
    slide: V3,
    close: f32,
}

impl Jaw {
    pub(super) fn new(expression: &Expression) -> Self {
        let open = expression.at(JAW_OPEN);
        let side = JAW_REACH[0] * (expression.at(JAW_LEFT) - expression.at(JAW_RIGHT));
        Self {
            turn: Rotation::turned([-JAW_TURN * open, 0.0, 0.0]),
            slide: v3(side, -JAW_SLIDE[1] * open, JAW_SLIDE[0] * open + JAW_REACH[1] * expression.at(JAW_FORWARD)),
            close: expression.at(MOUTH_CLOSE),
        }
    }

    /// Where a point goes that moves with the jaw.
    pub(super) fn apply(&self, place: V3) -> V3 {
        let hinge = v3(0.0, HINGE[0], HINGE[1]);
        self.turn.apply(place - hinge) + hinge + self.slide
    }
}

struct Builder<'a> {
    mesh: &'a mut Mesh,
    face: Face,
}

impl Face {
    /// Adds the skin to a mesh that is still empty.
    pub(super) fn build(identity: &Identity, mesh: &mut Mesh) -> Self {
        let skull = Skull::new(identity);
        let face = Self {
            lips: Lips::new(identity, &skull),
            eyes: [0, 1].map(|side| Eye::new(identity, &skull, side)),
            rest: Vec::new(),
            holds: Vec::new(),
            lids: Vec::new(),
            shifts: vec![Vec::new(); BLENDSHAPES],
            lid_edges: [0; 2],
            lid_backs: [0; 2],
            lashes: [0; 2],
            lash_length: 0.10 + 0.20 * identity.eyes.lashes,
            lip_line: 0,
            lip_backs: 0,
            skull,
        };
        let mut builder = Builder { mesh, face };
        let grid = Grid::new();
        let corners = builder.grid(&grid);
        for side in [0, 1] {
            builder.eye(&grid, &corners, side);
        }
        builder.mouth(&grid, &corners);
        let mut face = builder.face;
        face.rest.clone_from(&mesh.places);
        face.pull(mesh);
        face
    }

    pub(super) fn skull(&self) -> &Skull {
        &self.skull
    }

    /// Number of its corners.
    pub(super) fn corners(&self) -> usize {
        self.rest.len()
    }

    /// Finds out what each muscle moves.
    fn pull(&mut self, mesh: &Mesh) {
        let mut share = vec![1.0; self.rest.len()];
        for (corner, lid) in &self.lids {
            // Lids follow their own rule near the ball.
            share[*corner as usize] = smoothstep(0.1, 0.9, lid.share);
        }
        for muscle in muscles(&self.skull, &self.lips) {
            for (i, corner) in mesh.corners[..self.holds.len()].iter().enumerate() {
                let weight = share[i] * muscle.weight(corner.chart, self.holds[i].lower);
                if weight * muscle.shift.length() > NEGLIGIBLE {
                    self.shifts[muscle.control].push((i as u32, muscle.shift * weight));
                }
            }
        }
    }

    /// Moves the skin: places in the head's frame.
    pub(super) fn deform(&self, expression: &Expression, places: &mut [V3]) {
        places[..self.rest.len()].copy_from_slice(&self.rest);
        let openings = [0, 1].map(|side| self.eyes[side].opening(expression));
        for (corner, lid) in &self.lids {
            let eye = &self.eyes[lid.side];
            places[*corner as usize] = self.lid(eye, &eye.edge(&openings[lid.side], lid.across, lid.upper), lid);
        }
        for (control, shifts) in self.shifts.iter().enumerate() {
            let weight = expression.at(control);
            if weight > 0.0 {
                for (corner, shift) in shifts {
                    places[*corner as usize] += *shift * weight;
                }
            }
        }
        let jaw = Jaw::new(expression);
        for (place, hold) in places.iter_mut().zip(&self.holds) {
            let share = mix(hold.jaw, hold.closed, jaw.close);
            if share > 0.0 {
                *place = place.mix(jaw.apply(*place), share);
            }
        }
        self.part_lips(places);
        self.follow(&openings.map(|opening| opening.closeness()), places);
    }

    /// A point of a lid whose edge is at a chart place.
    fn lid(&self, eye: &Eye, edge: &[f32; 2], lid: &LidPoint) -> V3 {
        let [x, y] = [0, 1].map(|axis| mix(edge[axis], lid.rim[axis], lid.share));
        let mut place = self.skull.surface(x, y);
        if let Some(depth) = eye.lid_depth(place) {
            // On the ball at its edge, over it or on the face elsewhere, with a soft crease.
            let over = smooth_max(place.z, depth + 0.06 * smoothstep(0.0, 0.2, lid.share), 0.10);
            place.z = mix(depth, over, smoothstep(0.0, 0.12, lid.share));
        }
        place
    }

    /// Lips that would pass through each other meet.
    fn part_lips(&self, places: &mut [V3]) {
        for i in 1..MOUTH_POINTS / 2 {
            let (upper, lower) = (self.lip_line as usize + i, self.lip_line as usize + MOUTH_POINTS - i);
            if places[upper].y < places[lower].y {
                let middle = places[upper].mix(places[lower], 0.5);
                places[upper] = middle;
                places[lower] = middle;
            }
        }
    }

    /// What hangs on the edges of lids and lips.
    fn follow(&self, closed: &[f32; 2], places: &mut [V3]) {
        for side in [0, 1] {
            for i in 0..EYE_POINTS {
                let edge = places[self.lid_edges[side] as usize + i];
                let (across, upper) = around(i, EYE_POINTS);
                let away = if upper { 0.05 } else { -0.05 };
                places[self.lid_backs[side] as usize + i] = edge + v3(0.0, away, -0.30);
                if upper {
                    let outward = across * self.eyes[side].sign;
                    let reach = self.lash_length * smoothstep(-1.15, 0.5, outward) * smoothstep(1.25, 0.9, outward);
                    let fan = v3(0.6 * across, mix(0.62, -0.7, closed[side]), 1.0) * reach;
                    places[self.lashes[side] as usize + 2 * i] =
                        edge + v3(0.0, -0.05 * smoothstep(-1.0, -0.7, outward), 0.03);
                    places[self.lashes[side] as usize + 2 * i + 1] = edge + fan;
                }
            }
        }
        for i in 0..MOUTH_POINTS {
            let edge = places[self.lip_line as usize + i];
            let (across, upper) = around(i, MOUTH_POINTS);
            let up = if upper { 1.0 } else { -1.0 } * (1.0 - across * across).max(0.0).sqrt();
            places[self.lip_backs as usize + i] = edge + v3(-0.10 * across, 0.10 * up, -0.40);
            places[self.lip_backs as usize + MOUTH_POINTS + i] = edge + v3(0.12 * across, 0.45 * up, -0.95);
        }
    }

    /// How the jaw takes a chart place along that is on neither lip.
    fn jaw_share(&self, [x, y]: [f32; 2]) -> f32 {
        let beside = (x.abs() - self.lips.half_width).max(0.0);
        let below = self.lips.height - y;
        let band = 0.7 + 0.95 * beside;
        let behind = smoothstep(1.35 * HALF_WIDTH, 0.95 * HALF_WIDTH, x.abs());
        smoothstep(-band, band, below) * behind
    }
}

impl Builder<'_> {
    fn skin(&mut self, chart: [f32; 2], bulge: f32, lip: f32, hold: Hold) -> u32 {
        let place = self.face.skull.surface(chart[0], chart[1]) + v3(0.0, 0.0, bulge);
        let open = openness(chart, &self.face.skull, &self.face.lips);
        self.face.holds.push(hold);
        self.mesh.corner(place, Corner { chart, lip, open })
    }

    fn free(&mut self, chart: [f32; 2]) -> u32 {
        let jaw = self.face.jaw_share(chart);
        self.skin(chart, 0.0, 0.0, Hold { jaw, closed: jaw, lower: jaw })
    }

    fn grid(&mut self, grid: &Grid) -> Vec<Vec<u32>> {
        let blocks = [grid.eye(0), grid.eye(1), grid.mouth()];
        let (columns, rows) = (grid.columns.len(), grid.rows.len());
        let mut corners = vec![vec![u32::MAX; columns]; rows];
        for (row, y) in grid.rows.iter().enumerate() {
            for (column, x) in grid.columns.iter().enumerate() {
                if !blocks.iter().any(|block| block.hides(column, row)) {
                    corners[row][column] = self.free([*x, *y]);
                }
            }
        }
        for row in 0..rows - 1 {
            for column in 0..columns {
                if !blocks.iter().any(|block| block.covers(column, row)) {
                    let next = (column + 1) % columns;
                    let (below, above) = (&corners[row], &corners[row + 1]);
                    self.mesh.quad([below[column], below[next], above[next], above[column]], Part::Skin);
                }
            }
        }
        let (bottom, top) = (self.free([0.0, UNDERSIDE]), self.free([0.0, CROWN]));
        for column in 0..columns {
            let next = (column + 1) % columns;
            self.mesh.triangle([corners[0][next], corners[0][column], bottom], Part::Skin);
            self.mesh.triangle([corners[rows - 1][column], corners[rows - 1][next], top], Part::Skin);
        }
        corners
    }

    /// The quads between a ring and the next one outside.
    fn ring(&mut self, inner: &[u32], outer: &[u32], part: Part) {
        for i in 0..inner.len() {
            let next = (i + 1) % inner.len();
            self.mesh.quad([inner[i], inner[next], outer[next], outer[i]], part);
        }
    }

    fn eye(&mut self, grid: &Grid, corners: &[Vec<u32>], side: usize) {
        let border = grid.eye(side).border();
        let rim: Vec<u32> = border.iter().map(|[column, row]| corners[*row][*column]).collect();
        let eye = self.face.eyes[side];
        let opening = eye.opening(&Expression::default());
        let mut rings = Vec::new();
        for share in LID_RINGS {
            let mut ring = Vec::new();
            for (i, [column, row]) in border.iter().enumerate() {
                let (across, upper) = around(i, EYE_POINTS);
                let rim = [grid.columns[*column], grid.rows[*row]];
                let lid = LidPoint { side, across, upper, share, rim };
                let edge = eye.edge(&opening, across, upper);
                let chart = [0, 1].map(|axis| mix(edge[axis], rim[axis], share));
                let corner = self.skin(chart, 0.0, 0.0, Hold::default());
                self.mesh.places[corner as usize] = self.face.lid(&eye, &edge, &lid);
                self.face.lids.push((corner, lid));
                ring.push(corner);
            }
            rings.push(ring);
        }
        rings.push(rim);
        self.face.lid_edges[side] = rings[0][0];
        let back: Vec<u32> = rings[0].iter().map(|edge| self.hanging(*edge, 0.45)).collect();
        self.face.lid_backs[side] = back[0];
        self.ring(&back, &rings[0], Part::Skin);
        for pair in rings.windows(2) {
            self.ring(&pair[0], &pair[1], Part::Skin);
        }
        let lashes: Vec<u32> = (0..EYE_POINTS + 2).map(|k| self.hanging(rings[0][k / 2], 0.6)).collect();
        self.face.lashes[side] = lashes[0];
        for i in 0..EYE_POINTS / 2 {
            let at = |k: usize| lashes[2 * i + k];
            self.mesh.quad([at(0), at(2), at(3), at(1)], Part::Lash);
        }
    }

    /// A corner that hangs on another one.
    fn hanging(&mut self, from: u32, open: f32) -> u32 {
        let corner = Corner { open, ..self.mesh.corners[from as usize] };
        self.face.holds.push(Hold::default());
        self.mesh.corner(self.mesh.places[from as usize], corner)
    }

    fn mouth(&mut self, grid: &Grid, corners: &[Vec<u32>]) {
        let border = grid.mouth().border();
        let lips = self.face.lips;
        let mut rings: Vec<Vec<u32>> = Vec::new();
        for ring in 0..MOUTH_RINGS {
            let mut points = Vec::new();
            for (i, [column, row]) in border.iter().enumerate() {
                let (across, upper) = around(i, MOUTH_POINTS);
                let chart = lips.ring(across, upper, ring, [grid.columns[*column], grid.rows[*row]]);
                // On the lips the jaw opens a lens, on the skin it follows the face.
                let lens = (1.0 - across * across).max(0.0).powf(if upper { 0.40 } else { 0.32 });
                let lip = if upper { 0.5 - 0.5 * lens } else { 0.5 + 0.5 * lens };
                let far = self.face.jaw_share(chart);
                let out = smoothstep(0.5, 1.0, ring as f32 / MOUTH_RINGS as f32);
                let jaw = mix(lip, far, out);
                let hold = Hold {
                    jaw,
                    closed: mix(0.55, far, smoothstep(0.25, 1.0, ring as f32 / MOUTH_RINGS as f32)),
                    lower: mix(lip, far, out),
                };
                let red = (1.0 - 0.5 * ring as f32 / LIP_RINGS as f32).clamp(0.0, 1.0);
                points.push(self.skin(chart, lips.bulge(across, upper, ring), red, hold));
            }
            rings.push(points);
        }
        rings.push(border.iter().map(|[column, row]| corners[*row][*column]).collect());
        self.face.lip_line = rings[0][0];
        let near: Vec<u32> = rings[0].iter().map(|edge| self.hanging(*edge, 0.4)).collect();
        let deep: Vec<u32> = rings[0].iter().map(|edge| self.hanging(*edge, 0.15)).collect();
        self.face.lip_backs = near[0];
        self.ring(&deep, &near, Part::Mouth);
        self.ring(&near, &rings[0], Part::Skin);
        for pair in rings.windows(2) {
            self.ring(&pair[0], &pair[1], Part::Skin);
        }
    }
}
