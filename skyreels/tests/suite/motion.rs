//! `skyreels motion`: files made, changed, described and drawn; and the same controls on `animate`.

use std::fs;
use std::path::Path;

use skyreels::core::Limits;
use skyreels::core::media::VideoReader;
use skyreels::landmarks::{Motion, MotionEdit, synthetic};

use crate::common::{ASSETS, refused, run, shared};

fn done(directory: &Path, arguments: &str) -> String {
    let output = run(directory, arguments);
    assert!(output.status.success(), "{arguments}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn open(directory: &Path, name: &str) -> Motion {
    Motion::open(directory.join(name), &Limits::default()).unwrap()
}

fn shipped() -> Motion {
    Motion::open(format!("{ASSETS}/performance.safetensors"), &Limits::default()).unwrap()
}

#[test]
fn the_shipped_motion_of_version_1_is_read_and_is_what_the_code_makes() {
    let (shipped, made) = (shipped(), synthetic::performance(47, 12.0, 1).unwrap());
    assert_eq!((shipped.frames().len(), shipped.rate()), (47, 12.0));
    for (a, b) in shipped.frames().iter().zip(made.frames()) {
        let points = a.expression.as_flattened().iter().zip(b.expression.as_flattened());
        assert!(points.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-4);
    }
}

#[test]
fn flags_and_an_edit_file_do_what_the_library_does() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let json =
        r#"{ "multiplier": 0.5, "pose": { "yaw": 8 }, "sliders": { "jawOpen": 0.2 }, "eyes": { "ratio": 0.3 } }"#;
    fs::write(place.join("edit.json"), json).unwrap();
    done(
        place,
        &format!(
            "motion edit {ASSETS}/performance.safetensors -o {{}}/flags.safetensors --multiplier 0.5 --yaw 8 \
             --slider jawOpen=0.2 --eyes 0.3 --pitch -5 --repeat ping-pong --trim 0.5:2"
        ),
    );
    done(
        place,
        &format!(
            "motion edit {ASSETS}/performance.safetensors -o {{}}/file.safetensors --edit {{}}/edit.json --pitch -5 \
             --repeat ping-pong:1 --trim 0.5:2"
        ),
    );
    let mut edit = MotionEdit::from_json(json).unwrap();
    edit.pose.pitch = -5.0;
    edit.repeat = Some("ping-pong".parse().unwrap());
    edit.trim = Some("0.5:2".parse().unwrap());
    let expected = edit.apply(&shipped()).unwrap();
    assert_eq!(open(place, "flags.safetensors"), expected);
    assert_eq!(open(place, "file.safetensors"), expected);
    assert_eq!(expected.frames().len(), 2 * (18 - 1) + 1);
}

#[test]
fn an_edit_of_nothing_gives_back_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    done(directory.path(), &format!("motion edit {ASSETS}/performance.safetensors -o {{}}/same.safetensors"));
    let same = fs::read(directory.path().join("same.safetensors")).unwrap();
    assert_eq!(open(directory.path(), "same.safetensors"), shipped());
    assert_eq!(same.len(), fs::read(format!("{ASSETS}/performance.safetensors")).unwrap().len());
    done(
        directory.path(),
        &format!("motion edit {ASSETS}/performance.safetensors --compact -o {{}}/small.safetensors"),
    );
    let small = fs::metadata(directory.path().join("small.safetensors")).unwrap().len();
    assert!(small < same.len() as u64 * 6 / 10, "{small}");
}

#[test]
fn info_is_a_table_for_people_and_an_object_for_machines() {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("{ASSETS}/performance.safetensors");
    let text = done(directory.path(), &format!("motion info {file}"));
    for part in ["47 frames at 12 per second", "47 seen, 0 held, 0 interpolated", "the first frame", "relative", "yaw"]
    {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    let text = done(directory.path(), &format!("--json motion info {file}"));
    let object: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!((&object["frames"], &object["seen"]), (&47.into(), &47.into()));
    let yaw = object["degrees"]["yaw"].as_array().unwrap();
    assert!(yaw[0].as_f64().unwrap() < -5.0 && yaw[1].as_f64().unwrap() > 5.0 && yaw[1].as_f64().unwrap() < 30.0);
    done(
        directory.path(),
        &format!("motion edit {file} --expression absolute --yaw 10 --lips driver -o {{}}/e.safetensors"),
    );
    let text = done(directory.path(), "motion info {}/e.safetensors");
    for part in ["its own", "absolute", "by ratio"] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

#[test]
fn render_draws_one_guide_frame_per_frame_of_the_motion() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let command = format!("motion render {ASSETS}/performance.safetensors --portrait drawn:3 --size 96x160");
    done(place, &format!("{command} --side-by-side -o {{}}/guide.mp4"));
    let info = *VideoReader::open(place.join("guide.mp4"), &Limits::default()).unwrap().info();
    assert_eq!((info.width, info.height, info.frames), (320, 96, 47));
    done(place, &format!("{command} --to-frames 5 -o {{}}/g%02d.png"));
    let names = fs::read_dir(place).unwrap().filter_map(|e| e.ok()?.file_name().into_string().ok());
    assert_eq!(names.filter(|name| name.starts_with('g') && name.ends_with(".png")).count(), 5);
    let frozen = format!("{command} --multiplier 0 --to-frames 3 -o {{}}/f%d.png");
    done(place, &frozen);
    let pictures: Vec<_> = fs::read_dir(place)
        .unwrap()
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with('f'))
        .map(|path| fs::read(path).unwrap())
        .collect();
    assert!(pictures.len() == 3 && pictures.iter().all(|picture| *picture == pictures[0]), "multiplier 0 freezes");
}

