//! The few FlatBuffer forms a `.tflite` file is made of, every access checked against the file's end.
//!
//! Offsets are little-endian and relative: a table holds a signed offset back to its vtable, the vtable
//! holds for each field the offset into the table (0 = absent), references are unsigned offsets forward.

use super::Fault;

/// A cursor-free view of the file.
#[derive(Clone, Copy)]
pub(super) struct Buffer<'a>(&'a [u8]);

/// One table of the buffer.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    buffer: Buffer<'a>,
    position: usize,
    vtable: usize,
    vtable_bytes: usize,
}

/// Bytes of a vtable before its first field: its own size and the table's size.
const VTABLE_HEADER: usize = 4;

impl<'a> Buffer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The four-character mark at offset 4.
    pub(super) fn identifier(self) -> Option<[u8; 4]> {
        self.array(4).ok()
    }

    /// The table the buffer starts with.
    pub(super) fn root(self) -> Result<Table<'a>, Fault> {
        self.table(self.forward(0)?)
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Fault> {
        let bytes = at.checked_add(N).and_then(|end| self.0.get(at..end));
        let bytes = bytes.ok_or_else(|| Fault::malformed(format!("{N} bytes at offset {at} lie past the end")))?;
        Ok(bytes.try_into().expect("the slice has N bytes"))
    }

    fn u16(self, at: usize) -> Result<u16, Fault> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(self, at: usize) -> Result<u32, Fault> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// Follows the unsigned offset stored at `at`.
    fn forward(self, at: usize) -> Result<usize, Fault> {
        let step = self.u32(at)? as usize;
        at.checked_add(step).ok_or_else(|| Fault::malformed(format!("the reference at offset {at} overflows")))
    }

    fn table(self, position: usize) -> Result<Table<'a>, Fault> {
        let back = i64::from(i32::from_le_bytes(self.array(position)?));
        let vtable = i64::try_from(position).ok().and_then(|p| p.checked_sub(back));
        let vtable = vtable.and_then(|v| usize::try_from(v).ok()).ok_or_else(|| {
            Fault::malformed(format!("the table at offset {position} has its vtable outside the file"))
        })?;
        let vtable_bytes = usize::from(self.u16(vtable)?);
        if vtable_bytes < VTABLE_HEADER {
            return Err(Fault::malformed(format!("the vtable at offset {vtable} is {vtable_bytes} bytes long")));
        }
        Ok(Table { buffer: self, position, vtable, vtable_bytes })
    }

    /// Length and first byte of the vector at `at`, known to lie inside the file.
    fn vector(self, at: usize, element_bytes: usize) -> Result<&'a [u8], Fault> {
        let length = self.u32(at)? as usize;
        let start = at.checked_add(4);
        let end = length.checked_mul(element_bytes).and_then(|n| start?.checked_add(n));
        match (start, end) {
            (Some(start), Some(end)) if end <= self.0.len() => Ok(&self.0[start..end]),
            _ => Err(Fault::malformed(format!("the vector at offset {at} claims {length} elements, past the end"))),
        }
    }
}

impl<'a> Table<'a> {
    /// Where field `index` is stored; `None` if the writer left it at its default.
    fn field(self, index: usize) -> Result<Option<usize>, Fault> {
        let slot = VTABLE_HEADER + 2 * index;
        if slot + 2 > self.vtable_bytes {
            return Ok(None);
        }
        match usize::from(self.buffer.u16(self.vtable + slot)?) {
            0 => Ok(None),
            offset => Ok(Some(self.position + offset)),
        }
    }

    pub(super) fn i8(self, index: usize, default: i8) -> Result<i8, Fault> {
        self.field(index)?.map_or(Ok(default), |at| self.buffer.array(at).map(i8::from_le_bytes))
    }

    pub(super) fn i32(self, index: usize, default: i32) -> Result<i32, Fault> {
        self.field(index)?.map_or(Ok(default), |at| self.buffer.array(at).map(i32::from_le_bytes))
    }

    pub(super) fn u32(self, index: usize) -> Result<u32, Fault> {
        self.field(index)?.map_or(Ok(0), |at| self.buffer.u32(at))
    }

