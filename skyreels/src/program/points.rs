//! Points of faces on disk, for other programs.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use skyreels::core::Error as CoreError;
use skyreels::core::media::FrameRate;
use skyreels::core::output::{OutputFile, write_file};
use skyreels::landmarks::{BLENDSHAPE_NAMES, BLENDSHAPES, Face, LANDMARKS};

use super::Result;
use super::animate::check_output;
use super::source::request;

/// Metadata field `format` of a safetensors file of points, and its version.
const MAGIC: &str = "skyreels-points";
const VERSION: &str = "1";

/// How points are written; the name of the file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointsFormat {
    /// One object: `frame_rate`, and `frames` with `index`, `seconds` and `face`, which is null where there is none.
    Json,
    /// One row per frame, zeros where `found` is 0: `found` u8 `[n]`, and in f32 `landmarks` `[n, 478, 3]`, `blendshapes`
    /// `[n, 52]`, `matrix` `[n, 4, 4]`, `presence` `[n]`, `score` `[n]`, `box` `[n, 4]`; metadata `format`, `version`,
    /// `frame_rate` and `blendshapes`, their names with commas between.
    Safetensors,
}

impl PointsFormat {
    /// The format that a name stands for, of a file that can be written.
    pub fn check(path: &Path) -> Result<Self> {
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Self::Json,
            Some("safetensors") => Self::Safetensors,
            _ => return Err(request("points", format!("{} is neither .json nor .safetensors", path.display()))),
        };
        check_output(path)?;
        Ok(format)
    }

    /// Writes one face or none per frame, whole or not at all.
    pub fn save(self, path: &Path, faces: &[Option<Face>], rate: FrameRate) -> Result<()> {
        match self {
            Self::Json => save_json(path, faces, rate),
            Self::Safetensors => save_safetensors(path, faces, rate),
        }
    }
}

/// Frame by frame: as one value, a long video would take gigabytes.
fn save_json(path: &Path, faces: &[Option<Face>], rate: FrameRate) -> Result<()> {
    let mut file = OutputFile::create(path)?;
    let mut write = || -> io::Result<()> {
        write!(file, "{{\"frame_rate\":\"{rate}\",\"frames\":[")?;
        for (index, face) in faces.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let seconds = rate.time_of(index as u64);
            let frame = json!({ "index": index, "seconds": seconds, "face": face.as_ref().map(face_json) });
            write!(file, "{comma}{frame}")?;
        }
        file.write_all(b"]}")
    };
    if let Err(source) = write() {
        return Err(file.error()(source).into());
    }
    Ok(file.commit()?)
}

fn face_json(face: &Face) -> Value {
    let names = BLENDSHAPE_NAMES.iter().map(|name| (*name).to_string());
    let scores: serde_json::Map<String, Value> = names.zip(face.blendshapes.map(Value::from)).collect();
    json!({
        "landmarks": face.landmarks, "blendshapes": scores, "matrix": face.matrix,
        "presence": face.presence, "score": face.score, "box": face.bbox,
    })
}

