//! Where parameters begin, and what a step of the optimiser does to them.

mod support;

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use skyreels_core::checkpoint::{Key, Published, PublishedVisitor, SHARD_BYTES, Weights, fill, save};
use skyreels_core::{Limits, Precision};
use skyreels_dit::{Transformer, TransformerConfig};
use skyreels_train::diffusion::{Loss, Recompute, loss_and_gradients};
use skyreels_train::optimise::{AdamWSettings, Optimizer, trainable_only};
use skyreels_train::stage::{Begin, PatchConvolution, Projector, from_image_to_video};
use support::{batch, networks, random, schedule, transformer};

/// Values in the stored layout, by key.
fn values<M: Published>(module: &M) -> BTreeMap<String, Vec<f32>> {
    struct Reader(BTreeMap<String, Vec<f32>>);
    impl PublishedVisitor for Reader {
        fn visit<const D: usize>(&mut self, key: &Key, param: &burn::module::Param<Tensor<D>>) {
            let value = param.transform_for_save().base();
            self.0.insert(key.as_str().to_string(), value.into_data().iter().collect());
        }
    }
    let mut reader = Reader(BTreeMap::new());
    module.visit_published(&mut reader);
    reader.0
}

#[test]
fn steps_are_those_of_pytorch_s_adamw() {
    let (batch, schedule) = (batch(), schedule());
    let settings = AdamWSettings { weight_decay: 0.1, ..AdamWSettings::default() };
    assert_eq!((AdamWSettings::default().epsilon, AdamWSettings::default().weight_decay), (1e-8, 1e-2));
    let key = "transformer.transformer_blocks.0.attn1.to_q.weight";
    let mut optimizer = Optimizer::new(&settings);
    let mut model =
        trainable_only(networks(&Device::flex().autodiff(), Precision::F32), &[key.to_string()].into_iter().collect());
    let mut expected: Vec<f64> = values(&model)[key].iter().map(|value| f64::from(*value)).collect();
    let (mut first, mut second) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
    let rate = 1e-2;
    for step in 1..=4 {
        let (_, gradients) = loss_and_gradients(&model, &batch, &Loss::from(&schedule), Recompute::Nothing).unwrap();
        let gradient: Vec<f32> = gradients.get(key).unwrap().into_data().iter().collect();
        // torch.optim.AdamW, in f64.
        for (i, gradient) in gradient.into_iter().map(f64::from).enumerate() {
            expected[i] *= 1.0 - rate * 0.1;
            first[i] = 0.9 * first[i] + 0.1 * gradient;
            second[i] = 0.999 * second[i] + 0.001 * gradient * gradient;
            let mean = first[i] / (1.0 - 0.9f64.powi(step));
            let spread = (second[i] / (1.0 - 0.999f64.powi(step))).sqrt() + 1e-8;
            expected[i] -= rate * mean / spread;
        }
        model = optimizer.step(model, gradients, rate);
        let found = &values(&model)[key];
        let error = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(error < 2e-5, "step {step}: {error:e}");
    }
}

#[test]
fn a_widened_convolution_does_what_the_narrow_one_did_and_the_projector_is_free_to_learn() {
    let device = Device::flex();
    let wide = transformer();
    // Noisy and image latents only.
    let narrow = TransformerConfig { in_channels: 16, ..wide.clone() };
    let base: Transformer = random(narrow.init(&device).unwrap(), 9, Precision::F32);
    let directory = tempfile::tempdir().unwrap();
    save(&base, directory.path(), "diffusion_pytorch_model", SHARD_BYTES).unwrap();
    let weights = Weights::open(directory.path(), &Limits::default()).unwrap();
    let model = from_image_to_video(wide.init(&device).unwrap(), &weights, Precision::F32, 1).unwrap();

    let latents = |channels| Tensor::<5>::random([1, 2, channels, 4, 4], burn::tensor::Distribution::Default, &device);
    let (noisy, control, image) = (latents(8), latents(8), latents(8));
    let identity = Tensor::zeros([1, 4, 24], &device);
    let rotary = wide.rotary(2, 4, 4, &device).unwrap();
    let run = |model: &Transformer, inputs: Vec<Tensor<5>>, identity: Tensor<3>| {
        model.forward(Tensor::cat(inputs, 2), identity, &[500], &rotary).unwrap()
    };
    // A base without a projector says what ours says with one that is still nothing.
    let silent = fill(base, Precision::F32, {
        let known = values(&model);
        let original = weights.clone();
        move |key, _| match key.contains("pose_proj") {
            true => known[key].clone(),
            false => original.raw(key).unwrap().2.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        }
    });
    let theirs = run(&silent, vec![noisy.clone(), image.clone()], identity.clone());
    let ours = run(&model, vec![noisy.clone(), control.clone(), image.clone()], identity.clone());
    let error = (ours - theirs).abs().max().into_scalar::<f32>();
    assert!(error < 1e-5, "{error:e}");

    assert!(!model.face_branch_is_dead());
    let found = values(&model);
    assert!(found["patch_embed.pose_proj.2.weight"].iter().all(|value| *value == 0.0));
    let bound = (24f32).sqrt().recip();
    let first = &found["patch_embed.pose_proj.0.weight"];
    assert!(first.iter().all(|value| value.abs() <= bound) && first.iter().any(|value| value.abs() > 0.8 * bound));

    // A key that is not there is named.
    let missing = Weights::open(directory.path(), &Limits::default()).unwrap().subset("nothing.");
    let error = from_image_to_video(wide.init(&device).unwrap(), &missing, Precision::F32, 1).unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
}

#[test]
fn a_stage_begins_with_what_it_says_and_leaves_the_rest() {
    let begin = Begin { patch_convolution: PatchConvolution::ZeroControl, projector: Projector::ZeroLast };
    let model = networks(&Device::flex().autodiff(), Precision::F32).transformer;
    let before = values(&model);
    let after = values(&begin.apply(model.clone(), 3));
    assert_eq!(after, values(&begin.apply(model.clone(), 3)), "the same seed, the same beginning");
    assert_eq!(before, values(&Begin::default().apply(model, 3)));
    for (key, value) in &before {
        let changed = key == "patch_embed.proj.weight" || key.starts_with("patch_embed.pose_proj.");
        // The biases of the projector are zero before and, in its last layer, after.
        assert_eq!(after[key] != *value, changed && !key.ends_with("pose_proj.2.bias"), "{key}");
    }
    // [width, 24 channels, 2, 2]: the middle third is that of the control latents.
    for (ours, theirs) in after["patch_embed.proj.weight"].chunks(96).zip(before["patch_embed.proj.weight"].chunks(96))
    {
        assert!(ours[32..64].iter().all(|value| *value == 0.0));
        assert_eq!((&ours[..32], &ours[64..]), (&theirs[..32], &theirs[64..]));
    }
}
