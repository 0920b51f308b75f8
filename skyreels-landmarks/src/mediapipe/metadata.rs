//! The canonical face and its weights from `geometry_pipeline_metadata_landmarks.binarypb`.
//!
//! Protocol buffer `mediapipe.tasks.vision.face_geometry.proto.GeometryPipelineMetadata`: field 1 is the canonical
//! mesh (its field 3 holds x, y, z, u, v of each vertex), field 2 repeats (landmark 1, weight 2) pairs.

use crate::draw::contours::MESH_POINTS;

/// Values per vertex: position and texture coordinate.
const VERTEX_VALUES: usize = 5;

/// The canonical face in centimetres (x right, y up, z towards the viewer) and how much each point counts.
pub(super) struct Metadata {
    pub(super) points: Vec<[f64; 3]>,
    /// Landmark and weight; weights are positive.
    pub(super) basis: Vec<(usize, f64)>,
}

impl Metadata {
    /// Reads and checks the bytes; the error says what is wrong.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut vertices: Vec<f32> = Vec::new();
        let mut basis = Vec::new();
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(mesh)) => {
                    for field in Fields(mesh) {
                        if let (3, value) = field? {
                            value.append_floats(&mut vertices);
                        }
                    }
                }
                (2, Value::Bytes(pair)) => basis.push(weighted_landmark(pair)?),
                _ => {}
            }
        }
        if vertices.len() != MESH_POINTS * VERTEX_VALUES || vertices.iter().any(|v| !v.is_finite()) {
            return Err(format!(
                "a mesh of {} values where {} are expected",
                vertices.len(),
                MESH_POINTS * VERTEX_VALUES
            ));
        }
        let points = vertices.chunks_exact(VERTEX_VALUES).map(|v| [v[0], v[1], v[2]].map(f64::from)).collect();
        // Three points that are not on a line would do; a real basis has 33.
        if basis.len() < 3 {
            return Err(format!("{} weighted landmarks, too few to find a pose", basis.len()));
        }
        Ok(Self { points, basis })
    }
}

fn weighted_landmark(bytes: &[u8]) -> Result<(usize, f64), String> {
    let (mut landmark, mut weight) = (0, 0.0);
    for field in Fields(bytes) {
        match field? {
            (1, Value::Number(n)) => landmark = usize::try_from(n).unwrap_or(usize::MAX),
            (2, Value::Float(w)) => weight = f64::from(w),
            _ => {}
        }
    }
    if landmark >= MESH_POINTS || !(weight > 0.0 && weight.is_finite()) {
        return Err(format!("weight {weight} for landmark {landmark}"));
    }
    Ok((landmark, weight))
}

/// A field's value in the wire format.
enum Value<'a> {
    Number(u64),
    Float(f32),
    Bytes(&'a [u8]),
    Other,
}

impl Value<'_> {
    /// Repeated floats come one by one, or packed.
    fn append_floats(&self, to: &mut Vec<f32>) {
        match self {
            Self::Float(value) => to.push(*value),
            Self::Bytes(packed) => {
                to.extend(packed.chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().expect("four bytes"))));
            }
            Self::Number(_) | Self::Other => {}
        }
    }
}

/// The (number, value) pairs of a message; ends after the first error.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number of more than 64 bits".to_owned())
    }

    fn bytes(&mut self, count: u64) -> Result<&'a [u8], String> {
        let split = usize::try_from(count).ok().and_then(|n| self.0.split_at_checked(n));
        let (head, tail) = split.ok_or_else(|| format!("{count} bytes expected, {} left", self.0.len()))?;
        self.0 = tail;
        Ok(head)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), String> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                self.bytes(8)?;
                Value::Other
            }
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.bytes(length)?)
            }
            5 => Value::Float(f32::from_le_bytes(self.bytes(4)?.try_into().expect("four bytes"))),
            kind => return Err(format!("wire type {kind}")),
        };
        Ok((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delimited(number: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = body.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(body);
        bytes
    }

    fn sample() -> Vec<u8> {
        let floats: Vec<u8> = (0..MESH_POINTS * VERTEX_VALUES).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let mut bytes = delimited(1, &delimited(3, &floats));
        for landmark in [4u8, 6, 9] {
            let mut pair = vec![1 << 3, landmark, 2 << 3 | 5];
            pair.extend(0.5f32.to_le_bytes());
            bytes.extend(delimited(2, &pair));
        }
        bytes
    }

    #[test]
    fn mesh_and_weights_are_read() {
        let metadata = Metadata::read(&sample()).unwrap();
        assert_eq!(metadata.points[1], [5.0, 6.0, 7.0]);
        assert_eq!(metadata.basis, [(4, 0.5), (6, 0.5), (9, 0.5)]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = sample();
        for end in (0..bytes.len()).step_by(97) {
            assert!(Metadata::read(&bytes[..end]).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Metadata::read(&bytes);
        }
    }
}
