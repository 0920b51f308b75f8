//! Videos of many kinds, read as the `ffmpeg` program reads them; skipped where that is not installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use skyreels_core::media::{Colour, FrameRate, Matrix, VideoOptions, VideoReader, write_clip};
use skyreels_core::{Limits, Progress};

use crate::common::{moving_picture, shared};

fn ffmpeg(arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => Some(output.stdout),
        Ok(output) => {
            println!("skipped: ffmpeg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) => {
            println!("skipped: ffmpeg: {error}");
            None
        }
    }
}

/// A test pattern of two seconds, encoded with `options`.
fn made(folder: &Path, name: &str, options: &[&str]) -> Option<PathBuf> {
    let path = folder.join(name);
    let mut arguments = vec!["-f", "lavfi", "-i", "testsrc2=s=176x144:r=25:d=2"];
    arguments.extend(options);
    let text = path.to_str().unwrap();
    arguments.push(text);
    ffmpeg(&arguments).map(|_| path)
}

fn as_ffmpeg_has_it(path: &Path) -> Option<Vec<u8>> {
    let text = path.to_str().unwrap();
    ffmpeg(&["-i", text, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"])
}

fn compare(path: &Path) {
    let Some(expected) = as_ffmpeg_has_it(path) else { return };
    let reader = VideoReader::open(path, &Limits::default()).unwrap();
    let info = *reader.info();
    let size = info.width as usize * info.height as usize * 3;
    assert_eq!(expected.len(), size * info.frames as usize, "{}: {info:?}", path.display());
    let mut count = 0;
    for (frame, expected) in reader.zip(expected.chunks_exact(size)) {
        let frame = frame.unwrap();
        assert!(frame.image.as_raw() == expected, "{} frame {}", path.display(), frame.index);
        count += 1;
    }
    assert_eq!(count, info.frames);
}

#[test]
fn every_kind_of_h264_file_reads_as_in_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
    let kinds: [(&str, &[&str]); 10] = [
        ("plain.mp4", &[]),
        ("baseline.mp4", &["-profile:v", "baseline"]),
        ("bframes.mov", &["-bf", "5", "-refs", "6", "-b_strategy", "0"]),
        ("fragments.mp4", &["-movflags", "frag_keyframe+empty_moov", "-g", "10"]),
        ("dash.mp4", &["-movflags", "frag_keyframe+default_base_moof", "-g", "7", "-bf", "2"]),
        ("slices.mp4", &["-x264-params", "slices=4"]),
        ("full.mp4", &["-vf", "scale=out_range=full", "-color_range", "pc"]),
        ("bt709.mp4", &["-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"]),
        ("slow.mp4", &["-vf", "setpts=(N+floor(N*N/10))/25/TB", "-fps_mode", "vfr"]),
        ("open-gop.mp4", &["-x264-params", "open-gop=1:keyint=12:bframes=3"]),
    ];
    for (name, options) in kinds {
        if let Some(path) = made(folder, name, &[&h264, options].concat()) {
            compare(&path);
            println!("{name}: the same");
        }
    }
    // An edit list that begins within the media, and one that ends it early.
    if let Some(path) = made(folder, "whole.mp4", &[&h264[..], &["-g", "12", "-bf", "2"]].concat()) {
        let whole = path.to_str().unwrap();
        let cut = folder.join("cut.mp4");
        if ffmpeg(&["-ss", "0.75", "-i", whole, "-t", "0.8", "-c", "copy", cut.to_str().unwrap()]).is_some() {
            compare(&cut);
        }
        for degrees in ["90", "180", "270"] {
            let turned = folder.join(format!("turned{degrees}.mp4"));
            let rotate = format!("rotate={degrees}");
            if ffmpeg(&["-i", whole, "-c", "copy", "-metadata:s:v:0", &rotate, turned.to_str().unwrap()]).is_some() {
                let info = *VideoReader::open(&turned, &Limits::default()).unwrap().info();
                assert_eq!((info.width < info.height, info.rotation % 180 == 90), (degrees != "180", degrees != "180"));
                compare(&turned);
            }
        }
    }
}

#[test]
fn frame_times_are_those_of_a_variable_rate() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        ["-vf", "setpts=(N+floor(N*N/10))/25/TB", "-fps_mode", "vfr", "-c:v", "libx264", "-pix_fmt", "yuv420p"];
    let Some(path) = made(folder.path(), "slow.mp4", &options) else { return };
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(&path)
        .output();
    let Ok(probe) = probe else { return };
    let lines = String::from_utf8(probe.stdout).unwrap();
    let mut times: Vec<f64> = lines.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    assert!(times.windows(3).any(|w| (w[2] - w[1]) > (w[1] - w[0]) * 1.5), "the rate varies");
    let ours: Vec<f64> =
        VideoReader::open(&path, &Limits::default()).unwrap().map(|frame| frame.unwrap().time_seconds).collect();
    assert_eq!(ours.len(), times.len());
    // ffprobe prints microseconds.
    assert!(ours.iter().zip(&times).all(|(a, b)| (a - b).abs() < 2e-6), "{ours:?} instead of {times:?}");
}

