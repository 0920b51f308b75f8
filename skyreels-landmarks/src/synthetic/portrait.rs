//! A portrait drawn by code.

use nalgebra::{UnitQuaternion, Vector3};
use skyreels_core::Frame;

use super::head::{Expression, Identity, points};
use super::paint::{Canvas, Shade, mix, smooth};
use super::performance::face;
use super::random::Random;
use crate::draw::contours::{FACE_OVAL, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS};
use crate::retarget::camera::Camera;
use crate::{Error, Face, Result};

const MIN_SIDE: u32 = 32;
/// Centimetres of the scene that the picture is high.
const SCENE_HEIGHT: f64 = 39.0;
/// How far the head is above the middle of the picture, in centimetres.
const HEAD_ABOVE: f64 = 2.5;

const SKINS: [Shade; 4] = [[240.0, 200.0, 176.0], [222.0, 172.0, 138.0], [178.0, 124.0, 90.0], [118.0, 78.0, 56.0]];
const HAIRS: [Shade; 4] = [[46.0, 32.0, 26.0], [92.0, 58.0, 34.0], [176.0, 134.0, 78.0], [28.0, 28.0, 34.0]];
const EYES: [Shade; 4] = [[92.0, 60.0, 36.0], [70.0, 112.0, 148.0], [86.0, 118.0, 74.0], [60.0, 42.0, 30.0]];
const CLOTHES: [Shade; 4] = [[58.0, 84.0, 124.0], [128.0, 52.0, 60.0], [62.0, 100.0, 84.0], [88.0, 84.0, 96.0]];
const WALLS: [Shade; 4] = [[196.0, 208.0, 214.0], [214.0, 202.0, 184.0], [182.0, 196.0, 184.0], [202.0, 192.0, 206.0]];

/// A portrait of `width` x `height` pixels and the face in it, as a tracker would have found it; the same seed
/// gives the same person.
///
/// # Errors
/// [`Error::Invalid`] when a side is under 32 pixels.
pub fn portrait(width: u32, height: u32, seed: u64) -> Result<(Frame, Face)> {
    if width.min(height) < MIN_SIDE {
        let reason = format!("{width}x{height} pixels are too few; use at least {MIN_SIDE} each way");
        return Err(Error::invalid("portrait", reason));
    }
    let mut random = Random::new(seed);
    let identity = Identity {
        eyes: [random.between(2.95, 3.25), random.between(1.4, 1.6), random.between(0.85, 1.05)],
        mouth: [random.between(2.25, 2.75), random.between(0.6, 0.9)],
        brow_arch: random.between(0.35, 0.75),
        face: [random.between(0.95, 1.05), random.between(0.96, 1.04)],
    };
    let turn = [random.between(-0.04, 0.04), random.between(-0.1, 0.1), random.between(-0.03, 0.03)];
    let colors = Colors {
        skin: random.pick(SKINS),
        hair: random.pick(HAIRS),
        eyes: random.pick(EYES),
        clothes: random.pick(CLOTHES),
        wall: random.pick(WALLS),
    };
    // The camera's field of view is fixed, so the distance follows from what the picture shall show.
    let camera = Camera::of([width, height]);
    let distance = SCENE_HEIGHT * camera.per_centimetre(1.0) * f64::from(width) / f64::from(height);
    let place = [0.0, HEAD_ABOVE, -distance];
    let rotation = UnitQuaternion::from_euler_angles(turn[0], turn[1], turn[2]);
    let person =
        Person { head: points(&identity, &Expression::default()), camera, rotation, place, size: [width, height] };
    let face = face(&identity, &Expression::default(), &rotation, place, [width, height]);
    Ok((person.draw(&colors), face))
}

struct Colors {
    skin: Shade,
    hair: Shade,
    eyes: Shade,
    clothes: Shade,
    wall: Shade,
}

struct Person {
    head: Vec<[f64; 3]>,
    camera: Camera,
    rotation: UnitQuaternion<f64>,
    place: [f64; 3],
    size: [u32; 2],
}

/// Darker by a factor.
fn dim(color: Shade, factor: f64) -> Shade {
    color.map(|v| v * factor)
}

impl Person {
    /// Pixel of a point in the head's frame.
    fn pixel(&self, point: [f64; 3]) -> [f64; 2] {
        let seen = self.rotation * Vector3::from(point) + Vector3::from(self.place);
        let [x, y] = self.camera.project(seen.into()).unwrap_or([0.5; 2]);
        [x * f64::from(self.size[0]), y * f64::from(self.size[1])]
    }

    /// Pixels of mesh points.
    fn pixels(&self, indices: &[usize]) -> Vec<[f64; 2]> {
        indices.iter().map(|i| self.pixel(self.head[*i])).collect()
    }

    /// Length in pixels of a centimetre at the head.
    fn centimetre(&self) -> f64 {
        f64::from(self.size[0]) * self.camera.per_centimetre(-self.place[2])
    }

