//! Reading.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use half::f16;
use safetensors::{Dtype, SafeTensors};
use skyreels_core::Limits;

use super::*;
use crate::motion::flame::EYE_POINTS;
use crate::{ExpressionMode, FLAME_SHAPE, Motion, Proportions, Result};

/// Bytes of the length in front of a safetensors header.
const LENGTH_BYTES: usize = 8;

impl Motion {
    /// Reads a motion.
    ///
    /// # Errors
    /// [`Error::Core`] when the file cannot be read, is larger than the limits, or is no motion file; it
    /// says what is wrong in which frame. [`Error::MotionVersion`] for a file of the future.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let length = fs::metadata(path).map_err(skyreels_core::Error::io("read", path))?.len();
        if length > limits.max_file_bytes {
            return Err(limit(path, "size in bytes", length, limits.max_file_bytes));
        }
        Self::from_bytes(&fs::read(path).map_err(skyreels_core::Error::io("read", path))?, path, limits)
    }

    /// Reads a motion from the bytes of a file; `path` names it in errors.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) but for reading.
    pub fn from_bytes(bytes: &[u8], path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let wrong = |reason: String| malformed(path, reason);
        check_header(path, bytes, limits)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| wrong(error.to_string()))?;
        let metadata = Metadata::read(path, header.metadata().as_ref())?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| wrong(error.to_string()))?;
        let reader = Reader { path, tensors, version: metadata.version };
        let states = reader.states()?;
        if states.len() as u64 > limits.max_frames {
            return Err(limit(path, "number of frames", states.len() as u64, limits.max_frames));
        }
        let frames = reader.frames("", &states)?;
        let proportions = Proportions::from_array(rows::<6>(&reader.floats("proportions", &[6])?)[0]);
        let mut motion = Self::new(metadata.rate, proportions, frames).map_err(|error| wrong(error.to_string()))?;
        if reader.has("rest.rotation") {
            let rest = reader.frames(REST, &[State::Seen])?.swap_remove(0);
            motion = motion.with_rest(rest).map_err(|error| wrong(error.to_string()))?;
        }
        if reader.has("flame.shape") {
            let shape = reader.floats("flame.shape", &[FLAME_SHAPE])?;
            motion = motion.with_flame_shape(Some(shape)).map_err(|error| wrong(error.to_string()))?;
        }
        Ok(motion.with_expression_mode(metadata.mode))
    }
}

struct Reader<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    version: u32,
}

impl Reader<'_> {
    fn wrong(&self, reason: impl Into<String>) -> Error {
        malformed(self.path, reason)
    }

    /// True when a tensor is there that only newer versions have.
    fn has(&self, name: &str) -> bool {
        self.version > VERSION_PLAIN && self.tensors.tensor(name).is_ok()
    }

    fn states(&self) -> Result<Vec<State>> {
        let view = self.tensors.tensor("state").map_err(|error| self.wrong(error.to_string()))?;
        if view.dtype() != Dtype::U8 || view.shape().len() != 1 {
            return Err(self.wrong("`state` must be u8 of one axis"));
        }
        let state = |(frame, byte): (usize, &u8)| match byte {
            0 => Ok(State::Seen),
            1 => Ok(State::Held),
            2 => Ok(State::Interpolated),
            other => Err(self.wrong(format!("frame {frame}: state {other} is unknown"))),
        };
        view.data().iter().enumerate().map(state).collect()
    }

    fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let view = self.tensors.tensor(name).map_err(|error| self.wrong(error.to_string()))?;
        let half = self.version > VERSION_PLAIN && name.ends_with(EXPRESSION.name) && view.dtype() == Dtype::F16;
        if view.shape() != shape || (view.dtype() != Dtype::F32 && !half) {
            let (dtype, found) = (view.dtype(), view.shape());
            return Err(self.wrong(format!("`{name}` is {dtype:?} {found:?} instead of F32 {shape:?}")));
        }
        Ok(if half {
            view.data().as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()
        } else {
            view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        })
    }

    fn channel(&self, prefix: &str, channel: &Channel, count: usize) -> Result<Vec<f32>> {
        self.floats(&format!("{prefix}{}", channel.name), &channel.shape(count))
    }

    /// One frame per state.
    fn frames(&self, prefix: &str, states: &[State]) -> Result<Vec<MotionFrame>> {
        let count = states.len();
        let rotation = self.channel(prefix, &ROTATION, count)?;
        let translation = self.channel(prefix, &TRANSLATION, count)?;
        let expression = self.channel(prefix, &EXPRESSION, count)?;
        let scores = self.channel(prefix, &SCORES, count)?;
        let openness = self.channel(prefix, &OPENNESS, count)?;
        let apertures = match self.has(&format!("{prefix}{}", APERTURES.name)) {
            true => Some(self.channel(prefix, &APERTURES, count)?),
            false => None,
        };
        let flame = self.flame(prefix, count)?;
        let frame = |(i, state): (usize, &State)| {
            let [right, left, mouth] = rows::<3>(&openness)[i];
            MotionFrame {
                state: *state,
                rotation: rows::<4>(&rotation)[i],
                translation: rows::<3>(&translation)[i],
                expression: rows::<3>(&expression)[i * LANDMARKS..][..LANDMARKS].to_vec(),
                blendshapes: rows::<BLENDSHAPES>(&scores)[i],
                openness: Openness { eyes: [right, left], mouth },
                apertures: apertures.as_ref().map_or_else(Apertures::default, |numbers| given(rows::<3>(numbers)[i])),
                flame: flame.as_ref().map(|frames| Box::new(frames[i].clone())),
            }
        };
        Ok(states.iter().enumerate().map(frame).collect())
    }

    fn flame(&self, prefix: &str, count: usize) -> Result<Option<Vec<FlameFrame>>> {
        if !self.has(&format!("{prefix}flame.{}", GROUPS[0].0)) {
            return Ok(None);
        }
        let groups = GROUPS.map(|(name, size)| self.floats(&format!("{prefix}flame.{name}"), &[count, size]));
        let groups: Vec<Vec<f32>> = groups.into_iter().collect::<Result<_>>()?;
        let name = format!("{prefix}{FLAME_EYES}");
        let eyes = match self.has(&name) {
            true => Some(self.floats(&name, &[count, 2, EYE_POINTS, 2])?),
            false => None,
        };
        let eyes = eyes.as_deref().map(rows::<2>);
        let frame = |i: usize| {
            let mut numbers = [0.0; FLAME_NUMBERS];
            let row = GROUPS.iter().zip(&groups).flat_map(|((_, size), group)| &group[i * size..][..*size]);
            numbers.iter_mut().zip(row).for_each(|(to, from)| *to = *from);
            let outline =
                |points: &[[f32; 2]], side: usize| std::array::from_fn(|k| points[(2 * i + side) * EYE_POINTS + k]);
            let eyes = eyes.map(|points| [0, 1].map(|side| outline(points, side)));
            FlameFrame { eyes, ..FlameFrame::from_array(&numbers) }
        };
        Ok(Some((0..count).map(frame).collect()))
    }
}

