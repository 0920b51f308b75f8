//! The model on disk, and a head made of it.

use std::path::Path;

use nalgebra::Vector3;
use serde::Deserialize;
use skyreels_core::Limits;
use skyreels_core::checkpoint::Weights;

use super::FaceCoefficients;
use super::landmarks::{Embedding, FanEmbedding, FanLandmarks, MEDIAPIPE_POINTS};
use super::rotation::flame_rotation_matrix;
use super::skinning::{JOINTS, Skeleton, Skinned};
use super::tables::Tables;
use crate::{BLENDSHAPES, Error, Result};

/// Entries of a rotation matrix, for each of which there is a pose blendshape.
const ROTATION_ENTRIES: usize = 9;
/// Buffers of the original's class that are constants here.
const IGNORED: [&str; 3] = ["eye_pose", "neck_pose", "neck_kin_chain"];
/// The two rotation vectors of the eyeballs.
const EYE_POSE: usize = 6;
/// MediaPipe's expression scores to rotations of the eyeballs.
const EYE_BASIS: &str = "bs2eye";

/// How many coefficients the model takes; the original's numbers by [`Default`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct FlameConfig {
    /// Shape coefficients: the first columns of `shapedirs`.
    pub n_shape: usize,
    /// Expression coefficients: the columns after them.
    pub n_exp: usize,
}

impl Default for FlameConfig {
    fn default() -> Self {
        Self { n_shape: 300, n_exp: 50 }
    }
}

/// Rotation vectors of the joints in radians, in their order: the whole head, neck, jaw, left eye, right eye.
pub type HeadPose = [[f64; 3]; JOINTS];

/// FLAME with SMIRK's eyelids and landmark embeddings.
///
/// Made from a safetensors file whose keys are the buffers of the original's class; `scripts/convert-face-models` writes
/// it from the published files.
#[derive(Debug, Clone)]
pub struct FlameModel {
    config: FlameConfig,
    template: Vec<[f64; 3]>,
    /// Displacement of each coordinate, one row of coefficients each. The only large table: kept as it is stored.
    shape_basis: Vec<f32>,
    skeleton: Skeleton,
    triangles: Vec<[usize; 3]>,
    /// The left and the right one.
    eyelids: [Vec<[f64; 3]>; 2],
    mediapipe: Embedding,
    fan: Option<FanEmbedding>,
    eye_basis: Option<Vec<f64>>,
}