    fn draw(&self, colors: &Colors) -> Frame {
        let [width, height] = self.size.map(f64::from);
        let wall = |x: f64, y: f64| {
            let (u, v) = (x / width - 0.35, y / height - 0.3);
            dim(colors.wall, 1.05 - 0.35 * u.hypot(v))
        };
        let mut canvas = Canvas::new(self.size, wall);
        self.draw_body(&mut canvas, colors);
        self.draw_head(&mut canvas, colors);
        for (contour, iris) in [(RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)] {
            self.draw_eye(&mut canvas, colors, &contour, iris);
        }
        self.draw_brows(&mut canvas, colors);
        self.draw_nose(&mut canvas, colors);
        self.draw_mouth(&mut canvas, colors);
        canvas.into_frame()
    }

    /// A soft light from the upper left on an ellipsoid around `center`, in pixels.
    fn lit(&self, color: Shade, center: [f64; 2], radii: [f64; 2]) -> impl Fn(f64, f64) -> Shade {
        move |x, y| {
            let (u, v) = ((x - center[0]) / radii[0], (y - center[1]) / radii[1]);
            let front = (1.0 - u * u - v * v).max(0.0).sqrt();
            let light = (-0.45 * u - 0.45 * v + 0.77 * front).max(0.0);
            dim(color, 0.66 + 0.42 * light)
        }
    }

    fn draw_body(&self, canvas: &mut Canvas, colors: &Colors) {
        let cm = self.centimetre();
        let [x, y] = self.pixel([0.0, 0.0, 0.0]);
        let hair_back = self.lit(dim(colors.hair, 0.75), [x, y], [12.0 * cm, 15.0 * cm]);
        canvas.ellipse([x, y - 0.5 * cm], [9.8 * cm, 12.2 * cm], hair_back);
        let neck = [[-3.6, -6.0], [3.6, -6.0], [4.3, -15.0], [-4.3, -15.0]];
        let neck: Vec<[f64; 2]> = neck.iter().map(|[u, v]| [x + u * cm, y - v * cm]).collect();
        canvas.fill(&neck, |_, py| dim(colors.skin, 0.62 + 0.2 * ((py - y) / cm - 9.0).clamp(0.0, 5.0) / 5.0));
        let half =
            [[0.0, -14.2], [3.4, -13.4], [5.2, -12.6], [11.0, -14.0], [16.0, -16.5], [18.5, -22.0], [19.5, -40.0]];
        let right = half.iter().map(|[u, v]| [x + u * cm, y - v * cm]);
        let left = half.iter().skip(1).rev().map(|[u, v]| [x - u * cm, y - v * cm]);
        let shoulders: Vec<[f64; 2]> = right.chain(left).collect();
        canvas.fill(&smooth(&shoulders, true), self.lit(colors.clothes, [x, y + 26.0 * cm], [22.0 * cm, 16.0 * cm]));
    }

    fn draw_head(&self, canvas: &mut Canvas, colors: &Colors) {
        let cm = self.centimetre();
        let center = self.pixel([0.0, 0.0, 3.0]);
        let skin = self.lit(colors.skin, center, [9.5 * cm, 11.5 * cm]);
        for side in [-1.0, 1.0] {
            let ear = self.pixel([side * 7.7, 0.6, -0.5]);
            canvas.ellipse(ear, [1.1 * cm, 2.0 * cm], &skin);
            canvas.ellipse(ear, [0.55 * cm, 1.3 * cm], |_, _| dim(colors.skin, 0.7));
        }
        let oval = smooth(&self.pixels(&FACE_OVAL), true);
        canvas.fill(&oval, &skin);
        for side in [-1.0, 1.0] {
            // A breath of red on the cheeks, fading outward.
            let cheek = self.pixel([side * 4.0, -1.9, 5.0]);
            let radius = 1.9 * cm;
            canvas.ellipse(cheek, [radius; 2], |x, y| {
                let fade = 1.0 - ((x - cheek[0]).hypot(y - cheek[1]) / radius).min(1.0);
                mix(skin(x, y), [226.0, 112.0, 96.0], 0.28 * fade)
            });
        }
        let fringe = [
            [-7.9, 0.8, 0.0],
            [-8.3, 4.5, 0.0],
            [-6.6, 8.6, 1.0],
            [-2.5, 11.0, 2.0],
            [2.5, 11.0, 2.0],
            [6.6, 8.6, 1.0],
            [8.3, 4.5, 0.0],
            [7.9, 0.8, 0.0],
            [6.9, 3.6, 2.0],
            [5.6, 6.1, 3.0],
            [1.5, 6.9, 4.5],
            [-2.6, 6.2, 4.5],
            [-5.7, 5.6, 3.0],
            [-6.9, 3.4, 2.0],
        ];
        let fringe: Vec<[f64; 2]> = fringe.iter().map(|point| self.pixel(*point)).collect();
        let top = self.pixel([0.0, 6.0, 3.0]);
        canvas.fill(&smooth(&fringe, true), self.lit(dim(colors.hair, 1.15), top, [10.0 * cm, 7.5 * cm]));
    }

