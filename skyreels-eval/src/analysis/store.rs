//! Measurements that outlive the run: a safetensors file for each file that was looked at.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use skyreels_core::Error as CoreError;
use skyreels_core::output::write_file;

use super::clip::{ClipAnalysis, PixelScores, Thumbnail};
use super::series::{read_series, series_bytes};
use crate::metrics::{BackgroundStability, FaceObservation};
use crate::{Error, FrameScores, Result};

/// Where the description stands in the header.
const DESCRIPTION: &str = "skyreels-eval";
/// Measurements of other versions are made again.
const VERSION: u32 = 2;
/// Names of what the pixels do over time.
const FLICKER: &str = "flicker";
const STEP: &str = "background.step";
const DRIFT: &str = "background.drift";
/// Largest file that is taken for one of ours, in bytes.
const MOST_BYTES: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Description {
    version: u32,
    /// What the measurements depend on: the file and the options.
    fingerprint: String,
    size: [u32; 2],
    samples: Vec<usize>,
    /// Numbers of the frames of which small pictures are kept.
    thumbnails: Vec<usize>,
}

/// Writes an analysis, whole or not at all.
pub(crate) fn save(path: &Path, analysis: &ClipAnalysis, fingerprint: &str) -> Result<()> {
    let description = Description {
        version: VERSION,
        fingerprint: fingerprint.into(),
        size: analysis.size,
        samples: analysis.samples.clone(),
        thumbnails: analysis.thumbnails.iter().map(|small| small.frame).collect(),
    };
    let mut tables = BTreeMap::new();
    let rows: Vec<Option<Vec<f32>>> =
        analysis.faces.iter().map(|face| face.as_ref().map(FaceObservation::to_row)).collect();
    tables.insert("faces".to_string(), Table::of(&rows));
    for (name, rows) in &analysis.embeddings {
        tables.insert(format!("embedding.{name}"), Table::of(rows));
    }
    tables.insert("a1".to_string(), Table::of(&analysis.a1_features));
    for (name, rows) in &analysis.features {
        tables.insert(format!("features.{name}"), Table::of(&rows.iter().cloned().map(Some).collect::<Vec<_>>()));
    }
    let background = analysis.pixels.background.as_ref();
    let series = [
        (FLICKER, analysis.pixels.flicker.as_ref()),
        (STEP, background.map(|background| &background.step)),
        (DRIFT, background.map(|background| &background.drift)),
    ];
    let series: Vec<(&str, Vec<u8>)> =
        series.into_iter().filter_map(|(name, scores)| Some((name, series_bytes(&scores?.values)))).collect();
    let text = serde_json::to_string(&description).map_err(|error| malformed(path, error.to_string()))?;
    let mut views = Vec::new();
    for (name, table) in &tables {
        views.push((name.clone(), Dtype::F32, vec![table.rows, table.width], table.bytes.as_slice()));
        views.push((format!("{name}.seen"), Dtype::U8, vec![table.seen.len()], table.seen.as_slice()));
    }
    for (index, Thumbnail { jpeg, .. }) in analysis.thumbnails.iter().enumerate() {
        views.push((format!("thumbnail.{index}"), Dtype::U8, vec![jpeg.len()], jpeg.as_slice()));
    }
    for (name, bytes) in &series {
        views.push((name.to_string(), Dtype::F64, vec![bytes.len() / size_of::<f64>()], bytes.as_slice()));
    }
    let views = views.into_iter().map(|(name, dtype, shape, bytes)| Ok((name, TensorView::new(dtype, shape, bytes)?)));
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let metadata = HashMap::from([(DESCRIPTION.to_string(), text)]);
    let bytes = views.and_then(|views| safetensors::serialize(views, Some(metadata)));
    Ok(write_file(path, &bytes.map_err(|error| malformed(path, error.to_string()))?)?)
}

/// Reads an analysis back; `None` when there is none, when it was made of another file or with other options, and when it is
/// damaged: it is made again then.
pub(crate) fn load(path: &Path, fingerprint: &str) -> Option<ClipAnalysis> {
    if std::fs::metadata(path).ok()?.len() > MOST_BYTES {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    let text = header.metadata().as_ref()?.get(DESCRIPTION)?.clone();
    let description: Description = serde_json::from_str(&text).ok()?;
    if description.version != VERSION || description.fingerprint != fingerprint {
        return None;
    }
    let tensors = SafeTensors::deserialize(&bytes).ok()?;
    let table = |name: &str| read_table(&tensors, name);
    let faces = table("faces")?.into_iter();
    let faces = faces.map(|row| row.map_or(Some(None), |row| FaceObservation::from_row(&row).map(Some)));
    // What is there has to be whole: a series that cannot be read is damage, not absence.
    let scores = |name: &str| match tensors.tensor(name) {
        Ok(view) => Some(Some(FrameScores::new(name, read_series(&view)?).ok()?)),
        Err(_) => Some(None),
    };
    let background = match (scores(STEP)?, scores(DRIFT)?) {
        (Some(step), Some(drift)) => Some(BackgroundStability { step, drift }),
        _ => None,
    };
    let pixels = PixelScores { flicker: scores(FLICKER)?, background };
    let mut analysis = ClipAnalysis {
        size: description.size,
        faces: faces.collect::<Option<Vec<_>>>()?,
        samples: description.samples,
        embeddings: BTreeMap::new(),
        a1_features: table("a1")?,
        features: BTreeMap::new(),
        pixels,
        thumbnails: Vec::new(),
    };
    for name in tensors.names() {
        if name.ends_with(".seen") {
            continue;
        }
        if let Some(network) = name.strip_prefix("embedding.") {
            analysis.embeddings.insert(network.to_string(), table(name)?);
        } else if let Some(network) = name.strip_prefix("features.") {
            analysis.features.insert(network.to_string(), table(name)?.into_iter().collect::<Option<Vec<_>>>()?);
        }
    }
    for (index, frame) in description.thumbnails.into_iter().enumerate() {
        let jpeg = tensors.tensor(&format!("thumbnail.{index}")).ok()?.data().to_vec();
        analysis.thumbnails.push(Thumbnail { frame, jpeg });
    }
    Some(analysis)
}

/// Rows of equal length, some of which may be absent.
struct Table {
    rows: usize,
    width: usize,
    bytes: Vec<u8>,
    seen: Vec<u8>,
}

impl Table {
    fn of(rows: &[Option<Vec<f32>>]) -> Self {
        let there = || rows.iter().flatten();
        Self {
            rows: there().count(),
            width: there().next().map_or(0, Vec::len),
            bytes: there().flatten().flat_map(|value| value.to_le_bytes()).collect(),
            seen: rows.iter().map(|row| u8::from(row.is_some())).collect(),
        }
    }
}

fn read_table(tensors: &SafeTensors, name: &str) -> Option<Vec<Option<Vec<f32>>>> {
    let values = tensors.tensor(name).ok()?;
    let seen = tensors.tensor(&format!("{name}.seen")).ok()?;
    let (&[rows, width], Dtype::F32, Dtype::U8) = (values.shape(), values.dtype(), seen.dtype()) else { return None };
    let numbers: Vec<f32> = values.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if numbers.iter().any(|value| !value.is_finite()) || seen.data().iter().filter(|flag| **flag != 0).count() != rows {
        return None;
    }
    let mut rows = numbers.chunks(width.max(1)).map(<[f32]>::to_vec);
    seen.data().iter().map(|flag| if *flag == 0 { Some(None) } else { rows.next().map(Some) }).collect()
}

fn malformed(path: &Path, reason: String) -> Error {
    CoreError::malformed(path, "measurements", reason).into()
}