fn save_safetensors(path: &Path, faces: &[Option<Face>], rate: FrameRate) -> Result<()> {
    let count = faces.len();
    let found: Vec<u8> = faces.iter().map(|face| face.is_some().into()).collect();
    // Rows of `size` numbers; what is missing of one is zero.
    let rows = |size: usize, values: &dyn Fn(&Face) -> Vec<f32>| -> Vec<u8> {
        let row = |face: &Option<Face>| {
            let mut row = face.as_ref().map(values).unwrap_or_default();
            row.resize(size, 0.0);
            row.into_iter().flat_map(f32::to_le_bytes)
        };
        faces.iter().flat_map(row).collect()
    };
    let tensors = [
        ("landmarks", vec![count, LANDMARKS, 3], rows(LANDMARKS * 3, &|face| face.landmarks.as_flattened().to_vec())),
        ("blendshapes", vec![count, BLENDSHAPES], rows(BLENDSHAPES, &|face| face.blendshapes.to_vec())),
        ("matrix", vec![count, 4, 4], rows(16, &|face| face.matrix.as_flattened().to_vec())),
        ("presence", vec![count], rows(1, &|face| vec![face.presence])),
        ("score", vec![count], rows(1, &|face| vec![face.score])),
        ("box", vec![count, 4], rows(4, &|face| face.bbox.to_vec())),
    ];
    let failed = |error: safetensors::SafeTensorError| CoreError::malformed(path, "file of points", error.to_string());
    let mut views = vec![("found", TensorView::new(Dtype::U8, vec![count], &found).map_err(failed)?)];
    for (name, shape, bytes) in &tensors {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?));
    }
    let metadata = [
        ("format", MAGIC.to_string()),
        ("version", VERSION.to_string()),
        ("frame_rate", rate.to_string()),
        ("blendshapes", BLENDSHAPE_NAMES.join(",")),
    ];
    let metadata: HashMap<String, String> = metadata.into_iter().map(|(key, value)| (key.into(), value)).collect();
    Ok(write_file(path, &safetensors::serialize(views, Some(metadata)).map_err(failed)?)?)
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    fn face() -> Face {
        Face {
            id: None,
            landmarks: (0..LANDMARKS).map(|point| [point as f32, 0.5, -0.25]).collect(),
            blendshapes: std::array::from_fn(|score| score as f32 / 64.0),
            matrix: std::array::from_fn(|row| std::array::from_fn(|column| (4 * row + column) as f32)),
            head_points: Vec::new(),
            presence: 0.75,
            score: 0.5,
            bbox: [0.125, 0.25, 0.5, 1.0],
        }
    }

    fn saved(name: &str) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let format = PointsFormat::check(&path).unwrap();
        format.save(&path, &[None, Some(face())], FrameRate::NATIVE).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn json_reads_back_with_every_number() {
        let value: Value = serde_json::from_slice(&saved("a.json")).unwrap();
        assert_eq!(value["frame_rate"], "12");
        assert_eq!(value["frames"][0], json!({ "index": 0, "seconds": 0.0, "face": null }));
        let found = &value["frames"][1];
        assert_eq!((&found["index"], found["seconds"].as_f64().unwrap()), (&json!(1), 1.0 / 12.0));
        let found = &found["face"];
        assert_eq!(found["landmarks"].as_array().unwrap().len(), LANDMARKS);
        assert_eq!(found["landmarks"][477], json!([477.0, 0.5, -0.25]));
        assert_eq!(found["matrix"][2], json!([8.0, 9.0, 10.0, 11.0]));
        assert_eq!(found["blendshapes"][BLENDSHAPE_NAMES[32]], 0.5);
        assert_eq!(found["box"], json!([0.125, 0.25, 0.5, 1.0]));
        assert_eq!((&found["presence"], &found["score"]), (&json!(0.75), &json!(0.5)));
    }

    #[test]
    fn safetensors_hold_a_row_per_frame_and_say_which_are_found() {
        let bytes = saved("a.safetensors");
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        assert_eq!((metadata["format"].as_str(), metadata["frame_rate"].as_str()), (MAGIC, "12"));
        assert_eq!(metadata["blendshapes"].split(',').collect::<Vec<_>>(), BLENDSHAPE_NAMES);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("found").unwrap().data(), [0, 1]);
        let floats = |name: &str, shape: &[usize]| -> Vec<f32> {
            let tensor = tensors.tensor(name).unwrap();
            assert_eq!(tensor.shape(), shape, "{name}");
            tensor.data().as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
        };
        let landmarks = floats("landmarks", &[2, LANDMARKS, 3]);
        assert!(landmarks[..3 * LANDMARKS].iter().all(|value| *value == 0.0));
        assert_eq!(landmarks[3 * LANDMARKS..], *face().landmarks.as_flattened());
        assert_eq!(floats("matrix", &[2, 4, 4])[16..], *face().matrix.as_flattened());
        assert_eq!(floats("blendshapes", &[2, BLENDSHAPES])[BLENDSHAPES..], face().blendshapes);
        assert_eq!(floats("box", &[2, 4]), [0.0, 0.0, 0.0, 0.0, 0.125, 0.25, 0.5, 1.0]);
        assert_eq!((floats("presence", &[2]), floats("score", &[2])), (vec![0.0, 0.75], vec![0.0, 0.5]));
    }

    #[test]
    fn other_names_are_refused() {
        assert!(PointsFormat::check(Path::new("points.txt")).unwrap_err().to_string().contains("points.txt"));
        assert!(PointsFormat::check(Path::new("/nonexistent-directory/a.json")).is_err());
    }
}
