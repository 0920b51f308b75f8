//! From rendered videos to a dataset and back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use skyreels_core::media::{FrameRate, VideoOptions, VideoWriter};
use skyreels_core::{Frame, Limits, Progress};
use skyreels_landmarks::{Face, FaceStream, FaceTracker, Result as LandmarkResult, StreamOptions};
use skyreels_train::data::{Dataset, Moving};
use skyreels_train::flow::LucasKanade;
use skyreels_train::loss::FaceAware;
use skyreels_train::prepare::{
    CutDetector, Distribution, Encoders, MANIFEST, MotionRules, Prepared, PreparedDataset, Reason, Row, Settings,
    Share, Threshold, Tools, assemble, prepare,
};
use skyreels_train::world::{Performance, Person, State};

const SIZE: [u32; 2] = [96, 96];
const FRAMES: usize = 9;

fn settings() -> Settings {
    Settings { size: SIZE, frames: FRAMES, clips_per_shard: 2, ..Settings::default() }
}

/// A video of a person who performs, or stands still.
fn video(path: &Path, shots: &[(u64, usize, bool)]) {
    let mut writer = VideoWriter::create(path, SIZE[0], SIZE[1], FrameRate::NATIVE, &VideoOptions::default()).unwrap();
    for (seed, frames, moves) in shots {
        let (person, performance) = (Person::from_seed(*seed), Performance::from_seed(*seed, *frames, 12.0));
        for i in 0..*frames {
            let state = if *moves { performance.at(i as f32 / 12.0) } else { State::default() };
            writer.push(&person.pose(&state).frame(SIZE)).unwrap();
        }
    }
    writer.finish().unwrap();
}

/// Sees the face of a rendered person as it is at the time of the frame; `crowd` times, where the frame is of another one.
struct World {
    seed: u64,
    frames: usize,
    crowd: usize,
}

impl FaceTracker for World {
    fn detect(&self, _: &Frame) -> LandmarkResult<Vec<Face>> {
        Ok(Vec::new())
    }

    fn stream(&self, _: &StreamOptions) -> LandmarkResult<Box<dyn FaceStream>> {
        let performance = Performance::from_seed(self.seed, self.frames, 12.0);
        Ok(Box::new(Seen { person: Person::from_seed(self.seed), performance, crowd: self.crowd }))
    }
}

struct Seen {
    person: Person,
    performance: Performance,
    crowd: usize,
}

impl FaceStream for Seen {
    fn track(&mut self, _: &Frame, at: Duration) -> LandmarkResult<Vec<Face>> {
        let face = self.person.pose(&self.performance.at(at.as_secs_f32())).face(SIZE);
        Ok((0..self.crowd as u32).map(|id| Face { id: Some(id), ..face.clone() }).collect())
    }
}

fn tools<'a>(tracker: &'a dyn FaceTracker, flow: &'a LucasKanade) -> Tools<'a> {
    Tools { tracker, flow, weights: FaceAware::default(), encoders: Encoders::default() }
}

fn run(videos: &[PathBuf], folder: &Path, share: Share, tracker: &World) -> Vec<Prepared> {
    let (flow, mut all) = (LucasKanade::default(), Vec::new());
    let done = |prepared: &Prepared| all.push(prepared.clone());
    prepare(videos, folder, share, &settings(), &tools(tracker, &flow), done, Progress::none()).unwrap();
    all
}

fn reasons(prepared: &Prepared) -> Vec<Reason> {
    let rows = prepared.rows.iter();
    rows.filter_map(|row| if let Row::Rejected(rejected) = row { Some(rejected.reason) } else { None }).collect()
}

const EVERYTHING: MotionRules = MotionRules { head: Threshold::Value(0.0), mouth: Threshold::Value(0.0) };