/// Apertures from a file; [`NO_APERTURE`] stands for none.
fn given([right, left, mouth]: [f32; 3]) -> Apertures {
    let eyes = [right, left] != [NO_APERTURE; 2];
    Apertures { eyes: eyes.then_some([right, left]), mouth: (mouth != NO_APERTURE).then_some(mouth) }
}

fn rows<const N: usize>(values: &[f32]) -> &[[f32; N]] {
    values.as_chunks::<N>().0
}

fn limit(path: &Path, what: &'static str, value: u64, limit: u64) -> Error {
    let help = "cut the motion into shorter ones, or raise the limit".into();
    skyreels_core::Error::Limit { path: path.to_path_buf(), what, value, limit, help }.into()
}

/// Looks at the length of the header before anything is made of it.
fn check_header(path: &Path, bytes: &[u8], limits: &Limits) -> Result<()> {
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return Err(malformed(path, "it is shorter than the length of its header"));
    };
    match u64::from_le_bytes(*length) {
        length if length > limits.max_header_bytes => {
            Err(limit(path, "header size in bytes", length, limits.max_header_bytes))
        }
        length if length > (bytes.len() - LENGTH_BYTES) as u64 => {
            Err(malformed(path, "its header is longer than the file"))
        }
        _ => Ok(()),
    }
}

/// What the header says beside the tensors.
struct Metadata {
    version: u32,
    rate: f64,
    mode: ExpressionMode,
}

impl Metadata {
    fn read(path: &Path, metadata: Option<&HashMap<String, String>>) -> Result<Self> {
        let field = |name: &str| metadata.and_then(|metadata| metadata.get(name)).map(String::as_str);
        if field("format") != Some(MAGIC) {
            return Err(malformed(path, format!("its metadata lacks `format = {MAGIC}`")));
        }
        let version = match field("version").and_then(|version| version.parse().ok()) {
            None | Some(0) => return Err(malformed(path, "its version is missing or no number")),
            Some(version) if version > VERSION => {
                return Err(Error::MotionVersion { path: path.to_path_buf(), version, newest: VERSION });
            }
            Some(version) => version,
        };
        let rate = field("rate").and_then(|rate| rate.parse().ok());
        let rate = rate.ok_or_else(|| malformed(path, "its frame rate is missing or no number"))?;
        let mode = match field("mode") {
            None => ExpressionMode::Relative,
            Some(ABSOLUTE) => ExpressionMode::Absolute,
            Some(other) => return Err(malformed(path, format!("its expression mode `{other}` is unknown"))),
        };
        Ok(Self { version, rate, mode })
    }
}
