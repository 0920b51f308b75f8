//! Ears: shells with a rim and a hollow.

use std::f32::consts::TAU;

use super::identity::{HairStyle, Identity};
use super::mesh::{Corner, Mesh, Part};
use super::skull::Skull;
use super::vector::{V3, hill, smoothstep, v3};

const SEGMENTS: u32 = 24;
/// Shares of the radius at which rings lie, and how high the shell stands there.
const RINGS: [[f32; 2]; 9] = [
    [1.0, -0.55],
    [1.02, -0.12],
    [0.96, 0.10],
    [0.86, 0.13],
    [0.76, 0.02],
    [0.62, -0.06],
    [0.45, -0.20],
    [0.22, -0.34],
    [0.02, -0.36],
];

pub(super) fn build(identity: &Identity, skull: &Skull, mesh: &mut Mesh) {
    // Ears under hair would only poke through it.
    if matches!(identity.hair.style, HairStyle::Bob | HairStyle::Long | HairStyle::Curls) {
        return;
    }
    for sign in [-1.0, 1.0] {
        ear(identity, skull, sign, mesh);
    }
}

fn ear(identity: &Identity, skull: &Skull, sign: f32, mesh: &mut Mesh) {
    let shape = &identity.ears;
    let size = 1.05 + 0.12 * shape.size;
    let root = skull.base(sign * 1.60, 0.4);
    let flare = 0.85 + 0.22 * shape.flare;
    let (sin, cos) = flare.sin_cos();
    // The ear's plane: up with a tilt, and back and outwards.
    let back = v3(sign * sin, 0.0, -cos);
    let up = v3(0.0, 0.98, -0.18);
    let out = v3(sign * cos, 0.0, sin);
    let middle = root + back * (0.85 * size) + up * 0.2 + out * 0.25;
    let first = mesh.places.len() as u32;
    for [radius, height] in RINGS {
        for segment in 0..SEGMENTS {
            // Counter-clockwise as seen from outside on either side.
            let (s, c) = (TAU * segment as f32 / SEGMENTS as f32).sin_cos();
            let (along, high) = (radius * c, radius * s);
            // Wide above, a lobe below.
            let wide = 1.08 * (1.0 + 0.22 * high - 0.25 * smoothstep(-0.5, -1.0, high));
            let notch = -0.25 * hill(along, high, [-0.9, -0.15], [0.35, 0.5]);
            let lobe = hill(along, high, [-0.1, -0.8], [0.5, 0.3]);
            let place: V3 = middle
                + back * (size * wide * along)
                + up * (size * 1.95 * high)
                + out * (size * (height + notch + 0.18 * lobe));
            let open = (0.45 + 0.55 * smoothstep(-0.30, 0.10, height) + 0.2 * lobe).min(1.0);
            mesh.corner(place, Corner { chart: [along, high], lip: 0.0, open });
        }
    }
    // On the person's right the mirrored shell turns the other way.
    let start = mesh.triangles.len();
    mesh.sheet(first, [RINGS.len() as u32, SEGMENTS], true, Part::Ear);
    if sign < 0.0 {
        mesh.triangles[start..].iter_mut().for_each(|triangle| triangle.swap(1, 2));
    }
}
