//! What each expression control does to the skin: hills of displacement on the chart.

use super::expression::control;
use super::lips::Lips;
use super::skull::Skull;
use super::vector::{V3, hill, v3};

/// Which lip a muscle takes hold of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    All,
    Upper,
    Lower,
}

/// A displacement around a place of the chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Muscle {
    pub(super) control: usize,
    center: [f32; 2],
    radius: [f32; 2],
    pub(super) shift: V3,
    hold: Hold,
}

impl Muscle {
    /// How much of the shift a place takes part in; `lower` is 0 on the upper lip, 1 on the lower one.
    pub(super) fn weight(&self, [x, y]: [f32; 2], lower: f32) -> f32 {
        let hold = match self.hold {
            Hold::All => 1.0,
            Hold::Upper => 1.0 - lower,
            Hold::Lower => lower,
        };
        hold * hill(x, y, self.center, self.radius)
    }
}

/// A muscle of both halves of the face: names of the right and left control, and the left half's hill and shift.
struct Pair {
    names: [usize; 2],
    center: [f32; 2],
    radius: [f32; 2],
    shift: [f32; 3],
    hold: Hold,
}

macro_rules! pair {
    ($name:literal, $center:expr, $radius:expr, $shift:expr) => {
        pair!($name, $center, $radius, $shift, Hold::All)
    };
    ($name:literal, $center:expr, $radius:expr, $shift:expr, $hold:expr) => {
        Pair {
            names: [control(concat!($name, "Right")), control(concat!($name, "Left"))],
            center: $center,
            radius: $radius,
            shift: $shift,
            hold: $hold,
        }
    };
    (both $name:literal, $center:expr, $radius:expr, $shift:expr) => {
        pair!(both $name, $center, $radius, $shift, Hold::All)
    };
    (both $name:literal, $center:expr, $radius:expr, $shift:expr, $hold:expr) => {
        Pair { names: [control($name); 2], center: $center, radius: $radius, shift: $shift, hold: $hold }
    };
}

/// All muscles of one person. Shifts are centimetres in the head's frame, for the left half; x mirrors on the right.
pub(super) fn muscles(skull: &Skull, lips: &Lips) -> Vec<Muscle> {
    use Hold::{Lower, Upper};
    let (w, m) = (lips.half_width, lips.height);
    let [_, eye] = skull.eye;
    let nose = skull.nose_tip();
    let corner = [w, m];
    let pairs = [
        pair!("browDown", [2.4, eye + 2.2], [2.1, 1.3], [-0.16, -0.62, 0.08]),
        pair!("browOuterUp", [4.2, eye + 2.5], [1.8, 1.5], [0.05, 0.68, -0.04]),
        pair!(both "browInnerUp", [1.5, eye + 2.4], [1.5, 1.6], [0.06, 0.72, 0.0]),
        pair!(both "cheekPuff", [4.3, -4.1], [2.0, 1.9], [0.62, 0.0, 0.75]),
        pair!("cheekSquint", [3.7, -0.1], [2.0, 1.2], [0.05, 0.42, 0.2]),
        pair!("mouthDimple", corner, [1.2, 1.1], [0.34, 0.06, -0.36]),
        pair!("mouthFrown", corner, [1.3, 1.2], [0.05, -0.66, -0.06]),
        pair!("mouthFrown", [1.2, m - 1.7], [1.3, 0.8], [0.0, 0.12, 0.08]),
        pair!(both "mouthFunnel", [0.7, m + 0.35], [1.5, 0.9], [-0.06, 0.30, 0.55], Upper),
        pair!(both "mouthFunnel", [0.7, m - 0.45], [1.5, 1.0], [-0.06, -0.42, 0.55], Lower),
        pair!(both "mouthFunnel", corner, [1.1, 1.3], [-0.62, 0.0, 0.25]),
        pair!(both "mouthPucker", corner, [1.5, 1.5], [-1.0, 0.0, 0.35]),
        pair!(both "mouthPucker", [0.5, m], [1.3, 0.9], [-0.12, 0.0, 0.55]),
        pair!("mouthLowerDown", [1.0, m - 0.3], [1.3, 0.95], [0.05, -0.55, 0.0], Lower),
        pair!("mouthUpperUp", [1.0, m + 0.4], [1.3, 1.1], [0.03, 0.50, 0.08], Upper),
        pair!("mouthUpperUp", [2.1, m + 2.6], [1.1, 1.1], [0.0, 0.22, 0.1]),
        pair!("mouthPress", [1.1, m + 0.55], [1.3, 0.4], [0.0, -0.20, -0.10], Upper),
        pair!("mouthPress", [1.1, m - 0.65], [1.3, 0.45], [0.0, 0.26, -0.10], Lower),
        pair!(both "mouthRollLower", [0.6, m - 0.6], [1.6, 0.5], [0.0, 0.36, -0.34], Lower),
        pair!(both "mouthRollUpper", [0.6, m + 0.5], [1.6, 0.45], [0.0, -0.30, -0.32], Upper),
        pair!(both "mouthShrugLower", [0.7, m - 1.4], [1.8, 1.8], [0.0, 0.42, 0.20], Lower),
        pair!(both "mouthShrugLower", [0.7, m + 0.4], [1.6, 0.9], [0.0, 0.28, 0.12], Upper),
        pair!(both "mouthShrugUpper", [0.7, m + 0.5], [1.6, 1.1], [0.0, 0.26, 0.18], Upper),
        pair!("mouthSmile", corner, [1.45, 1.35], [0.56, 0.40, -0.34]),
        pair!("mouthSmile", [w + 0.2, m], [2.1, 1.3], [0.08, 0.30, -0.06]),
        pair!("mouthSmile", [3.9, -0.9], [1.7, 1.5], [0.12, 0.40, 0.30]),
        pair!("mouthStretch", corner, [1.5, 1.6], [0.74, -0.22, -0.30]),
        pair!("noseSneer", [1.15, nose - 0.2], [0.8, 0.9], [0.06, 0.34, 0.12]),
        pair!("noseSneer", [1.6, m + 0.9], [1.1, 0.9], [0.0, 0.24, 0.05], Upper),
        pair!("noseSneer", [1.3, eye + 1.9], [1.0, 0.9], [-0.05, -0.26, 0.06]),
    ];
    let mut all = Vec::new();
    for Pair { names, center: [x, y], radius, shift: [sx, sy, sz], hold } in pairs {
        for (name, sign) in names.into_iter().zip([-1.0, 1.0]) {
            all.push(Muscle { control: name, center: [sign * x, y], radius, shift: v3(sign * sx, sy, sz), hold });
        }
    }
    for (name, sign) in [(control("mouthRight"), -1.0), (control("mouthLeft"), 1.0)] {
        let shift = v3(0.85 * sign, 0.0, -0.05);
        all.push(Muscle { control: name, center: [0.0, m], radius: [3.0, 1.7], shift, hold: Hold::All });
    }
    all
}