impl FlameModel {
    /// Opens a file that `scripts/convert-face-models` wrote.
    ///
    /// # Errors
    /// [`Error::Core`] for a file that is missing or damaged, or whose tables are not those of the model.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        Self::from_weights(&Weights::open(path, limits)?, FlameConfig::default())
    }

    /// Makes the model of opened tables.
    ///
    /// Required are `v_template [V, 3]`, `shapedirs [V, 3, shape + expression]`, `posedirs [36, 3 V]`,
    /// `J_regressor [5, V]`, `lbs_weights [V, 5]`, `parents [5]`, `faces_tensor [F, 3]`, `l_eyelid` and `r_eyelid`
    /// `[1, V, 3]`, `mp_lmk_faces_idx [105]` and `mp_lmk_bary_coords [105, 3]`. Optional are the 68 points (`lmk_*`,
    /// `full_lmk_*`, `dynamic_lmk_*`) and `bs2eye [52, 6]`.
    ///
    /// # Errors
    /// [`Error::Core`] names every missing, misshapen and unknown table and every index that is out of range.
    pub fn from_weights(weights: &Weights, config: FlameConfig) -> Result<Self> {
        let mut tables = Tables::new(weights);
        let first = |key: &str| tables.shape(key).first().copied().unwrap_or(0);
        let (vertices, faces) = (first("v_template"), first("faces_tensor"));
        let coordinates = 3 * vertices;
        let triples = |values: Vec<f64>| values.as_chunks::<3>().0.to_vec();

        let template = triples(tables.floats("v_template", &[vertices, 3]));
        let shape_basis = tables.floats("shapedirs", &[vertices, 3, config.n_shape + config.n_exp]);
        let pose_basis = tables.floats("posedirs", &[(JOINTS - 1) * ROTATION_ENTRIES, coordinates]);
        let regressor = tables.floats("J_regressor", &[JOINTS, vertices]);
        let followed = tables.floats("lbs_weights", &[vertices, JOINTS]);
        let eyelids = ["l_eyelid", "r_eyelid"].map(|key| triples(tables.floats(key, &[1, vertices, 3])));
        let eye_basis = tables.contains(EYE_BASIS).then(|| tables.floats(EYE_BASIS, &[BLENDSHAPES, EYE_POSE]));

        let triangles = tables.integers("faces_tensor", &[faces, 3]);
        let parents = tables.integers("parents", &[JOINTS]);
        let keys = ["mp_lmk_faces_idx", "mp_lmk_bary_coords"];
        let mediapipe = Embedding::read(&mut tables, keys, &[MEDIAPIPE_POINTS.len()], faces);
        let has_fan = FanEmbedding::KEYS.as_flattened().iter().any(|key| tables.contains(key));
        let fan = has_fan.then(|| FanEmbedding::read(&mut tables, faces)).transpose();
        tables.finish(&IGNORED)?;

        let wrong =
            |reason: String| Error::from(skyreels_core::Error::malformed(weights.path(), "FLAME model", reason));
        Ok(Self {
            config,
            template,
            shape_basis: shape_basis.into_iter().map(|v| v as f32).collect(),
            skeleton: Skeleton {
                regressor: std::array::from_fn(|joint| regressor[joint * vertices..][..vertices].to_vec()),
                parents: checked_parents(&parents).ok_or_else(|| {
                    wrong(format!("`parents` is {parents:?}: each joint but the first must hang on an earlier one"))
                })?,
                weights: followed.as_chunks::<JOINTS>().0.to_vec(),
                pose_basis: pose_basis.chunks(coordinates.max(1)).map(<[f64]>::to_vec).collect(),
            },
            triangles: checked_triangles(&triangles, vertices)
                .ok_or_else(|| wrong(format!("`faces_tensor` names a vertex that is not among {vertices}")))?,
            eyelids,
            mediapipe: mediapipe.map_err(wrong)?,
            fan: fan.map_err(wrong)?,
            eye_basis,
        })
    }

    /// How many coefficients it takes.
    pub fn config(&self) -> FlameConfig {
        self.config
    }

    /// Vertex indices of each triangle.
    pub fn triangles(&self) -> &[[usize; 3]] {
        &self.triangles
    }

    /// The head that some coefficients describe: [`pose`](Self::pose) with the neck straight.
    ///
    /// # Errors
    /// Those of [`pose`](Self::pose), and coefficients that are not finite.
    pub fn head(&self, face: &FaceCoefficients) -> Result<Skinned> {
        face.check()?;
        let [jaw, left, right] =
            [&face.jaw[..], &face.eye_pose[..3], &face.eye_pose[3..]].map(|v| [0, 1, 2].map(|k| f64::from(v[k])));
        let joints = [face.rotation.map(f64::from), [0.0; 3], jaw, left, right];
        self.pose(&face.shape, &face.expression, &joints, face.eyelids)
    }

    /// `FLAME.forward`: shape and expression as displacements of the template, skinning, then the eyelids.
    ///
    /// Coefficients that are not given are zero.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more coefficients than the model has.
    pub fn pose(&self, shape: &[f32], expression: &[f32], joints: &HeadPose, eyelids: [f32; 2]) -> Result<Skinned> {
        for (what, given, most) in
            [("shape", shape.len(), self.config.n_shape), ("expression", expression.len(), self.config.n_exp)]
        {
            if given > most {
                return Err(Error::invalid("face coefficients", format!("{given} of {what}; the model has {most}")));
            }
        }
        let rotations = joints.map(|vector| flame_rotation_matrix(&Vector3::from(vector)));
        let mut skinned = self.skeleton.skin(self.shaped(shape, expression), rotations);
        for (moves, closed) in self.eyelids.iter().zip(eyelids) {
            let moved = skinned.vertices.as_flattened_mut().iter_mut().zip(moves.as_flattened());
            moved.for_each(|(coordinate, lid)| *coordinate += f64::from(closed) * lid);
        }
        Ok(skinned)
    }

    fn shaped(&self, shape: &[f32], expression: &[f32]) -> Vec<[f64; 3]> {
        let width = self.config.n_shape + self.config.n_exp;
        let mut shaped = self.template.clone();
        let dot = |row: &[f32], by: &[f32]| -> f64 {
            row.iter().zip(by).map(|(basis, coefficient)| f64::from(*basis) * f64::from(*coefficient)).sum()
        };
        for (coordinate, row) in shaped.as_flattened_mut().iter_mut().zip(self.shape_basis.chunks(width.max(1))) {
            *coordinate += dot(row, shape) + dot(&row[self.config.n_shape..], expression);
        }
        shaped
    }

    /// The 105 points of [`MEDIAPIPE_POINTS`] on a posed mesh.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a mesh with another number of vertices.
    pub fn mediapipe_points(&self, vertices: &[[f64; 3]]) -> Result<Vec<[f64; 3]>> {
        self.check_mesh(vertices)?;
        Ok(self.mediapipe.place(vertices, &self.triangles))
    }

    /// The 68 points of a posed head; `None` when the file does not have their embedding.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a mesh with another number of vertices.
    pub fn fan_landmarks(&self, head: &Skinned) -> Result<Option<FanLandmarks>> {
        self.check_mesh(&head.vertices)?;
        let neck = head.rotations[0] * head.rotations[1];
        Ok(self.fan.as_ref().map(|fan| fan.place(&neck, &head.vertices, &self.triangles)))
    }

    /// Rotations of the eyeballs by MediaPipe's 52 scores; `None` when the file does not have their table.
    pub fn eye_pose(&self, blendshapes: &[f32; BLENDSHAPES]) -> Option<[f32; EYE_POSE]> {
        let scores = blendshapes.map(f64::from);
        let pose = by_blendshapes(&scores, self.eye_basis.as_ref()?);
        Some(std::array::from_fn(|i| pose[i] as f32))
    }

    fn check_mesh(&self, vertices: &[[f64; 3]]) -> Result<()> {
        if vertices.len() == self.template.len() {
            return Ok(());
        }
        let reason = format!("{} vertices, but the model has {}", vertices.len(), self.template.len());
        Err(Error::invalid("mesh", reason))
    }
}

/// Expression scores times a row-major table `[52, n]`.
pub(crate) fn by_blendshapes(scores: &[f64; BLENDSHAPES], table: &[f64]) -> Vec<f64> {
    let width = table.len() / BLENDSHAPES;
    (0..width).map(|i| scores.iter().zip(table[i..].iter().step_by(width)).map(|(a, b)| a * b).sum()).collect()
}

/// A chain in which every joint comes after the one it hangs on; the first entry says nothing (-1 in the file).
fn checked_parents(parents: &[i64]) -> Option<[usize; JOINTS]> {
    let mut checked = [0; JOINTS];
    for (joint, checked) in checked.iter_mut().enumerate().skip(1) {
        *checked = usize::try_from(*parents.get(joint)?).ok().filter(|parent| *parent < joint)?;
    }
    Some(checked)
}

fn checked_triangles(indices: &[i64], vertices: usize) -> Option<Vec<[usize; 3]>> {
    let corner = |index: i64| usize::try_from(index).ok().filter(|index| *index < vertices);
    let triangle = |[a, b, c]: &[i64; 3]| Some([corner(*a)?, corner(*b)?, corner(*c)?]);
    indices.as_chunks::<3>().0.iter().map(triangle).collect()
}
