//! Clips read back as what they were written from, and nothing is left of those that were not finished.

use std::ops::ControlFlow;
use std::path::Path;

use skyreels_core::media::{
    ClipFormat, ClipWriter, Colour, FrameRate, Matrix, Quality, Sound, VideoOptions, VideoReader, VideoWriter,
    WrittenClip, check_clip_target, read_picture, write_clip, write_picture,
};
use skyreels_core::{Error, Event, Frame, Limits, Progress, Result};

use crate::common::{moving_picture, psnr, shared};

fn frames(count: u32, width: u32, height: u32) -> impl Iterator<Item = Result<Frame>> {
    (0..count).map(move |index| Ok(moving_picture(index, width, height)))
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_mp4_reads_back_with_its_rate_its_frames_and_its_colours() {
    let directory = tempfile::tempdir().unwrap();
    for (number, rate) in ["12", "24000/1001", "2997/125", "1/3"].iter().enumerate() {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            let path = directory.path().join(format!("{number}{matrix:?}.mp4"));
            let rate: FrameRate = rate.parse().unwrap();
            let colour = Colour { matrix, full_range: number == 2 };
            let options = VideoOptions { colour, ..VideoOptions::default() };
            let written = write_clip(&path, frames(50, 96, 64), rate, None, &options, Progress::none()).unwrap();
            assert_eq!((written.frames, written.audio_packets), (50, 0));
            let mut reader = VideoReader::open(&path, &Limits::default()).unwrap();
            let info = *reader.info();
            assert_eq!((info.width, info.height, info.frames, info.frame_rate), (96, 64, 50, rate));
            assert!(!info.has_audio);
            assert_eq!(reader.next_planes().unwrap().unwrap().colour, colour);
            for (frame, index) in VideoReader::open(&path, &Limits::default()).unwrap().zip(0..) {
                let frame = frame.unwrap();
                assert!((frame.time_seconds - rate.time_of(index)).abs() < 1e-6);
                let quality = psnr(&frame.image, &moving_picture(index as u32, 96, 64));
                assert!(quality > 30.0, "frame {index}: {quality:.1} dB");
            }
        }
    }
}

#[test]
fn better_quality_is_closer_and_larger() {
    let directory = tempfile::tempdir().unwrap();
    let mut last = (0, 0.0);
    for percent in [10, 50, 90] {
        let path = directory.path().join("q.mp4");
        let options = VideoOptions { quality: Quality::new(percent).unwrap(), ..VideoOptions::default() };
        write_clip(&path, frames(12, 128, 96), FrameRate::NATIVE, None, &options, Progress::none()).unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        let total: f64 = VideoReader::open(&path, &Limits::default())
            .unwrap()
            .zip(0..)
            .map(|(frame, index)| psnr(&frame.unwrap().image, &moving_picture(index, 128, 96)))
            .sum();
        println!("quality {percent}: {size} bytes, {:.1} dB", total / 12.0);
        assert!(size > last.0 && total > last.1);
        last = (size, total);
    }
}

#[test]
fn a_driving_video_survives_the_round_trip_with_its_sound() {
    let Some(root) = shared("media") else { return };
    let directory = tempfile::tempdir().unwrap();
    let source = root.join("driving/4.mp4");
    let path = directory.path().join("out.mp4");
    let reader = VideoReader::open(&source, &Limits::default()).unwrap();
    let rate = reader.info().frame_rate;
    let pictures = reader.map(|frame| Ok(frame?.image));
    let written = write_clip(&path, pictures, rate, Some(&source), &VideoOptions::default(), Progress::none()).unwrap();
    assert_eq!(written.frames, 75);
    // 75 frames are 3.128 s, a packet of 1024 samples at 44.1 kHz lasts 23.2 ms.
    assert!((134..=138).contains(&written.audio_packets), "{}", written.audio_packets);
    let copy = VideoReader::open(&path, &Limits::default()).unwrap();
    assert_eq!((copy.info().frames, copy.info().frame_rate, copy.info().has_audio), (75, rate, true));
    let originals = VideoReader::open(&source, &Limits::default()).unwrap();
    let worst = copy.zip(originals).map(|(a, b)| psnr(&a.unwrap().image, &b.unwrap().image)).fold(f64::MAX, f64::min);
    println!("worst frame: {worst:.1} dB, {} bytes", std::fs::metadata(&path).unwrap().len());
    assert!(worst > 38.0, "{worst}");
}

