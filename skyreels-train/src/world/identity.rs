//! Who somebody is: the numbers that make one person differ from another.

use super::random::Random;

/// A colour as a person would name it: red, green, blue in sRGB, 0..1.
pub type Color = [f32; 3];

/// A person's looks. Shapes are deviations from the average person, mostly within -1..1; 0 is average.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Skull, jaw and cheeks.
    pub head: HeadShape,
    /// Eyes and lashes.
    pub eyes: EyeShape,
    /// Eyebrows.
    pub brows: BrowShape,
    /// Nose.
    pub nose: NoseShape,
    /// Mouth and lips.
    pub mouth: MouthShape,
    /// Ears.
    pub ears: EarShape,
    /// Skin.
    pub skin: Skin,
    /// Hair of the head.
    pub hair: Hair,
}

/// Skull, jaw and cheeks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HeadShape {
    /// Width of the skull.
    pub width: f32,
    /// Length of the face.
    pub length: f32,
    /// Width of the jaw.
    pub jaw: f32,
    /// How far the chin stands out.
    pub chin: f32,
    /// Length of the chin.
    pub chin_length: f32,
    /// How far the cheekbones stand out.
    pub cheekbones: f32,
    /// Height of the forehead.
    pub forehead: f32,
    /// Fullness of the cheeks.
    pub fullness: f32,
    /// Strength of the brow ridge.
    pub ridge: f32,
    /// Thickness of the neck.
    pub neck: f32,
}

/// Eyes and lashes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EyeShape {
    /// Distance from each other.
    pub spacing: f32,
    /// Width.
    pub width: f32,
    /// Opening.
    pub opening: f32,
    /// How much higher the outer corner is than the inner one.
    pub tilt: f32,
    /// How deep they lie.
    pub depth: f32,
    /// Size of the iris.
    pub iris: f32,
    /// Colour of the iris.
    pub color: Color,
    /// Strength of the lashes, 0..1.
    pub lashes: f32,
}

/// Eyebrows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrowShape {
    /// Height above the eyes.
    pub height: f32,
    /// Arch.
    pub arch: f32,
    /// Thickness.
    pub thickness: f32,
    /// How much higher the outer end is than the inner one.
    pub tilt: f32,
    /// Length.
    pub length: f32,
    /// How much skin they hide, 0..1.
    pub density: f32,
    /// Their colour.
    pub color: Color,
}

/// Nose.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NoseShape {
    /// Length.
    pub length: f32,
    /// Width of the wings.
    pub width: f32,
    /// Height of the bridge.
    pub bridge: f32,
    /// How far the tip stands out.
    pub tip: f32,
    /// How much the tip points up.
    pub upturn: f32,
    /// Thickness of the bridge.
    pub thickness: f32,
}

/// Mouth and lips.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MouthShape {
    /// Width.
    pub width: f32,
    /// Fullness of the upper lip.
    pub upper: f32,
    /// Fullness of the lower lip.
    pub lower: f32,
    /// Depth of the dip in the upper lip.
    pub bow: f32,
    /// Height on the face.
    pub height: f32,
    /// How much higher the corners are than the middle.
    pub corners: f32,
}

/// Ears.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EarShape {
    /// Size.
    pub size: f32,
    /// How far they stand off.
    pub flare: f32,
}

/// Skin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Skin {
    /// Its colour.
    pub color: Color,
    /// Colour of the lips.
    pub lips: Color,
    /// Redness of the cheeks and the nose, 0..1.
    pub blush: f32,
    /// Freckles, 0..1.
    pub freckles: f32,
    /// Beard, from none at 0 over stubble to a short full one at 1.
    pub beard: f32,
    /// How much the skin shines, 0..1.
    pub gloss: f32,
}

/// Hair of the head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hair {
    /// Its cut.
    pub style: HairStyle,
    /// Its colour.
    pub color: Color,
    /// How thick it lies.
    pub volume: f32,
    /// How much it waves, 0..1.
    pub wave: f32,
    /// Which side the parting is on, -1 (the person's right) to 1.
    pub parting: f32,
    /// How high it begins on the forehead.
    pub line: f32,
    /// How far the longer cuts reach down.
    pub length: f32,
}

/// How hair is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HairStyle {
    /// Clipped to a few millimetres.
    Buzz,
    /// Short, brushed to the side.
    Short,
    /// Short at the sides, high on top.
    Quiff,
    /// Close to the head, tied to a bun on top.
    Bun,
    /// To the chin, with a fringe.
    Bob,
    /// Over the shoulders.
    Long,
    /// A round crown of curls.
    Curls,
    /// Only at the sides.
    Receding,
}

const SKINS: [Color; 7] = [
    [0.97, 0.82, 0.74],
    [0.94, 0.76, 0.65],
    [0.89, 0.69, 0.55],
    [0.80, 0.58, 0.43],
    [0.66, 0.45, 0.32],
    [0.50, 0.33, 0.24],
    [0.37, 0.24, 0.18],
];
const HAIRS: [Color; 8] = [
    [0.09, 0.07, 0.07],
    [0.16, 0.11, 0.08],
    [0.27, 0.17, 0.11],
    [0.40, 0.25, 0.14],
    [0.58, 0.40, 0.21],
    [0.82, 0.65, 0.38],
    [0.55, 0.22, 0.10],
    [0.66, 0.65, 0.64],
];
const IRISES: [Color; 6] = [
    [0.28, 0.16, 0.08],
    [0.40, 0.24, 0.11],
    [0.47, 0.38, 0.17],
    [0.30, 0.45, 0.27],
    [0.28, 0.47, 0.64],
    [0.45, 0.55, 0.60],
];
/// How many of the hair and iris colours go with dark skin.
const DARK_ONLY: usize = 3;
/// The skin in [`SKINS`] from which on hair and eyes are mostly dark.
const DARK_FROM: f32 = 3.2;

