//! Small drawings as SVG, coloured by the page's style sheet.

use std::fmt::Write;

use crate::evaluation::Interval;

/// Sizes of a plot over frames, in pixels: the whole, and the room for the numbers beside it.
const WIDE: f64 = 300.0;
const HIGH: f64 = 96.0;
const LEFT: f64 = 46.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 16.0;
/// Sizes of a row of dots.
const STRIP_WIDE: f64 = 190.0;
const STRIP_HIGH: f64 = 22.0;
const EDGE: f64 = 6.0;

/// Text that stands in HTML or SVG as it is.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// A number with as many digits as mean something.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        v if v >= 0.1 || v == 0.0 => 3,
        v if v >= 0.001 => 4,
        // Rounding of what is equal.
        v if v < 1e-9 => 0,
        _ => return format!("{value:.2e}"),
    };
    format!("{value:.digits$}")
}

/// A measurement over the frames of a clip; frames without a value are gaps.
pub(super) fn over_frames(title: &str, values: &[Option<f64>]) -> String {
    let seen = || values.iter().flatten().copied();
    let (low, high) = seen().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if !low.is_finite() || !high.is_finite() {
        return String::new();
    }
    // A flat line stands in the middle.
    let (low, high) = if high - low > 1e-12 { (low, high) } else { (low - 0.5, high + 0.5) };
    let last = values.len().saturating_sub(1).max(1) as f64;
    let x = |index: usize| LEFT + index as f64 / last * (WIDE - LEFT - EDGE);
    let y = |value: f64| TOP + (high - value) / (high - low) * (HIGH - TOP - BOTTOM);
    let mut marks = String::new();
    let present: Vec<(usize, f64)> = values.iter().enumerate().filter_map(|(i, v)| Some((i, (*v)?))).collect();
    let sparse = present.len() * 2 <= values.len();
    // Sampled frames are joined; otherwise a frame without a value breaks the line.
    for run in present.chunk_by(|a, b| sparse || a.0 + 1 == b.0) {
        let points: Vec<String> =
            thinned(run, values.len()).iter().map(|(i, v)| format!("{:.1},{:.1}", x(*i), y(*v))).collect();
        let _ = write!(marks, r#"<polyline class="line" points="{}"/>"#, points.join(" "));
    }
    if sparse || present.len() == 1 {
        for (index, value) in &present {
            let _ = write!(marks, r#"<circle class="dot" cx="{:.1}" cy="{:.1}" r="2"/>"#, x(*index), y(*value));
        }
    }
    let (right, floor, middle) = (WIDE - EDGE, HIGH - BOTTOM, LEFT - 5.0);
    format!(
        r#"<figure class="plot"><figcaption>{caption}</figcaption><svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{caption}"><line class="axis" x1="{LEFT}" y1="{floor}" x2="{right}" y2="{floor}"/><line class="grid" x1="{LEFT}" y1="{TOP}" x2="{right}" y2="{TOP}"/><text class="tick" x="{middle}" y="{top}" text-anchor="end">{most}</text><text class="tick" x="{middle}" y="{floor}" text-anchor="end">{least}</text><text class="tick" x="{LEFT}" y="{foot}">0</text><text class="tick" x="{right}" y="{foot}" text-anchor="end">frame {frames}</text>{marks}</svg></figure>"#,
        caption = escaped(title),
        top = TOP + 4.0,
        foot = HIGH - 4.0,
        most = number(high),
        least = number(low),
        frames = values.len().saturating_sub(1),
    )
}

/// The least and the greatest value of every pixel's frames, where there are more frames than pixels.
fn thinned(run: &[(usize, f64)], frames: usize) -> Vec<(usize, f64)> {
    let each = frames / (WIDE - LEFT - EDGE) as usize;
    if each <= 1 {
        return run.to_vec();
    }
    let extremes = run.chunk_by(|a, b| a.0 / each == b.0 / each).flat_map(|column| {
        let least = column.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let most = column.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut both: Vec<(usize, f64)> = least.into_iter().chain(most).collect();
        both.sort_by_key(|(frame, _)| *frame);
        both.dedup();
        both
    });
    extremes.collect()
}

/// A dot for each pair, the mean and its interval.
pub(super) fn strip(values: &[(&str, f64)], mean: f64, interval: Option<&Interval>) -> String {
    let ends = interval.into_iter().flat_map(|interval| [interval.low, interval.high]);
    let all = || values.iter().map(|(_, v)| *v).chain(ends.clone());
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = if high - low > 1e-12 { (low, high) } else { (low - 0.5, high + 0.5) };
    let x = |value: f64| EDGE + (value - low) / (high - low) * (STRIP_WIDE - 2.0 * EDGE);
    let middle = STRIP_HIGH / 2.0;
    let mut marks = String::new();
    for (name, value) in values {
        let _ = write!(
            marks,
            r#"<circle class="pair" cx="{:.1}" cy="{middle}" r="3"><title>{}: {}</title></circle>"#,
            x(*value),
            escaped(name),
            number(*value)
        );
    }
    let spread = interval.map_or(String::new(), |Interval { low, high }| {
        format!(r#"<line class="interval" x1="{:.1}" y1="{middle}" x2="{:.1}" y2="{middle}"/>"#, x(*low), x(*high))
    });
    format!(
        r#"<svg class="strip" viewBox="0 0 {STRIP_WIDE} {STRIP_HIGH}" role="img" aria-label="{} pairs"><line class="grid" x1="{EDGE}" y1="{middle}" x2="{right}" y2="{middle}"/>{marks}{spread}<line class="mean" x1="{at:.1}" y1="3" x2="{at:.1}" y2="{foot}"/></svg>"#,
        values.len(),
        right = STRIP_WIDE - EDGE,
        at = x(mean),
        foot = STRIP_HIGH - 3.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_clip_keeps_its_peaks_in_as_many_points_as_can_be_seen() {
        let mut run: Vec<(usize, f64)> = (0..50_000).map(|frame| (frame, (frame as f64 * 0.001).sin())).collect();
        run[33_333].1 = 7.0;
        let thin = thinned(&run, run.len());
        assert!(thin.len() <= 2 * WIDE as usize && thin.contains(&(33_333, 7.0)), "{}", thin.len());
        assert!(thin.is_sorted_by_key(|(frame, _)| *frame));
        assert_eq!(thinned(&run[..100], 100), run[..100]);
    }
}