#[test]
fn sound_that_is_not_there_is_no_error_and_sound_that_cannot_go_along_is() {
    let directory = tempfile::tempdir().unwrap();
    let silent = directory.path().join("silent.mp4");
    let options = VideoOptions::default();
    write_clip(&silent, frames(3, 32, 32), FrameRate::NATIVE, None, &options, Progress::none()).unwrap();
    let out = directory.path().join("out.mp4");
    let write =
        |audio: &Path| write_clip(&out, frames(3, 32, 32), FrameRate::NATIVE, Some(audio), &options, Progress::none());
    assert_eq!(write(&silent).unwrap().audio_packets, 0);
    std::fs::remove_file(&out).unwrap();
    let wave = directory.path().join("a.wav");
    std::fs::write(&wave, b"RIFF\0\0\0\0WAVEfmt ").unwrap();
    assert!(matches!(write(&wave), Err(Error::Unsupported { .. })));
    assert!(matches!(write(&directory.path().join("absent.mp4")), Err(Error::Io { .. })));
    assert_eq!(entries(directory.path()), ["a.wav", "silent.mp4"]);
}

#[test]
fn sound_is_refused_before_the_first_frame_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (video, sound) = (directory.path().join("video.mp4"), directory.path().join("sound.mp4"));
    let options = VideoOptions::default();
    write_clip(&video, frames(24, 32, 32), FrameRate::NATIVE, None, &options, Progress::none()).unwrap();
    // Packets are copied without a look into them, so that a track of pictures that is called sound will do.
    let bytes = std::fs::read(&video).unwrap();
    let handler = bytes.windows(4).position(|window| window == b"vide").unwrap();
    let mut bytes = bytes;
    bytes[handler..handler + 4].copy_from_slice(b"soun");
    std::fs::write(&sound, &bytes).unwrap();
    assert!(Sound::open(&video, &Limits::default()).unwrap().is_none());

    let out = directory.path().join("out.mp4");
    let opened = Sound::open(&sound, &Limits::default()).unwrap();
    // What was opened stays there, whatever becomes of the name.
    std::fs::remove_file(&sound).unwrap();
    let mut writer = ClipWriter::create(&out, FrameRate::NATIVE, &options).unwrap().with_sound(opened);
    frames(24, 32, 32).for_each(|frame| writer.push(&frame.unwrap()).unwrap());
    assert_eq!(writer.finish().unwrap(), WrittenClip { frames: 24, audio_packets: 24 });

    std::fs::write(&sound, &bytes[..bytes.len() - 1]).unwrap();
    let error = Sound::open(&sound, &Limits::default()).unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains("cut off"), "{error}");
    let never = std::iter::from_fn(|| -> Option<Result<Frame, Error>> { panic!("a frame was asked for") });
    assert!(write_clip(&out, never, FrameRate::NATIVE, Some(&sound), &options, Progress::none()).is_err());
}

