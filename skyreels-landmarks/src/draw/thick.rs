//! Thicker lines and circles as OpenCV rasterises them, for overlays that people look at.

use skyreels_core::Frame;

use super::line::{Color, Point, clip, put, span};

/// Fraction bits of the fixed-point grid on which polygons are filled.
const SHIFT: u32 = 16;
const ONE: i64 = 1 << SHIFT;
const HALF: i64 = ONE / 2;

/// Pixel of a fixed-point coordinate, rounded.
fn rounded(value: i64) -> i64 {
    (value + HALF) >> SHIFT
}

/// Draws a line `thickness` pixels wide with round ends; a thickness up to 1 is [`line`](super::line).
pub fn thick_line(canvas: &mut Frame, from: [i32; 2], to: [i32; 2], color: Color, thickness: u16) {
    if thickness <= 1 {
        return super::line(canvas, from, to, color);
    }
    let ends = [from, to].map(|end| end.map(|v| i64::from(v) << SHIFT));
    let [dx, dy] = [f64::from(from[0]) - f64::from(to[0]), f64::from(to[1]) - f64::from(from[1])];
    let length = dx.hypot(dy);
    let half = i64::from(thickness) << (SHIFT - 1);
    if length > 0.0 {
        let odd = f64::from(thickness & 1) * ONE as f64 * 0.5;
        let ratio = (half as f64 + odd) / (dx * dx + dy * dy).sqrt();
        let side = [(dy * ratio).round_ties_even() as i64, (dx * ratio).round_ties_even() as i64];
        let [a, b] = ends;
        let plus = |p: Point| [p[0] + side[0], p[1] + side[1]];
        let minus = |p: Point| [p[0] - side[0], p[1] - side[1]];
        fill_quadrilateral(canvas, [plus(a), minus(a), minus(b), plus(b)], color);
    }
    for end in [from, to] {
        circle(canvas, end, ((half + HALF) >> SHIFT) as u16, color, true);
    }
}

/// Draws a circle, its outline one pixel thick or the whole disc.
pub fn circle(canvas: &mut Frame, center: [i32; 2], radius: u16, color: Color, filled: bool) {
    let [cx, cy] = center.map(i64::from);
    let (mut dx, mut dy) = (i64::from(radius), 0);
    let (mut error, mut plus, mut minus) = (0, 1, 2 * dx - 1);
    while dx >= dy {
        for (reach, rise) in [(dx, dy), (dy, dx)] {
            for y in [cy - rise, cy + rise] {
                if filled {
                    span(canvas, cx - reach, cx + reach, y, color);
                } else {
                    put(canvas, [cx - reach, y], color);
                    put(canvas, [cx + reach, y], color);
                }
            }
        }
        dy += 1;
        error += plus;
        plus += 2;
        if error > 0 {
            error -= minus;
            dx -= 1;
            minus -= 2;
        }
    }
}

/// One side of the polygon while the rows are swept.
#[derive(Clone, Copy)]
struct Edge {
    corner: usize,
    step: usize,
    x: i64,
    slope: i64,
    until: i64,
}

/// Fills a convex quadrilateral given on the fixed-point grid, outline included.
fn fill_quadrilateral(canvas: &mut Frame, corners: [Point; 4], color: Color) {
    for (i, corner) in corners.iter().enumerate() {
        fine_line(canvas, corners[(i + 3) % 4], *corner, color);
    }
    let rows = corners.map(|corner| rounded(corner[1]));
    let columns = corners.map(|corner| rounded(corner[0]));
    let (width, height) = (i64::from(canvas.width()), i64::from(canvas.height()));
    let (top, bottom) = (rows.into_iter().min().unwrap_or(0), rows.into_iter().max().unwrap_or(-1).min(height - 1));
    if columns.iter().all(|x| *x < 0) || columns.iter().all(|x| *x >= width) || bottom < 0 || top >= height {
        return;
    }
    // The first corner of the smallest exact y starts both sides.
    let first = (0..4).min_by_key(|i| (corners[*i][1], *i)).unwrap_or(0);
    let side = |step| Edge { corner: first, step, x: -ONE, slope: 0, until: top };
    let mut sides = [side(1), side(3)];
    let mut left_to_visit = 4;
    for y in top..=bottom {
        for side in &mut sides {
            advance(side, &corners, &rows, y, &mut left_to_visit);
        }
        let (low, high) = (sides[0].x.min(sides[1].x), sides[0].x.max(sides[1].x));
        span(canvas, rounded(low), rounded(high), y, color);
        for side in &mut sides {
            side.x += side.slope;
        }
    }
}

/// Moves a side on to the polygon edge that crosses row `y`.
fn advance(side: &mut Edge, corners: &[Point; 4], rows: &[i64; 4], y: i64, left_to_visit: &mut u32) {
    if y < side.until {
        return;
    }
    let mut from = side.corner;
    while *left_to_visit > 0 {
        *left_to_visit -= 1;
        let to = (from + side.step) % corners.len();
        if rows[to] > y {
            let run = rows[to] - y;
            side.slope = ((corners[to][0] - corners[from][0]) * 2 + run) / (2 * run);
            side.x = corners[from][0];
            side.until = rows[to];
            side.corner = to;
            return;
        }
        from = to;
    }
}

/// A one-pixel line between points of the fixed-point grid.
fn fine_line(canvas: &mut Frame, from: Point, to: Point, color: Color) {
    let size = [i64::from(canvas.width()) << SHIFT, i64::from(canvas.height()) << SHIFT];
    let Some([from, to]) = clip(size, from, to) else { return };
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let flat = dx.abs() > dy.abs();
    let (major, minor) = if flat { (0, 1) } else { (1, 0) };
    let (from, to) = if to[major] < from[major] { (to, from) } else { (from, to) };
    let run = to[major] - from[major];
    let slope = ((to[minor] - from[minor]) << SHIFT) / (run | 1);
    put(canvas, to.map(rounded), color);
    let (mut along, mut across) = (rounded(from[major]), from[minor] + HALF);
    for _ in 0..=(run >> SHIFT) {
        let pixel = if flat { [along, across >> SHIFT] } else { [across >> SHIFT, along] };
        put(canvas, pixel, color);
        along += 1;
        across += slope;
    }
}