#[test]
fn a_performance_becomes_clips_that_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("one.mp4");
    video(&source, &[(3, 31, true)]);
    let tracker = World { seed: 3, frames: 31, crowd: 1 };
    let output = folder.path().join("dataset");
    let prepared = run(&[source], &output, Share::ALL, &tracker);
    assert_eq!(reasons(&prepared[0]), [Reason::Short]);
    let manifest = output.join(MANIFEST);
    let summary = assemble(std::slice::from_ref(&output), &manifest, &EVERYTHING).unwrap();
    assert_eq!((summary.sources, summary.clips, summary.head.len()), (1, 3, 3));

    let dataset = PreparedDataset::open(&manifest, &Limits::default()).unwrap();
    assert_eq!(dataset.len(), 3);
    assert!(dataset.clips()[0].shard != dataset.clips()[2].shard, "two clips in a shard");
    for index in 0..3 {
        let clip = dataset.read(index).unwrap();
        assert_eq!((clip.frames.len(), clip.guide.len()), (FRAMES, FRAMES));
        assert_eq!(clip.frames[0].dimensions(), (96, 96));
        assert_eq!(clip.identity.dimensions(), (512, 512));
        assert_eq!(clip.weights_size(), [FRAMES, 12, 12]);
        assert_eq!(clip.weights.len(), FRAMES * 144);
        assert!(clip.weights.iter().all(|weight| (1.0..=1.5).contains(weight)));
        assert!(clip.guide.iter().all(|frame| frame.pixels().any(|pixel| pixel.0 != [0; 3])), "something is drawn");
        assert!(clip.guide[0] != clip.guide[FRAMES - 1], "and it moves");
        // The video is the world's but for the codec.
        let person = Person::from_seed(3);
        let state = Performance::from_seed(3, 31, 12.0).at((index * FRAMES) as f32 / 12.0);
        let drawn = person.pose(&state).frame(SIZE);
        let apart: u64 = drawn.iter().zip(clip.frames[0].iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!((apart as f32) / (drawn.len() as f32) < 6.0, "{apart}");
    }
    assert!(dataset.read(3).is_err());
    // As the training loop takes it.
    let example = dataset.example(1).unwrap();
    example.check().unwrap();
    assert_eq!((example.size(), &example.portrait), ([FRAMES, 96, 96], &example.video[0]));
    let kept = Moving::Weights { values: dataset.read(1).unwrap().weights, size: [FRAMES, 12, 12] };
    assert_eq!(example.moving, Some(kept));
    let shard = output.join(&dataset.clips()[0].shard);
    std::fs::write(&shard, &std::fs::read(&shard).unwrap()[..100]).unwrap();
    assert!(dataset.read(0).unwrap_err().to_string().contains(".safetensors"));
}

#[test]
fn what_is_finished_is_not_prepared_again_and_interrupted_work_is() {
    let folder = tempfile::tempdir().unwrap();
    let videos: Vec<PathBuf> = (0..2).map(|i| folder.path().join(format!("{i}.mp4"))).collect();
    videos.iter().for_each(|path| video(path, &[(3, 20, true)]));
    let tracker = World { seed: 3, frames: 20, crowd: 1 };
    let output = folder.path().join("dataset");
    // Stopped in the second video: the first one is finished, the second left nothing that counts.
    let flow = LucasKanade::default();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let stop = |event: skyreels_core::Event| {
        let begun = event.stage == "prepare" && event.done == 0;
        let seen = count.fetch_add(usize::from(begun), std::sync::atomic::Ordering::SeqCst);
        if seen >= 1 && event.done > 10 {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    };
    let mut finished = 0;
    let result = prepare(
        &videos,
        &output,
        Share::ALL,
        &settings(),
        &tools(&tracker, &flow),
        |_| finished += 1,
        Progress::new(&stop),
    );
    assert!(result.unwrap_err().is_cancelled());
    assert!(finished < 2);
    let again = run(&videos, &output, Share::ALL, &tracker);
    assert_eq!(again.iter().filter(|prepared| prepared.resumed).count(), finished);
    let third = run(&videos, &output, Share::ALL, &tracker);
    assert!(third.iter().all(|prepared| prepared.resumed));
    assert_eq!(third[0].rows, again[0].rows);
}

#[test]
fn shares_of_two_machines_make_the_dataset_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let videos: Vec<PathBuf> = (0..3).map(|i| folder.path().join(format!("{i}.mp4"))).collect();
    videos.iter().for_each(|path| video(path, &[(3, 9, true)]));
    let tracker = World { seed: 3, frames: 9, crowd: 1 };
    let [whole, first, second] = ["whole", "first", "second"].map(|name| folder.path().join(name));
    run(&videos, &whole, Share::ALL, &tracker);
    assert_eq!(run(&videos, &first, "0/2".parse().unwrap(), &tracker).len(), 2);
    assert_eq!(run(&videos, &second, "1/2".parse().unwrap(), &tracker).len(), 1);
    let (one, merged) = (whole.join(MANIFEST), folder.path().join("merged.jsonl"));
    let rules = EVERYTHING;
    let expected = assemble(&[whole], &one, &rules).unwrap();
    assert_eq!(assemble(&[first, second], &merged, &rules).unwrap(), expected);
    let [one, merged] = [one, merged].map(|path| PreparedDataset::open(&path, &Limits::default()).unwrap());
    for clip in merged.clips() {
        let same = one.clips().iter().position(|other| other.source == clip.source).unwrap();
        let at = merged.clips().iter().position(|other| other == clip).unwrap();
        assert_eq!(one.read(same).unwrap(), merged.read(at).unwrap());
    }
    assert!("2/2".parse::<Share>().is_err() && "1".parse::<Share>().is_err());
}

