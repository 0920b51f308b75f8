//! Less work for the same picture: off it changes nothing, on it says what it has saved.

use burn::tensor::Tensor;
use skyreels::core::diffusion::{Guidance, NoiseGenerator, SamplerKind};
use skyreels::core::{Device, Limits, Precision, Progress, open_device};
use skyreels::dit::Transformer;
use skyreels::dit::transformer::{EveryStep, GuidancePass, StepReuse};
use skyreels::{
    Conditioning, DenoiseSettings, Denoised, Denoiser, ModelDir, Preset, ReuseSettings, StepRange, WorkCounts,
};

const STEPS: usize = 5;
/// Blocks of the tiny preset.
const DEPTH: usize = 2;

struct Scene {
    device: Device,
    model: ModelDir,
    transformer: Transformer,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let device = open_device("cpu").unwrap();
        let directory = tempfile::tempdir().unwrap();
        Preset::Tiny.write(directory.path(), 0, &device, Progress::none()).unwrap();
        let model = ModelDir::open(directory.path(), &Limits::default()).unwrap();
        let transformer = model.load_transformer(Precision::F32, &device, Progress::none()).unwrap();
        Self { device, model, transformer, _directory: directory }
    }

    fn run(&self, settings: DenoiseSettings, reuse: Option<&mut dyn StepReuse>) -> (Vec<f32>, WorkCounts) {
        let mut noise = NoiseGenerator::new(3);
        let shape = [1, 3, 16, 8, 12];
        let conditioning = Conditioning {
            control: noise.normal(shape, &self.device),
            image: noise.normal(shape, &self.device),
            identity: noise.normal([1, 16, 24], &self.device),
        };
        let first: Tensor<5> = noise.normal(shape, &self.device);
        let denoiser = Denoiser { transformer: &self.transformer, schedule: &self.model.schedule, settings };
        let nobody = Progress::none();
        let Denoised { latents, work } = match reuse {
            Some(reuse) => denoiser.run_reusing(&conditioning, first, &mut noise, reuse, |_| Ok(()), nobody),
            None => denoiser.run(&conditioning, first, &mut noise, |_| Ok(()), nobody),
        }
        .unwrap();
        (latents.into_data().try_to_vec().unwrap(), work)
    }
}

fn settings(reuse: ReuseSettings) -> DenoiseSettings {
    DenoiseSettings { steps: STEPS, reuse, ..DenoiseSettings::default() }
}

fn cached(threshold: f64) -> ReuseSettings {
    ReuseSettings { block_cache: Some(threshold), ..ReuseSettings::default() }
}

fn range(text: &str) -> Option<StepRange> {
    Some(text.parse().unwrap())
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

#[test]
fn off_and_at_threshold_zero_every_byte_is_the_same() {
    let scene = Scene::new();
    for batched_guidance in [false, true] {
        let run = |reuse, own: Option<&mut dyn StepReuse>| {
            scene.run(DenoiseSettings { batched_guidance, ..settings(reuse) }, own)
        };
        let (off, work) = run(ReuseSettings::default(), None);
        assert_eq!(work, WorkCounts { passes: 2 * STEPS, blocks: 2 * STEPS * DEPTH, ..WorkCounts::default() });
        assert_eq!(run(ReuseSettings::default(), Some(&mut EveryStep)).0, off);
        let (zero, saved) = run(cached(0.0), None);
        assert_eq!((zero, saved), (off, work));
    }
}

#[test]
fn a_higher_threshold_saves_more_blocks_and_comes_less_near() {
    let scene = Scene::new();
    const MANY: usize = 20;
    let many = |reuse| DenoiseSettings { steps: MANY, ..settings(reuse) };
    let (full, _) = scene.run(many(ReuseSettings::default()), None);
    let tried: Vec<(usize, f64)> = [0.0, 0.1, 0.3, 1.0]
        .into_iter()
        .map(|threshold| {
            let (latents, work) = scene.run(many(cached(threshold)), None);
            assert_eq!(work.blocks + work.blocks_saved, 2 * MANY * DEPTH);
            assert_eq!((work.passes, work.passes_saved), (2 * MANY, 0));
            (work.blocks_saved, distance(&latents, &full))
        })
        .collect();
    println!("blocks saved, distance: {tried:?}");
    assert!(tried.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1), "{tried:?}");
    let (most, far) = tried[tried.len() - 1];
    // Both passes compute their first step in full.
    assert!((1..=2 * (MANY - 1) * (DEPTH - 1)).contains(&most) && far > 0.0, "{tried:?}");
    assert!(tried.iter().any(|(saved, distance)| *saved > 0 && *distance < 0.1), "{tried:?}");
}

