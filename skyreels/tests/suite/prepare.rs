//! `skyreels prepare`: real videos to a dataset.

use skyreels::core::Limits;
use skyreels::train::prepare::PreparedDataset;

use crate::common::{accepted, events, face_model, names, refused, says, shared, video_bytes};

#[test]
fn real_videos_become_clips_on_two_machines_and_are_merged() {
    let (Some(model), Some(first), Some(second)) =
        (face_model(), shared("media/driving/1.mp4"), shared("media/driving/3.mp4"))
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("noise.mp4"), video_bytes()).unwrap();
    let videos = format!("{} {} {{}}/noise.mp4", first.display(), second.display());
    let common =
        format!("--json prepare {videos} {model} --device cpu -o {{}}/set --size 96x144 --frames 9 --max-clips 2");
    for share in ["0/2", "1/2"] {
        let (out, _) = accepted(directory.path(), &format!("{common} --shard {share}"));
        assert!(events(&out).iter().all(|event| event["resumed"] != true));
    }
    let (out, _) =
        accepted(directory.path(), "--json prepare merge {}/set -o {}/set/manifest.jsonl --min-head 0 --min-mouth 0");
    let done = events(&out).into_iter().find(|event| event["event"] == "done").unwrap();
    println!("{done}");
    assert_eq!((done["sources"].as_u64(), done["clips"].as_u64()), (Some(3), Some(4)));
    assert_eq!(done["rejected"]["short"], 1, "the noise is shorter than a clip");
    // Everything is finished: a run for all of it only writes the manifest.
    let (out, _) = accepted(directory.path(), &common);
    assert_eq!(events(&out).iter().filter(|event| event["resumed"] == true).count(), 3);
    let dataset = PreparedDataset::open(&directory.path().join("set/manifest.jsonl"), &Limits::default()).unwrap();
    let clip = dataset.read(0).unwrap();
    assert_eq!((clip.frames.len(), clip.frames[0].dimensions()), (9, (144, 96)));
    if let Ok(folder) = std::env::var("SKYREELS_KEEP_PREPARED") {
        for (name, frame) in [("frame", &clip.frames[4]), ("guide", &clip.guide[4]), ("identity", &clip.identity)] {
            frame.save(format!("{folder}/{name}.png")).unwrap();
        }
    }
}

#[test]
fn bad_requests_are_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("noise.mp4"), video_bytes()).unwrap();
    for (arguments, parts) in [
        ("prepare {}/noise.mp4 -o {}/set", ["--face-model", "face model"]),
        ("prepare {}/noise.mp4 -o {}/set --frames 10", ["frames", "9, 17"]),
        ("prepare {}/noise.mp4 -o {}/set --size 100x96", ["size", "multiple of 16"]),
        ("prepare {}/noise.mp4 -o {}/set --shard 2/2", ["2/2", "0/4"]),
        ("prepare -o {}/set", ["VIDEOS", "required"]),
        ("prepare merge {} -o {}/manifest.jsonl", ["parts", "read"]),
    ] {
        says(&refused(directory.path(), arguments), &parts);
    }
    assert_eq!(names(directory.path()), ["noise.mp4"]);
}
