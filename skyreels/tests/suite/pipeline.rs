//! The pipeline as a library: the original's numbers, and what always holds.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;

use skyreels::core::checkpoint::{SHARD_BYTES, fill, save};
use skyreels::core::diffusion::{Guidance, NoiseGenerator};
use skyreels::core::golden::Golden;
use skyreels::core::{Device, Event, Limits, Precision, Progress, open_device};
use skyreels::landmarks::{CropBox, Motion, PortraitFace, synthetic};
use skyreels::model::{GUIDER, TRANSFORMER, inspect};
use skyreels::vae::Tiling;
use skyreels::{
    Animation, Animator, AnimatorOptions, BlockWeights, DenoiseSettings, Error, Intermediates, ModelDir, Plan,
    PlanRequest, Portrait, Preset, Result, decode, read_conditioning, read_guide, read_latents,
};

use crate::common::{GOLDEN, shared};

fn device() -> Device {
    open_device("cpu").unwrap()
}

fn golden_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    files
}

#[test]
fn golden_files_of_every_kind_pass_on_every_cpu_backend() {
    // The crates run the files of their own networks; here are those that need all of them, and one of every kind.
    let whole = shared("golden").into_iter().flat_map(|directory| golden_files(&directory));
    let whole = whole.filter(|path| Golden::open(path).unwrap().kind().starts_with("pipeline"));
    let files: Vec<_> = golden_files(GOLDEN.as_ref()).into_iter().chain(whole).collect();
    for name in ["cpu", "ndarray"] {
        let device = open_device(name).unwrap();
        let mut kinds = BTreeSet::new();
        for path in &files {
            let golden = Golden::open(path).unwrap();
            if let Some(report) = skyreels::golden::run(&golden, &device).unwrap() {
                assert!(report.passed(), "{name}: {report}");
                kinds.insert(golden.kind().to_string());
            }
        }
        for kind in ["dit", "vae", "siglip", "scheduler", "tables"] {
            assert!(kinds.contains(kind), "no golden file of kind {kind}");
        }
    }
}

/// A tiny model, a drawn portrait and a performance.
struct Scene {
    directory: tempfile::TempDir,
    model: ModelDir,
    motion: Motion,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Preset::Tiny.write(directory.path(), 0, &device(), Progress::none()).unwrap();
        let model = ModelDir::open(directory.path(), &Limits::default()).unwrap();
        Self { directory, model, motion: synthetic::performance(7, 12.0, 1).unwrap() }
    }

    fn animator(&self, options: AnimatorOptions) -> Animator<'_> {
        let device: &'static Device = Box::leak(Box::new(device()));
        Animator::new(&self.model, device, options).unwrap()
    }

    fn run(&self, options: AnimatorOptions, progress: Progress) -> Result<Animation> {
        let animator = self.animator(options);
        animator.run(&portrait(&animator), &self.motion, progress)
    }
}

fn portrait(animator: &Animator) -> Portrait {
    let [width, height] = animator.canvas();
    let (picture, face) = synthetic::portrait(width, height, 1).unwrap();
    let face = PortraitFace::new(&face, [width, height]).unwrap();
    Portrait::new(picture, CropBox { x: 0, y: 0, width, height }, face).unwrap()
}

fn options(denoise: DenoiseSettings) -> AnimatorOptions {
    AnimatorOptions { size: Some([9, 64, 96]), denoise, ..AnimatorOptions::default() }
}

fn settings(guidance: Guidance, batched_guidance: bool) -> DenoiseSettings {
    DenoiseSettings { steps: 2, guidance, batched_guidance, ..DenoiseSettings::default() }
}

fn latents(scene: &Scene, denoise: DenoiseSettings, precision: Precision) -> Vec<f32> {
    let animator = scene.animator(AnimatorOptions { precision, ..options(denoise) });
    let portrait = portrait(&animator);
    let (guide, _) = animator.guide(&portrait, &scene.motion, Progress::none()).unwrap();
    let mut noise = NoiseGenerator::new(7);
    let conditioning = animator.condition(&portrait, &guide, &mut noise, Progress::none()).unwrap();
    let latents = animator.denoise(&conditioning, &mut noise, Progress::none()).unwrap().latents;
    latents.into_data().try_to_vec().unwrap()
}