#[test]
fn steps_without_their_unconditional_pass_are_counted_and_stay_near_the_full_result() {
    let scene = Scene::new();
    let (full, _) = scene.run(settings(ReuseSettings::default()), None);
    for reuse in [
        ReuseSettings { reuse_unconditional: range("2..4"), ..ReuseSettings::default() },
        ReuseSettings { skip_unconditional: range("2..4"), ..ReuseSettings::default() },
    ] {
        let (latents, work) = scene.run(settings(reuse), None);
        assert_eq!((work.passes, work.passes_saved, work.blocks_saved), (2 * STEPS - 2, 2, 2 * DEPTH));
        // The same whichever way the other steps run their two passes.
        let (batched, counted) = scene.run(DenoiseSettings { batched_guidance: true, ..settings(reuse) }, None);
        assert_eq!(counted, work);
        assert!(distance(&batched, &latents) < 1e-5);
        let distance = distance(&latents, &full);
        println!("{reuse:?}: {distance}");
        assert!(0.0 < distance && distance < 0.1, "{reuse:?}: {distance}");
    }
}

#[test]
fn skipping_everywhere_is_guidance_one() {
    let scene = Scene::new();
    let skipped = ReuseSettings { skip_unconditional: range("0..5"), ..ReuseSettings::default() };
    let (skipped, work) = scene.run(settings(skipped), None);
    let off = DenoiseSettings { guidance: Guidance::Constant(1.0), ..settings(ReuseSettings::default()) };
    let (plain, _) = scene.run(off, None);
    assert_eq!((work.passes, work.passes_saved), (STEPS, STEPS));
    assert!(distance(&skipped, &plain) < 1e-6);
}

#[test]
fn all_of_it_works_together_with_every_sampler() {
    let scene = Scene::new();
    let reuse =
        ReuseSettings { reuse_unconditional: range("1..3"), skip_unconditional: range("4..5"), block_cache: Some(1.0) };
    for sampler in [SamplerKind::Ddim, SamplerKind::Dpm] {
        let (latents, work) = scene.run(DenoiseSettings { sampler, ..settings(reuse) }, None);
        assert!(latents.iter().all(|value| value.is_finite()));
        assert_eq!((work.passes_saved, work.passes), (3, 2 * STEPS - 3));
        assert!(work.blocks_saved > 3 * DEPTH && work.saved() > 0.3, "{work}");
    }
}

/// Counts what it is asked and reuses nothing.
#[derive(Debug, Default)]
struct Watch {
    asked: Vec<GuidancePass>,
    kept: usize,
}

impl StepReuse for Watch {
    fn keep_guidance(&mut self, _: &Tensor<5>, _: &Tensor<5>) {
        self.kept += 1;
    }

    fn reuses_blocks(&self) -> bool {
        true
    }

    fn rest(&mut self, pass: GuidancePass, _: &Tensor<3>) -> skyreels::dit::Result<Option<Tensor<3>>> {
        self.asked.push(pass);
        Ok(None)
    }
}

#[test]
fn a_reuse_of_the_callers_is_asked_at_every_pass() {
    let scene = Scene::new();
    let mut watch = Watch::default();
    let (seen, _) = scene.run(settings(ReuseSettings::default()), Some(&mut watch));
    let passes = [GuidancePass::Unconditional, GuidancePass::Conditional];
    assert_eq!(watch.asked, passes.repeat(STEPS));
    assert_eq!(watch.kept, STEPS);
    assert_eq!(seen, scene.run(settings(ReuseSettings::default()), None).0);
}
