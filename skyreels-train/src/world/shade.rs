//! What a point of the person looks like: material and light.

use super::body::neckline;
use super::mesh::Part;
use super::palette::Palette;
use super::random::noise;
use super::vector::{V3, hill, mix, smoothstep, v3};

/// A point that is seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) part: Part,
    /// From the camera, in its frame.
    pub(super) place: V3,
    pub(super) normal: V3,
    pub(super) chart: [f32; 2],
    pub(super) lip: f32,
    pub(super) open: f32,
    /// Share of the key light that arrives.
    pub(super) lit: f32,
}

/// How a material answers to light.
struct Material {
    color: V3,
    /// How far light creeps around into the shade, by colour: skin glows red.
    wrap: V3,
    /// Strength and sharpness (a power of two) of the highlight.
    gloss: f32,
    sharp: u32,
}

impl Material {
    fn dull(color: V3) -> Self {
        Self { color, wrap: V3::splat(0.15), gloss: 0.03, sharp: 3 }
    }
}

/// `v` to the power `2^times`.
fn squared(mut v: f32, times: u32) -> f32 {
    for _ in 0..times {
        v *= v;
    }
    v
}

/// Linear light that reaches the camera from a point.
pub(super) fn shade(palette: &Palette, point: &Point) -> V3 {
    let view = (-point.place).unit();
    let normal = if point.normal.dot(view) < 0.0 { -point.normal } else { point.normal };
    match point.part {
        Part::Eye => return eye(palette, point, normal, view),
        Part::Hair => return hair(palette, point, normal, view),
        _ => {}
    }
    let material = match point.part {
        Part::Skin => skin(palette, point),
        Part::Ear => bare(palette, palette.skin.scale(v3(1.0, 0.88, 0.86))),
        Part::Body => body(palette, point),
        Part::Lash => Material::dull(palette.brow * 0.25),
        Part::Mouth => Material::dull(v3(0.20, 0.035, 0.035)),
        Part::Teeth => teeth(point),
        Part::Tongue => Material { gloss: 0.25, sharp: 4, ..Material::dull(v3(0.50, 0.14, 0.14)) },
        Part::Eye | Part::Hair => Material::dull(palette.hair),
    };
    let around = ambient(palette, normal) * point.open;
    let facing = normal.dot(palette.key);
    let wrapped = |wrap: f32| ((facing + wrap) / (1.0 + wrap)).max(0.0);
    let key = v3(wrapped(material.wrap.x), wrapped(material.wrap.y), wrapped(material.wrap.z));
    let arrived = point.lit * mix(1.0, point.open, 0.5);
    let light = &palette.scene.light;
    let half = (palette.key + view).unit();
    let edge = 1.0 - normal.dot(view).clamp(0.0, 1.0);
    let highlight = material.gloss * squared(normal.dot(half).max(0.0), material.sharp) * facing.clamp(0.0, 0.25) * 4.0;
    let sheen = 0.35 * material.gloss * squared(edge, 2) * point.open;
    let rim = normal.dot(palette.rim).max(0.0) * edge * edge * point.open;
    material.color.scale(around + V3::from(light.key).scale(key) * arrived)
        + V3::from(light.key) * (highlight * arrived + sheen)
        + V3::from(light.rim).scale(material.color + V3::splat(0.15)) * rim
}

/// Light from above and below that reaches a surface.
fn ambient(palette: &Palette, normal: V3) -> V3 {
    let light = &palette.scene.light;
    V3::from(light.ground).mix(V3::from(light.sky), 0.5 + 0.5 * normal.y)
}

fn bare(palette: &Palette, color: V3) -> Material {
    Material { color, wrap: v3(0.42, 0.26, 0.20), gloss: 0.10 + 0.16 * palette.look.gloss, sharp: 4 }
}

