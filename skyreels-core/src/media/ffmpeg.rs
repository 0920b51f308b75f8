//! Every other codec and container, by the `ffprobe` and `ffmpeg` programs found on the `PATH`.
//!
//! Programs get argument vectors, never a shell line; pictures come back as RGB over a pipe.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::Deserialize;

use super::FrameRate;
use super::video::{DecodedFrame, VideoInfo};
use crate::{Error, Frame, Limits, Result};

/// Longest header of a PPM picture that `ffmpeg` writes.
const MAX_HEADER: usize = 64;
/// What is kept of the program's complaints.
const MAX_MESSAGE: u64 = 2_000;

/// Frames of one file, from a running `ffmpeg`.
pub(super) struct FfmpegReader {
    path: PathBuf,
    child: Child,
    /// What it complains about; a file, because a full pipe would stop it while we wait for pictures.
    complaints: File,
    pipe: BufReader<ChildStdout>,
    size: (u32, u32),
    times: Vec<f64>,
    index: u64,
}

/// Answer of `ffprobe`.
#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    packets: Vec<PacketTime>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    avg_frame_rate: Option<String>,
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
    #[serde(default)]
    flags: String,
}

impl FfmpegReader {
    /// Starts the program on `path`; `None` when it is not installed.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Option<(Self, VideoInfo)>> {
        let Some(probe) = probe(path)? else { return Ok(None) };
        let kind = |kind: &str| probe.streams.iter().find(|stream| stream.codec_type.as_deref() == Some(kind));
        let video = kind("video").ok_or_else(|| Error::malformed(path, "video", "it holds no video track"))?;
        let (Some(width), Some(height)) = (video.width, video.height) else {
            return Err(Error::malformed(path, "video", "ffprobe cannot tell the size of its frames"));
        };
        let turned = video.side_data_list.iter().find_map(|side| side.rotation).unwrap_or(0.0);
        // ffprobe counts anticlockwise.
        let rotation = (-turned.round() as i64).rem_euclid(360) as u16;
        let size = if rotation % 180 == 90 { (height, width) } else { (width, height) };
        if size.0.max(size.1) > limits.max_side {
            return Err(limit(
                path,
                "the larger side of its frames",
                size.0.max(size.1).into(),
                limits.max_side.into(),
            ));
        }
        // Packets come in decoding order, and some are decoded but not shown.
        let shown = probe.packets.iter().filter(|packet| !packet.flags.contains('D'));
        let mut times: Vec<f64> = shown.filter_map(|packet| packet.pts_time.as_deref()?.parse().ok()).collect();
        times.sort_by(f64::total_cmp);
        let frames = times.len() as u64;
        if frames == 0 {
            return Err(Error::malformed(path, "video", "its video track holds no frames"));
        }
        if frames > limits.max_frames {
            return Err(limit(path, "the number of its frames", frames, limits.max_frames));
        }
        let frame_rate: FrameRate = video
            .avg_frame_rate
            .as_deref()
            .and_then(|rate| rate.parse().ok())
            .ok_or_else(|| Error::malformed(path, "video", "ffprobe cannot tell its frame rate"))?;
        let info = VideoInfo {
            width: size.0,
            height: size.1,
            frames,
            frame_rate,
            duration: frame_rate.time_of(frames),
            rotation,
            has_audio: kind("audio").is_some(),
        };
        let complaints = tempfile::tempfile().map_err(Error::io("write into", std::env::temp_dir()))?;
        let stderr = complaints.try_clone().map_err(Error::io("write into", std::env::temp_dir()))?;
        let mut child = command("ffmpeg", path)
            .args([
                "-map",
                "0:v:0",
                "-fps_mode",
                "passthrough",
                "-f",
                "image2pipe",
                "-c:v",
                "ppm",
                "-pix_fmt",
                "rgb24",
                "pipe:1",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(Error::io("run ffmpeg on", path))?;
        let Some(pipe) = child.stdout.take() else {
            return Err(Error::malformed(path, "video", "ffmpeg gives no pictures"));
        };
        let pipe = BufReader::new(pipe);
        Ok(Some((Self { path: path.to_path_buf(), child, complaints, pipe, size, times, index: 0 }, info)))
    }

    /// The next frame; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<DecodedFrame>> {
        let Some(size) = self.header()? else { return self.end().map(|()| None) };
        if size != self.size {
            return Err(self.bad(format!("its frames change from {:?} to {size:?}", self.size)));
        }
        let mut pixels = vec![0; size.0 as usize * size.1 as usize * 3];
        if self.pipe.read_exact(&mut pixels).is_err() {
            self.end()?;
            return Err(self.bad("the last picture is cut off".into()));
        }
        let image =
            Frame::from_raw(size.0, size.1, pixels).ok_or_else(|| self.bad("a picture without pixels".into()))?;
        let last = self.times.last().copied().unwrap_or(0.0);
        let time_seconds = self.times.get(self.index as usize).copied().unwrap_or(last);
        let frame = DecodedFrame { index: self.index, time_seconds, image };
        self.index += 1;
        Ok(Some(frame))
    }

