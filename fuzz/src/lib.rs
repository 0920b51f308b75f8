//! What the fuzz targets share: bundles around one damaged member, and files for readers that take paths.

use std::cell::RefCell;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use skyreels_core::Limits;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Members of a face landmarker bundle in the order in which they are read.
pub const MEMBERS: [&str; 4] = [
    "geometry_pipeline_metadata_landmarks.binarypb",
    "face_detector.tflite",
    "face_landmarks_detector.tflite",
    "face_blendshapes.tflite",
];

/// Limits that a fuzzer's memory and patience allow.
pub fn limits() -> Limits {
    Limits { max_side: 2048, max_frames: 64, max_file_bytes: 1 << 20, max_header_bytes: 1 << 16, max_shards: 4 }
}

/// A bundle of stored members with right checksums.
pub fn bundle(members: [&[u8]; 4]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in MEMBERS.iter().zip(members) {
        zip.start_file(*name, stored).expect("the name is plain");
        zip.write_all(bytes).expect("memory takes any bytes");
    }
    zip.finish().expect("memory takes any bytes").into_inner()
}

/// The geometry member: a flat face of 468 points, three of which count.
pub fn geometry() -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let mut out = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(bytes);
        out
    };
    let vertex = |i: usize| [(i % 22) as f32, (i / 22) as f32, (i % 5) as f32, 0.0, 0.0];
    let vertices: Vec<u8> = (0..468).flat_map(vertex).flat_map(f32::to_le_bytes).collect();
    let mut out = field(1, &field(3, &vertices));
    for landmark in [4u8, 33, 120] {
        let mut pair = vec![1 << 3, landmark, 2 << 3 | 5];
        pair.extend(1f32.to_le_bytes());
        out.extend(field(2, &pair));
    }
    out
}

thread_local! {
    static FILE: RefCell<Option<(TempDir, PathBuf)>> = const { RefCell::new(None) };
}

/// Hands `bytes` to a reader that takes a path.
pub fn with_file(bytes: &[u8], read: impl FnOnce(&Path)) {
    FILE.with_borrow_mut(|file| {
        let (_, path) = file.get_or_insert_with(|| {
            let folder = tempfile::tempdir().expect("there is room for a temporary folder");
            let path = folder.path().join("input");
            (folder, path)
        });
        std::fs::write(&*path, bytes).expect("there is room for a small file");
        read(path);
    });
}
