//! Where parameters begin, and what a step of the optimiser does to them.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Device, Tensor};
use nalgebra::DMatrix;
use skyreels_core::checkpoint::{Key, Published, PublishedVisitor, SHARD_BYTES, Weights, fill, save};
use skyreels_core::{Limits, Precision};
use skyreels_dit::{Transformer, TransformerConfig};
use skyreels_train::diffusion::{Loss, Recompute, loss_and_gradients};
use skyreels_train::optimise::{AdamWSettings, Muon, MuonSettings, Optimizer, trainable_only};
use skyreels_train::stage::{Begin, PatchConvolution, Projector, from_image_to_video};

use crate::support::{batch, networks, random, schedule, transformer};

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

/// torch.optim.Muon's update of a velocity, in f64: five steps of Newton and Schulz with Jordan's coefficients, rows first where there are
/// fewer of them.
fn orthogonal(velocity: &DMatrix<f64>) -> DMatrix<f64> {
    let tall = velocity.nrows() > velocity.ncols();
    let mut x = if tall { velocity.transpose() } else { velocity.clone() };
    x /= x.norm();
    for _ in 0..5 {
        let square = &x * x.transpose();
        x = &x * 3.4445 + (&square * -4.775 + &square * &square * 2.0315) * &x;
    }
    if tall { x.transpose() } else { x }
}

#[test]
fn chosen_matrices_step_as_pytorch_s_muon_and_the_others_as_adamw() {
    let (batch, schedule) = (batch(), schedule());
    let settings = AdamWSettings { weight_decay: 0.1, ..AdamWSettings::default() };
    // A convolution, a matrix with more rows than columns, one with more columns than rows, and one for AdamW.
    let keys = ["patch_embed.proj", "transformer_blocks.0.ff.net.0.proj", "transformer_blocks.0.ff.net.2", "proj_out"]
        .map(|layer| format!("transformer.{layer}.weight"));
    let trained = keys.iter().cloned().collect();
    let mut model = trainable_only(networks(&Device::flex().autodiff(), Precision::F32), &trained);
    let shapes = model.published_shapes();
    let muon = MuonSettings { keys: keys[..3].to_vec(), momentum: 0.9 };
    let muon = Muon::new(&model, &trained, &muon, settings.weight_decay).unwrap();
    let mut optimizer = Optimizer::new(&settings).with_muon(Some(muon));
    let mut plain = Optimizer::new(&settings);
    let matrix = |values: Vec<f64>, key: &str| {
        let rows = shapes[key][0];
        DMatrix::from_row_slice(rows, values.len() / rows, &values)
    };
    let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
    let rate = 1e-2;
    let mut expected: Vec<_> = keys[..3].iter().map(|key| matrix(wide(&values(&model)[key]), key)).collect();
    let mut velocities: Vec<_> = expected.iter().map(|value| value * 0.0).collect();
    for _ in 0..3 {
        let gradients = || loss_and_gradients(&model, &batch, &Loss::from(&schedule), Recompute::Nothing).unwrap().1;
        for (i, key) in keys[..3].iter().enumerate() {
            let gradient: Vec<f32> = gradients().get(key).unwrap().into_data().iter().collect();
            let gradient = matrix(wide(&gradient), key);
            velocities[i] = &velocities[i] * 0.9 + &gradient;
            let ahead = &velocities[i] * 0.9 + gradient;
            let largest = ahead.nrows().max(ahead.ncols()) as f64;
            expected[i] *= 1.0 - rate * 0.1;
            expected[i] -= orthogonal(&ahead) * (rate * 0.2 * largest.sqrt());
        }
        let by_adamw = values(&plain.step(model.clone(), gradients(), rate))[&keys[3]].clone();
        let before = values(&model)[&keys[3]].clone();
        let gradients = gradients();
        model = optimizer.step(model, gradients, rate);
        let found = values(&model);
        assert!(found[&keys[3]] == by_adamw && by_adamw != before);
        for (key, expected) in keys.iter().zip(&expected) {
            let error = (matrix(wide(&found[key]), key) - expected).amax();
            assert!(error < 1e-4, "{key}: {error:e}");
        }
    }
    let none = MuonSettings { keys: vec!["*.to_v.weight".into()], ..MuonSettings::default() };
    let error = Muon::new(&model, &trained, &none, 0.0).err().unwrap();
    assert!(error.to_string().contains("`*.to_v.weight` means no parameter that is trained"), "{error}");
    let bias: BTreeSet<String> = ["transformer.proj_out.bias".to_string()].into();
    let error = Muon::new(&model, &bias, &MuonSettings { keys: vec!["*.bias".into()], momentum: 0.9 }, 0.0);
    assert!(error.err().unwrap().to_string().contains("is a vector"));
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
    let begin =
        Begin { patch_convolution: PatchConvolution::ZeroControl, projector: Projector::ZeroLast, ..Begin::default() };
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