fn blend(a: Color, b: Color, share: f32) -> Color {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}

impl Identity {
    /// The person of a seed; the same seed gives the same person.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed, 1);
        // Features that tend to go together: one end heavy jaws and brows, the other full lips and long lashes.
        let build = (random.bell() * 1.3).clamp(-1.0, 1.0);
        let complexion = random.between(0.0, SKINS.len() as f32 - 1.001);
        let hair = Self::hair(&mut random, build, complexion);
        let lean = |random: &mut Random, to: f32| (to * build + 0.75 * random.bell()).clamp(-1.2, 1.2);
        let r = &mut random;
        let beard = if build > 0.05 && r.chance(0.55) { r.between(0.1, 1.0) } else { 0.0 };
        Self {
            head: HeadShape {
                width: lean(r, 0.1),
                length: lean(r, 0.15),
                jaw: lean(r, 0.6),
                chin: lean(r, 0.3),
                chin_length: lean(r, 0.35),
                cheekbones: lean(r, -0.3),
                forehead: lean(r, 0.1),
                fullness: lean(r, -0.1),
                ridge: lean(r, 0.6),
                neck: lean(r, 0.8),
            },
            eyes: EyeShape {
                spacing: lean(r, 0.0),
                width: lean(r, -0.2),
                opening: lean(r, -0.35),
                tilt: lean(r, -0.2),
                depth: lean(r, 0.4),
                iris: lean(r, -0.2),
                color: Self::iris(r, complexion),
                lashes: (0.45 - 0.4 * build + 0.2 * r.bell()).clamp(0.1, 1.0),
            },
            brows: BrowShape {
                height: lean(r, -0.45),
                arch: lean(r, -0.4),
                thickness: lean(r, 0.5),
                tilt: lean(r, 0.0),
                length: lean(r, 0.1),
                density: (0.8 + 0.2 * r.bell()).clamp(0.5, 1.0),
                color: blend(hair.color, [0.12, 0.08, 0.06], 0.45),
            },
            nose: NoseShape {
                length: lean(r, 0.2),
                width: lean(r, 0.3) + 0.25 * (complexion / 6.0),
                bridge: lean(r, 0.35),
                tip: lean(r, 0.15),
                upturn: lean(r, -0.4),
                thickness: lean(r, 0.3),
            },
            mouth: MouthShape {
                width: lean(r, 0.2),
                upper: lean(r, -0.4) + 0.3 * (complexion / 6.0),
                lower: lean(r, -0.3) + 0.2 * (complexion / 6.0),
                bow: lean(r, -0.1),
                height: lean(r, 0.0),
                corners: lean(r, 0.0),
            },
            ears: EarShape { size: lean(r, 0.2), flare: lean(r, 0.1) },
            skin: Self::skin(r, build, complexion, beard),
            hair,
        }
    }

    fn skin(r: &mut Random, build: f32, complexion: f32, beard: f32) -> Skin {
        let index = complexion as usize;
        let mut color = blend(SKINS[index], SKINS[index + 1], complexion.fract());
        let warmth = 0.02 * r.bell();
        color = [color[0] + warmth, color[1], color[2] - warmth];
        // Lipstick for some, else the skin's own red.
        let paint = if build < -0.1 && r.chance(0.5) { r.between(0.5, 0.95) } else { 0.0 };
        let red = r.pick(&[[0.72, 0.16, 0.20], [0.80, 0.30, 0.34], [0.58, 0.16, 0.24], [0.78, 0.38, 0.32]]);
        let bare = [color[0] * 0.86, color[1] * 0.62, color[2] * 0.64];
        Skin {
            color,
            lips: blend(bare, red, paint),
            blush: r.between(0.2, 0.8),
            freckles: if complexion < 2.0 && r.chance(0.3) { r.between(0.4, 1.0) } else { 0.0 },
            beard,
            gloss: r.between(0.25, 0.8),
        }
    }

    fn iris(r: &mut Random, complexion: f32) -> Color {
        let choices = if complexion > DARK_FROM { &IRISES[..DARK_ONLY - 1] } else { &IRISES[..] };
        let (a, b) = (r.pick(choices), r.pick(choices));
        blend(a, b, 0.3 * r.unit())
    }

    fn hair(r: &mut Random, build: f32, complexion: f32) -> Hair {
        use HairStyle::{Bob, Bun, Buzz, Curls, Long, Quiff, Receding, Short};
        let style = if build > 0.25 {
            r.pick(&[Short, Short, Quiff, Quiff, Buzz, Curls, Receding])
        } else if build < -0.15 {
            r.pick(&[Long, Long, Long, Bob, Bob, Bun, Curls])
        } else {
            r.pick(&[Short, Quiff, Long, Bob, Curls, Bun])
        };
        let choices = if complexion > DARK_FROM { &HAIRS[..DARK_ONLY] } else { &HAIRS[..] };
        let (a, b) = (r.pick(choices), r.pick(choices));
        Hair {
            style,
            color: blend(a, b, 0.25 * r.unit()),
            volume: r.bell(),
            wave: if style == Curls { 1.0 } else { r.unit() * r.unit() },
            parting: if r.chance(0.5) { r.between(0.3, 1.0) } else { r.between(-1.0, -0.3) },
            line: r.bell(),
            length: r.bell(),
        }
    }
}
