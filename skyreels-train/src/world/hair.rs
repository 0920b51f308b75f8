//! Hair: a shell over the scalp that falls from the crown, with a bun where the cut has one.

use std::f32::consts::{PI, TAU};

use super::identity::{Hair, HairStyle, Identity};
use super::mesh::{Corner, Mesh, Part};
use super::random::noise;
use super::skull::{CROWN, Skull};
use super::vector::{V3, hill, mix, smoothstep, v3};

const COLUMNS: u32 = 96;
const ROWS: u32 = 30;
/// Below this height long hair hangs straight down instead of following the skull.
const HANG: f32 = 1.6;

/// The cut of a shell: how far down it reaches and how thick it is.
struct Cut<'a> {
    hair: &'a Hair,
}

impl Cut<'_> {
    /// Chart height of the end of the hair at an angle, 0 in front.
    fn end(&self, angle: f32) -> f32 {
        self.smooth_end(angle) + self.fringe(angle)
    }

    /// Locks of uneven length.
    fn fringe(&self, angle: f32) -> f32 {
        let rough = if matches!(self.hair.style, HairStyle::Buzz | HairStyle::Receding) { 0.25 } else { 0.75 };
        rough * (0.7 * noise(angle * 9.0 + 60.0, 4.5) + 0.5 * noise(angle * 23.0, 9.5) - 0.6)
    }

    fn smooth_end(&self, angle: f32) -> f32 {
        use HairStyle::{Bob, Bun, Buzz, Curls, Long, Quiff, Receding, Short};
        let front = angle.abs();
        let line = 7.1 + 0.5 * self.hair.line;
        // The natural hairline: forehead, corners, temples, in front of the ear, behind it, nape.
        let temple = smoothstep(0.75, 1.12, front);
        let ear = smoothstep(1.12, 1.45, front);
        let behind = smoothstep(1.62, 2.1, front);
        let corner = 0.55 * hill(front, 0.0, [0.62, 0.0], [0.2, 1.0]);
        let natural = mix(mix(mix(line + corner, 4.2, temple), 0.6, ear), -6.0, behind);
        let hanging = smoothstep(0.92, 1.22, front);
        match self.hair.style {
            Buzz | Short | Quiff | Bun => natural,
            Receding => mix(mix(mix(11.3, 5.2, smoothstep(0.75, 1.25, front)), 0.6, ear), -6.0, behind),
            Curls => mix(line - 0.5, -4.5, smoothstep(0.75, 1.7, front)) + 1.2 * ear * (1.0 - behind),
            Bob => {
                let fringe = 5.25 + 0.35 * self.hair.line + 0.25 * (3.0 * angle).cos();
                mix(fringe, -8.6 - 1.2 * self.hair.length, smoothstep(0.80, 1.12, front))
            }
            Long => {
                // Drawn aside from the parting.
                let aside = (angle - 0.3 * self.hair.parting).abs();
                let parted = mix(line + 1.1, 5.4, smoothstep(0.0, 0.95, aside));
                mix(parted, -15.5 - 2.5 * self.hair.length, hanging)
            }
        }
    }

    /// How far the hair stands off the skull at an angle and height; `left` is how far its end is below.
    fn thickness(&self, angle: f32, y: f32, left: f32) -> f32 {
        use HairStyle::{Bob, Bun, Buzz, Curls, Long, Quiff, Receding, Short};
        let Hair { volume, parting, .. } = *self.hair;
        let front = angle.abs();
        let top = smoothstep(5.0, 9.5, y);
        let more = 1.0 + 0.25 * volume;
        let side = (angle * parting.signum()).sin();
        let (full, edge) = match self.hair.style {
            Buzz => (0.22, 0.5),
            Receding => (0.42 * more, 0.9),
            Short => {
                let swept = 0.5 * top * smoothstep(-0.8, 0.9, side) * smoothstep(2.2, 0.6, front);
                ((mix(0.45, 0.95, top) + swept) * more, 0.8)
            }
            Quiff => {
                let high = 1.5 * smoothstep(7.0, 9.6, y) * smoothstep(1.5, 0.3, front);
                ((mix(0.35, 0.9, top) + high) * more, 0.9)
            }
            Bun => (0.42, 0.7),
            Bob => ((0.95 + 0.25 * smoothstep(-2.0, -6.0, y)) * more, 0.5),
            Long => ((0.80 + 0.25 * smoothstep(0.0, -8.0, y)) * more, 0.7),
            Curls => ((1.9 + 0.5 * top) * more, 1.3),
        };
        let part = if matches!(self.hair.style, Long | Bob | Short) {
            // A furrow where the hair is parted.
            0.35 * hill(angle - 0.75 * parting, y, [0.0, 10.0], [0.16, 3.0])
        } else {
            0.0
        };
        // The end sinks into the skin, unless it hangs free.
        let free = matches!(self.hair.style, Bob | Long | Curls);
        let end = if free && (y < 1.0 || matches!(self.hair.style, Bob | Curls)) { 0.25 } else { -0.35 };
        mix(end, full - part, smoothstep(0.0, edge + 0.6, left + 0.05).sqrt())
    }
}

