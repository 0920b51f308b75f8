//! The table of sliders: which rows of points move where.

use crate::motion::anatomy::{Row, Side};

/// How much each point of a row takes part, by its share of the way along.
#[derive(Debug, Clone, Copy)]
pub(super) enum Profile {
    /// All alike.
    Even,
    /// Most in the middle, nothing at the ends.
    Middle,
    /// Most at the end of that side of the person (rows that cross the face go from right to left).
    Corner(Side),
    /// Most in the middle of that half.
    Half(Side),
    /// Towards the ends on either side: -1 at the right end, 1 at the left one.
    Apart,
    /// From 0 at the beginning of the row to 1 at its end.
    Rising,
    /// From 1 at the beginning of the row to 0 at its end.
    Falling,
}

/// In which measure a length is given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Mouth,
    Eye(Side),
}

/// One row moves: to the person's left, up, out of the face.
pub(super) struct Move(pub(super) Row, pub(super) Profile, pub(super) Unit, pub(super) [f64; 3]);

/// What a slider at 1 does.
pub(super) enum Effect {
    /// Points move along lines.
    Moves(&'static [Move]),
    /// The lids of one eye come together; at 1 they touch. The second number is the upper lid's part.
    Lids(Side, f64, f64),
    /// The lips come together; at 1 they touch.
    Lips,
}

use Effect::{Lids, Lips, Moves};
use Profile::{Apart, Corner, Even, Falling, Half, Middle, Rising};
use Row::{Brow, Chin, Iris, LowerLid, LowerLip, LowerLipRim, UpperLid, UpperLip, UpperLipRim};
use Side::{Left, Right};
use Unit::{Eye, Mouth};

/// The upper lid's part of a blink.
pub(crate) const UPPER_LID_PART: f64 = 0.85;
/// The upper lip's part when lips meet.
pub(crate) const UPPER_LIP_PART: f64 = 0.2;
/// How much wider an eye opens when it is told to close by -1.
pub(super) const WIDENING: f64 = 0.4;
/// How much of its opening a full squint takes.
const SQUINT: f64 = 0.4;

/// Name and effect of every slider.
pub(super) const SLIDERS: &[(&str, Effect)] = &[
    ("browDownLeft", Moves(&[Move(Brow(Left), Even, Eye(Left), [-0.02, -0.14, 0.0])])),
    ("browDownRight", Moves(&[Move(Brow(Right), Even, Eye(Right), [0.02, -0.14, 0.0])])),
    (
        "browInnerUp",
        Moves(&[
            Move(Brow(Left), Rising, Eye(Left), [0.0, 0.25, 0.0]),
            Move(Brow(Right), Rising, Eye(Right), [0.0, 0.25, 0.0]),
        ]),
    ),
    ("browOuterUpLeft", Moves(&[Move(Brow(Left), Falling, Eye(Left), [0.0, 0.35, 0.0])])),
    ("browOuterUpRight", Moves(&[Move(Brow(Right), Falling, Eye(Right), [0.0, 0.35, 0.0])])),
    ("eyeBlinkLeft", Lids(Left, 1.0, UPPER_LID_PART)),
    ("eyeBlinkRight", Lids(Right, 1.0, UPPER_LID_PART)),
    (
        "eyeLookDownLeft",
        Moves(&[
            Move(Iris(Left), Even, Eye(Left), [0.0, -0.13, 0.0]),
            Move(UpperLid(Left), Middle, Eye(Left), [0.0, -0.1, 0.0]),
        ]),
    ),
    (
        "eyeLookDownRight",
        Moves(&[
            Move(Iris(Right), Even, Eye(Right), [0.0, -0.13, 0.0]),
            Move(UpperLid(Right), Middle, Eye(Right), [0.0, -0.1, 0.0]),
        ]),
    ),
    ("eyeLookInLeft", Moves(&[Move(Iris(Left), Even, Eye(Left), [-0.18, 0.0, 0.0])])),
    ("eyeLookInRight", Moves(&[Move(Iris(Right), Even, Eye(Right), [0.18, 0.0, 0.0])])),
    ("eyeLookOutLeft", Moves(&[Move(Iris(Left), Even, Eye(Left), [0.18, 0.0, 0.0])])),
    ("eyeLookOutRight", Moves(&[Move(Iris(Right), Even, Eye(Right), [-0.18, 0.0, 0.0])])),
    (
        "eyeLookUpLeft",
        Moves(&[
            Move(Iris(Left), Even, Eye(Left), [0.0, 0.13, 0.0]),
            Move(UpperLid(Left), Middle, Eye(Left), [0.0, 0.12, 0.0]),
            Move(LowerLid(Left), Middle, Eye(Left), [0.0, 0.05, 0.0]),
        ]),
    ),
    (
        "eyeLookUpRight",
        Moves(&[
            Move(Iris(Right), Even, Eye(Right), [0.0, 0.13, 0.0]),
            Move(UpperLid(Right), Middle, Eye(Right), [0.0, 0.12, 0.0]),
            Move(LowerLid(Right), Middle, Eye(Right), [0.0, 0.05, 0.0]),
        ]),
    ),
    ("eyeSquintLeft", Lids(Left, SQUINT, 0.0)),
    ("eyeSquintRight", Lids(Right, SQUINT, 0.0)),
    ("eyeWideLeft", Lids(Left, -WIDENING, UPPER_LID_PART)),
    ("eyeWideRight", Lids(Right, -WIDENING, UPPER_LID_PART)),
    (
        "jawForward",
        Moves(&[Move(LowerLip, Even, Mouth, [0.0, 0.0, 0.15]), Move(Chin, Middle, Mouth, [0.0, 0.0, 0.15])]),
    ),
    ("jawLeft", Moves(&[Move(LowerLip, Middle, Mouth, [0.2, 0.0, 0.0]), Move(Chin, Middle, Mouth, [0.25, 0.0, 0.0])])),
    (
        "jawOpen",
        Moves(&[
            Move(UpperLip, Apart, Mouth, [-0.08, 0.0, 0.0]),
            Move(LowerLip, Apart, Mouth, [-0.08, 0.0, 0.0]),
            Move(UpperLip, Corner(Right), Mouth, [0.0, -0.16, -0.08]),
            Move(UpperLip, Corner(Left), Mouth, [0.0, -0.16, -0.08]),
            Move(LowerLip, Middle, Mouth, [0.0, -0.5, -0.2]),
            Move(UpperLip, Middle, Mouth, [0.0, 0.04, 0.0]),
            Move(Chin, Middle, Mouth, [0.0, -0.4, -0.25]),
        ]),
    ),
    (
        "jawRight",
        Moves(&[Move(LowerLip, Middle, Mouth, [-0.2, 0.0, 0.0]), Move(Chin, Middle, Mouth, [-0.25, 0.0, 0.0])]),
    ),
    ("mouthClose", Lips),
    ("mouthDimpleLeft", Moves(&[Move(UpperLip, Corner(Left), Mouth, [0.08, 0.05, -0.04])])),
    ("mouthDimpleRight", Moves(&[Move(UpperLip, Corner(Right), Mouth, [-0.08, 0.05, -0.04])])),
    (
        "mouthFrownLeft",
        Moves(&[
            Move(UpperLip, Corner(Left), Mouth, [0.0, -0.12, 0.0]),
            Move(LowerLip, Corner(Left), Mouth, [0.0, -0.12, 0.0]),
        ]),
    ),
    (
        "mouthFrownRight",
        Moves(&[
            Move(UpperLip, Corner(Right), Mouth, [0.0, -0.12, 0.0]),
            Move(LowerLip, Corner(Right), Mouth, [0.0, -0.12, 0.0]),
        ]),
    ),
    (
        "mouthFunnel",
        Moves(&[
            Move(UpperLip, Apart, Mouth, [-0.12, 0.0, 0.0]),
            Move(LowerLip, Apart, Mouth, [-0.12, 0.0, 0.0]),
            Move(UpperLip, Middle, Mouth, [0.0, 0.12, 0.08]),
            Move(LowerLip, Middle, Mouth, [0.0, -0.16, 0.08]),
        ]),
    ),
    (
        "mouthLeft",
        Moves(&[Move(UpperLip, Even, Mouth, [0.17, 0.0, 0.0]), Move(LowerLip, Even, Mouth, [0.17, 0.0, 0.0])]),
    ),
    ("mouthLowerDownLeft", Moves(&[Move(LowerLip, Half(Left), Mouth, [0.0, -0.14, 0.0])])),
    ("mouthLowerDownRight", Moves(&[Move(LowerLip, Half(Right), Mouth, [0.0, -0.14, 0.0])])),
    (
        "mouthPressLeft",
        Moves(&[
            Move(LowerLipRim, Half(Left), Mouth, [0.0, 0.06, 0.0]),
            Move(UpperLipRim, Half(Left), Mouth, [0.0, -0.03, 0.0]),
        ]),
    ),
    (
        "mouthPressRight",
        Moves(&[
            Move(LowerLipRim, Half(Right), Mouth, [0.0, 0.06, 0.0]),
            Move(UpperLipRim, Half(Right), Mouth, [0.0, -0.03, 0.0]),
        ]),
    ),
    (
        "mouthPucker",
        Moves(&[
            Move(UpperLip, Apart, Mouth, [-0.16, 0.0, 0.0]),
            Move(LowerLip, Apart, Mouth, [-0.16, 0.0, 0.0]),
            Move(UpperLip, Middle, Mouth, [0.0, 0.0, 0.1]),
            Move(LowerLip, Middle, Mouth, [0.0, 0.0, 0.1]),
        ]),
    ),
    (
        "mouthRight",
        Moves(&[Move(UpperLip, Even, Mouth, [-0.17, 0.0, 0.0]), Move(LowerLip, Even, Mouth, [-0.17, 0.0, 0.0])]),
    ),
    ("mouthRollLower", Moves(&[Move(LowerLipRim, Middle, Mouth, [0.0, 0.08, -0.06])])),
    ("mouthRollUpper", Moves(&[Move(UpperLipRim, Middle, Mouth, [0.0, -0.08, -0.04])])),
    ("mouthShrugLower", Moves(&[Move(LowerLipRim, Middle, Mouth, [0.0, 0.06, 0.1])])),
    ("mouthShrugUpper", Moves(&[Move(UpperLipRim, Middle, Mouth, [0.0, 0.06, 0.05])])),
    (
        "mouthSmileLeft",
        Moves(&[
            Move(UpperLip, Corner(Left), Mouth, [0.14, 0.1, -0.08]),
            Move(LowerLip, Corner(Left), Mouth, [0.14, 0.1, -0.08]),
        ]),
    ),
    (
        "mouthSmileRight",
        Moves(&[
            Move(UpperLip, Corner(Right), Mouth, [-0.14, 0.1, -0.08]),
            Move(LowerLip, Corner(Right), Mouth, [-0.14, 0.1, -0.08]),
        ]),
    ),
    (
        "mouthStretchLeft",
        Moves(&[
            Move(UpperLip, Corner(Left), Mouth, [0.15, -0.04, -0.04]),
            Move(LowerLip, Corner(Left), Mouth, [0.15, -0.04, -0.04]),
        ]),
    ),
    (
        "mouthStretchRight",
        Moves(&[
            Move(UpperLip, Corner(Right), Mouth, [-0.15, -0.04, -0.04]),
            Move(LowerLip, Corner(Right), Mouth, [-0.15, -0.04, -0.04]),
        ]),
    ),
    ("mouthUpperUpLeft", Moves(&[Move(UpperLip, Half(Left), Mouth, [0.0, 0.09, 0.0])])),
    ("mouthUpperUpRight", Moves(&[Move(UpperLip, Half(Right), Mouth, [0.0, 0.09, 0.0])])),
];

impl Profile {
    pub(super) fn weight(self, along: f64) -> f64 {
        let side = |side: Side, along: f64| if side == Right { along } else { 1.0 - along };
        match self {
            Even => 1.0,
            Middle => (std::f64::consts::PI * along).sin(),
            Corner(which) => (1.0 - 2.0 * side(which, along)).max(0.0).powi(2),
            // Both halves together are the middle, with a soft seam.
            Half(which) => {
                let seam = ((side(which, along) - 0.3) / 0.4).clamp(0.0, 1.0);
                Middle.weight(along) * (1.0 - seam * seam * (3.0 - 2.0 * seam))
            }
            Apart => 2.0 * along - 1.0,
            Rising => along,
            Falling => 1.0 - along,
        }
    }
}