#[cfg(not(feature = "ffmpeg"))]
#[test]
fn kinds_that_are_not_decoded_here_are_unsupported() {
    let folder = tempfile::tempdir().unwrap();
    let kinds: [(&str, &[&str]); 7] = [
        ("hevc.mp4", &["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none"]),
        ("mpeg4.mp4", &["-c:v", "mpeg4"]),
        ("ten-bit.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv420p10le"]),
        ("four-four-four.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv444p"]),
        (
            "interlaced.mp4",
            &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-flags", "+ildct+ilme", "-x264-params", "tff=1"],
        ),
        ("vp9.webm", &["-c:v", "libvpx-vp9", "-deadline", "realtime"]),
        ("matroska.mkv", &["-c:v", "libx264", "-pix_fmt", "yuv420p"]),
    ];
    for (name, options) in kinds {
        let Some(path) = made(folder.path(), name, options) else { continue };
        let error = VideoReader::open(&path, &Limits::default()).unwrap_err();
        println!("{error}");
        assert!(matches!(error, skyreels_core::Error::Unsupported { .. }), "{error}");
    }
}

#[cfg(feature = "ffmpeg")]
#[test]
fn with_the_feature_every_kind_reads_as_in_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let kinds: [(&str, &[&str]); 7] = [
        ("hevc.mp4", &["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none"]),
        ("mpeg4.mp4", &["-c:v", "mpeg4", "-metadata:s:v:0", "rotate=90"]),
        ("ten-bit.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv420p10le"]),
        (
            "interlaced.mp4",
            &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-flags", "+ildct+ilme", "-x264-params", "tff=1"],
        ),
        ("vp9.webm", &["-c:v", "libvpx-vp9", "-deadline", "realtime"]),
        ("old.avi", &["-c:v", "mpeg4"]),
        ("matroska.mkv", &["-c:v", "libx264", "-pix_fmt", "yuv420p"]),
    ];
    for (name, options) in kinds {
        if let Some(path) = made(folder.path(), name, options) {
            compare(&path);
            println!("{name}: the same");
            let chosen: Vec<u64> = VideoReader::open(&path, &Limits::default())
                .unwrap()
                .sample(FrameRate::NATIVE, 5)
                .map(|frame| frame.unwrap().index)
                .collect();
            assert_eq!(chosen, [0, 2, 4, 6, 8]);
        }
    }
    // Frames of a raw stream have no times of their own.
    if let Some(path) = made(folder.path(), "raw.h264", &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2"]) {
        compare(&path);
        let times = VideoReader::open(&path, &Limits::default()).unwrap().frame_times();
        assert_eq!((times.times.len(), times.times[5], times.end), (50, 0.2, 2.0));
    }
    // What begins late on the clock of a transport stream begins at once for us, as for ffmpeg.
    if let Some(path) = made(folder.path(), "stream.ts", &["-c:v", "libx264", "-pix_fmt", "yuv420p"]) {
        compare(&path);
        let times = VideoReader::open(&path, &Limits::default()).unwrap().frame_times();
        assert!(times.times[0].abs() < 1e-6 && (times.end - 2.0).abs() < 1e-3, "{times:?}");
    }
    // The rate of a variable one is respected here too: a second of 12.5 frames, a second of 25, in milliseconds.
    let uneven = ["-vf", "setpts=if(lt(N\\,12)\\,2*N\\,N+12)/25/TB", "-fps_mode", "vfr", "-c:v", "libx264"];
    if let Some(path) = made(folder.path(), "uneven.mkv", &uneven) {
        let quarters = VideoReader::open(&path, &Limits::default()).unwrap().sample("25/2".parse().unwrap(), 16);
        let quarters: Vec<u64> = quarters.map(|frame| frame.unwrap().index).collect();
        assert_eq!(quarters, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18]);
    }
    if let Some(path) = made(folder.path(), "limited.mkv", &["-c:v", "libx264", "-pix_fmt", "yuv420p"]) {
        let size = std::fs::metadata(&path).unwrap().len();
        for limits in [
            Limits { max_file_bytes: size - 1, ..Limits::default() },
            Limits { max_frames: 49, ..Limits::default() },
            Limits { max_side: 175, ..Limits::default() },
        ] {
            let error = VideoReader::open(&path, &limits).unwrap_err();
            assert!(matches!(error, skyreels_core::Error::Limit { .. }), "{error}");
        }
        let just_enough = Limits { max_file_bytes: size, max_frames: 50, max_side: 176, ..Limits::default() };
        assert_eq!(VideoReader::open(&path, &just_enough).unwrap().map(Result::unwrap).count(), 50);
    }
    let broken = folder.path().join("broken.webm");
    std::fs::write(&broken, b"\x1a\x45\xdf\xa3 and then nothing of use").unwrap();
    let error = VideoReader::open(&broken, &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("broken.webm"), "{error}");
}