    pub(super) fn table(self, index: usize) -> Result<Option<Table<'a>>, Fault> {
        self.field(index)?.map(|at| self.buffer.table(self.buffer.forward(at)?)).transpose()
    }

    /// A vector of bytes; empty if absent.
    pub(super) fn bytes(self, index: usize) -> Result<&'a [u8], Fault> {
        self.field(index)?.map_or(Ok(&[]), |at| self.buffer.vector(self.buffer.forward(at)?, 1))
    }

    /// A vector of at most `most` 32-bit integers; `None` if absent.
    pub(super) fn i32s(self, index: usize, most: usize) -> Result<Option<Vec<i32>>, Fault> {
        let Some(at) = self.field(index)? else { return Ok(None) };
        let bytes = self.buffer.vector(self.buffer.forward(at)?, 4)?;
        at_most(bytes.len() / 4, most)?;
        Ok(Some(read_i32s(bytes)))
    }

    /// A vector of at most `most` tables; empty if absent.
    pub(super) fn tables(self, index: usize, most: usize) -> Result<Vec<Table<'a>>, Fault> {
        let Some(at) = self.field(index)? else { return Ok(Vec::new()) };
        let start = self.buffer.forward(at)?;
        let count = self.buffer.vector(start, 4)?.len() / 4;
        at_most(count, most)?;
        (0..count).map(|i| self.buffer.table(self.buffer.forward(start + 4 + 4 * i)?)).collect()
    }
}

/// Vectors may share bytes, so that a short file can ask for a lot of memory: each is bounded where it is read.
fn at_most(count: usize, most: usize) -> Result<(), Fault> {
    if count > most {
        return Err(Fault::unsupported(format!("a list of {count} elements where at most {most} are expected")));
    }
    Ok(())
}

/// Little-endian 32-bit integers; a trailing incomplete one is ignored.
pub(super) fn read_i32s(bytes: &[u8]) -> Vec<i32> {
    bytes.chunks_exact(4).map(|c| i32::from_le_bytes(c.try_into().expect("chunks of four"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root table with two fields: an i32 of 7 and a vector [1, 2].
    fn sample() -> Vec<u8> {
        let mut b = Vec::new();
        b.extend(12u32.to_le_bytes()); // root at 12
        b.extend(8u16.to_le_bytes()); // vtable at 4: 8 bytes
        b.extend(12u16.to_le_bytes());
        b.extend(4u16.to_le_bytes()); // field 0 at +4
        b.extend(8u16.to_le_bytes()); // field 1 at +8
        b.extend(8i32.to_le_bytes()); // table at 12: vtable 8 back
        b.extend(7i32.to_le_bytes());
        b.extend(4u32.to_le_bytes()); // vector 4 further
        b.extend(2u32.to_le_bytes());
        b.extend(1i32.to_le_bytes());
        b.extend(2i32.to_le_bytes());
        b
    }

    #[test]
    fn fields_defaults_and_vectors_are_read() {
        let bytes = sample();
        let root = Buffer::new(&bytes).root().unwrap();
        assert_eq!(root.i32(0, 0).unwrap(), 7);
        assert_eq!(root.i32s(1, 2).unwrap(), Some(vec![1, 2]));
        assert_eq!(root.i32(2, 5).unwrap(), 5);
        assert!(root.tables(9, 1).unwrap().is_empty());
    }

    #[test]
    fn every_truncation_is_a_fault_or_a_default_never_a_panic() {
        let bytes = sample();
        for end in 0..bytes.len() {
            let cut = Buffer::new(&bytes[..end]);
            if let Ok(root) = cut.root() {
                assert!(root.i32s(1, 2).is_err());
            }
        }
    }

    #[test]
    fn a_length_past_the_end_is_refused_before_anything_is_allocated() {
        let mut bytes = sample();
        bytes[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
        let root = Buffer::new(&bytes).root().unwrap();
        assert!(root.i32s(1, 2).is_err());
        assert!(root.tables(1, 9).is_err());
        assert!(root.bytes(1).is_err());
    }

    #[test]
    fn a_list_longer_than_its_reader_expects_is_refused() {
        let bytes = sample();
        assert!(Buffer::new(&bytes).root().unwrap().i32s(1, 1).is_err());
    }
}
