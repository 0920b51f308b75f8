//! Damaged, foreign and oversized files end in an error that names the file: no panic, no hang.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use skyreels_core::media::{FrameRate, VideoOptions, VideoReader, read_picture, write_clip};
use skyreels_core::{Error, Limits, Progress, Result};

use crate::common::{moving_picture, shared};

/// No input of these tests may keep the reader busy for longer.
const PATIENCE: Duration = Duration::from_secs(20);

fn clip(folder: &Path) -> PathBuf {
    let path = folder.join("clip.mp4");
    let frames = (0..20).map(|index| Ok(moving_picture(index, 64, 48)));
    write_clip(&path, frames, FrameRate::NATIVE, None, &VideoOptions::default(), Progress::none()).unwrap();
    path
}

/// Reads all frames; how many there were.
fn read(path: &Path, limits: &Limits) -> Result<u64> {
    let started = Instant::now();
    let mut count = 0;
    for frame in VideoReader::open(path, limits)? {
        frame?;
        count += 1;
        assert!(started.elapsed() < PATIENCE, "{} takes too long", path.display());
    }
    assert!(started.elapsed() < PATIENCE, "{} takes too long", path.display());
    Ok(count)
}

fn refused(folder: &Path, name: &str, bytes: &[u8]) -> Error {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    let error = read(&path, &Limits::default()).expect_err(name);
    assert!(error.to_string().contains(name), "{error}");
    println!("{error}");
    error
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn files_that_are_no_video_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = std::fs::read(clip(folder)).unwrap();
    assert!(matches!(refused(folder, "empty.mp4", b""), Error::Malformed { .. }));
    assert!(matches!(refused(folder, "text.mp4", b"this is not a video at all"), Error::Malformed { .. }));
    assert!(matches!(refused(folder, "picture.mp4", b"\x89PNG\r\n\x1a\n0000000000"), Error::Malformed { .. }));
    assert!(matches!(refused(folder, "sound.mp4", b"RIFF\0\0\0\0WAVEfmt 0000"), Error::Malformed { .. }));
    assert!(matches!(refused(folder, "only-ftyp.mp4", &good[..40]), Error::Malformed { .. }));
    let sound = refused(folder, "audio-only.mp4", &replaced(&good, b"vide", b"soun"));
    assert!(sound.to_string().contains("sound"), "{sound}");
    assert!(matches!(refused(folder, "timed-text.mp4", &replaced(&good, b"vide", b"text")), Error::Malformed { .. }));
    assert!(matches!(read(&folder.join("absent.mp4"), &Limits::default()), Err(Error::Io { .. })));
    assert!(matches!(read(folder, &Limits::default()), Err(Error::Io { .. })));
}

#[cfg(not(feature = "ffmpeg"))]
#[test]
fn other_codecs_and_containers_are_unsupported_and_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = std::fs::read(clip(folder)).unwrap();
    let foreign: [(&str, Vec<u8>, &str); 3] = [
        ("old.mp4", replaced(&good, b"avc1\0\0\0\0", b"mp4v"), "MPEG-4 part 2"),
        ("web.mp4", b"\x1a\x45\xdf\xa3\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), "Matroska"),
        ("old.avi", b"RIFF\0\0\0\0AVI LIST\0\0\0\0".to_vec(), "AVI"),
    ];
    for (name, bytes, what) in foreign {
        let error = refused(folder, name, &bytes);
        assert!(matches!(error, Error::Unsupported { .. }));
        let message = error.to_string();
        assert!(message.contains(what) && message.contains("feature `ffmpeg`"), "{message}");
    }
}

#[test]
fn limits_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = clip(folder.path());
    let size = std::fs::metadata(&path).unwrap().len();
    for limits in [
        Limits { max_side: 63, ..Limits::default() },
        Limits { max_frames: 19, ..Limits::default() },
        Limits { max_file_bytes: size - 1, ..Limits::default() },
    ] {
        assert!(matches!(read(&path, &limits), Err(Error::Limit { .. })));
    }
    let just_enough = Limits { max_side: 64, max_frames: 20, max_file_bytes: size, ..Limits::default() };
    assert_eq!(read(&path, &just_enough).unwrap(), 20);
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read(clip(folder.path())).unwrap();
    let path = folder.path().join("cut.mp4");
    for length in (0..good.len()).step_by(41).chain([good.len() - 1]) {
        std::fs::write(&path, &good[..length]).unwrap();
        let error = read(&path, &Limits::default()).expect_err("cut off");
        assert!(matches!(error, Error::Malformed { .. }), "at {length}: {error}");
    }
}

