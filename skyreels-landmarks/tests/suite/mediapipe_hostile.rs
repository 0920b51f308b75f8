//! Bundles that are damaged, incomplete or hostile: a clear error, never a panic, never a huge allocation.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use skyreels_core::{Device, Frame, Limits};
use skyreels_landmarks::FaceLandmarker;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::mediapipe_support::{media, task};

const MEMBERS: [&str; 4] = [
    "face_detector.tflite",
    "face_landmarks_detector.tflite",
    "face_blendshapes.tflite",
    "geometry_pipeline_metadata_landmarks.binarypb",
];

/// Opens a bundle; the error as text, or an empty text if it opens (then it must also run).
fn open(path: &Path) -> String {
    match FaceLandmarker::open(path, &Limits::default(), &Device::flex()) {
        Ok(landmarker) => {
            landmarker.detect(&Frame::new(64, 48)).unwrap();
            String::new()
        }
        Err(error) => error.to_string(),
    }
}

fn write(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("hostile.task");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn bundle(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn members(media: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = std::fs::read(task(media)).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let read = |name| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        (name, bytes)
    };
    MEMBERS.map(read).into_iter().collect()
}

#[test]
fn a_missing_bundle_is_named() {
    let error = open(Path::new("/nowhere/face.task"));
    assert!(error.contains("/nowhere/face.task") && error.contains("face landmarker bundle"), "{error}");
}

#[test]
fn what_is_no_bundle_is_refused_with_its_path() {
    let folder = TempDir::new().unwrap();
    assert!(!open(folder.path()).is_empty(), "a directory");
    for bytes in [&b""[..], b"PK", b"not a zip at all", &[0; 100_000]] {
        let error = open(&write(&folder, bytes));
        assert!(error.contains("hostile.task") && error.contains("no zip archive"), "{error}");
    }
}

#[test]
fn a_bundle_without_a_member_says_which() {
    let folder = TempDir::new().unwrap();
    for missing in MEMBERS {
        let rest: Vec<_> = MEMBERS.into_iter().filter(|m| *m != missing).map(|m| (m, vec![1, 2, 3])).collect();
        let error = open(&write(&folder, &bundle(&rest)));
        assert!(error.contains(missing) && error.contains("no member"), "{error}");
    }
}

#[test]
fn a_compressed_member_is_refused() {
    // This build has no compressor, so an archive of stored members is made to claim one.
    let folder = TempDir::new().unwrap();
    let mut bytes = bundle(&MEMBERS.map(|name| (name, vec![0; 64])));
    let signatures = [(&b"PK\x03\x04"[..], 8), (&b"PK\x01\x02"[..], 10)];
    for (signature, method) in signatures {
        for at in 0..bytes.len() - 4 {
            if &bytes[at..at + 4] == signature {
                bytes[at + method] = 8;
            }
        }
    }
    let error = open(&write(&folder, &bytes));
    assert!(error.contains("compressed"), "{error}");
}

#[test]
fn a_bundle_above_the_limit_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, &[0; 2000]);
    let limits = Limits { max_file_bytes: 1000, ..Limits::default() };
    let error = FaceLandmarker::open(&path, &limits, &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("2000") && error.contains("1000"), "{error}");
}

#[test]
fn members_of_the_wrong_kind_are_refused_by_name() {
    let Some(media) = media() else { return };
    let folder = TempDir::new().unwrap();
    let good = members(&media);
    for i in 0..MEMBERS.len() {
        for replacement in [Vec::new(), b"TFL3TFL3TFL3TFL3".to_vec(), good[(i + 1) % 4].1.clone()] {
            let mut bad = good.clone();
            bad[i].1 = replacement;
            let error = open(&write(&folder, &bundle(&bad)));
            assert!(error.contains(MEMBERS[i]), "{}: {error}", MEMBERS[i]);
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let Some(media) = media() else { return };
    let folder = TempDir::new().unwrap();
    let whole = std::fs::read(task(&media)).unwrap();
    let near_the_end = (whole.len() - 600..whole.len()).step_by(7);
    for end in (0..whole.len()).step_by(170_003).chain(near_the_end) {
        assert!(!open(&write(&folder, &whole[..end])).is_empty(), "cut at {end}");
    }
}

#[test]
fn a_flipped_bit_in_a_member_is_noticed() {
    let Some(media) = media() else { return };
    let folder = TempDir::new().unwrap();
    let whole = std::fs::read(task(&media)).unwrap();
    for i in 0..12 {
        let mut bytes = whole.clone();
        let at = 300 + i * (whole.len() - 2000) / 12;
        bytes[at] ^= 1 << (i % 8);
        assert!(!open(&write(&folder, &bytes)).is_empty(), "bit flipped at {at}");
    }
}

#[test]
fn damaged_networks_with_a_right_checksum_never_panic() {
    let Some(media) = media() else { return };
    let folder = TempDir::new().unwrap();
    let good = members(&media);
    let mut state = 12_345u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    const CASES: usize = 120;
    for case in 0..CASES {
        let mut bad = good.clone();
        // The detector and the blendshapes are quick to read; the tables lie at either end of a file.
        let member = &mut bad[[0, 2, 3][case % 3]].1;
        for _ in 0..1 + random(6) {
            let span = member.len().min(40_000);
            let at = if random(2) == 0 { random(span) } else { member.len() - 1 - random(span) };
            member[at] = random(256) as u8;
        }
        if case % 5 == 0 {
            let end = random(member.len());
            member.truncate(end);
        }
        refused += usize::from(!open(&write(&folder, &bundle(&bad))).is_empty());
    }
    println!("{refused} of {CASES} refused, the rest ran");
    assert!(refused > CASES / 5);
}