#[test]
fn a_target_that_cannot_be_written_is_refused_before_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    std::fs::create_dir_all(place("empty")).unwrap();
    std::fs::create_dir_all(place("full.mp4/inside")).unwrap();
    let check = |name: &str, rate: &str| check_clip_target(place(name), rate.parse().unwrap());
    for (name, format) in [
        ("a.mp4", ClipFormat::Mp4),
        ("a.M4V", ClipFormat::Mp4),
        ("a.gif", ClipFormat::Gif),
        ("a_%d.png", ClipFormat::Png),
        ("new", ClipFormat::Png),
        ("empty", ClipFormat::Png),
    ] {
        assert_eq!(check(name, "12").unwrap(), format, "{name}");
        assert_eq!(format.carries_sound(), format == ClipFormat::Mp4);
    }
    for (name, rate, part) in [
        ("a.avi", "12", "a.avi"),
        ("a.png", "12", "frame_%04d.png"),
        ("a.gif", "60", "60"),
        ("a.mp4", "1/4294967295", "too slow"),
        ("full.mp4", "12", "directory"),
        ("absent/a.mp4", "12", "absent"),
        ("absent/folder", "12", "absent"),
    ] {
        let error = check(name, rate).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
    std::fs::write(place("empty/inside"), b"").unwrap();
    assert!(check("empty", "12").unwrap_err().to_string().contains("not empty"));
    assert_eq!(entries(directory.path()), ["empty", "full.mp4"]);
}

#[test]
fn an_empty_folder_is_filled_with_pictures() {
    let directory = tempfile::tempdir().unwrap();
    let options = VideoOptions::default();
    write_clip(directory.path(), frames(3, 8, 8), FrameRate::NATIVE, None, &options, Progress::none()).unwrap();
    assert_eq!(entries(directory.path()), ["frame_00000.png", "frame_00001.png", "frame_00002.png"]);
}

#[test]
fn odd_sizes_are_extended_to_even_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("odd.mp4");
    write_clip(&path, frames(4, 33, 21), FrameRate::NATIVE, None, &VideoOptions::default(), Progress::none()).unwrap();
    let reader = VideoReader::open(&path, &Limits::default()).unwrap();
    assert_eq!((reader.info().width, reader.info().height), (34, 22));
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let stop_at_four = |event: Event| match event.done {
        4 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    for name in ["c.mp4", "c.gif", "c_%03d.png", "folder"] {
        let path = directory.path().join(name);
        let options = VideoOptions::default();
        let cancelled =
            write_clip(&path, frames(9, 32, 32), FrameRate::NATIVE, None, &options, Progress::new(&stop_at_four));
        assert!(matches!(cancelled, Err(Error::Cancelled { .. })), "{name}");
        let failing = frames(3, 32, 32).chain([Err(Error::invalid("test", "failed"))]);
        let failed = write_clip(&path, failing, FrameRate::NATIVE, None, &options, Progress::none());
        assert!(matches!(failed, Err(Error::Invalid { what: "test", .. })), "{name}");
        let changing = frames(3, 32, 32).chain(frames(1, 16, 32));
        assert!(write_clip(&path, changing, FrameRate::NATIVE, None, &options, Progress::none()).is_err());
        assert!(write_clip(&path, frames(0, 8, 8), FrameRate::NATIVE, None, &options, Progress::none()).is_err());
        assert!(entries(directory.path()).is_empty(), "{name}: {:?}", entries(directory.path()));
    }
    let mut writer =
        VideoWriter::create(directory.path().join("d.mp4"), 32, 32, FrameRate::NATIVE, &VideoOptions::default())
            .unwrap();
    writer.push(&Frame::new(32, 32)).unwrap();
    drop(writer);
    assert!(entries(directory.path()).is_empty());
}

#[test]
fn places_that_cannot_be_written_are_refused_before_the_first_frame() {
    let directory = tempfile::tempdir().unwrap();
    let taken = directory.path().join("taken.mp4");
    std::fs::create_dir(&taken).unwrap();
    let full = directory.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("old.png"), b"x").unwrap();
    for name in [
        "taken.mp4",
        "absent/out.mp4",
        "absent/out.gif",
        "absent/%d.png",
        "absent/folder",
        "full",
        "out.avi",
        "out.png",
    ] {
        let frames = std::iter::once_with(|| -> Result<Frame> { panic!("a frame was asked for") });
        let options = VideoOptions::default();
        let result =
            write_clip(directory.path().join(name), frames, FrameRate::NATIVE, None, &options, Progress::none());
        assert!(matches!(result, Err(Error::Io { .. } | Error::Invalid { .. })), "{name}: {result:?}");
    }
    assert_eq!(entries(directory.path()), ["full", "taken.mp4"]);
}

