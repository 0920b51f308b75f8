//! Neck, shoulders and clothes.

use std::f32::consts::TAU;

use super::identity::Identity;
use super::mesh::{Corner, Mesh, Part};
use super::scene::{Clothes, Collar};
use super::vector::{V3, hill, mix, smoothstep, v3};

const COLUMNS: u32 = 56;
/// Rows from below to above: height, half width, half depth, where the middle lies in depth, and how much the row
/// follows the head.
const ROWS: [[f32; 5]; 22] = [
    [-40.0, 19.2, 9.0, -3.8, 0.0],
    [-30.0, 19.0, 9.0, -3.8, 0.0],
    [-24.0, 18.6, 8.6, -3.8, 0.0],
    [-21.0, 18.0, 8.1, -3.8, 0.0],
    [-19.0, 17.2, 7.6, -3.8, 0.0],
    [-17.6, 16.1, 7.1, -3.8, 0.0],
    [-16.5, 14.4, 6.7, -3.8, 0.0],
    [-15.7, 12.2, 6.3, -3.8, 0.0],
    [-15.0, 9.9, 5.8, -3.8, 0.0],
    [-14.4, 8.1, 5.4, -3.8, 0.0],
    [-13.8, 6.9, 5.0, -3.7, 0.02],
    [-13.1, 6.0, 4.7, -3.6, 0.05],
    [-12.3, 5.4, 4.4, -3.5, 0.12],
    [-11.4, 5.0, 4.2, -3.4, 0.22],
    [-10.4, 4.75, 4.1, -3.2, 0.36],
    [-9.4, 4.65, 4.05, -3.0, 0.52],
    [-8.4, 4.6, 4.0, -2.8, 0.66],
    [-7.4, 4.6, 4.0, -2.7, 0.80],
    [-6.4, 4.6, 4.0, -2.6, 0.90],
    [-5.4, 4.6, 3.8, -2.7, 0.96],
    [-4.4, 4.5, 3.6, -3.0, 1.0],
    [-3.4, 4.3, 3.2, -3.6, 1.0],
];
/// Rows above this one belong to the neck.
const NECK: f32 = -14.0;

/// The mesh below the head.
#[derive(Debug, Clone)]
pub(super) struct Body {
    first: u32,
    rest: Vec<V3>,
    /// How much each corner follows the head.
    follow: Vec<f32>,
}

/// How high the cloth reaches at an angle around the neck, 0 in front.
pub(super) fn neckline(collar: Collar, angle: f32) -> f32 {
    let front = angle.abs();
    match collar {
        Collar::Crew => mix(-14.1, -12.4, smoothstep(0.2, 1.9, front)),
        Collar::Scoop => mix(-18.6, -13.0, smoothstep(0.1, 1.75, front)),
        Collar::Vee => mix(-19.8, -12.5, (front / 1.55).min(1.0)),
        Collar::Turtleneck => mix(-10.9, -10.3, smoothstep(0.5, 2.5, front)),
    }
}

impl Body {
    pub(super) fn build(identity: &Identity, clothes: &Clothes, mesh: &mut Mesh) -> Self {
        let first = mesh.places.len() as u32;
        let thick = 1.0 + 0.09 * identity.head.neck;
        let broad = 1.0 + 0.05 * identity.head.neck;
        let mut follow = Vec::new();
        for [y, width, depth, middle, share] in ROWS {
            let scale = if y > NECK { thick } else { broad };
            for column in 0..COLUMNS {
                let angle = TAU * column as f32 / COLUMNS as f32 - TAU / 2.0;
                let (sin, cos) = angle.sin_cos();
                let mut place = v3(width * scale * sin, y, middle + depth * scale * cos);
                // Shoulders fall off to the side, the chest comes forward, collarbones show.
                place.y -= 0.9 * hill(place.x.abs(), y, [15.0, -16.5], [5.0, 2.5]);
                place.z += 0.5 * cos.max(0.0) * hill(place.x, y, [0.0, -22.0], [12.0, 6.0]);
                let bone = hill(place.x.abs(), y + 0.10 * place.x.abs(), [4.5, -14.2], [4.2, 0.45]);
                place.z += 0.25 * bone * cos.max(0.0);
                place.z +=
                    0.35 * cos.max(0.0) * hill(place.x.abs() - 0.32 * (y + 14.0).abs(), y, [0.4, -10.5], [0.7, 3.5]);
                let above = y - neckline(clothes.collar, angle);
                // Cloth lies on the skin, thickest at its hem.
                let cloth = smoothstep(0.5, -0.4, above) * (0.22 + 0.2 * (above.min(0.0) / 0.9).exp());
                place += v3(sin, 0.25, cos) * cloth;
                let chin = smoothstep(-12.6, -8.5, y) * smoothstep(-0.4, 0.9, cos);
                let hem = 0.25 * smoothstep(0.0, 0.2, above) * smoothstep(1.4, 0.4, above);
                let open = 1.0 - 0.62 * chin - hem - 0.25 * smoothstep(-13.0, -9.0, y);
                mesh.corner(place, Corner { chart: [angle, y], lip: 0.0, open: open.clamp(0.15, 1.0) });
                follow.push(share);
            }
        }
        mesh.sheet(first, [ROWS.len() as u32, COLUMNS], true, Part::Body);
        Self { first, rest: mesh.places[first as usize..].to_vec(), follow }
    }

    /// Places in front of the camera: between where the head and where the chest goes.
    pub(super) fn deform(&self, head: impl Fn(V3) -> V3, chest: impl Fn(V3) -> V3, places: &mut [V3]) {
        let places = &mut places[self.first as usize..];
        for ((place, rest), share) in places.iter_mut().zip(&self.rest).zip(&self.follow) {
            *place = chest(*rest).mix(head(*rest), *share);
        }
    }

    /// Number of its first corner.
    pub(super) fn first(&self) -> usize {
        self.first as usize
    }
}