/// Skin of the face with all that is painted on it.
fn skin(palette: &Palette, point: &Point) -> Material {
    let look = &palette.look;
    let [x, y] = point.chart;
    let ax = x.abs();
    let tip = palette.nose_tip;
    let [mouth_y, mouth_x] = palette.mouth;
    let red = look.blush
        * (0.75 * hill(ax, y, [4.4, tip + 0.3], [1.9, 1.3]) + 0.5 * hill(ax, y, [0.0, tip], [1.1, 0.7]))
        + 0.10;
    let mut color = palette.skin.mix(palette.skin.scale(v3(1.02, 0.68, 0.62)), red.min(0.9));
    let mottled = noise(x * 1.7 + 11.0, y * 1.7) + 0.6 * noise(x * 5.1, y * 5.1 + 5.0);
    color = color.scale(V3::splat(1.0) + v3(0.05, 0.09, 0.10) * (mottled - 0.8));
    // Thin skin around the eyes is a little darker.
    color = color * (1.0 - 0.10 * hill(ax, y, [3.15, 2.4], [1.9, 1.0]));
    if look.freckles > 0.0 {
        let area = hill(ax, y, [2.8, tip + 0.9], [2.6, 1.3]);
        let spots = smoothstep(0.72, 0.86, noise(x * 3.6 + 40.0, y * 3.6));
        color = color.mix(color.scale(v3(0.70, 0.52, 0.42)), 0.75 * look.freckles * area * spots);
    }
    let scalp = smoothstep(palette.scalp - 0.3, palette.scalp + 0.5, y + 1.6 * smoothstep(3.5, 8.0, ax));
    color = color.mix(palette.hair, 0.85 * scalp);
    let mut material = bare(palette, color);
    if look.beard > 0.0 {
        let share = beard(look.beard, [ax, y], [mouth_x, mouth_y], tip) * mix(0.55, 1.0, noise(x * 7.0, y * 4.0));
        material.color = material.color.mix(palette.brow * 0.9, share);
        material.gloss *= 1.0 - 0.7 * share;
    }
    let nostril = hill(ax, y, [0.56, tip - 1.02], [0.34, 0.20]);
    material.color = material.color * (1.0 - 0.85 * nostril.min(1.0));
    if point.lip > 0.02 {
        let lip = smoothstep(0.40, 0.60, point.lip);
        // The line between the lips is dark.
        let line = mix(1.0, 0.42, smoothstep(0.93, 1.0, point.lip));
        material.color = material.color.mix(palette.lips * line, lip);
        material.gloss = mix(material.gloss, 0.16 + 0.30 * look.gloss, lip * (line - 0.42).max(0.0));
        material.sharp = if lip > 0.5 { 5 } else { material.sharp };
    }
    let brow = palette.brows.paint(point.chart);
    if brow > 0.0 {
        material.color = material.color.mix(palette.brow, 0.95 * brow);
        material.gloss *= 1.0 - 0.8 * brow;
    }
    material
}

/// How much of the skin a beard hides.
fn beard(strength: f32, [ax, y]: [f32; 2], [mouth_x, mouth_y]: [f32; 2], tip: f32) -> f32 {
    let jaw = smoothstep(
        mouth_y + 1.4 - 0.9 * hill(ax, 0.0, [3.4, 0.0], [1.5, 1.0]),
        mouth_y - 1.4,
        y - 0.35 * (ax - 3.4).max(0.0),
    );
    let lip = hill(ax, y, [0.0, mouth_y + 0.95], [mouth_x, 0.55]) * smoothstep(tip - 1.1, tip - 1.6, y);
    let bare = hill(ax, y, [0.0, mouth_y - 0.5], [mouth_x * 0.75, 0.7]);
    let side = smoothstep(9.0, 7.6, ax);
    let full = ((jaw + 0.9 * lip).min(1.0) - 0.9 * bare).max(0.0) * side;
    full * mix(0.22, 0.92, strength)
}

fn body(palette: &Palette, point: &Point) -> Material {
    let [angle, y] = point.chart;
    let above = y - neckline(palette.clothes.collar, angle);
    if above > 0.0 {
        return bare(palette, palette.skin * 0.97);
    }
    let mut color = palette.cloth;
    if palette.clothes.stripes > 0.0 {
        let stripe = smoothstep(0.15, 0.35, (y * 0.55).fract().abs() - 0.5);
        color = color.mix(palette.trim, palette.clothes.stripes * stripe);
    }
    // The hem, and a seam below it.
    let hem = smoothstep(-0.75, -0.65, above);
    color = color.mix(palette.trim.mix(palette.cloth, 0.55), hem)
        * mix(1.0, 0.7, hill(above, 0.0, [-0.72, 0.0], [0.07, 1.0]));
    let weave = 0.94 + 0.12 * noise(angle * 26.0, y * 3.0);
    Material { wrap: V3::splat(0.25), gloss: 0.02, sharp: 2, color: color * weave }
}

