//! What is behind a person.

use super::palette::linear;
use super::random::Random;
use super::scene::Background;
use super::vector::{V3, hill, smoothstep};

const SPOTS: usize = 7;

/// A soft spot of light.
struct Spot {
    center: [f32; 2],
    radius: f32,
    color: V3,
}

/// A background for pictures of one size.
pub(super) struct Backdrop {
    background: Background,
    top: V3,
    bottom: V3,
    spots: Vec<Spot>,
    size: [f32; 2],
}

impl Backdrop {
    pub(super) fn new(background: &Background, size: [u32; 2]) -> Self {
        let random = &mut Random::new(background.seed, 3);
        let count = if background.spots > 0.0 { SPOTS } else { 0 };
        let top = linear(background.top);
        let spot = |_: usize| {
            let center = [random.between(-1.0, 1.0), random.between(-0.1, 1.0)];
            let tint = [random.between(0.6, 1.2), random.between(0.6, 1.1), random.between(0.5, 1.1)];
            let strength = background.spots * random.between(0.10, 0.32);
            Spot { center, radius: random.between(0.12, 0.34), color: top.scale(tint.into()) * strength }
        };
        let spots = (0..count).map(spot).collect();
        Self { background: *background, top, bottom: linear(background.bottom), spots, size: size.map(|v| v as f32) }
    }

    /// Colour of a pixel.
    pub(super) fn at(&self, column: usize, row: usize) -> V3 {
        let [width, height] = self.size;
        // From the middle, in half heights.
        let x = (2.0 * column as f32 + 1.0 - width) / height;
        let y = (height - 2.0 * row as f32 - 1.0) / height;
        let mut color = self.bottom.mix(self.top, smoothstep(-1.0, 1.0, y));
        color = color * (1.0 + 0.25 * hill(x, y, [0.3, 0.2], [1.1, 1.1]));
        for spot in &self.spots {
            let away = (x - spot.center[0]).hypot(y - spot.center[1]);
            color += spot.color * smoothstep(spot.radius, spot.radius * 0.72, away);
        }
        let corner = (x * x + y * y).sqrt();
        color * (1.0 - self.background.vignette * smoothstep(0.6, 1.7, corner))
    }
}
