//! How much light from all around reaches the skin: less in sockets, beside the nose, under lip and chin.

use super::lips::Lips;
use super::skull::Skull;
use super::vector::{hill, smoothstep};

/// Share of the surrounding light at a chart place, 0..1.
pub(super) fn openness([x, y]: [f32; 2], skull: &Skull, lips: &Lips) -> f32 {
    let ax = x.abs();
    let [eye_x, eye_y] = skull.eye;
    let tip = skull.nose_tip();
    let shade = 0.30 * hill(ax, y, [eye_x - 0.9, eye_y + 0.75], [1.3, 0.65])
        + 0.22 * hill(ax, y, [eye_x + 0.6, eye_y + 0.85], [1.4, 0.5])
        + 0.14 * hill(ax, y, [1.5, eye_y + 0.3], [0.6, 0.8])
        + 0.08 * hill(ax, y, [eye_x, eye_y - 0.9], [1.2, 0.4])
        + 0.30 * hill(ax, y, [1.75, tip - 0.35], [0.35, 0.75])
        + 0.50 * hill(ax, y, [0.5, tip - 1.15], [0.75, 0.30])
        + 0.12 * hill(ax, y, [0.0, lips.height + 1.45], [0.3, 0.5])
        + 0.30 * hill(ax, y, [0.0, lips.height - 1.35], [1.6, 0.42])
        + 0.22 * hill(ax, y, [lips.half_width + 0.15, lips.height], [0.35, 0.35])
        + 0.10 * hill(ax, y, [2.6, tip - 1.2], [0.4, 1.0])
        + 0.55 * smoothstep(-9.3, -10.0, y)
        + 0.35 * smoothstep(7.0, 8.2, ax) * smoothstep(4.0, 0.0, (y - 0.5).abs());
    (1.0 - shade).clamp(0.2, 1.0)
}
