//! Outputs that cannot be written, a full disk, Ctrl-C: said clearly, and nothing is left.

use std::fs;

use crate::common::{demo, names, refused, says, tiny};

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::create_dir_all(place.join("full/inside")).unwrap();
    let run = demo(1);
    for (output, part) in [
        ("{}/absent/out.mp4", "absent"),
        ("{}", "not empty"),
        ("{}/full", "not empty"),
        ("{}/out.avi", "out.avi is neither .mp4"),
        ("{}/out.png", "frame_%04d.png"),
        ("/proc/out.mp4", "/proc"),
    ] {
        let error = refused(place, &format!("{run} -o {output}"));
        says(&error, &[part]);
        // The plan comes after the check, and everything that takes time after the plan.
        assert!(!error.contains("plan:"), "{output}: {error}");
    }
    let error = refused(place, &format!("{run} -o {{}}/out.mp4 --keep-intermediates /proc/kept"));
    says(&error, &["/proc/kept"]);

    fs::write(place.join("me.mp4"), crate::common::video_bytes()).unwrap();
    for (outputs, part) in [
        ("--overlay {}/o.avi", "o.avi"),
        ("--overlay {}/o.png", "o.png"),
        ("--guide {}/absent/g.mp4", "absent"),
        ("--guide {}/g.gif --rate 60", "60"),
        ("--motion {}/absent/m.safetensors", "absent"),
        ("--motion {}/full", "directory"),
        ("--points {}/p.txt", "p.txt is neither .json nor .safetensors"),
        ("--points {}/absent/p.json", "absent"),
        ("--guide {}/g.mp4 --size 0x64", "0x64"),
    ] {
        let error = refused(place, &format!("landmarks {{}}/me.mp4 {outputs}"));
        says(&error, &[part]);
        assert!(!error.contains("--face-model"), "{outputs} is looked at first: {error}");
    }
    says(&refused(place, "init {}/full"), &["full is not empty"]);
    says(&refused(place, "init {}/me.mp4"), &["me.mp4"]);
    says(&refused(place, "init /proc/model"), &["/proc/model"]);
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let locked = directory.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), b"").is_ok() {
        println!("skipped: this user may write everywhere");
        return;
    }
    for output in ["{}/locked/out.mp4", "{}/locked", "{}/locked/%d.png"] {
        says(&refused(directory.path(), &format!("{} -o {output}", demo(1))), &["cannot write into", "locked"]);
    }
    says(&refused(directory.path(), "init {}/locked/model"), &["locked"]);
}

