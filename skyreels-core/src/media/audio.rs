//! Sound of the driving video: which packets go along, and the edit list that keeps them in sync.

use super::mp4::{Edit, Kind, Movie, Sample, Track};
use super::timeline;

/// Packets that a decoder wants before the first that is heard: AAC frames overlap by one.
const PREROLL_PACKETS: usize = 1;

/// What to copy from a sound track so that it plays with a video.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AudioPlan {
    /// Packets as they lie in the source file, in order.
    pub packets: Vec<Sample>,
    /// Edit list of the new track; durations in the new movie's timescale.
    pub edits: Vec<Edit>,
}

impl AudioPlan {
    /// Plans what is heard from `start` on for `duration` seconds of the source movie; nothing when that is silent.
    ///
    /// Whole packets are copied and the edit list trims them to the sample, so that sound stays where it was however
    /// the source delays its own (encoder priming, an edit list, a pause at the beginning).
    pub(super) fn new(movie: &Movie, track: &Track, start: f64, duration: f64, timescale: u32) -> Option<Self> {
        let rate = f64::from(track.timescale);
        let ticks = |seconds: f64| (seconds * f64::from(timescale)).round() as u64;
        let media_end = track.samples.last().map(|last| last.decode_time.saturating_add(last.duration.into()))?;
        let (mut packets, mut edits) = (Vec::<Sample>::new(), Vec::new());
        let mut clock = 0;
        let mut packed_time = 0;
        for stretch in timeline::stretches(track, movie.timescale) {
            let length = stretch.media_end.min(media_end).saturating_sub(stretch.media_start);
            let from = (start - stretch.start).max(0.0);
            let to = (start + duration - stretch.start).min(length as f64 / rate);
            if to <= from {
                continue;
            }
            let first_tick = stretch.media_start.saturating_add((from * rate).round() as i64);
            let last_tick = stretch.media_start.saturating_add((to * rate).round() as i64);
            let heard = track.samples.partition_point(|packet| end_of(packet) <= first_tick);
            let end = track.samples.partition_point(|packet| packet.decode_time < last_tick);
            let first = heard.saturating_sub(PREROLL_PACKETS);
            let Some(copied) = track.samples.get(first..end).filter(|copied| !copied.is_empty()) else { continue };
            let begins = ticks((stretch.start - start).max(0.0));
            if begins > clock {
                edits.push(Edit { duration: begins - clock, media_time: None });
            }
            let ends = ticks((stretch.start + to - start).max(0.0)).max(begins + 1);
            let media_time = packed_time + (first_tick - copied[0].decode_time).max(0);
            edits.push(Edit { duration: ends - begins, media_time: Some(media_time) });
            clock = ends;
            packed_time += copied.iter().map(|packet| i64::from(packet.duration)).sum::<i64>();
            packets.extend_from_slice(copied);
        }
        (!packets.is_empty()).then_some(Self { packets, edits })
    }
}

fn end_of(packet: &Sample) -> i64 {
    packet.decode_time.saturating_add(packet.duration.into())
}

/// The sound track of a movie, when it has packets.
pub(super) fn sound_of(movie: &Movie) -> Option<&Track> {
    movie.first(Kind::Audio).filter(|track| !track.samples.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::media::{FrameRate, VideoOptions, write_clip};
    use crate::{Frame, Limits, Progress};

    /// The packet that is heard at `second` of the movie, and how far into it that is.
    fn heard_at(movie: &mut Movie, second: f64) -> Option<(Vec<u8>, f64)> {
        let timescale = movie.timescale;
        let track = sound_of(movie)?.clone();
        let rate = f64::from(track.timescale);
        let stretch = timeline::stretches(&track, timescale)
            .into_iter()
            .find(|s| second >= s.start && (second - s.start) * rate < (s.media_end - s.media_start) as f64)?;
        let tick = stretch.media_start as f64 + (second - stretch.start) * rate;
        let packet = *track.samples.iter().rfind(|packet| packet.decode_time as f64 <= tick)?;
        let mut bytes = Vec::new();
        movie.read(&packet, &mut bytes).unwrap();
        Some((bytes, (tick - packet.decode_time as f64) / rate))
    }

    fn driving(name: &str) -> Option<PathBuf> {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/media/driving")).join(name);
        if !path.exists() {
            println!("skipped: {} is absent", path.display());
        }
        path.exists().then_some(path)
    }

    #[test]
    fn sound_plays_at_the_same_instant_as_in_its_source() {
        let Some(source) = driving("1.mp4") else { return };
        let directory = tempfile::tempdir().unwrap();
        for (start, frames) in [(0.0, 24), (0.5, 24), (1.25, 40)] {
            let target = directory.path().join("out.mp4");
            let options = VideoOptions { audio_start: start, ..VideoOptions::default() };
            let pictures = (0..frames).map(|_| Ok(Frame::new(32, 32)));
            let written =
                write_clip(&target, pictures, FrameRate::NATIVE, Some(&source), &options, Progress::none()).unwrap();
            assert!(written.audio_packets > 20);
            let mut original = Movie::open(&source, &Limits::default()).unwrap();
            let mut copy = Movie::open(&target, &Limits::default()).unwrap();
            let length = f64::from(frames) / 12.0;
            let mut second = 0.003;
            while second < length - 0.01 && start + second < 3.2 {
                let expected = heard_at(&mut original, start + second).expect("the source has sound here");
                let (bytes, into) = heard_at(&mut copy, second).expect("the copy has sound here");
                assert!(bytes == expected.0, "another packet at {second} s");
                assert!((into - expected.1).abs() < 2.0 / 10_000.0, "{into} instead of {}", expected.1);
                second += 0.0371;
            }
            // The sound ends with the picture, to the tick.
            assert!(heard_at(&mut copy, length + 0.001).is_none());
        }
    }

    #[test]
    fn a_window_after_the_end_of_the_sound_has_none() {
        let Some(source) = driving("1.mp4") else { return };
        let movie = Movie::open(&source, &Limits::default()).unwrap();
        let track = sound_of(&movie).unwrap();
        assert_eq!(AudioPlan::new(&movie, track, 1_000.0, 4.0, 12_000), None);
        let whole = AudioPlan::new(&movie, track, 0.0, 1_000.0, 12_000).unwrap();
        assert_eq!(whole.packets, track.samples);
    }
}