fn relative_difference(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

#[test]
fn batched_and_sequential_guidance_give_the_same_latents() {
    let scene = Scene::new();
    let run = |batched| latents(&scene, settings(Guidance::Constant(3.0), batched), Precision::F32);
    assert!(relative_difference(&run(true), &run(false)) < 1e-5);
}

#[test]
fn guidance_matters_and_guidance_one_is_the_conditional_pass() {
    let scene = Scene::new();
    let run = |scale| latents(&scene, settings(Guidance::Constant(scale), false), Precision::F32);
    assert!(relative_difference(&run(3.0), &run(1.0)) > 1e-4);
    // 1 + 1e-9 runs both passes, 1 runs one: the same up to rounding.
    assert!(relative_difference(&run(1.0 + 1e-9), &run(1.0)) < 1e-5);
}

#[test]
fn half_precision_stays_near_single_precision() {
    let scene = Scene::new();
    let run = |precision| latents(&scene, settings(Guidance::Constant(1.0), false), precision);
    let single = run(Precision::F32);
    for precision in [Precision::BF16, Precision::F16] {
        let difference = relative_difference(&run(precision), &single);
        assert!(difference < 2e-2, "{precision}: {difference}");
    }
}

#[test]
fn a_short_motion_gives_as_many_frames_and_a_long_one_what_the_clip_holds() {
    let scene = Scene::new();
    let count = |frames: usize| {
        let motion = synthetic::performance(frames, 12.0, 1).unwrap();
        let animator = scene.animator(options(settings(Guidance::Constant(1.0), false)));
        let (guide, keep) = animator.guide(&portrait(&animator), &motion, Progress::none()).unwrap();
        assert_eq!(guide.len(), 9);
        keep
    };
    assert_eq!([count(1), count(4), count(7), count(40)], [1, 4, 7, 7]);
}

#[test]
fn cancelling_stops_every_stage() {
    let scene = Scene::new();
    let seen = Mutex::new(BTreeSet::new());
    let watch = |event: Event| {
        seen.lock().unwrap().insert(event.stage);
        ControlFlow::Continue(())
    };
    let denoise = settings(Guidance::Constant(1.0), false);
    scene.run(options(denoise), Progress::new(&watch)).unwrap();
    let stages = seen.into_inner().unwrap();
    assert!(stages.len() >= 4, "{stages:?}");
    for stage in stages {
        let stop = |event: Event| {
            if event.stage == stage { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let error = scene.run(options(denoise), Progress::new(&stop)).unwrap_err();
        assert!(error.is_cancelled(), "{stage}: {error}");
    }
}

#[test]
fn kept_results_are_read_back_as_they_were_and_decode_to_the_same_frames() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let keep = Some(Intermediates::create(folder.path()).unwrap());
    let denoise = settings(Guidance::Constant(1.0), false);
    let clip = scene.run(AnimatorOptions { keep, ..options(denoise) }, Progress::none()).unwrap();

    assert_eq!(read_guide(folder.path().join("guide.safetensors")).unwrap(), clip.guide);
    let motion = Motion::open(folder.path().join("motion.safetensors"), &Limits::default()).unwrap();
    assert_eq!(motion.frames().len(), scene.motion.frames().len());
    let conditioning = read_conditioning(folder.path().join("conditioning.safetensors"), &device()).unwrap();
    assert_eq!(conditioning.control.dims(), conditioning.image.dims());
    let kept = read_latents(folder.path().join("latents.safetensors"), &device()).unwrap();
    let frames = decode(&scene.model, kept.latents, Precision::F32, Tiling::On, Progress::none()).unwrap();
    assert_eq!(frames[kept.shown.unwrap()], clip.frames[..]);
}

#[test]
fn a_stage_that_fails_leaves_the_results_before_it() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let keep = Some(Intermediates::create(folder.path()).unwrap());
    let stop = |event: Event| {
        if event.stage == "denoise" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let denoise = settings(Guidance::Constant(1.0), false);
    scene.run(AnimatorOptions { keep, ..options(denoise) }, Progress::new(&stop)).unwrap_err();
    for name in ["motion.safetensors", "guide.safetensors", "guide.mp4", "conditioning.safetensors"] {
        assert!(folder.path().join(name).exists(), "{name} was not kept");
    }
    assert!(!folder.path().join("latents.safetensors").exists());
}

#[test]
fn values_that_are_no_numbers_end_the_run() {
    let scene = Scene::new();
    let network = scene.model.transformer.init(&device()).unwrap();
    let overflowing = fill(network, Precision::F32, |_, shape| vec![1e20; shape.iter().product()]);
    let folder = scene.directory.path().join(TRANSFORMER);
    save(&overflowing, &folder, "diffusion_pytorch_model", SHARD_BYTES).unwrap();
    let denoise = settings(Guidance::Constant(1.0), false);
    let error = scene.run(options(denoise), Progress::none()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { stage: "denoise", .. }), "{error}");
}

#[test]
fn weights_that_are_missing_are_missed_before_anything_runs() {
    let scene = Scene::new();
    std::fs::remove_file(scene.directory.path().join(GUIDER).join("diffusion_pytorch_model.safetensors")).unwrap();
    let stages = Mutex::new(0);
    let watch = |_: Event| {
        *stages.lock().unwrap() += 1;
        ControlFlow::Continue(())
    };
    let denoise = settings(Guidance::Constant(1.0), false);
    let error = scene.run(options(denoise), Progress::new(&watch)).unwrap_err().to_string();
    assert!(error.contains(GUIDER), "{error}");
    assert_eq!(stages.into_inner().unwrap(), 0);
}

#[test]
fn sizes_beyond_every_limit_are_refused_at_once() {
    let scene = Scene::new();
    let device = device();
    let most = usize::MAX;
    for size in [[9, 1 << 32, 1 << 32], [9, most - most % 16, 96], [80_000_000_001, 96, 160], [most, 96, 160]] {
        let options = AnimatorOptions { size: Some(size), ..AnimatorOptions::default() };
        let error = Animator::new(&scene.model, &device, options).unwrap_err();
        assert!(matches!(error, Error::Request { .. }), "{size:?}: {error}");
    }
}

#[test]
fn an_inspection_tells_of_every_component_whatever_is_missing() {
    let scene = Scene::new();
    let path = scene.directory.path();
    let look = || inspect(path, &Limits::default(), Precision::F32, &device()).unwrap();
    assert!(look().is_complete() && look().plan.is_some());
    std::fs::remove_dir_all(path.join(GUIDER)).unwrap();
    std::fs::remove_file(path.join(TRANSFORMER).join("diffusion_pytorch_model.safetensors")).unwrap();
    let inspection = look();
    let problems: Vec<_> =
        inspection.components.iter().filter(|part| part.problem.is_some()).map(|part| part.name).collect();
    assert_eq!(problems, [GUIDER, TRANSFORMER]);
    assert!(!inspection.is_complete() && inspection.plan.is_none());
}

#[test]
fn a_plan_that_does_not_fit_names_the_smaller_one() {
    let scene = Scene::new();
    let device = device();
    for (tiling, guider_tiling, help) in
        [(Tiling::Off, Tiling::Off, "--tiling on"), (Tiling::On, Tiling::Off, "--tiling all")]
    {
        let size = Some([49, 480, 720]);
        let options = AnimatorOptions { size, tiling, guider_tiling, ..AnimatorOptions::default() };
        let animator = Animator::new(&scene.model, &device, options).unwrap();
        assert!(animator.plan().check(animator.plan().peak()).is_ok());
        let error = animator.plan().check(1 << 20).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }) && error.to_string().contains(help), "{error}");
    }
}

