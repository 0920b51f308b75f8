//! From a posed person to a picture.

use std::sync::LazyLock;

use rayon::prelude::*;
use skyreels_core::Frame;

use super::backdrop::Backdrop;
use super::mesh::Corner;
use super::person::Posed;
use super::raster::{NOTHING, Seen, look};
use super::shade::{Point, shade};
use super::shadow::Shadow;
use super::vector::{V3, v3};

/// Small pictures are sampled more often: a brow is a pixel wide there.
const SMALL: u32 = 200;
const SAMPLES: [u32; 2] = [3, 2];
const MOST: usize = 3;
/// Rows that a thread draws at once.
const BAND: usize = 8;
/// Steps of the table from linear light to sRGB.
const STEPS: usize = 4096;

pub(super) fn draw(posed: &Posed, size: [u32; 2]) -> Frame {
    let samples = if size[1] < SMALL { SAMPLES[0] } else { SAMPLES[1] };
    let mesh = &posed.person.mesh;
    let seen = look(&posed.places, &mesh.triangles, &mesh.parts, size, samples);
    let shadow = Shadow::cast(posed);
    let backdrop = Backdrop::new(&posed.person.palette.scene.background, size);
    let table: &[u8] = &ENCODING;
    let painter = Painter { posed, seen, shadow, backdrop, samples: samples as usize };
    let (width, height) = (size[0] as usize, size[1] as usize);
    let mut bytes = vec![0u8; 3 * width * height];
    bytes.par_chunks_mut(3 * width * BAND).enumerate().for_each(|(band, rows)| {
        for (i, pixel) in rows.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let color = painter.pixel(i % width, band * BAND + i / width);
            *pixel = <[f32; 3]>::from(color).map(|v| table[(v.clamp(0.0, 1.0) * (STEPS - 1) as f32 + 0.5) as usize]);
        }
    });
    Frame::from_raw(size[0], size[1], bytes).unwrap_or_else(|| Frame::new(size[0], size[1]))
}

/// sRGB bytes of evenly spaced linear light.
static ENCODING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let byte = |i: usize| {
        let v = i as f32 / (STEPS - 1) as f32;
        let encoded = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0 + 0.5) as u8
    };
    (0..STEPS).map(byte).collect()
});

/// Samples of one triangle in a pixel: how many, and the sum of their columns and rows.
#[derive(Clone, Copy)]
struct Found {
    triangle: u32,
    count: usize,
    x: usize,
    y: usize,
}

/// Bright light loses contrast instead of being cut off.
fn toned(color: V3) -> V3 {
    let one = |v: f32| if v < 0.6 { v } else { 1.0 - 0.4 * 0.4 / (v - 0.2) };
    v3(one(color.x), one(color.y), one(color.z))
}

struct Painter<'a> {
    posed: &'a Posed<'a>,
    seen: Seen,
    shadow: Shadow,
    backdrop: Backdrop,
    samples: usize,
}

impl Painter<'_> {
    /// Each triangle seen in a pixel is shaded once, in the middle of its samples.
    fn pixel(&self, column: usize, row: usize) -> V3 {
        let (n, width) = (self.samples, self.seen.size[0]);
        let (left, top) = (column * n, row * n);
        let mut found = [Found { triangle: NOTHING, count: 0, x: 0, y: 0 }; MOST * MOST];
        let mut kinds = 0;
        for dy in 0..n {
            let line = &self.seen.triangles[(top + dy) * width + left..][..n];
            for (dx, triangle) in line.iter().enumerate() {
                let known = found[..kinds].iter().position(|found| found.triangle == *triangle);
                let kind = known.unwrap_or(kinds);
                kinds = kinds.max(kind + 1);
                let Found { count, x, y, .. } = found[kind];
                found[kind] = Found { triangle: *triangle, count: count + 1, x: x + dx, y: y + dy };
            }
        }
        let mut sum = V3::ZERO;
        for Found { triangle, count, x, y } in found[..kinds].iter().copied() {
            let middle = |start: usize, offsets: usize| start as f32 + 0.5 + offsets as f32 / count as f32;
            let color = self.sample(triangle, middle(left, x), middle(top, y), column, row);
            sum += toned(color) * count as f32;
        }
        sum * (1.0 / (n * n) as f32)
    }

    fn sample(&self, triangle: u32, x: f32, y: f32, column: usize, row: usize) -> V3 {
        if triangle == NOTHING {
            return self.backdrop.at(column, row);
        }
        let mesh = &self.posed.person.mesh;
        let triangle = triangle as usize;
        let (weights, _) = self.seen.setups[triangle].at(x, y);
        let mut point = Point {
            part: mesh.parts[triangle],
            place: V3::ZERO,
            normal: V3::ZERO,
            chart: [0.0; 2],
            lip: 0.0,
            open: 0.0,
            lit: 1.0,
        };
        for (corner, weight) in mesh.triangles[triangle].into_iter().zip(weights) {
            let corner = corner as usize;
            let Corner { chart, lip, .. } = mesh.corners[corner];
            point.place += self.posed.places[corner] * weight;
            point.normal += self.posed.normals[corner] * weight;
            point.chart = [point.chart[0] + chart[0] * weight, point.chart[1] + chart[1] * weight];
            point.lip += lip * weight;
            point.open += self.posed.open[corner] * weight;
        }
        point.normal = point.normal.unit();
        point.lit = self.shadow.lit(point.place, point.normal);
        shade(&self.posed.person.palette, &point)
    }
}
