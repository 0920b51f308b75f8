//! Where the edges of the lids are, and the ball they slide on.

use super::expression::{Expression, control};
use super::identity::Identity;
use super::skull::Skull;
use super::vector::{V3, mix, v3};

/// Radius of an eyeball; larger than a real one, so that the corners of the eye still lie on it.
pub(super) const BALL: f32 = 1.95;
/// How far an eye turns sideways and up at full gaze, in radians.
pub(super) const TURN: [f32; 2] = [0.42, 0.30];
/// How far each eye turns inwards and down to look at the camera, in radians.
const CAMERA: [f32; 2] = [0.085, 0.06];
/// How far the lids' edges stand off the ball.
const LID: f32 = 0.07;

const BLINK: [usize; 2] = [control("eyeBlinkRight"), control("eyeBlinkLeft")];
const SQUINT: [usize; 2] = [control("eyeSquintRight"), control("eyeSquintLeft")];
const WIDE: [usize; 2] = [control("eyeWideRight"), control("eyeWideLeft")];
const CHEEK: [usize; 2] = [control("cheekSquintRight"), control("cheekSquintLeft")];
const SMILE: [usize; 2] = [control("mouthSmileRight"), control("mouthSmileLeft")];

/// One eye of one person: ball and opening at rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eye {
    /// -1 for the right eye, 1 for the left one.
    pub(super) sign: f32,
    /// Chart place of the middle of the opening.
    pub(super) middle: [f32; 2],
    /// Middle of the ball in the head's frame.
    pub(super) ball: V3,
    /// Radius of the iris.
    pub(super) iris: f32,
    half_width: f32,
    upper: f32,
    lower: f32,
    tilt: f32,
}

/// Heights of the lids' edges in the middle of an eye, from its axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Opening {
    /// With open lids.
    upper: f32,
    lower: f32,
    /// Where the lids meet, and how far they are on their way, 0..1.
    closed: f32,
    blink: f32,
}

impl Eye {
    pub(super) fn new(identity: &Identity, skull: &Skull, side: usize) -> Self {
        let shape = &identity.eyes;
        let sign = if side == 0 { -1.0 } else { 1.0 };
        let middle = [sign * skull.eye[0], skull.eye[1]];
        let socket = skull.surface(middle[0], middle[1]);
        Self {
            sign,
            middle,
            ball: v3(socket.x, socket.y, socket.z - BALL + 0.34),
            iris: 0.83 + 0.06 * shape.iris,
            half_width: 1.66 + 0.12 * shape.width,
            upper: 0.88 + 0.15 * shape.opening,
            lower: 0.52 + 0.06 * shape.opening,
            tilt: 0.10 + 0.13 * shape.tilt,
        }
    }

    /// How far the lids are apart under an expression.
    pub(super) fn opening(&self, expression: &Expression) -> Opening {
        let side = usize::from(self.sign > 0.0);
        let weight = |controls: [usize; 2]| expression.at(controls[side]);
        let (blink, squint, wide) = (weight(BLINK), weight(SQUINT), weight(WIDE));
        let up = expression.gaze(side)[1];
        let cheek = (0.6 * weight(CHEEK) + 0.35 * weight(SMILE)).min(1.0);
        let follow = if up > 0.0 { 0.16 * up } else { 0.46 * up };
        let upper = self.upper * (1.0 + 0.34 * wide - 0.32 * squint + follow);
        let lower = self.lower * (1.0 - 0.55 * squint - 0.5 * cheek + 0.25 * wide - 0.2 * up.max(0.0));
        // Closed lids meet below the axis.
        let closed = -0.62 * lower;
        Opening { upper, lower: -lower, closed, blink }
    }

    /// Chart place of a lid's edge; `across` from the right corner (-1) to the left one (1).
    pub(super) fn edge(&self, opening: &Opening, across: f32, upper: bool) -> [f32; 2] {
        // Inwards negative, so that both eyes are mirror images.
        let outward = across * self.sign;
        let lens = (1.0 - across * across).max(0.0).sqrt();
        // The upper lid is highest somewhat inwards of the middle, the lower one lowest outwards.
        let above = lens * (1.0 - 0.16 * outward) * mix(1.0, lens, 0.15);
        let below = lens * (1.0 + 0.14 * outward) * mix(1.0, lens, 0.3);
        let open = if upper { opening.upper * above } else { opening.lower * below };
        let height = mix(open, opening.closed * below, opening.blink);
        let corner = self.tilt * outward;
        [self.middle[0] + self.half_width * across, self.middle[1] + corner + height]
    }

    /// Depth of the lids' inner side over the ball, `None` beside it.
    pub(super) fn lid_depth(&self, place: V3) -> Option<f32> {
        let (dx, dy) = (place.x - self.ball.x, place.y - self.ball.y);
        let squared = (BALL + LID) * (BALL + LID) - dx * dx - dy * dy;
        (squared > 0.0).then(|| self.ball.z + squared.sqrt())
    }

    /// How far an eye is turned under an expression: to the person's left and up, in radians.
    pub(super) fn gaze(&self, expression: &Expression) -> [f32; 2] {
        let [left, up] = expression.gaze(usize::from(self.sign > 0.0));
        [TURN[0] * left - self.sign * CAMERA[0], TURN[1] * up - CAMERA[1]]
    }
}

impl Opening {
    /// 1 when the lids touch, 0 when they are well apart.
    pub(super) fn closeness(&self) -> f32 {
        let gap = (self.upper - self.lower) * (1.0 - self.blink);
        1.0 - (gap / 0.8).clamp(0.0, 1.0)
    }
}