#[test]
fn a_run_is_made_as_much_smaller_as_memory_asks_for() {
    let (scene, device) = (Scene::new(), device());
    let asked = PlanRequest {
        size: [49, 480, 720],
        tiling: Tiling::Off,
        guider_tiling: Tiling::Off,
        batched_guidance: true,
        ..PlanRequest::default()
    };
    let peak = |request: &PlanRequest| Plan::new(&scene.model, request, &device).unwrap().peak();
    let full = peak(&asked);
    let (same, made) = asked.fitted(&scene.model, &device, full).unwrap();
    assert!(made.is_empty() && peak(&same) == full);
    // Whatever there is: the result fits, and without its last change it would not.
    let mut changes = 0;
    for share in [0.9, 0.5, 0.2] {
        let available = (full as f64 * share) as u64;
        match asked.fitted(&scene.model, &device, available) {
            Ok((request, made)) => {
                assert!(peak(&request) <= available && !made.is_empty(), "{share}: {made:?}");
                assert!(made.len() >= changes);
                changes = made.len();
            }
            Err(error) => assert!(matches!(error, Error::Memory { .. }), "{error}"),
        }
    }
    assert!(changes > 0);
    // What the smallest of all needs is enough, whichever stages are the largest on the way there.
    let least = PlanRequest {
        tiling: Tiling::On,
        guider_tiling: Tiling::On,
        batched_guidance: false,
        blocks: BlockWeights::Int8,
        ..asked
    };
    let (fitted, _) = asked.fitted(&scene.model, &device, peak(&least)).unwrap();
    assert!(peak(&fitted) <= peak(&least));
    let error = asked.fitted(&scene.model, &device, 1 << 10).unwrap_err();
    assert!(matches!(error, Error::Memory { .. }), "{error}");
}

