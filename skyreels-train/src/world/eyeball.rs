//! Eyeballs, shaded by the lids over them.

use std::f32::consts::{PI, TAU};

use super::expression::Expression;
use super::grid::EYE_POINTS;
use super::lids::{BALL, Eye};
use super::mesh::{Corner, Mesh, Part};
use super::vector::{Rotation, V3, mix, smoothstep, v3};

const SEGMENTS: u32 = 28;
/// Rings inside the iris and outside of it.
const IRIS_RINGS: u32 = 3;
const WHITE_RINGS: u32 = 9;
/// How far the ball reaches around, in radians from its front.
const REACH: f32 = 1.9;

/// The mesh of one eyeball.
#[derive(Debug, Clone)]
pub(super) struct Eyeball {
    eye: Eye,
    first: u32,
    /// Directions from the middle, looking straight ahead.
    directions: Vec<V3>,
}

impl Eyeball {
    pub(super) fn build(eye: &Eye, mesh: &mut Mesh) -> Self {
        let first = mesh.places.len() as u32;
        let iris = (eye.iris / BALL).asin();
        let mut directions = Vec::new();
        // From the back to the front, so that rows go up as a sheet's do when seen from outside.
        let rings = IRIS_RINGS + WHITE_RINGS;
        for ring in (0..=rings).rev() {
            let polar = if ring <= IRIS_RINGS {
                // The middle is a small ring as well: its triangles are too thin to be seen.
                iris * (ring as f32 / IRIS_RINGS as f32).max(1e-3)
            } else {
                mix(iris, REACH, (ring - IRIS_RINGS) as f32 / WHITE_RINGS as f32)
            };
            for segment in 0..SEGMENTS {
                let (sin, cos) = (TAU * segment as f32 / SEGMENTS as f32).sin_cos();
                let direction = v3(polar.sin() * cos, polar.sin() * sin, polar.cos());
                let chart = if polar < PI / 2.0 {
                    [direction.x, direction.y].map(|v| v / iris.sin())
                } else {
                    [cos, sin].map(|v| v / iris.sin())
                };
                mesh.corner(eye.ball + direction * BALL, Corner { chart, lip: 0.0, open: 1.0 });
                directions.push(direction);
            }
        }
        mesh.sheet(first, [rings + 1, SEGMENTS], true, Part::Eye);
        Self { eye: *eye, first, directions }
    }

    fn turn(&self, expression: &Expression) -> Rotation {
        let [left, up] = self.eye.gaze(expression);
        Rotation::turned([up, left, 0.0])
    }

    /// Turns the ball and shades it; `edge` is the first corner of the lids' edges.
    pub(super) fn deform(&self, expression: &Expression, edge: u32, places: &mut [V3], open: &mut [f32]) {
        let turn = self.turn(expression);
        let (edges, rest) = places.split_at_mut(self.first as usize);
        let edges = &edges[edge as usize..][..EYE_POINTS];
        let (from, to) = (edges[0].x, edges[EYE_POINTS / 2].x);
        for (i, direction) in self.directions.iter().enumerate() {
            let place = self.eye.ball + turn.apply(*direction) * BALL;
            rest[i] = place;
            let across = (2.0 * (place.x - from) / (to - from) - 1.0).clamp(-1.0, 1.0);
            let along = (-across).acos() / PI * (EYE_POINTS / 2) as f32;
            let at = (along as usize).min(EYE_POINTS / 2 - 1);
            let upper = mix(edges[at].y, edges[at + 1].y, along - at as f32);
            let lower = mix(edges[(EYE_POINTS - at) % EYE_POINTS].y, edges[EYE_POINTS - at - 1].y, along - at as f32);
            let lid =
                smoothstep(-0.05, 0.60, upper - place.y) * mix(0.75, 1.0, smoothstep(-0.05, 0.25, place.y - lower));
            let corner = smoothstep(1.02, 0.55, across.abs());
            open[self.first as usize + i] = mix(0.30, 1.0, lid) * mix(0.6, 1.0, corner);
        }
    }

    /// The ball is rounder than its triangles; `middle` is where it is seen.
    pub(super) fn round(&self, middle: V3, places: &[V3], normals: &mut [V3]) {
        let from = self.first as usize;
        for i in from..from + self.directions.len() {
            normals[i] = (places[i] - middle).unit();
        }
    }

    pub(super) fn middle(&self) -> V3 {
        self.eye.ball
    }

    /// Middle of the iris and four points around it, in the order of the face mesh: left, up, right, down, of the person.
    pub(super) fn iris(&self, expression: &Expression) -> [V3; 5] {
        let turn = self.turn(expression);
        let polar = (self.eye.iris / BALL).asin();
        let at = |direction: V3| self.eye.ball + turn.apply(direction) * BALL;
        let ring = |x: f32, y: f32| at(v3(x * polar.sin(), y * polar.sin(), polar.cos()));
        [at(v3(0.0, 0.0, 1.0)), ring(1.0, 0.0), ring(0.0, 1.0), ring(-1.0, 0.0), ring(0.0, -1.0)]
    }
}
