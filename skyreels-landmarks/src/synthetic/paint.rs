//! A small painter: filled shapes with smooth edges and any shading.

use skyreels_core::Frame;

/// A colour, each channel in 0..255.
pub(super) type Shade = [f64; 3];

/// Rows that each row of pixels is split into to find how much of a pixel is covered.
const SUBROWS: usize = 4;

/// A picture under the brush.
pub(super) struct Canvas {
    pixels: Vec<Shade>,
    size: [usize; 2],
}

impl Canvas {
    /// A canvas of `size` = width, height, each pixel as `shade` says of its place.
    pub(super) fn new(size: [u32; 2], shade: impl Fn(f64, f64) -> Shade) -> Self {
        let size = size.map(|v| v as usize);
        let place = |i: usize| shade((i % size[0]) as f64 + 0.5, (i / size[0]) as f64 + 0.5);
        Self { pixels: (0..size[0] * size[1]).map(place).collect(), size }
    }

    /// Fills a closed outline; where it crosses itself, holes appear.
    pub(super) fn fill(&mut self, outline: &[[f64; 2]], shade: impl Fn(f64, f64) -> Shade) {
        let mut covered = vec![0.0; self.size[0]];
        let rows = outline.iter().map(|p| p[1]);
        let top = rows.clone().fold(f64::MAX, f64::min).max(0.0) as usize;
        let bottom = (rows.fold(f64::MIN, f64::max).max(0.0) as usize + 1).min(self.size[1]);
        for y in top..bottom {
            covered.fill(0.0);
            for sub in 0..SUBROWS {
                let mut crossings = crossings(outline, y as f64 + (sub as f64 + 0.5) / SUBROWS as f64);
                crossings.sort_by(f64::total_cmp);
                for pair in crossings.as_chunks::<2>().0 {
                    cover(&mut covered, *pair, 1.0 / SUBROWS as f64);
                }
            }
            let row = &mut self.pixels[y * self.size[0]..][..self.size[0]];
            for (x, (pixel, share)) in row.iter_mut().zip(&covered).enumerate().filter(|(_, (_, share))| **share > 0.0)
            {
                let color = shade(x as f64 + 0.5, y as f64 + 0.5);
                *pixel = mix(*pixel, color, share.min(1.0));
            }
        }
    }

    /// Fills an ellipse.
    pub(super) fn ellipse(&mut self, center: [f64; 2], radii: [f64; 2], shade: impl Fn(f64, f64) -> Shade) {
        const CORNERS: usize = 64;
        let corner = |i: usize| {
            let (sin, cos) = (std::f64::consts::TAU * i as f64 / CORNERS as f64).sin_cos();
            [center[0] + radii[0] * cos, center[1] + radii[1] * sin]
        };
        self.fill(&(0..CORNERS).map(corner).collect::<Vec<_>>(), shade);
    }

    /// Draws an open curve through points, `width` pixels wide in the middle and thin at its ends.
    pub(super) fn stroke(&mut self, points: &[[f64; 2]], width: f64, color: Shade) {
        let curve = smooth(points, false);
        let count = curve.len();
        let side = |i: usize, sign: f64| {
            let (a, b) = (curve[i.saturating_sub(1)], curve[(i + 1).min(count - 1)]);
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let along = i as f64 / (count - 1) as f64;
            let reach =
                sign * width / 2.0 * (0.25 + 0.75 * (std::f64::consts::PI * along).sin()) / dx.hypot(dy).max(1e-9);
            [curve[i][0] - dy * reach, curve[i][1] + dx * reach]
        };
        let outline = (0..count).map(|i| side(i, 1.0)).chain((0..count).rev().map(|i| side(i, -1.0)));
        self.fill(&outline.collect::<Vec<_>>(), |_, _| color);
    }

    /// The finished picture.
    pub(super) fn into_frame(self) -> Frame {
        let (width, height) = (self.size[0] as u32, self.size[1] as u32);
        Frame::from_fn(width, height, |x, y| {
            let pixel = self.pixels[y as usize * self.size[0] + x as usize];
            image::Rgb(pixel.map(|v| v.round().clamp(0.0, 255.0) as u8))
        })
    }
}

/// A colour at a share of the way from `a` to `b`.
pub(super) fn mix(a: Shade, b: Shade, share: f64) -> Shade {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}

/// A curve with eight steps per point that passes through all of them (Catmull and Rom).
pub(super) fn smooth(points: &[[f64; 2]], closed: bool) -> Vec<[f64; 2]> {
    const STEPS: usize = 8;
    let count = points.len() as isize;
    let at = |i: isize| points[if closed { i.rem_euclid(count) } else { i.clamp(0, count - 1) } as usize];
    let spans = if closed { count } else { count - 1 };
    let mut curve = Vec::with_capacity(points.len() * STEPS + 1);
    for i in 0..spans {
        let [p, q, r, s] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
        for step in 0..STEPS {
            let t = step as f64 / STEPS as f64;
            curve.push(std::array::from_fn(|k| {
                let (a, b) = (2.0 * p[k] - 5.0 * q[k] + 4.0 * r[k] - s[k], 3.0 * (q[k] - r[k]) + s[k] - p[k]);
                q[k] + 0.5 * t * (r[k] - p[k] + t * (a + t * b))
            }));
        }
    }
    if !closed {
        curve.push(at(count - 1));
    }
    curve
}

/// Where a row crosses an outline.
fn crossings(outline: &[[f64; 2]], y: f64) -> Vec<f64> {
    let edges = outline.iter().zip(outline.iter().cycle().skip(1));
    let crossed = edges.filter(|(a, b)| (a[1] <= y) != (b[1] <= y));
    crossed.map(|(a, b)| a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1])).collect()
}

/// Adds `weight` to the pixels between two crossings, partly to those at the ends.
fn cover(covered: &mut [f64], [from, to]: [f64; 2], weight: f64) {
    let (from, to) = (from.max(0.0), to.min(covered.len() as f64));
    if from >= to {
        return;
    }
    let last = (to as usize).min(covered.len() - 1);
    for (x, share) in covered.iter_mut().enumerate().take(last + 1).skip(from as usize) {
        *share += weight * (to.min(x as f64 + 1.0) - from.max(x as f64)).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pixel_gets_half_the_colour() {
        let mut canvas = Canvas::new([4, 4], |_, _| [0.0; 3]);
        canvas.fill(&[[0.5, 1.0], [3.0, 1.0], [3.0, 2.0], [0.5, 2.0]], |_, _| [200.0; 3]);
        let frame = canvas.into_frame();
        let row: Vec<u8> = (0..4).map(|x| frame.get_pixel(x, 1).0[0]).collect();
        assert_eq!(row, [100, 200, 200, 0]);
        assert_eq!(frame.get_pixel(1, 0).0[0], 0);
    }

    #[test]
    fn shapes_outside_are_cut_off() {
        let mut canvas = Canvas::new([4, 4], |_, _| [0.0; 3]);
        canvas.ellipse([-50.0, 90.0], [20.0, 20.0], |_, _| [200.0; 3]);
        canvas.ellipse([2.0, 2.0], [90.0, 90.0], |_, _| [200.0; 3]);
        assert!(canvas.into_frame().pixels().all(|pixel| pixel.0 == [200; 3]));
    }

    #[test]
    fn a_smooth_curve_passes_through_its_points() {
        let points = [[0.0, 0.0], [3.0, 1.0], [4.0, 5.0]];
        for closed in [false, true] {
            let curve = smooth(&points, closed);
            assert!(points.iter().all(|point| curve.contains(point)));
        }
    }
}