pub(super) fn build(identity: &Identity, skull: &Skull, mesh: &mut Mesh) {
    let cut = Cut { hair: &identity.hair };
    let first = mesh.places.len() as u32;
    let hanging = matches!(identity.hair.style, HairStyle::Bob | HairStyle::Long);
    for row in 0..ROWS {
        // From the ends to the crown.
        let up = row as f32 / (ROWS - 1) as f32;
        for column in 0..COLUMNS {
            let angle = TAU * column as f32 / COLUMNS as f32 - PI;
            let end = cut.end(angle);
            let y = mix(end, CROWN, (up * PI / 2.0).sin().powf(if hanging { 0.8 } else { 1.0 }));
            let (place, open) = strand(&cut, skull, angle, y, y - end, hanging);
            mesh.corner(place, Corner { chart: [angle, y], lip: up, open });
        }
    }
    mesh.sheet(first, [ROWS, COLUMNS], true, Part::Hair);
    if identity.hair.style == HairStyle::Bun {
        bun(skull, identity.hair.volume, mesh);
    }
}

/// A point of the shell and how open it lies.
fn strand(cut: &Cut, skull: &Skull, angle: f32, y: f32, left: f32, hanging: bool) -> (V3, f32) {
    let wave = cut.hair.wave;
    let held = if hanging { y.max(HANG) } else { y };
    let scalp = skull.base(angle, held);
    let mut thick = cut.thickness(angle, y, left);
    let (sin, cos) = angle.sin_cos();
    let rise = smoothstep(3.0, CROWN, held);
    let out = v3(sin, 1.3 * rise, cos).unit();
    if cut.hair.style == HairStyle::Curls {
        let lump = noise(angle * 5.0 + 20.0, y * 0.9) + 0.5 * noise(angle * 11.0, y * 1.9 + 7.0);
        thick += (lump - 0.75) * 0.9 * smoothstep(0.0, 1.0, left);
    } else {
        let lock = noise(angle * 6.0 + 3.0, 0.25 * y) - 0.5;
        thick += 0.3 * lock * (0.4 + wave) * smoothstep(0.5, 2.5, left);
    }
    let mut place = scalp + out * thick;
    let mut open = 0.55 + 0.45 * smoothstep(0.0, 2.0, left);
    if hanging && y < HANG {
        let fall = HANG - y;
        place.y = y;
        let swing = wave * 0.45 * smoothstep(0.5, 5.0, fall) * (0.75 * fall + 2.0 * angle).sin();
        // Over the shoulders it spreads, towards the face it closes in.
        let spread = 0.055 * fall - 0.28 * hill(fall, 0.0, [8.5, 0.0], [3.0, 1.0]);
        place += v3(sin, 0.0, cos) * (spread + swing);
        place.z += 0.10 * fall * smoothstep(0.4, -0.5, cos) + 0.18 * fall * smoothstep(-0.2, 0.5, cos);
        open *= mix(1.0, 0.8, smoothstep(0.0, 12.0, fall));
    }
    (place, open)
}

fn bun(skull: &Skull, volume: f32, mesh: &mut Mesh) {
    const RINGS: u32 = 12;
    const SEGMENTS: u32 = 24;
    let radius = 2.5 + 0.4 * volume;
    let middle = skull.base(0.0, CROWN) + v3(0.0, 1.2, -0.8);
    let first = mesh.places.len() as u32;
    for ring in 0..=RINGS {
        let (sin, cos) = (PI * (1.0 - ring as f32 / RINGS as f32)).sin_cos();
        for segment in 0..SEGMENTS {
            let angle = TAU * segment as f32 / SEGMENTS as f32 - PI;
            let lump = 1.0 + 0.10 * (noise(angle * 2.5 + 9.0, 3.0 * cos) - 0.5);
            let place = middle + v3(angle.sin() * sin, 0.82 * cos, angle.cos() * sin) * (radius * lump);
            let open = mix(0.5, 1.0, smoothstep(-0.6, 0.4, cos));
            mesh.corner(place, Corner { chart: [angle + 1.3 * cos, 8.0 + 3.0 * cos], lip: 1.0, open });
        }
    }
    mesh.sheet(first, [RINGS + 1, SEGMENTS], true, Part::Hair);
}
