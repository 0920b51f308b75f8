//! Faces of real pictures and videos, through the program; skipped where the sample media are absent.

use std::fs;
use std::path::Path;

use serde_json::Value;
use skyreels::core::media::{ClipWriter, FrameRate, Sound, VideoOptions, VideoReader, read_picture, write_picture};
use skyreels::core::resize::fit;
use skyreels::core::{Frame, Limits};
use skyreels::landmarks::{Motion, State};

use crate::common::{accepted, events, face_model, refused, says, shared, write_video};

/// `count` frames of a driving video, small enough to be quick.
fn performance(count: usize) -> Option<Vec<Frame>> {
    let video = VideoReader::open(shared("media/driving/1.mp4")?, &Limits::default()).unwrap();
    Some(video.take(count).map(|frame| fit(&frame.unwrap().image, 360, 240).unwrap()).collect())
}

fn first_frame(path: &Path) -> Frame {
    VideoReader::open(path, &Limits::default()).unwrap().next().unwrap().unwrap().image
}

/// Middle of everything that is not black, as a share of the width.
fn middle(frame: &Frame) -> f64 {
    let lit = frame.enumerate_pixels().filter(|(_, _, pixel)| pixel.0.iter().any(|value| *value > 64));
    let (sum, count) = lit.fold((0.0, 0), |(sum, count), (x, _, _)| (sum + f64::from(x), count + 1));
    assert!(count > 100, "{count} pixels are drawn");
    sum / f64::from(count) / f64::from(frame.width())
}