    fn draw_eye(&self, canvas: &mut Canvas, colors: &Colors, contour: &[usize; 16], iris: usize) {
        let cm = self.centimetre();
        let outline = smooth(&self.pixels(contour), true);
        let center = self.pixel(self.head[iris]);
        let glint = [center[0] - 0.2 * cm, center[1] - 0.22 * cm];
        let near = |at: [f64; 2], radius: f64, x: f64, y: f64| {
            ((radius * cm - (x - at[0]).hypot(y - at[1])) + 0.5).clamp(0.0, 1.0)
        };
        let top = outline.iter().map(|p| p[1]).fold(f64::MAX, f64::min);
        canvas.fill(&outline, |x, y| {
            // The upper lid throws a shadow on the eyeball.
            let white = dim([246.0, 244.0, 240.0], 0.78 + 0.22 * ((y - top) / (0.5 * cm)).clamp(0.0, 1.0));
            let iris = mix(white, dim(colors.eyes, 0.7), near(center, 0.66, x, y));
            let iris = mix(iris, colors.eyes, near(center, 0.54, x, y));
            let pupil = mix(iris, [16.0, 14.0, 14.0], near(center, 0.28, x, y));
            mix(pupil, [255.0; 3], near(glint, 0.13, x, y))
        });
        let mut lid: Vec<usize> = contour[8..].to_vec();
        lid.push(contour[0]);
        canvas.stroke(&self.pixels(&lid), 0.32 * cm, dim(colors.hair, 0.55));
        canvas.stroke(&self.pixels(&contour[..9]), 0.09 * cm, dim(colors.skin, 0.5));
        let crease = self.pixels(&lid).iter().map(|[x, y]| [*x, y - 0.4 * cm]).collect::<Vec<_>>();
        canvas.stroke(&crease, 0.12 * cm, dim(colors.skin, 0.68));
    }

    fn draw_brows(&self, canvas: &mut Canvas, colors: &Colors) {
        for (lower, upper) in
            [([46, 53, 52, 65, 55], [70, 63, 105, 66, 107]), ([276, 283, 282, 295, 285], [300, 293, 334, 296, 336])]
        {
            let mut outline = smooth(&self.pixels(&lower), false);
            let mut back = smooth(&self.pixels(&upper), false);
            back.reverse();
            outline.extend(back);
            canvas.fill(&outline, |_, _| dim(colors.hair, 0.9));
        }
    }

    fn draw_nose(&self, canvas: &mut Canvas, colors: &Colors) {
        let cm = self.centimetre();
        let shadow = dim(colors.skin, 0.7);
        let wing = |side: f64| {
            [[1.25, -0.9, 6.5], [1.7, -1.6, 6.3], [1.2, -2.1, 6.6]].map(|[x, y, z]| self.pixel([side * x, y, z]))
        };
        canvas.stroke(&wing(-1.0), 0.18 * cm, shadow);
        canvas.stroke(&wing(1.0), 0.24 * cm, shadow);
        for index in [97, 326] {
            canvas.ellipse(self.pixel(self.head[index]), [0.36 * cm, 0.2 * cm], |_, _| dim(colors.skin, 0.45));
        }
        let side = [[0.7, 2.0, 7.4], [0.75, 0.6, 8.0], [1.0, -0.6, 8.0]].map(|point| self.pixel(point));
        canvas.stroke(&side, 0.35 * cm, dim(colors.skin, 0.86));
        let tip = self.pixel([-0.25, -0.95, 9.0]);
        canvas.ellipse(tip, [0.34 * cm, 0.26 * cm], |_, _| mix(colors.skin, [255.0; 3], 0.45));
    }

    fn draw_mouth(&self, canvas: &mut Canvas, colors: &Colors) {
        let cm = self.centimetre();
        let red = mix(colors.skin, [176.0, 52.0, 60.0], 0.55);
        let upper = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291];
        let lower = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291];
        let line = [61, 78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 291];
        for (edge, color) in [(upper, dim(red, 0.86)), (lower, red)] {
            let mut outline = smooth(&self.pixels(&edge), false);
            let mut back = smooth(&self.pixels(&line), false);
            back.reverse();
            outline.extend(back);
            canvas.fill(&outline, |_, _| color);
        }
        canvas.stroke(&self.pixels(&line), 0.2 * cm, dim(red, 0.45));
        let shine = self.pixel([-0.5, -5.15, 7.0]);
        canvas.ellipse(shine, [0.6 * cm, 0.12 * cm], |_, _| mix(red, [255.0; 3], 0.3));
    }
}
