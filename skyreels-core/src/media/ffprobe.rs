//! What the `ffprobe` program tells about a video before it is decoded.

use std::path::Path;

use serde::Deserialize;

use super::FrameRate;
use super::ffmpeg::{Program, limit};
use super::sampling::FrameTimes;
use crate::{Error, Limits, Result};

/// Most bytes that the answer takes for one packet, and for everything else together.
const PACKET_BYTES: u64 = 256;
const OTHER_BYTES: u64 = 1 << 20;

/// A video track as the program describes it.
pub(super) struct Description {
    /// As the frames come out of `ffmpeg`: after rotation.
    pub size: (u32, u32),
    /// Degrees clockwise.
    pub rotation: u16,
    pub frame_rate: FrameRate,
    pub times: FrameTimes,
    pub has_audio: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    packets: Vec<PacketTime>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    start_time: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    time_base: Option<String>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

#[derive(Deserialize)]
struct PacketTime {
    pts_time: Option<String>,
    duration_time: Option<String>,
    #[serde(default)]
    flags: String,
}

impl PacketTime {
    /// When its frame appears and for how long, where the file says so.
    fn times(&self) -> Option<(f64, Option<f64>)> {
        Some((seconds(self.pts_time.as_deref())?, seconds(self.duration_time.as_deref())))
    }
}

fn seconds(text: Option<&str>) -> Option<f64> {
    text?.parse().ok().filter(|seconds: &f64| seconds.is_finite())
}

impl Description {
    /// Asks the program about `path`; `None` when it is not installed.
    pub(super) fn of(path: &Path, limits: &Limits) -> Result<Option<Self>> {
        const STREAMS: &str = "format=start_time:stream=codec_type,width,height,avg_frame_rate,r_frame_rate,time_base\
                               :stream_side_data=rotation";
        const PACKETS: &str = "packet=pts_time,duration_time,flags";
        // Packets are listed of the video alone, streams of everything: two runs.
        let Some(all) = ask(path, &["-show_entries", STREAMS], OTHER_BYTES)? else { return Ok(None) };
        let length = limits.max_frames.saturating_mul(PACKET_BYTES).saturating_add(OTHER_BYTES);
        let packets = ask(path, &["-select_streams", "v:0", "-show_entries", PACKETS], length)?;
        let packets = packets.map(|answer| answer.packets).unwrap_or_default();

        let bad = |reason: &str| Error::malformed(path, "video", reason);
        let kind = |kind: &str| all.streams.iter().find(|stream| stream.codec_type.as_deref() == Some(kind));
        let video = kind("video").ok_or_else(|| bad("it holds no video track"))?;
        let (Some(width), Some(height)) = (video.width, video.height) else {
            return Err(bad("ffprobe cannot tell the size of its frames"));
        };
        let turned = video.side_data_list.iter().find_map(|side| side.rotation).unwrap_or(0.0);
        // ffprobe counts anticlockwise.
        let rotation = (-turned.round() as i64).rem_euclid(360) as u16;
        let size = if rotation % 180 == 90 { (height, width) } else { (width, height) };
        let side = size.0.max(size.1);
        if side > limits.max_side {
            return Err(limit(path, "the larger side of its frames", side.into(), limits.max_side.into()));
        }
        // Some packets are decoded but not shown.
        let shown: Vec<&PacketTime> = packets.iter().filter(|packet| !packet.flags.contains('D')).collect();
        let frames = shown.len() as u64;
        if frames == 0 {
            return Err(bad("its video track holds no frames"));
        }
        if frames > limits.max_frames {
            return Err(limit(path, "the number of its frames", frames, limits.max_frames));
        }
        let rates = [&video.avg_frame_rate, &video.r_frame_rate];
        let frame_rate: Option<FrameRate> = rates.into_iter().find_map(|rate| rate.as_deref()?.parse().ok());
        let frame_rate = frame_rate.ok_or_else(|| bad("ffprobe cannot tell its frame rate"))?;
        let base = video.time_base.as_deref().and_then(|base| base.parse::<FrameRate>().ok());
        let tick = base.map_or(0.0, FrameRate::as_f64);
        let start = seconds(all.format.start_time.as_deref()).unwrap_or(0.0);
        let times = frame_times(&shown, start, frame_rate, tick);
        Ok(Some(Self { size, rotation, frame_rate, times, has_audio: kind("audio").is_some() }))
    }
}

/// Times of the frames in presentation order; packets come in decoding order.
fn frame_times(packets: &[&PacketTime], start: f64, rate: FrameRate, tick: f64) -> FrameTimes {
    let known: Option<Vec<(f64, Option<f64>)>> = packets.iter().map(|packet| packet.times()).collect();
    let Some(mut known) = known else {
        // Raw streams and some old containers hold frames without times: they follow each other evenly.
        let count = packets.len() as u64;
        return FrameTimes { times: (0..count).map(|i| rate.time_of(i)).collect(), end: rate.time_of(count), tick };
    };
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let end = known.last().map_or(0.0, |(time, duration)| {
        time - start + duration.filter(|duration| *duration > 0.0).unwrap_or(rate.time_of(1))
    });
    FrameTimes { times: known.iter().map(|(time, _)| time - start).collect(), end, tick }
}

/// Runs the program and reads its answer of at most `length` bytes; `None` when it is not installed.
fn ask(path: &Path, entries: &[&str], length: u64) -> Result<Option<Answer>> {
    let arguments = [entries, &["-of", "json"]].concat();
    let Some(mut program) = Program::start("ffprobe", path, &arguments)? else { return Ok(None) };
    let text = program.answer(length)?;
    let answer = serde_json::from_slice(&text)
        .map_err(|error| Error::malformed(path, "video", format!("ffprobe gives an odd answer: {error}")))?;
    Ok(Some(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time: Option<&str>, duration: Option<&str>) -> PacketTime {
        PacketTime { pts_time: time.map(String::from), duration_time: duration.map(String::from), flags: String::new() }
    }

    #[test]
    fn frames_without_times_follow_each_other_evenly_and_others_as_the_file_says() {
        let rate = FrameRate::new(4, 1).unwrap();
        let bare = [packet(None, None), packet(Some("N/A"), None)];
        let times = frame_times(&bare.iter().collect::<Vec<_>>(), 0.0, rate, 0.0);
        assert_eq!((times.times, times.end), (vec![0.0, 0.25], 0.5));
        let known = [packet(Some("3.5"), Some("0.5")), packet(Some("1.5"), Some("0.25")), packet(Some("2.0"), None)];
        let times = frame_times(&known.iter().collect::<Vec<_>>(), 1.5, rate, 0.001);
        assert_eq!((times.times, times.end), (vec![0.0, 0.5, 2.0], 2.5));
    }
}
