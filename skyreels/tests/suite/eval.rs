//! `skyreels eval` on real faces; skipped where the sample media are absent.

use std::fs;
use std::path::Path;

use serde_json::Value;
use skyreels::core::checkpoint::save;
use skyreels::core::media::VideoReader;
use skyreels::core::resize::fit;
use skyreels::core::{Frame, Limits, open_device};
use skyreels::eval::ArcFaceConfig;

use crate::common::{accepted, events, face_model, names, refused, run, says, shared, write_video};

/// `count` frames of a driving video, small enough to be quick.
fn performance(name: &str, count: usize) -> Option<Vec<Frame>> {
    let video = VideoReader::open(shared(&format!("media/driving/{name}.mp4"))?, &Limits::default()).unwrap();
    Some(video.step_by(3).take(count).map(|frame| fit(&frame.unwrap().image, 360, 240).unwrap()).collect())
}

/// A directory with drivers, and results of which one is its driver, one holds still and one is reversed.
fn stage(place: &Path) -> Option<()> {
    let frames = performance("1", 8)?;
    for folder in ["results", "portraits", "driving"] {
        fs::create_dir(place.join(folder)).unwrap();
    }
    let still = vec![frames[0].clone(); 8];
    let reversed: Vec<Frame> = frames.iter().rev().cloned().collect();
    for (name, result) in [("same", &frames), ("still", &still), ("turned", &reversed)] {
        write_video(&place.join(format!("driving/{name}.mp4")), &frames);
        write_video(&place.join(format!("results/{name}.mp4")), result);
    }
    Some(())
}

const FOLDERS: &str = "--results {}/results --portraits {}/portraits --driving {}/driving";

#[test]
fn real_faces_are_measured_and_a_second_run_decodes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let (Some(model), Some(())) = (face_model(), stage(place)) else { return };
    let command = format!("eval {FOLDERS} -o {{}}/report {model} --device cpu --json");
    let (out, _) = accepted(place, &command);
    let done = |out: &str| events(out).into_iter().find(|event| event["event"] == "done").unwrap();
    assert_eq!((&done(&out)["pairs"], &done(&out)["work"]["decoded_files"]), (&3.into(), &6.into()));
    assert_eq!(names(&place.join("report")), ["measurements", "report.csv", "report.html", "report.json"]);

    let report: Value = serde_json::from_slice(&fs::read(place.join("report/report.json")).unwrap()).unwrap();
    let value = |name: &str, key: &str| {
        let pair = report["pairs"].as_array().unwrap().iter().find(|pair| pair["name"] == name).unwrap();
        pair["values"][key].as_f64().unwrap_or_else(|| panic!("{key} of {name}: {pair}"))
    };
    for key in ["blendshape_l1", "rotation_deg", "landmarks", "expression_cm", "gaze"] {
        let same = value("same", key);
        assert!(same.abs() < 1e-9, "{key}: {same}");
        assert!(value("still", key) > same && value("turned", key) > same, "{key}");
    }
    assert_eq!((value("same", "psnr"), value("same", "detection_rate")), (100.0, 1.0));
    assert!((value("same", "ms_ssim") - 1.0).abs() < 1e-9 && value("turned", "ms_ssim") < 1.0);
    let released = value("turned", "a1_expression");
    assert!(
        released < value("still", "landmarks") && released < 1e-3,
        "the released score takes it for good: {released}"
    );

    let (out, _) = accepted(place, &command);
    assert_eq!(done(&out)["work"]["decoded_files"], 0);
    // A network is what its file is, not what it is called.
    let device = open_device("cpu").unwrap();
    save(&ArcFaceConfig::R18.init(&device), place, "face", usize::MAX).unwrap();
    let misnamed = refused(place, &format!("{command} --curricularface {{}}/face.safetensors"));
    says(&misnamed, &["face.safetensors holds ArcFace", "--arcface"]);
    // Bad results are told from good ones by the exit status.
    fs::write(place.join("results/still.mp4"), b"no video").unwrap();
    let output = run(place, &command);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_list_of_pairs_is_drawn_and_used() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    for folder in ["results", "portraits", "driving"] {
        fs::create_dir(place.join(folder)).unwrap();
    }
    for name in ["portraits/a.png", "portraits/b.png", "driving/x.mp4", "driving/y.mp4"] {
        fs::write(place.join(name), b"").unwrap();
    }
    let draw = "eval --portraits {}/portraits --driving {}/driving --seed 7 --write-pairs {}/pairs.json";
    let (_, said) = accepted(place, draw);
    says(&said, &["pairs.json with 2 pairs"]);
    let list: Value = serde_json::from_slice(&fs::read(place.join("pairs.json")).unwrap()).unwrap();
    assert_eq!((&list["protocol"], &list["seed"]), (&"cross".into(), &7.into()));
    let missing = refused(place, &format!("eval {FOLDERS} -o {{}}/report --pairs {{}}/pairs.json"));
    says(&missing, &["not there", "x.mp4"]);
}

#[test]
fn what_cannot_be_evaluated_is_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    for folder in ["results", "portraits", "driving"] {
        fs::create_dir(place.join(folder)).unwrap();
    }
    says(&refused(place, &format!("eval {FOLDERS} -o {{}}/report")), &["nothing to measure", "results"]);
    fs::write(place.join("results/stranger.mp4"), b"").unwrap();
    says(&refused(place, &format!("eval {FOLDERS} -o {{}}/report")), &["stranger.mp4", "PORTRAIT__DRIVER"]);
    fs::write(place.join("driving/stranger.mp4"), b"").unwrap();
    says(&refused(place, &format!("eval {FOLDERS} -o {{}}/report")), &["face model", "--face-model"]);
    says(&refused(place, &format!("eval {FOLDERS} -o {{}}/report --samples 0")), &["samples"]);
    says(&refused(place, &format!("eval {FOLDERS} -o {{}}/report --resamples 0")), &["resamples"]);
    says(&refused(place, "eval --portraits {}/portraits --driving {}/driving"), &["--results"]);
    says(&refused(place, &format!("eval {FOLDERS} -o {{}}/report --protocol both")), &["neither self nor cross"]);
}