#[test]
fn a_real_file_that_is_cut_off_is_an_error() {
    let Some(root) = shared("media/driving") else { return };
    let good = std::fs::read(root.join("4.mp4")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.mp4");
    for part in 1..12 {
        std::fs::write(&path, &good[..good.len() * part / 12]).unwrap();
        let error = read(&path, &Limits::default()).expect_err("cut off");
        println!("{error}");
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }
}

/// A generator good enough to choose bits (xorshift, Marsaglia 2003).
struct Bits(u64);

impl Bits {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Flips up to `flips` bits of the first `reach` bytes, `rounds` times.
fn flip(good: &[u8], reach: usize, rounds: usize, flips: usize, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flipped.mp4");
    let mut bits = Bits(seed);
    let (mut refused, mut read_through) = (0, 0);
    // Tight limits, so that a lie about a count costs no memory.
    let limits = Limits { max_side: 2_048, max_frames: 500, max_file_bytes: 8 << 20, ..Limits::default() };
    for _ in 0..rounds {
        let mut bytes = good.to_vec();
        for _ in 0..=bits.below(flips) {
            let at = bits.below(reach);
            bytes[at] ^= 1 << bits.below(8);
        }
        std::fs::write(&path, &bytes).unwrap();
        match read(&path, &limits) {
            Ok(_) => read_through += 1,
            Err(error) => {
                assert!(error.to_string().contains("flipped.mp4"), "{error}");
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {read_through} read through");
}

#[test]
fn flipped_bits_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read(clip(folder.path())).unwrap();
    let tables = good.windows(4).position(|window| window == b"mdat").unwrap();
    flip(&good, tables, 300, 3, 1);
    flip(&good, good.len(), 150, 12, 2);
}

#[test]
fn flipped_bits_of_a_real_file_never_panic() {
    let Some(root) = shared("media/driving") else { return };
    let good = std::fs::read(root.join("7.mp4")).unwrap();
    flip(&good, good.len(), 25, 60, 3);
    let tables = good.windows(4).position(|window| window == b"moov").unwrap();
    let mut turned = good[tables - 4..].to_vec();
    turned.extend_from_slice(&good[..tables - 4]);
    // Offsets are wrong now; the tables are what is read.
    flip(&turned, good.len() - tables, 60, 3, 4);
}

#[test]
fn bad_pictures_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    let write = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = read_picture(&path, &Limits::default()).expect_err("bad");
        assert!(error.to_string().contains("picture.png"), "{error}");
        println!("{error}");
        error
    };
    assert!(matches!(write(b""), Error::Malformed { .. }));
    assert!(matches!(write(b"not a picture"), Error::Malformed { .. }));
    let mut good = std::io::Cursor::new(Vec::new());
    moving_picture(0, 40, 30).write_to(&mut good, image::ImageFormat::Png).unwrap();
    let good = good.into_inner();
    for length in (1..good.len() - 12).step_by(97) {
        assert!(matches!(write(&good[..length]), Error::Malformed { .. }));
    }
    assert!(matches!(read_picture(folder.path(), &Limits::default()), Err(Error::Io { .. })));
    assert!(matches!(read_picture(folder.path().join("absent"), &Limits::default()), Err(Error::Io { .. })));
}

#[test]
fn a_huge_picture_is_refused_before_its_pixels_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.png");
    for (width, height) in [(20_000_u32, 20_000_u32), (1, 1 << 30), (16_384, 16_384)] {
        let mut header = b"IHDR".to_vec();
        header.extend_from_slice(&width.to_be_bytes());
        header.extend_from_slice(&height.to_be_bytes());
        header.extend_from_slice(&[16, 6, 0, 0, 0]);
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&crc32fast::hash(&header).to_be_bytes());
        bytes.extend_from_slice(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
        std::fs::write(&path, &bytes).unwrap();
        let error = read_picture(&path, &Limits::default()).unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error}");
    }
}
