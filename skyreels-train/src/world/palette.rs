//! Colours of a person and a scene as the shading needs them: in linear light, with the places they go to.

use super::body::neckline;
use super::brows::Brows;
use super::camera::standing;
use super::face::Face;
use super::identity::{Color, HairStyle, Identity, Skin};
use super::scene::{Clothes, Scene};
use super::vector::{V3, v3};

/// What is looked up while shading.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    pub(super) skin: V3,
    pub(super) lips: V3,
    pub(super) hair: V3,
    pub(super) brow: V3,
    pub(super) iris: V3,
    pub(super) cloth: V3,
    pub(super) trim: V3,
    pub(super) look: Skin,
    pub(super) clothes: Clothes,
    pub(super) brows: Brows,
    /// Chart height of the nose's tip and of the line between the lips, half width of the mouth.
    pub(super) nose_tip: f32,
    pub(super) mouth: [f32; 2],
    /// Chart height from which the scalp shows the hair's colour.
    pub(super) scalp: f32,
    /// Strands per radian.
    pub(super) strands: f32,
    pub(super) scene: Scene,
    /// Where an unmoved head is.
    pub(super) standing: V3,
    /// Direction to the key light.
    pub(super) key: V3,
    pub(super) rim: V3,
}

/// The sRGB transfer function, backwards.
pub(super) fn linear(color: Color) -> V3 {
    let one = |v: f32| {
        let v = v.clamp(0.0, 1.0);
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    V3::from(color.map(one))
}

impl Palette {
    pub(super) fn new(identity: &Identity, scene: &Scene, face: &Face) -> Self {
        let direction = V3::from(scene.light.direction);
        let key = if direction.length() > 1e-3 { direction.unit() } else { v3(0.0, 0.0, 1.0) };
        let hair = &identity.hair;
        Self {
            skin: linear(identity.skin.color),
            lips: linear(identity.skin.lips),
            hair: linear(hair.color),
            brow: linear(identity.brows.color),
            iris: linear(identity.eyes.color),
            cloth: linear(scene.clothes.color),
            trim: linear(scene.clothes.trim),
            look: identity.skin,
            clothes: scene.clothes,
            brows: Brows::new(identity, face.skull()),
            nose_tip: face.skull().nose_tip(),
            mouth: [face.lips.height, face.lips.half_width],
            scalp: if hair.style == HairStyle::Receding { 20.0 } else { 7.2 + 0.5 * hair.line },
            strands: if hair.style == HairStyle::Curls { 14.0 } else { 30.0 },
            scene: *scene,
            standing: standing(scene.height),
            key,
            rim: v3(-0.8 * key.x.signum(), 0.45, -0.55).unit(),
        }
    }

    /// True where the body is covered, at an angle around it and a height.
    pub(super) fn clothed(&self, [angle, y]: [f32; 2]) -> bool {
        y < neckline(self.clothes.collar, angle)
    }
}