fn teeth(point: &Point) -> Material {
    let [u, v] = point.chart;
    // Ten teeth, narrower to the sides; between them a shadow.
    let place = (u * std::f32::consts::FRAC_PI_2).sin() * 5.0;
    let gap = (place - place.round()).abs();
    let shade = 1.0 - 0.35 * smoothstep(0.10, 0.0, gap);
    let gum = smoothstep(0.72, 0.95, v);
    let color = v3(0.86, 0.82, 0.74).mix(v3(0.62, 0.24, 0.24), gum) * shade;
    Material { color, wrap: V3::splat(0.5), gloss: 0.25, sharp: 5 }
}

/// Ball, iris, pupil and the mirrored light.
fn eye(palette: &Palette, point: &Point, normal: V3, view: V3) -> V3 {
    let [u, v] = point.chart;
    let radius = u.hypot(v);
    let white = v3(0.82, 0.80, 0.78).mix(v3(0.74, 0.55, 0.52), smoothstep(1.3, 2.6, radius));
    let mut color = white;
    if radius < 1.08 {
        let around = v.atan2(u);
        let fibres = 0.75 + 0.5 * noise(around * 7.0 + 30.0, radius * 2.0);
        // Light that enters above leaves below: the lower half glows.
        let glow = 0.75 + 0.65 * smoothstep(0.5, -0.9, v) * smoothstep(0.2, 0.7, radius);
        let mut iris = palette.iris * (fibres * glow * 1.25);
        iris = iris.mix(palette.iris.scale(v3(1.3, 1.05, 0.7)), 0.35 * smoothstep(0.62, 0.42, radius));
        iris = iris * mix(1.0, 0.22, smoothstep(0.78, 1.0, radius));
        iris = iris.mix(V3::splat(0.006), smoothstep(0.46, 0.40, radius));
        color = iris.mix(white, smoothstep(0.97, 1.06, radius));
    }
    let facing = normal.dot(palette.key);
    let light = &palette.scene.light;
    let diffuse = ((facing + 0.45) / 1.45).max(0.0) * mix(0.35, 1.0, point.lit);
    let mut out = color.scale(ambient(palette, normal) + V3::from(light.key) * diffuse) * point.open;
    // The cornea mirrors the key light, nearly where it looks into the camera, so that a spark is always there.
    let half = (palette.key + view * 1.6).unit();
    let glint = squared(normal.dot(half).max(0.0), 8) * smoothstep(1.5, 0.9, radius);
    let wet = 0.05 * squared(normal.dot(half).max(0.0), 5);
    out += V3::from(light.key) * ((1.5 * smoothstep(0.25, 0.75, glint) + wet) * smoothstep(0.35, 0.7, point.open));
    out
}

/// Strands with a long highlight across them (after Kajiya and Kay).
fn hair(palette: &Palette, point: &Point, normal: V3, view: V3) -> V3 {
    let [angle, y] = point.chart;
    let strand = noise(angle * palette.strands + 50.0, y * 0.35);
    let fine = noise(angle * 3.1 * palette.strands, y * 0.8 + 9.0);
    let color = palette.hair * (0.62 + 0.5 * strand + 0.26 * fine);
    // Strands run down the shell.
    let side = v3(0.0, 1.0, 0.0).cross(normal);
    let along = normal.cross(side).unit();
    let bent = (along + normal * (0.35 * (strand - 0.5) + 0.2 * (fine - 0.5))).unit();
    let light = &palette.scene.light;
    let sine = |direction: V3| (1.0 - bent.dot(direction) * bent.dot(direction)).max(0.0).sqrt();
    let facing = ((normal.dot(palette.key) + 0.3) / 1.3).max(0.0);
    let half = (palette.key + view).unit();
    let shine = squared(sine(half), 5) * facing;
    let edge = 1.0 - normal.dot(view).clamp(0.0, 1.0);
    let rim = normal.dot(palette.rim).max(0.0) * edge * edge;
    let diffuse = facing * mix(0.5, 1.0, sine(palette.key));
    let around = ambient(palette, normal) * point.open;
    color.scale(around + V3::from(light.key) * (diffuse * point.lit * point.open))
        + (color * 0.9 + V3::splat(0.035)).scale(V3::from(light.key))
            * (shine * (0.4 + 0.6 * strand) * point.lit * point.open)
        + V3::from(light.rim).scale(color + V3::splat(0.1)) * rim
}