/// Runs the program where files may not grow beyond a few blocks: what it sees of a full disk.
#[cfg(target_os = "linux")]
fn on_a_full_disk(place: &std::path::Path, arguments: &str) -> String {
    let arguments = crate::common::arguments(place, arguments).join(" ");
    let script = format!("trap '' XFSZ; ulimit -f 4; exec {} {arguments}", env!("CARGO_BIN_EXE_skyreels"));
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
    says(&error, &["cannot write"]);
    error
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    tiny(place);
    for name in ["out.mp4", "out.gif"] {
        says(&on_a_full_disk(place, &format!("{} --model {{}}/tiny -o {{}}/{name}", demo(1))), &[name]);
    }
    on_a_full_disk(place, &format!("{} --model {{}}/tiny -o {{}}/frames", demo(1)));
    on_a_full_disk(place, "init {}/second");
    assert_eq!(names(place), ["tiny"]);
    // A directory that was there stays, as empty as it was.
    fs::create_dir(place.join("second")).unwrap();
    on_a_full_disk(place, "init {}/second");
    assert!(names(&place.join("second")).is_empty());

    let kept = "--keep-intermediates {}/kept -o {}/out.mp4";
    says(&on_a_full_disk(place, &format!("{} --model {{}}/tiny {kept}", demo(1))), &["motion.safetensors"]);
    assert!(names(&place.join("kept")).is_empty());
    assert_eq!(names(place), ["kept", "second", "tiny"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_of_landmarks() {
    let (Some(model), Some(picture)) = (crate::common::face_model(), crate::common::shared("media/portraits/1.png"))
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let outputs = ["--overlay o.mp4", "--overlay o.png", "--points p.json", "--points p.safetensors"];
    for output in outputs.into_iter().chain(["--motion m.safetensors", "--guide g.mp4"]) {
        let (option, name) = output.split_once(' ').unwrap();
        let arguments = format!("landmarks {} {model} {option} {{}}/{name}", picture.display());
        says(&on_a_full_disk(directory.path(), &arguments), &[name]);
        assert!(names(directory.path()).is_empty(), "{output}");
    }
}

#[cfg(unix)]
mod ctrl_c {
    use std::io::{BufRead, BufReader, Write};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use serde_json::Value;

    use crate::common::{GOLDEN, arguments, demo, face_model, names, shared, skyreels, tiny};

    /// A short stage may be over before the signal has arrived.
    const ATTEMPTS: usize = 5;

    /// Presses Ctrl-C when `stage` first reports progress: exit status 130, and `place` as it was.
    fn in_stage(place: &Path, stage: &str, text: &str) {
        let before = names(place);
        for _ in 0..ATTEMPTS {
            let (code, last) = interrupted(place, stage, text);
            if code == Some(130) {
                assert_eq!((&last["event"], &last["cancelled"]), (&"error".into(), &true.into()), "{stage}: {last}");
                assert_eq!(names(place), before, "{stage}: {text}");
                return;
            }
            assert_eq!(code, Some(0), "{stage}: {text}: {last}");
            for name in names(place).into_iter().filter(|name| !before.contains(name)) {
                let path = place.join(name);
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
            }
        }
        panic!("{stage}: Ctrl-C never stopped {text}");
    }

    /// Exit status, and the last event but those that tell times.
    fn interrupted(place: &Path, stage: &str, text: &str) -> (Option<i32>, Value) {
        let mut child = skyreels()
            .arg("--json")
            .args(arguments(place, text))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It waits for a line, so that the signal needs no new process.
        let mut killer = Command::new("sh")
            .args(["-c", &format!("read go; kill -INT {}", child.id())])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut go = killer.stdin.take();
        let mut last = Value::Null;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if event["event"] == "progress"
                && event["stage"] == stage
                && let Some(mut go) = go.take()
            {
                go.write_all(b"now\n").unwrap();
            }
            if event["event"] != "time" {
                last = event;
            }
        }
        assert!(go.is_none(), "{stage} was never reported by {text}: {last}");
        killer.wait().unwrap();
        (child.wait().unwrap().code(), last)
    }

    #[test]
    fn stops_animate_in_every_stage_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        for (stage, options) in [
            ("draw", "--size 640x960 --frames 49 -o {}/out.mp4"),
            ("load", "--size 240x320 --frames 49 -o {}/out.mp4"),
            ("vae encode", "--size 240x320 --frames 49 -o {}/out.mp4"),
            ("vae decode", "--frames 49 -o {}/out.mp4"),
            ("encode", "--frames 49 --side-by-side -o {}/out.gif"),
            ("encode", "--frames 49 --side-by-side -o {}/frames"),
        ] {
            in_stage(directory.path(), stage, &format!("{} {options}", demo(1)));
        }
        in_stage(directory.path(), "denoise", &format!("{} -o {{}}/out.mp4", demo(1000)));
    }

    #[test]
    fn stops_the_other_commands_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        in_stage(directory.path(), "init", "init {}/model");
        in_stage(directory.path(), "verify", &format!("verify --golden {GOLDEN}"));
        tiny(directory.path());
        in_stage(directory.path(), "load", &format!("{} --model {{}}/tiny -o {{}}/out.mp4", demo(1)));
    }

    #[test]
    fn stops_tracking_and_leaves_nothing() {
        let (Some(model), Some(video)) = (face_model(), shared("media/driving/4.mp4")) else { return };
        let directory = tempfile::tempdir().unwrap();
        let video = video.display();
        let animate = format!("animate --portrait drawn:1 --driving {video} {model} --frames 49 -o {{}}/out.mp4");
        in_stage(directory.path(), "track", &animate);
        let outputs = "--overlay {}/o.mp4 --points {}/p.json --motion {}/m.safetensors --guide {}/g.mp4";
        in_stage(directory.path(), "track", &format!("landmarks {video} {model} {outputs}"));
        in_stage(directory.path(), "draw", &format!("landmarks {video} {model} --guide {{}}/g.mp4"));
    }
}