#[test]
fn what_we_write_reads_in_ffmpeg_as_it_reads_here() {
    let folder = tempfile::tempdir().unwrap();
    for (matrix, full_range) in [(Matrix::Bt601, false), (Matrix::Bt709, false), (Matrix::Bt601, true)] {
        let path = folder.path().join("ours.mp4");
        let frames = (0..30).map(|index| Ok(moving_picture(index, 112, 80)));
        let options = VideoOptions { colour: Colour { matrix, full_range }, ..VideoOptions::default() };
        write_clip(&path, frames, "24000/1001".parse().unwrap(), None, &options, Progress::none()).unwrap();
        compare(&path);
    }
}

/// Interleaved 16-bit stereo at 44.1 kHz.
fn sound(path: &Path, from: &str, seconds: &str) -> Option<Vec<i16>> {
    let text = path.to_str().unwrap();
    let bytes = ffmpeg(&["-i", text, "-ss", from, "-t", seconds, "-f", "s16le", "-ar", "44100", "-ac", "2", "pipe:1"])?;
    Some(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

#[test]
fn copied_sound_is_sample_for_sample_that_of_its_source() {
    let Some(root) = shared("media/driving") else { return };
    let source = root.join("1.mp4");
    let folder = tempfile::tempdir().unwrap();
    for (start, from) in [(0.0, "0"), (0.5, "0.5")] {
        let path = folder.path().join("copy.mp4");
        let frames = (0..24).map(|index| Ok(moving_picture(index, 32, 32)));
        let options = VideoOptions { audio_start: start, ..VideoOptions::default() };
        write_clip(&path, frames, FrameRate::NATIVE, Some(&source), &options, Progress::none()).unwrap();
        let (Some(expected), Some(ours)) = (sound(&source, from, "1.9"), sound(&path, "0", "1.9")) else { return };
        assert!(expected.iter().any(|sample| sample.unsigned_abs() > 1_000), "there is something to hear");
        let least = expected.len().min(ours.len());
        assert!(least > 160_000);
        let worst = expected.iter().zip(&ours).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        println!("from {from} s: {} and {} samples, at most {worst} apart", expected.len(), ours.len());
        // Where the decoder begins in the middle, its noise substitution draws other numbers: far below what is heard.
        let allowed = if start == 0.0 { 0 } else { 64 };
        assert!(worst <= allowed, "{worst}");
        let shifted = expected.iter().skip(2).zip(&ours).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(shifted > 10 * allowed.max(1), "a shift by one sample would show: {shifted}");
    }
}