#[test]
fn a_video_becomes_points_motion_overlay_and_guide() {
    let (Some(model), Some(frames)) = (face_model(), performance(6)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    write_video(&place.join("me.mp4"), &frames);
    let outputs = "--points {}/p.json --motion {}/m.safetensors --overlay {}/o.mp4 --guide {}/g.mp4 --size 96x160";
    let (out, _) = accepted(place, &format!("landmarks {{}}/me.mp4 {model} {outputs}"));
    says(&out, &["me.mp4: a face in 6 of 6 frames"]);

    let points: Value = serde_json::from_slice(&fs::read(place.join("p.json")).unwrap()).unwrap();
    assert_eq!((&points["frame_rate"], points["frames"].as_array().unwrap().len()), (&"12".into(), 6));
    assert_eq!(points["frames"][5]["face"]["landmarks"].as_array().unwrap().len(), 478);
    assert_eq!(points["frames"][5]["face"]["blendshapes"].as_object().unwrap().len(), 52);

    let motion = Motion::open(place.join("m.safetensors"), &Limits::default()).unwrap();
    assert_eq!((motion.frames().len(), motion.rate()), (6, 12.0));

    let overlay = VideoReader::open(place.join("o.mp4"), &Limits::default()).unwrap();
    assert_eq!((overlay.info().width, overlay.info().height, overlay.info().frames), (360, 240, 6));
    let (drawn, plain) = (first_frame(&place.join("o.mp4")), first_frame(&place.join("me.mp4")));
    let changed = drawn.pixels().zip(plain.pixels()).filter(|(a, b)| (0..3).any(|c| a[c].abs_diff(b[c]) > 60));
    assert!((200..40_000).contains(&changed.count()), "the overlay covers the face and nothing else");

    let guide = VideoReader::open(place.join("g.mp4"), &Limits::default()).unwrap();
    assert_eq!((guide.info().width, guide.info().height, guide.info().frames), (160, 96, 6));
    middle(&first_frame(&place.join("g.mp4")));

    // Fewer frames at a lower rate.
    let (out, _) = accepted(place, &format!("--json landmarks {{}}/me.mp4 {model} --rate 4 --overlay {{}}/slow.gif"));
    let done = events(&out).into_iter().find(|event| event["event"] == "done").unwrap();
    assert_eq!((&done["frames"], &done["with_face"]), (&2.into(), &2.into()));
}

#[test]
fn the_name_says_how_a_single_frame_is_written() {
    let (Some(model), Some(frames)) = (face_model(), performance(1)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    write_picture(place.join("me.png"), &frames[0]).unwrap();
    let outputs = "--overlay {}/o.png --guide {}/g.png --points {}/p.safetensors";
    accepted(place, &format!("landmarks {{}}/me.png {model} {outputs}"));
    for (name, size) in [("o.png", (360, 240)), ("g.png", (720, 480))] {
        assert_eq!(read_picture(place.join(name), &Limits::default()).unwrap().dimensions(), size, "{name}");
    }
    let points = fs::read(place.join("p.safetensors")).unwrap();
    assert!(points.windows(15).any(|window| window == b"skyreels-points"));
    accepted(place, &format!("landmarks {{}}/me.png {model} --overlay {{}}/o.mp4 --guide {{}}/g.gif"));
    assert_eq!(VideoReader::open(place.join("o.mp4"), &Limits::default()).unwrap().info().frames, 1);
    assert_eq!(&fs::read(place.join("g.gif")).unwrap()[..4], b"GIF8");
    accepted(place, &format!("landmarks {{}}/me.png {model} --overlay {{}}/o_%02d.png --guide {{}}/folder"));
    assert!(place.join("o_00.png").exists() && place.join("folder/frame_00000.png").exists());
}

/// The head and shoulders of a person, 320x360.
fn person(number: u32) -> Option<Frame> {
    let picture = read_picture(shared(&format!("media/portraits/{number}.png"))?, &Limits::default()).unwrap();
    let cut = image::imageops::crop_imm(&picture, 360, 0, 640, 720).to_image();
    Some(fit(&cut, 320, 360).unwrap())
}

/// Two persons: the left one at the edge of a wide picture, where a canvas cuts it off, the right one in its middle.
fn two_persons() -> Option<Frame> {
    let mut picture = Frame::new(1080, 360);
    image::imageops::replace(&mut picture, &person(8)?, 0, 0);
    image::imageops::replace(&mut picture, &person(6)?, 380, 0);
    Some(picture)
}

#[test]
fn a_face_is_picked_by_number_and_kept_for_the_guide() {
    let (Some(model), Some(picture)) = (face_model(), two_persons()) else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    write_picture(place.join("two.png"), &picture).unwrap();
    let outputs = "--points {}/p.json --guide {}/g.png";
    for (number, from, to) in [(0, 0.0, 0.25), (1, 0.35, 0.6)] {
        let guide = if number == 1 { outputs } else { "--points {}/p.json" };
        accepted(place, &format!("landmarks {{}}/two.png {model} --face {number} {guide}"));
        let points: Value = serde_json::from_slice(&fs::read(place.join("p.json")).unwrap()).unwrap();
        let left = points["frames"][0]["face"]["box"][0].as_f64().unwrap();
        assert!((from..to).contains(&left), "face {number} begins at {left}");
    }
    // Alone on the canvas, the second person is still the one that was followed.
    let guide = middle(&read_picture(place.join("g.png"), &Limits::default()).unwrap());
    assert!((0.4..0.6).contains(&guide), "{guide}");
    fs::remove_file(place.join("g.png")).unwrap();
    // The first one is not on the canvas: nobody else takes the part.
    let error = refused(place, &format!("landmarks {{}}/two.png {model} --face 0 --guide {{}}/g.png"));
    says(&error, &["canvas of 480x720", "--size"]);
    let error = refused(place, &format!("landmarks {{}}/two.png {model} --face 2"));
    says(&error, &["2 faces in", "two.png", "no number 2"]);
}

#[test]
fn portrait_and_driving_video_pick_their_own_faces() {
    let (Some(model), Some(picture), Some(frames)) = (face_model(), two_persons(), performance(3)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    // In the shape of the canvas, so that it keeps both.
    let mut both = Frame::new(700, 420);
    image::imageops::replace(&mut both, &picture, 0, 0);
    write_picture(place.join("two.png"), &both).unwrap();
    write_video(&place.join("me.mp4"), &frames);
    let run = |options: &str| {
        format!(
            "animate --portrait {{}}/two.png --driving {{}}/me.mp4 {model} --steps 1 --frames 9 --size 240x400 -o {{}}/out.mp4 {options}"
        )
    };
    says(&refused(place, &run("--face 2")), &["face: 2 faces in the portrait, no number 2"]);
    says(
        &refused(place, &run("--face 1 --driving-face 1")),
        &["driving-face: 1 face in the driving video, no number 1"],
    );
    accepted(place, &run("--face 1 --driving-face 0"));
}

#[test]
fn frames_without_a_face_are_held_or_interpolated_and_counted() {
    let (Some(model), Some(mut frames)) = (face_model(), performance(7)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    for hidden in [0, 3, 6] {
        frames[hidden] = Frame::new(360, 240);
    }
    write_video(&place.join("me.mp4"), &frames);
    let run = format!("animate --portrait drawn:1 --driving {{}}/me.mp4 {model} --steps 1 --frames 9");
    let (_, said) = accepted(place, &format!("{run} --keep-intermediates {{}}/kept -o {{}}/out.mp4"));
    says(&said, &["3 of 7 driving frames show no face: 2 held, 1 interpolated"]);
    let motion = Motion::open(place.join("kept/motion.safetensors"), &Limits::default()).unwrap();
    let states: Vec<State> = motion.frames().iter().map(|frame| frame.state).collect();
    let [held, seen, between] = [State::Held, State::Seen, State::Interpolated];
    assert_eq!(states, [held, seen, seen, between, seen, seen, held]);
    let (out, _) = accepted(place, &format!("landmarks {{}}/me.mp4 {model}"));
    says(&out, &["a face in 4 of 7 frames"]);
}

#[test]
fn the_sound_of_a_driving_video_goes_along_or_is_missed_in_a_note() {
    let (Some(model), Some(frames), Some(source)) = (face_model(), performance(6), shared("media/driving/1.mp4"))
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let sound = Sound::open(source, &Limits::default()).unwrap();
    assert!(sound.is_some());
    let path = place.join("me.mp4");
    let mut writer = ClipWriter::create(&path, FrameRate::NATIVE, &VideoOptions::default()).unwrap().with_sound(sound);
    frames.iter().for_each(|frame| writer.push(frame).unwrap());
    assert!(writer.finish().unwrap().audio_packets > 10);

    let run = |driving: &str, output: &str| {
        let options = format!("{model} --steps 1 --frames 9 -o {{}}/{output}");
        accepted(place, &format!("animate --portrait drawn:1 --driving {{}}/{driving} {options}")).1
    };
    let has_sound = |name: &str| VideoReader::open(place.join(name), &Limits::default()).unwrap().info().has_audio;
    assert!(!run("me.mp4", "out.mp4").contains("sound"));
    assert!(has_sound("out.mp4"));
    // The last packets of the file are sound: without them the video is still whole.
    let bytes = fs::read(&path).unwrap();
    fs::write(place.join("cut.mp4"), &bytes[..bytes.len() - 1]).unwrap();
    says(&run("cut.mp4", "silent.mp4"), &["the result will have no sound", "cut.mp4", "cut off"]);
    assert!(!has_sound("silent.mp4"));
    // Where the result has none, nobody misses it.
    assert!(!run("cut.mp4", "out.gif").contains("no sound"));
    #[cfg(feature = "ffmpeg")]
    other_containers_are_animated(place, &run, &has_sound);
}

/// A Matroska file goes through `ffmpeg`; its packets cannot go into an MP4 file.
#[cfg(feature = "ffmpeg")]
fn other_containers_are_animated(place: &Path, run: &dyn Fn(&str, &str) -> String, has_sound: &dyn Fn(&str) -> bool) {
    for (name, options) in [("sound.mkv", &["-c", "copy"][..]), ("silent.mkv", &["-c", "copy", "-an"][..])] {
        let made = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(place.join("me.mp4"))
            .args(options)
            .arg(place.join(name))
            .status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: there is no ffmpeg program");
            return;
        }
        let said = run(name, "mkv.mp4");
        assert_eq!(said.contains("the result will have no sound"), name == "sound.mkv", "{said}");
        assert!(!has_sound("mkv.mp4"));
    }
}

#[test]
fn compat_looks_at_driving_frames_once_as_the_original_does() {
    let (Some(model), Some(person)) = (face_model(), person(8)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let run = |side: u32, option: &str| {
        let mut frame = Frame::new(1280, 960);
        image::imageops::replace(&mut frame, &fit(&person, side, side * 9 / 8).unwrap(), 900, 400);
        write_video(&place.join("me.mp4"), &vec![frame; 2]);
        let run =
            format!("animate --portrait drawn:1 --driving {{}}/me.mp4 {model} --steps 1 -o {{}}/out.gif {option}");
        let output = crate::common::run(place, &run);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    // A small face is found at a second look, a large one at the first.
    assert_eq!(run(200, "").0, Some(0));
    let (code, error) = run(200, "--compat");
    assert_eq!(code, Some(2), "{error}");
    says(&error, &["no face in any of the 2 driving frames"]);
    assert_eq!(run(320, "--compat").0, Some(0));
}