#[test]
fn animate_takes_the_same_controls() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let animate = format!(
        "animate --portrait drawn:1 --driving {ASSETS}/performance.safetensors --steps 1 --frames 9 --size 96x160"
    );
    done(place, &format!("{animate} --yaw 20 --trim 1: --keep-intermediates {{}}/kept -o {{}}/out.mp4"));
    let kept = open(&place.join("kept"), "motion.safetensors");
    let edit = MotionEdit {
        trim: Some("1:".parse().unwrap()),
        pose: skyreels::landmarks::PoseOffset { yaw: 20.0, ..Default::default() },
        ..MotionEdit::default()
    };
    assert_eq!(kept, edit.apply(&shipped()).unwrap());
    // The guide clip is drawn from the edited motion.
    let guide = |name: &str| fs::read(place.join(name).join("guide.mp4")).unwrap();
    done(place, &format!("{animate} --trim 1: --keep-intermediates {{}}/plain -o {{}}/plain.mp4"));
    assert_ne!(guide("kept"), guide("plain"));
}

#[test]
fn extract_makes_the_motion_of_a_video() {
    let (Some(video), Some(model)) =
        (shared("media/driving/4.mp4"), shared("media/models/face_landmarker_v2_with_blendshapes.task"))
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let command = format!("--json motion extract {} --face-model {}", video.display(), model.display());
    let text = done(place, &format!("{command} --rate 4 -o {{}}/m.safetensors"));
    let last: serde_json::Value = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .rfind(|v: &serde_json::Value| v["event"] == "done")
        .unwrap();
    let motion = open(place, "m.safetensors");
    assert_eq!((motion.rate(), last["frames"].as_u64()), (4.0, Some(motion.frames().len() as u64)));
    assert_eq!(last["seen"].as_u64(), Some(motion.counts().seen as u64));
    assert!(motion.flame_shape().is_none());
    // It drives somebody else.
    done(place, "motion render {}/m.safetensors --portrait drawn:5 --size 96x160 -o {}/out.gif");
}

#[test]
fn bad_input_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let file = format!("{ASSETS}/performance.safetensors");
    fs::write(place.join("text.safetensors"), "no motion").unwrap();
    fs::write(place.join("edit.json"), r#"{ "multiplyer": 1 }"#).unwrap();
    for (arguments, part) in [
        ("motion info {}/absent.safetensors".to_owned(), "absent.safetensors"),
        ("motion info {}/text.safetensors".to_owned(), "text.safetensors"),
        (format!("motion edit {file} --slider smirk=0.5 -o {{}}/out.mp4"), "smirk"),
        (format!("motion edit {file} --edit {{}}/edit.json -o {{}}/out.mp4"), "multiplyer"),
        (format!("motion edit {file} --trim 90: -o {{}}/out.mp4"), "nothing is left"),
        (format!("motion edit {file} --multiplier nan -o {{}}/out.mp4"), "multiplier"),
        (format!("motion edit {file} --region nose -o {{}}/out.mp4"), "nose"),
        (format!("motion edit {file} -o {{}}/absent/out.mp4"), "absent"),
        (format!("motion render {file} --portrait drawn:1 --size 8x8 -o {{}}/out.mp4"), "size"),
        (format!("motion render {file} --portrait drawn:x -o {{}}/out.mp4"), "seed"),
        (format!("motion extract {file} -o {{}}/out.mp4"), "performance.safetensors"),
    ] {
        let error = refused(place, &arguments);
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}