#[test]
fn rejections_name_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.mp4"), folder.path().join("bad.mp4"));
    video(&good, &[(3, 9, true)]);
    std::fs::write(&bad, b"no video at all, but long enough to be one").unwrap();
    let reasons_of = |path: &Path, crowd: usize| {
        let output = tempfile::tempdir().unwrap();
        let tracker = World { seed: 3, frames: 9, crowd };
        reasons(&run(&[path.to_path_buf()], output.path(), Share::ALL, &tracker)[0])
    };
    assert_eq!(reasons_of(&good, 0), [Reason::NoFace]);
    assert_eq!(reasons_of(&good, 2), [Reason::SeveralFaces]);
    assert_eq!(reasons_of(&bad, 1), [Reason::Unreadable]);
    assert_eq!(reasons_of(&good, 1), []);
}

#[test]
fn thresholds_come_from_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("one.mp4");
    video(&source, &[(3, 36, true)]);
    let output = folder.path().join("dataset");
    run(&[source], &output, Share::ALL, &World { seed: 3, frames: 36, crowd: 1 });
    let manifest = output.join(MANIFEST);
    let rules = |head, mouth| MotionRules { head, mouth };
    let zero = Threshold::Value(0.0);
    let half = assemble(std::slice::from_ref(&output), &manifest, &rules("50%".parse().unwrap(), zero)).unwrap();
    assert_eq!((half.clips, half.rejected[&Reason::StillHead]), (2, 2));
    assert!(half.head.quantile(0.4) < half.least.head && half.least.head <= half.head.quantile(0.7));
    let few = assemble(std::slice::from_ref(&output), &manifest, &MotionRules::default()).unwrap();
    assert_eq!(few.clips, 4, "a tenth of four clips is none");
    let none = assemble(std::slice::from_ref(&output), &manifest, &rules(zero, Threshold::Value(9.0))).unwrap();
    assert_eq!((none.clips, none.rejected[&Reason::StillMouth]), (0, 4));
    assert!(PreparedDataset::open(&manifest, &Limits::default()).is_err(), "there is no clip");
    assert!("-3".parse::<Threshold>().is_err() && "101%".parse::<Threshold>().is_err());
}

#[test]
fn a_cut_between_people_is_found_and_a_performance_has_none() {
    let clip = |seed| {
        let (person, performance) = (Person::from_seed(seed), Performance::from_seed(seed, 24, 12.0));
        (0..24).map(|i| person.pose(&performance.at(i as f32 / 12.0)).frame(SIZE)).collect::<Vec<_>>()
    };
    for seed in 0..5 {
        let mut detector = CutDetector::new(Settings::default().cut);
        let frames = clip(seed).into_iter().chain(clip(seed + 1));
        let cuts: Vec<usize> =
            frames.enumerate().filter_map(|(i, frame)| detector.begins_shot(&frame).then_some(i)).collect();
        assert_eq!(cuts, [24], "seed {seed}");
    }
}

#[test]
fn settings_that_no_model_can_use_are_refused() {
    let good = settings();
    good.validate().unwrap();
    let bad = [
        Settings { size: [100, 96], ..good },
        Settings { size: [0, 96], ..good },
        Settings { frames: 10, ..good },
        Settings { frames: 1, ..good },
        Settings { rate: 0, ..good },
        Settings { cut: f32::NAN, ..good },
    ];
    assert!(bad.iter().all(|settings| settings.validate().is_err()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn quantiles_rise_and_lie_among_the_values(values in prop::collection::vec(-50.0f32..50.0, 1..40), a in 0.0f64..1.0, b in 0.0f64..1.0) {
        let (least, most) = values.iter().fold((f32::MAX, f32::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
        let distribution = Distribution::new(values);
        let (low, high) = (distribution.quantile(a.min(b)), distribution.quantile(a.max(b)));
        prop_assert!(least <= low && low <= high && high <= most);
        prop_assert_eq!((distribution.quantile(0.0), distribution.quantile(1.0)), (least, most));
    }
}