#[test]
fn numbered_pictures_take_their_names_all_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let write = |name: &str, count| {
        let options = VideoOptions::default();
        write_clip(directory.join(name), frames(count, 8, 8), FrameRate::NATIVE, None, &options, Progress::none())
    };
    // An older clip, of which one picture cannot be replaced.
    std::fs::write(directory.join("clip_0.png"), "old").unwrap();
    std::fs::create_dir(directory.join("clip_2.png")).unwrap();
    assert!(matches!(write("clip_%d.png", 4), Err(Error::Io { .. })));
    assert_eq!(entries(directory), ["clip_0.png", "clip_2.png"]);
    assert_eq!(std::fs::read(directory.join("clip_0.png")).unwrap(), b"old");
    std::fs::remove_dir(directory.join("clip_2.png")).unwrap();
    assert_eq!(write("clip_%d.png", 3).unwrap().frames, 3);
    assert_eq!(entries(directory), ["clip_0.png", "clip_1.png", "clip_2.png"]);
    assert_eq!(read_picture(directory.join("clip_0.png"), &Limits::default()).unwrap(), moving_picture(0, 8, 8));
}

#[cfg(unix)]
#[test]
fn a_folder_of_pictures_has_the_mode_of_any_new_folder_and_an_empty_one_stays_what_it_is() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let directory = tempfile::tempdir().unwrap();
    let folder = |name: &str| directory.path().join(name);
    let mode = |name: &str| std::fs::metadata(folder(name)).unwrap().permissions().mode();
    std::fs::create_dir(folder("plain")).unwrap();
    std::fs::create_dir(folder("empty")).unwrap();
    std::fs::set_permissions(folder("empty"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let inode = std::fs::metadata(folder("empty")).unwrap().ino();
    for name in ["new", "empty"] {
        let options = VideoOptions::default();
        write_clip(folder(name), frames(2, 8, 8), FrameRate::NATIVE, None, &options, Progress::none()).unwrap();
        assert_eq!(entries(&folder(name)), ["frame_00000.png", "frame_00001.png"]);
    }
    assert_eq!(mode("new"), mode("plain"));
    assert_eq!((mode("empty") & 0o777, std::fs::metadata(folder("empty")).unwrap().ino()), (0o750, inode));
    assert_eq!(entries(directory.path()), ["empty", "new", "plain"]);
}

#[test]
fn a_gif_keeps_its_rate_over_the_whole_clip() {
    use image::AnimationDecoder;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clip.gif");
    write_clip(&path, frames(24, 48, 32), FrameRate::NATIVE, None, &VideoOptions::default(), Progress::none()).unwrap();
    let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
    let decoded = image::codecs::gif::GifDecoder::new(file).unwrap().into_frames().collect_frames().unwrap();
    assert_eq!(decoded.len(), 24);
    let total: u32 = decoded.iter().map(|frame| frame.delay().numer_denom_ms().0).sum();
    assert_eq!(total, 2_000);
    let first = read_picture(&path, &Limits::default()).unwrap();
    assert!(psnr(&first, &moving_picture(0, 48, 32)) > 25.0);
}

#[test]
fn numbered_pictures_hold_the_frames_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    for (target, name) in [("folder", "folder/frame_00002.png"), ("clip_%02d.png", "clip_02.png")] {
        let path = directory.path().join(target);
        let options = VideoOptions::default();
        write_clip(&path, frames(3, 31, 17), FrameRate::NATIVE, None, &options, Progress::none()).unwrap();
        let back = read_picture(directory.path().join(name), &Limits::default()).unwrap();
        assert_eq!(back, moving_picture(2, 31, 17));
    }
    let picture = directory.path().join("p.png");
    write_picture(&picture, &moving_picture(5, 9, 9)).unwrap();
    assert_eq!(read_picture(&picture, &Limits::default()).unwrap(), moving_picture(5, 9, 9));
}
