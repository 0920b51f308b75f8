//! Frames are taken at the instants at which they are on the screen, whatever the rate of the video does.

use std::path::Path;

use skyreels_core::media::{FrameRate, VideoOptions, VideoReader, write_clip};
use skyreels_core::{Limits, Progress};

use crate::common::moving_picture;

/// Clock of the clips that are written here: at 24 frames per second, a whole number of ticks above 10 000.
const TIMESCALE: u32 = 10_008;

/// A box of an MP4 file.
fn boxed(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).unwrap();
    [&size.to_be_bytes(), kind, content].concat()
}

/// The boxes that `content` is made of.
fn children(content: &[u8]) -> Vec<&[u8]> {
    let mut rest = content;
    let mut found = Vec::new();
    while let Some(size) = rest.first_chunk() {
        let (child, tail) = rest.split_at(u32::from_be_bytes(*size) as usize);
        found.push(child);
        rest = tail;
    }
    found
}

/// Changes the content of the box at `path` below the box `node`, and the sizes of those around it.
fn changed(node: &[u8], path: &[&[u8; 4]], change: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (kind, content) = (&node[4..8], &node[8..]);
    let Some((next, rest)) = path.split_first() else { return boxed(kind, &change(content)) };
    let parts = children(content).into_iter().map(|child| match &child[4..8] == *next {
        true => changed(child, rest, change),
        false => child.to_vec(),
    });
    boxed(kind, &parts.collect::<Vec<_>>().concat())
}

/// Writes a clip at 24 frames per second and changes its tables. The new tables come last and the old ones become
/// free space, so that the frames stay where they are.
fn clip(path: &Path, frames: u32, at: &[&[u8; 4]], change: &dyn Fn(&[u8]) -> Vec<u8>) {
    let pictures = (0..frames).map(|index| Ok(moving_picture(index, 48, 32)));
    let rate = FrameRate::new(24, 1).unwrap();
    write_clip(path, pictures, rate, None, &VideoOptions::default(), Progress::none()).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let start = bytes.windows(4).position(|window| window == b"moov").unwrap() - 4;
    let size = u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap()) as usize;
    let tables = changed(&bytes[start..start + size], at, change);
    assert_ne!(tables, bytes[start..start + size]);
    bytes[start + 4..start + 8].copy_from_slice(b"free");
    bytes.extend(tables);
    std::fs::write(path, bytes).unwrap();
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn sampled(path: &Path) -> Vec<u64> {
    let reader = VideoReader::open(path, &Limits::default()).unwrap();
    let chosen: Vec<_> = reader.sample(FrameRate::NATIVE, 100).map(|frame| frame.unwrap()).collect();
    for (frame, instant) in chosen.iter().zip(0..) {
        let instant = FrameRate::NATIVE.time_of(instant);
        assert!(frame.index == 0 || frame.time_seconds <= instant + 1e-3, "{} at {instant}", frame.time_seconds);
    }
    chosen.into_iter().map(|frame| frame.index).collect()
}

#[test]
fn a_video_of_variable_rate_is_sampled_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("variable.mp4");
    // Twelve frames of a twelfth of a second each, then twelve of a seventy-second: 1.1667 seconds.
    let durations = |_: &[u8]| numbers(&[0, 2, 12, TIMESCALE / 12, 12, TIMESCALE / 72]);
    clip(&path, 24, &[b"trak", b"mdia", b"minf", b"stbl", b"stts"], &durations);
    let info = *VideoReader::open(&path, &Limits::default()).unwrap().info();
    assert!((info.frame_rate.as_f64() - 24.0 / (7.0 / 6.0)).abs() < 1e-9, "{}", info.frame_rate);
    assert_eq!(sampled(&path), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 18]);
}

#[test]
fn a_pause_before_the_video_delays_its_frames_as_it_delays_its_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.mp4");
    // Nothing for a quarter of a second, then the whole media: an empty edit has media time -1.
    let one = 1 << 16;
    let list = numbers(&[0, 2, TIMESCALE / 4, u32::MAX, one, TIMESCALE, 0, one]);
    let late = |track: &[u8]| {
        let others = children(track).into_iter().filter(|child| &child[4..8] != b"edts").collect::<Vec<_>>().concat();
        [others, boxed(b"edts", &boxed(b"elst", &list))].concat()
    };
    clip(&path, 24, &[b"trak"], &late);
    let first = VideoReader::open(&path, &Limits::default()).unwrap().next().unwrap().unwrap();
    assert!((first.time_seconds - 0.25).abs() < 1e-9, "{}", first.time_seconds);
    assert_eq!(sampled(&path), [0, 0, 0, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]);
    // A pause of days is not shown frame by frame.
    let list = numbers(&[0, 2, u32::MAX, u32::MAX, one, TIMESCALE, 0, one]);
    let never = |track: &[u8]| [track, &boxed(b"edts", &boxed(b"elst", &list))].concat();
    clip(&path, 24, &[b"trak"], &never);
    let limits = Limits { max_frames: 30, ..Limits::default() };
    let chosen = VideoReader::open(&path, &limits).unwrap().sample(FrameRate::NATIVE, usize::MAX);
    assert_eq!(chosen.size_hint().1, Some(30));
}

#[test]
fn a_video_at_its_own_rate_is_every_frame_once() {
    let folder = tempfile::tempdir().unwrap();
    for (number, rate) in ["24000/1001", "30", "2997/125", "25"].iter().enumerate() {
        let path = folder.path().join(format!("{number}.mp4"));
        let rate: FrameRate = rate.parse().unwrap();
        let pictures = (0..40).map(|index| Ok(moving_picture(index, 32, 32)));
        write_clip(&path, pictures, rate, None, &VideoOptions::default(), Progress::none()).unwrap();
        let times = VideoReader::open(&path, &Limits::default()).unwrap().frame_times();
        assert_eq!(times.indices_at(rate, 100), (0..40).collect::<Vec<_>>(), "{rate}");
    }
}