#[test]
fn weights_of_eight_bits_and_a_cache_of_blocks_are_in_the_plan() {
    let (scene, device) = (Scene::new(), device());
    let stage = |request: PlanRequest| {
        let plan = Plan::new(&scene.model, &PlanRequest { size: [9, 64, 96], ..request }, &device).unwrap();
        plan.stages.into_iter().find(|stage| stage.name == "denoise").unwrap()
    };
    let plain = stage(PlanRequest::default());
    let small = PlanRequest { blocks: BlockWeights::Int8, ..PlanRequest::default() };
    assert!(stage(small).weights < plain.weights);
    // This device has no other memory to keep them in.
    let elsewhere = PlanRequest { size: [9, 64, 96], blocks: BlockWeights::Offloaded, ..PlanRequest::default() };
    let error = Plan::new(&scene.model, &elsewhere, &device).unwrap_err();
    assert!(matches!(error, Error::Request { what: "offload", .. }), "{error}");
    let cached = stage(PlanRequest { block_cache: true, ..PlanRequest::default() });
    // Two guidance passes, two tensors of 3 x 4 x 6 video tokens, 32 wide, f32.
    assert_eq!(cached.activations - plain.activations, 2 * 2 * (3 * 4 * 6) * 32 * 4);
}

#[test]
fn blocks_that_wait_in_the_hosts_memory_are_loaded_there() {
    let scene = Scene::new();
    let (host, device) = (device(), open_device("ndarray").unwrap());
    let load = |host: &Device| {
        scene.model.load_offloaded_transformer(Precision::F32, &device, host, Progress::none()).unwrap()
    };
    let transformer = load(&host);
    assert!(transformer.is_offloaded());
    let devices = |module: &skyreels::dit::transformer::Block| burn::module::Module::devices(module);
    assert!(transformer.blocks().iter().all(|block| devices(block) == [host.clone()]));
}

#[test]
fn weights_of_eight_bits_give_nearly_the_same_latents() {
    let scene = Scene::new();
    let run = |blocks| {
        let animator = scene.animator(AnimatorOptions { blocks, ..options(settings(Guidance::Constant(3.0), false)) });
        let portrait = portrait(&animator);
        let (guide, _) = animator.guide(&portrait, &scene.motion, Progress::none()).unwrap();
        let mut noise = NoiseGenerator::new(7);
        let conditioning = animator.condition(&portrait, &guide, &mut noise, Progress::none()).unwrap();
        let latents = animator.denoise(&conditioning, &mut noise, Progress::none()).unwrap().latents;
        latents.into_data().try_to_vec::<f32>().unwrap()
    };
    let difference = relative_difference(&run(BlockWeights::Int8), &run(BlockWeights::Full));
    assert!(0.0 < difference && difference < 1e-2, "{difference}");
}
