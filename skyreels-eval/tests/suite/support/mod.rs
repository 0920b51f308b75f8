//! Faces and pictures that the tests make.

pub mod stage;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use skyreels_core::Frame;
use skyreels_core::media::{FrameRate, VideoOptions, VideoWriter};
use skyreels_eval::FaceObservation;
use skyreels_landmarks::{
    Face, FaceStream, FaceTracker, HeadAngles, Result as LandmarkResult, StreamOptions, synthetic,
};

/// A face with points, scores and pose of which every one depends on `time`, seen in a frame of 200 x 160 pixels.
pub fn face_at(time: f64) -> FaceObservation {
    FaceObservation::of(&drawn(time), [200, 160]).unwrap()
}

/// Pictures and faces of people, each drawn once.
static PEOPLE: LazyLock<Mutex<BTreeMap<u32, (Frame, Face)>>> = LazyLock::new(Mutex::default);

fn person(number: u32) -> (Frame, Face) {
    let mut people = PEOPLE.lock().unwrap();
    let draw = || synthetic::portrait(200, 160, u64::from(number)).unwrap();
    people.entry(number).or_insert_with(draw).clone()
}

/// The same as the tracker gives it.
pub fn drawn(time: f64) -> Face {
    let (_, mut face) = person(3);
    let wave = |phase: f64| (time * 0.7 + phase).sin() as f32;
    for (index, score) in face.blendshapes.iter_mut().enumerate().skip(1) {
        *score = 0.5 + 0.4 * wave(index as f64 * 0.3);
    }
    for (index, [x, y, _]) in face.landmarks.iter_mut().enumerate() {
        *x += 0.01 * wave(index as f64 * 0.05);
        *y += 0.01 * wave(1.0 + index as f64 * 0.05);
    }
    for (index, point) in face.head_points.iter_mut().enumerate() {
        point[1] += 0.2 * wave(index as f64 * 0.1);
    }
    let turn = HeadAngles { yaw: 20.0 * wave(0.0), pitch: 10.0 * wave(1.0), roll: 5.0 * wave(2.0) }.rotation();
    for (row, turned) in turn.iter().enumerate() {
        face.matrix[row][..3].copy_from_slice(turned);
    }
    face
}

/// A clip in which every frame shows the face.
pub fn performance(frames: usize) -> Vec<Option<FaceObservation>> {
    (0..frames).map(|frame| Some(face_at(frame as f64))).collect()
}

/// A grey picture of which every pixel is a number of its place.
pub fn pattern(width: u32, height: u32, value: impl Fn(u32, u32) -> u32) -> Frame {
    Frame::from_fn(width, height, |x, y| image::Rgb([value(x, y).min(255) as u8; 3]))
}

/// Grey levels between two times on a frame of [`scene`].
const STEP: u32 = 10;
/// Side of the square that tells the time, in pixels.
const CLOCK: u32 = 32;

/// A picture of a face at a time from 1 to 24, of one of several people; at time 0 nobody is there. A grey square in the corner tells
/// the time, so that [`Clock`] reads it even after the video codec.
pub fn scene(who: u32, time: u32) -> Frame {
    let (picture, _) = person(who);
    Frame::from_fn(200, 160, |x, y| {
        if x < CLOCK && y < CLOCK { image::Rgb([(time * STEP) as u8; 3]) } else { *picture.get_pixel(x, y) }
    })
}

/// A tracker that reads the time off a frame of [`scene`] and gives the face of that time.
pub struct Clock;

impl FaceTracker for Clock {
    fn detect(&self, frame: &Frame) -> LandmarkResult<Vec<Face>> {
        let inside = (8..24).flat_map(|y| (8..24).map(move |x| u32::from(frame.get_pixel(x, y)[1])));
        let time = (inside.sum::<u32>() / 256 + STEP / 2) / STEP;
        Ok(if time == 0 { Vec::new() } else { vec![Face { id: Some(0), ..drawn(f64::from(time)) }] })
    }

    fn stream(&self, _: &StreamOptions) -> LandmarkResult<Box<dyn FaceStream>> {
        Ok(Box::new(Self))
    }
}

impl FaceStream for Clock {
    fn track(&mut self, frame: &Frame, _: Duration) -> LandmarkResult<Vec<Face>> {
        self.detect(frame)
    }
}

/// Writes frames at 12 per second.
pub fn write_video(path: &Path, frames: &[Frame]) {
    let (width, height) = frames[0].dimensions();
    let mut video = VideoWriter::create(path, width, height, FrameRate::NATIVE, &VideoOptions::default()).unwrap();
    frames.iter().for_each(|frame| video.push(frame).unwrap());
    video.finish().unwrap();
}
