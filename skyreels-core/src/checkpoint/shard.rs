//! One memory-mapped safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use crate::{Error, Limits, Result};

const FORMAT: &str = "safetensors file";
/// Bytes of the length field in front of the header.
const LENGTH_FIELD: u64 = 8;

/// A mapped file; the pages are read when a tensor is.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) path: PathBuf,
    /// Words in the header.
    pub(super) metadata: HashMap<String, String>,
    map: Mmap,
}

/// Where a tensor lies in its shard.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    bytes: Range<usize>,
}

impl Shard {
    /// Maps `path` and checks its header against the file: lengths, offsets, overflow.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<(Self, BTreeMap<String, Place>)> {
        let malformed = |reason: String| Error::malformed(path, FORMAT, reason);
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let mut field = [0; LENGTH_FIELD as usize];
        file.read_exact(&mut field)
            .map_err(|_| malformed(format!("the file has {length} bytes, too few for a header; download it again")))?;
        let header = u64::from_le_bytes(field);
        if header > limits.max_header_bytes {
            return Err(Error::Limit {
                path: path.to_path_buf(),
                what: "the length of the header",
                value: header,
                limit: limits.max_header_bytes,
                help: "the file is damaged or not a safetensors file".into(),
            });
        }
        if header > length - LENGTH_FIELD {
            return Err(malformed(format!(
                "the header claims {header} bytes but only {} follow; the file is damaged or truncated, download it again",
                length - LENGTH_FIELD
            )));
        }
        // SAFETY: the map is read-only and private to this value. As with every mapped file, it must
        // not be truncated by another process meanwhile; weights are not.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))?;
        let (header, metadata) = SafeTensors::read_metadata(&map)
            .map_err(|error| malformed(format!("{error}; the file is damaged or truncated, download it again")))?;
        let data = header + LENGTH_FIELD as usize;
        let places = metadata
            .tensors()
            .into_iter()
            .map(|(key, info)| {
                let (start, end) = info.data_offsets;
                let place = Place { dtype: info.dtype, shape: info.shape.clone(), bytes: data + start..data + end };
                (key, place)
            })
            .collect();
        let words = metadata.metadata().clone().unwrap_or_default();
        Ok((Self { path: path.to_path_buf(), metadata: words, map }, places))
    }

    /// The little-endian bytes of a tensor.
    pub(super) fn bytes(&self, place: &Place) -> &[u8] {
        &self.map[place.bytes.clone()]
    }

    /// Lets the system forget the pages of a tensor that has been read, so that a loading program never
    /// holds the file beside the model. The pages come back from the file if they are asked for.
    pub(super) fn release(&self, place: &Place) {
        #[cfg(unix)]
        {
            let Range { start, end } = place.bytes.clone();
            // SAFETY: the map is shared with the file and never written, so that the same bytes come back.
            // That the system may refuse is no matter.
            #[allow(unsafe_code)]
            let _ = unsafe { self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start) };
        }
        #[cfg(not(unix))]
        let _ = place;
    }
}
