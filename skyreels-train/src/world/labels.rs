//! What each pixel shows: true masks and depth.

use super::mesh::Part;
use super::palette::Palette;
use super::person::Posed;
use super::raster::{NOTHING, look};

/// What is seen at a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Label {
    /// What is behind the person.
    Background,
    /// Clothes.
    Clothes,
    /// Neck and chest.
    Neck,
    /// Skin of face and ears.
    Skin,
    /// A brow.
    Brow,
    /// Lashes.
    Lash,
    /// White of an eye.
    Sclera,
    /// Iris or pupil.
    Iris,
    /// A lip.
    Lip,
    /// Inside of the mouth: teeth, tongue and the dark.
    Mouth,
    /// Hair of the head.
    Hair,
}

/// What each pixel's middle shows, rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    size: [u32; 2],
    labels: Vec<Label>,
    depth: Vec<f32>,
}

impl Labels {
    pub(super) fn of(posed: &Posed, size: [u32; 2]) -> Self {
        let mesh = &posed.person.mesh;
        let seen = look(&posed.places, &mesh.triangles, &mesh.parts, size, 1);
        let width = seen.size[0];
        let at = |(i, triangle): (usize, &u32)| {
            if *triangle == NOTHING {
                return (Label::Background, f32::INFINITY);
            }
            let triangle = *triangle as usize;
            let (x, y) = ((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
            let (weights, near) = seen.setups[triangle].at(x, y);
            let corners = mesh.triangles[triangle].map(|corner| mesh.corners[corner as usize]);
            let blend = |pick: fn(&super::mesh::Corner) -> f32| {
                corners.iter().zip(weights).map(|(corner, weight)| weight * pick(corner)).sum::<f32>()
            };
            let chart = [blend(|corner| corner.chart[0]), blend(|corner| corner.chart[1])];
            let lip = blend(|corner| corner.lip);
            (label(mesh.parts[triangle], chart, lip, &posed.person.palette), 1.0 / near)
        };
        let (labels, depth) = seen.triangles.iter().enumerate().map(at).unzip();
        Self { size, labels, depth }
    }

    /// Width and height.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// All labels.
    ///
    /// # Shapes
    /// `[height, width]`, row by row.
    pub fn as_slice(&self) -> &[Label] {
        &self.labels
    }

    /// The label of a pixel; `None` outside.
    pub fn get(&self, x: u32, y: u32) -> Option<Label> {
        (x < self.size[0]).then(|| self.labels.get((y * self.size[0] + x) as usize).copied()).flatten()
    }

    /// 1 where a pixel shows one of these, 0 elsewhere.
    ///
    /// # Shapes
    /// `[height, width]`, row by row.
    pub fn mask(&self, labels: &[Label]) -> Vec<f32> {
        self.labels.iter().map(|label| if labels.contains(label) { 1.0 } else { 0.0 }).collect()
    }

    /// Distance from the camera's plane in centimetres, infinite for the background.
    ///
    /// # Shapes
    /// `[height, width]`, row by row.
    pub fn depth(&self) -> &[f32] {
        &self.depth
    }
}

impl Label {
    /// Everything that belongs to the face: skin, brows, lashes, eyes, lips and the mouth's inside.
    pub const FACE: [Self; 7] = [Self::Skin, Self::Brow, Self::Lash, Self::Sclera, Self::Iris, Self::Lip, Self::Mouth];
    /// What is seen between the lids.
    pub const EYES: [Self; 2] = [Self::Sclera, Self::Iris];
}

fn label(part: Part, chart: [f32; 2], lip: f32, palette: &Palette) -> Label {
    match part {
        Part::Skin if lip > 0.5 => Label::Lip,
        Part::Skin if palette.brows.cover(chart) > 0.5 => Label::Brow,
        Part::Skin | Part::Ear => Label::Skin,
        Part::Body if palette.clothed(chart) => Label::Clothes,
        Part::Body => Label::Neck,
        Part::Lash => Label::Lash,
        Part::Eye if chart[0].hypot(chart[1]) < 1.0 => Label::Iris,
        Part::Eye => Label::Sclera,
        Part::Mouth | Part::Teeth | Part::Tongue => Label::Mouth,
        Part::Hair => Label::Hair,
    }
}