    /// Size from the header of a PPM picture: `P6 WIDTH HEIGHT 255`, each followed by one white space.
    fn header(&mut self) -> Result<Option<(u32, u32)>> {
        let mut words = Vec::new();
        let mut word = String::new();
        for read in 0..MAX_HEADER {
            let mut byte = [0];
            if self.pipe.read(&mut byte).map_err(Error::io("read from ffmpeg", &self.path))? == 0 {
                return if read == 0 { Ok(None) } else { Err(self.bad("the last picture is cut off".into())) };
            }
            if !byte[0].is_ascii_whitespace() {
                word.push(byte[0].into());
                continue;
            }
            words.push(std::mem::take(&mut word));
            if let [magic, width, height, depth] = words.as_slice() {
                return match (magic.as_str(), width.parse(), height.parse(), depth.as_str()) {
                    ("P6", Ok(width), Ok(height), "255") => Ok(Some((width, height))),
                    _ => break,
                };
            }
        }
        Err(self.bad("ffmpeg gives something else than pictures".into()))
    }

    /// Waits for the program and turns its complaint into an error.
    fn end(&mut self) -> Result<()> {
        let status = self.child.wait().map_err(Error::io("run ffmpeg on", &self.path))?;
        if status.success() && self.index > 0 {
            return Ok(());
        }
        let mut message = Vec::new();
        // What cannot be read of the complaint is left out.
        let _ = self.complaints.rewind();
        let _ = (&self.complaints).take(MAX_MESSAGE).read_to_end(&mut message);
        let message = String::from_utf8_lossy(&message);
        Err(self.bad(format!("ffmpeg after {} frames: {}", self.index, message.trim())))
    }

    fn bad(&self, reason: String) -> Error {
        Error::malformed(&self.path, "video", reason)
    }
}

impl Drop for FfmpegReader {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program on a file; the file name can neither be taken for an option nor for a protocol.
fn command(program: &str, path: &Path) -> Command {
    let mut command = Command::new(program);
    let mut url = std::ffi::OsString::from("file:");
    url.push(path);
    command.args(["-v", "error"]);
    command.args([OsStr::new("-protocol_whitelist"), OsStr::new("file,pipe"), OsStr::new("-i"), &url]);
    command
}

fn probe(path: &Path) -> Result<Option<Probe>> {
    const STREAMS: &str = "stream=codec_type,width,height,avg_frame_rate:stream_side_data=rotation";
    // Packets are listed of the video alone, streams of everything: two runs.
    let run =
        |entries: &[&str]| command("ffprobe", path).args(entries).args(["-of", "json"]).stdin(Stdio::null()).output();
    let packets = ["-select_streams", "v:0", "-show_entries", "packet=pts_time,flags"];
    let answers = run(&["-show_entries", STREAMS]).and_then(|all| Ok((all, run(&packets)?)));
    let (all, video) = match answers {
        Ok(answers) => answers,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("run ffprobe on", path)(error)),
    };
    let parse = |output: &std::process::Output| {
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            let message: String = message.trim().chars().take(MAX_MESSAGE as usize).collect();
            return Err(Error::malformed(path, "video", format!("ffprobe: {message}")));
        }
        serde_json::from_slice::<Probe>(&output.stdout)
            .map_err(|e| Error::malformed(path, "video", format!("ffprobe gives an odd answer: {e}")))
    };
    let (all, video) = (parse(&all)?, parse(&video)?);
    Ok(Some(Probe { streams: all.streams, packets: video.packets }))
}

fn limit(path: &Path, what: &'static str, value: u64, limit: u64) -> Error {
    Error::Limit { path: path.to_path_buf(), what, value, limit, help: "scale or cut the video first".into() }
}
