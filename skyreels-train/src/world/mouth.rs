//! The inside of a mouth: a dark room, teeth and a tongue.

use std::f32::consts::PI;

use super::expression::Expression;
use super::face::{Face, Jaw};
use super::mesh::{Corner, Mesh, Part};
use super::vector::{V3, v3};

/// What is inside a mouth; the lower half moves with the jaw.
#[derive(Debug, Clone)]
pub(super) struct Mouth {
    first: u32,
    rest: Vec<V3>,
    jaw: Vec<f32>,
}

/// Half width of the row of teeth and how far it curves back.
const TEETH: [f32; 2] = [2.35, 2.0];
const TEETH_COLUMNS: u32 = 25;

impl Mouth {
    pub(super) fn build(face: &Face, mesh: &mut Mesh) -> Self {
        let first = mesh.places.len() as u32;
        let [x, y] = face.lips.contact(0.0);
        let line = face.skull().surface(x, y);
        let mut mouth = Self { first, rest: Vec::new(), jaw: Vec::new() };
        mouth.room(line, mesh);
        mouth.teeth(line + v3(0.0, 0.0, -0.62), [-0.16, 0.85], 1.0, 0.0, mesh);
        mouth.teeth(line + v3(0.0, 0.0, -0.80), [-0.95, -0.28], 0.74, 1.0, mesh);
        mouth.tongue(line, mesh);
        mouth.rest = mesh.places[first as usize..].to_vec();
        mouth
    }

    fn add(&mut self, mesh: &mut Mesh, place: V3, chart: [f32; 2], open: f32, jaw: f32) {
        mesh.corner(place, Corner { chart, lip: 0.0, open });
        self.jaw.push(jaw);
    }

    /// A sheet that bulges into the head.
    fn room(&mut self, line: V3, mesh: &mut Mesh) {
        let first = mesh.places.len() as u32;
        const ROWS: u32 = 9;
        const COLUMNS: u32 = 13;
        for row in 0..ROWS {
            let v = row as f32 / (ROWS - 1) as f32 * 2.0 - 1.0;
            for column in 0..COLUMNS {
                let u = column as f32 / (COLUMNS - 1) as f32 * 2.0 - 1.0;
                let deep = (1.0 - 0.8 * u * u).max(0.0) * (1.0 - v * v * 0.6);
                let place = line + v3(3.0 * u, 1.6 * v, -1.5 - 1.1 * deep);
                self.add(mesh, place, [u, v], 0.10 + 0.25 * (1.0 - deep), 0.5 - 0.5 * v);
            }
        }
        mesh.sheet(first, [ROWS, COLUMNS], false, Part::Mouth);
    }

    /// A row of teeth from below to above, around a horseshoe.
    fn teeth(&mut self, front: V3, [below, above]: [f32; 2], width: f32, jaw: f32, mesh: &mut Mesh) {
        let first = mesh.places.len() as u32;
        const ROWS: u32 = 4;
        for row in 0..ROWS {
            let v = row as f32 / (ROWS - 1) as f32;
            for column in 0..TEETH_COLUMNS {
                let u = column as f32 / (TEETH_COLUMNS - 1) as f32 * 2.0 - 1.0;
                let (sin, cos) = (u * PI / 2.0).sin_cos();
                let bulge = 0.10 * (v * PI).sin();
                let place =
                    front + v3(width * TEETH[0] * sin, below + (above - below) * v, TEETH[1] * (cos - 1.0) + bulge);
                // Back teeth lie in the cheek's shade.
                self.add(mesh, place, [u, if jaw > 0.0 { 1.0 - v } else { v }], 0.30 + 0.55 * cos, jaw);
            }
        }
        mesh.sheet(first, [ROWS, TEETH_COLUMNS], false, Part::Teeth);
    }

    fn tongue(&mut self, line: V3, mesh: &mut Mesh) {
        let first = mesh.places.len() as u32;
        const ROWS: u32 = 7;
        const COLUMNS: u32 = 9;
        for row in 0..ROWS {
            let v = row as f32 / (ROWS - 1) as f32;
            for column in 0..COLUMNS {
                let u = column as f32 / (COLUMNS - 1) as f32 * 2.0 - 1.0;
                let tip = (1.0 - v * v * 0.75).max(0.0).sqrt();
                // Rows run from the tip backwards over the top.
                let (sin, cos) = ((1.0 - v) * PI * 0.55).sin_cos();
                let groove = -0.12 * (-(u * u) / 0.05).exp();
                let place = line
                    + v3(
                        1.35 * u * (0.55 + 0.45 * (1.0 - sin * (1.0 - tip))),
                        -1.25 + 0.55 * cos * (1.0 - u * u * 0.6) + groove,
                        -2.2 + 1.0 * sin * (1.0 - 0.25 * u * u),
                    );
                self.add(mesh, place, [u, v], 0.30 + 0.45 * sin, 1.0);
            }
        }
        mesh.sheet(first, [ROWS, COLUMNS], false, Part::Tongue);
    }

    /// Moves what the jaw moves.
    pub(super) fn deform(&self, expression: &Expression, places: &mut [V3]) {
        let jaw = Jaw::new(expression);
        let places = &mut places[self.first as usize..];
        for ((place, rest), share) in places.iter_mut().zip(&self.rest).zip(&self.jaw) {
            *place = rest.mix(jaw.apply(*rest), *share);
        }
    }
}
