//! What is around a person: clothes, light and background.

use super::identity::Color;
use super::random::Random;

/// What is around a person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scene {
    /// What the person wears.
    pub clothes: Clothes,
    /// How the person is lit.
    pub light: Light,
    /// What is behind.
    pub background: Background,
    /// Centimetres that the picture is high where the head is; a head is about 24 high. Less than 24 counts as 24.
    pub height: f32,
}

/// Head and shoulders.
const HEIGHT: f32 = 36.5;

/// What a person wears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clothes {
    /// Form of the neckline.
    pub collar: Collar,
    /// Colour of the cloth.
    pub color: Color,
    /// Colour of collar and stripes.
    pub trim: Color,
    /// How clearly stripes show, 0..1.
    pub stripes: f32,
}

/// Form of a neckline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collar {
    /// Round and close to the neck.
    Crew,
    /// Round and wide.
    Scoop,
    /// Pointed.
    Vee,
    /// A roll around the neck.
    Turtleneck,
}

/// How a person is lit: a key light, light from above and below, and a rim of light from behind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Light {
    /// Where the key light comes from: right in the picture, up, towards the camera; of any length but 0.
    pub direction: [f32; 3],
    /// Colour and strength of the key light.
    pub key: Color,
    /// Light from above and all around.
    pub sky: Color,
    /// Light from below.
    pub ground: Color,
    /// Light from behind, on the side away from the key light.
    pub rim: Color,
}

/// What is behind a person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Background {
    /// Colour above.
    pub top: Color,
    /// Colour below.
    pub bottom: Color,
    /// How much the corners are darkened, 0..1.
    pub vignette: f32,
    /// Strength of soft spots of light out of focus, 0..1.
    pub spots: f32,
    /// Where the spots are.
    pub seed: u64,
}

const CLOTHS: [Color; 10] = [
    [0.20, 0.29, 0.45],
    [0.48, 0.17, 0.20],
    [0.22, 0.37, 0.31],
    [0.83, 0.81, 0.77],
    [0.15, 0.15, 0.17],
    [0.72, 0.55, 0.25],
    [0.45, 0.55, 0.68],
    [0.62, 0.40, 0.45],
    [0.36, 0.28, 0.42],
    [0.80, 0.45, 0.33],
];
const WALLS: [Color; 8] = [
    [0.74, 0.79, 0.82],
    [0.82, 0.77, 0.69],
    [0.66, 0.73, 0.67],
    [0.76, 0.72, 0.78],
    [0.34, 0.38, 0.44],
    [0.45, 0.40, 0.37],
    [0.58, 0.66, 0.76],
    [0.80, 0.68, 0.62],
];

impl Scene {
    /// The scene of a seed; the same seed gives the same scene.
    pub fn from_seed(seed: u64) -> Self {
        let r = &mut Random::new(seed, 2);
        let clothes = Clothes {
            collar: r.pick(&[Collar::Crew, Collar::Crew, Collar::Scoop, Collar::Vee, Collar::Turtleneck]),
            color: r.pick(&CLOTHS),
            trim: r.pick(&CLOTHS),
            stripes: if r.chance(0.25) { r.between(0.4, 1.0) } else { 0.0 },
        };
        let (side, warm) = (if r.chance(0.5) { -1.0 } else { 1.0 }, r.bell());
        let strength = r.between(0.72, 0.98);
        let tint = |v: f32, warm: f32| [v * (1.0 + 0.10 * warm), v, v * (1.0 - 0.14 * warm)];
        let ambient = r.between(0.30, 0.42);
        let light = Light {
            direction: [side * r.between(0.25, 0.9), r.between(0.35, 0.85), 1.0],
            key: tint(strength, warm),
            sky: tint(ambient, -0.5 * warm),
            ground: tint(ambient * 0.55, 0.6),
            rim: tint(r.between(0.0, 0.5), -warm),
        };
        let wall = r.pick(&WALLS);
        let shade = r.between(0.55, 0.95);
        let background = Background {
            top: wall.map(|v| (v * r.between(0.95, 1.1)).min(1.0)),
            bottom: wall.map(|v| v * shade),
            vignette: r.between(0.15, 0.5),
            spots: if r.chance(0.4) { r.between(0.3, 1.0) } else { 0.0 },
            seed,
        };
        Self { clothes, light, background, height: HEIGHT }
    }
}
