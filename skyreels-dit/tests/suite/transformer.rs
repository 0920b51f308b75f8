//! What the transformer promises beyond the original's answers.

use burn::tensor::{DType, Tensor};
use skyreels_core::checkpoint::fill;
use skyreels_core::{Device, Precision};
use skyreels_dit::transformer::{
    EveryStep, FirstBlockCache, GuidancePass, StepReuse, patchify, sincos_positions, unpatchify,
};
use skyreels_dit::{Error, IDENTITY_TOKENS, Rotary, Trace, Transformer, TransformerConfig};

use crate::common::tiny::{distance, filled, input, tiny, values};

#[test]
fn both_halves_of_the_guidance_at_once_equal_one_after_the_other() {
    let (device, config) = (Device::flex(), tiny(2));
    let model = filled(config.init(&device).unwrap(), Precision::F32);
    let latents: Tensor<5> = input(1, [1, 2, 48, 6, 8], &device);
    let face: Tensor<3> = input(2, [1, 7, 6], &device);
    let rotary = config.rotary(2, 6, 8, &device).unwrap();
    let both = model
        .forward(
            Tensor::cat(vec![latents.clone(), latents.clone()], 0),
            Tensor::cat(vec![face.zeros_like(), face.clone()], 0),
            &[500, 500],
            &rotary,
        )
        .unwrap();
    for (half, identity) in [face.zeros_like(), face].into_iter().enumerate() {
        let alone = model.forward(latents.clone(), identity, &[500], &rotary).unwrap();
        let difference = distance(&values(both.clone().narrow(0, half, 1)), &values(alone));
        assert!(difference < 1e-6, "{difference:e}");
    }
}

#[test]
fn identity_tokens_may_be_embedded_once_for_all_steps() {
    let (device, config) = (Device::flex(), tiny(2));
    let model = filled(config.init(&device).unwrap(), Precision::F32);
    let latents: Tensor<5> = input(1, [1, 2, 48, 6, 8], &device);
    let face: Tensor<3> = input(2, [1, 7, 6], &device);
    let rotary = config.rotary(2, 6, 8, &device).unwrap();
    let embedded = model.embed_identity(face.clone()).unwrap();
    for timestep in [0, 999] {
        let whole = model.forward(latents.clone(), face.clone(), &[timestep], &rotary).unwrap();
        let split = model.denoise(latents.clone(), embedded.clone(), &[timestep], &rotary, &mut Trace::off()).unwrap();
        whole.into_data().assert_eq(&split.into_data(), true);
    }
}

#[test]
fn a_forward_that_may_reuse_blocks_gives_the_same_bytes_until_it_does() {
    let (device, config) = (Device::flex(), tiny(2));
    let model = filled(config.init(&device).unwrap(), Precision::F32);
    let face = model.embed_identity(input(2, [1, 7, 6], &device)).unwrap();
    let rotary = config.rotary(2, 6, 8, &device).unwrap();
    let latents = |seed| input::<5>(seed, [1, 2, 48, 6, 8], &device);
    let reusing = |latents: Tensor<5>, reuse: &mut dyn StepReuse| {
        model.denoise_reusing(latents, face.clone(), &[500], &rotary, GuidancePass::Conditional, reuse).unwrap()
    };
    let plain = |latents: Tensor<5>| {
        model.denoise(latents, face.clone(), &[500], &rotary, &mut Trace::off()).unwrap().into_data()
    };
    let mut cache = FirstBlockCache::new(0.05).unwrap();
    for reuse in [&mut EveryStep as &mut dyn StepReuse, &mut cache] {
        let first = reusing(latents(1), reuse);
        assert_eq!(first.blocks, 2);
        first.velocity.into_data().assert_eq(&plain(latents(1)), true);
    }
    // Nothing has changed: one block, and the same answer but for the order of two additions.
    let again = reusing(latents(1), &mut cache);
    assert_eq!(again.blocks, 1);
    let exact = Tensor::<5>::from_data(plain(latents(1)), &device);
    assert!(distance(&values(again.velocity), &values(exact)) < 1e-6);
    // Something else: everything anew.
    let other = reusing(latents(9), &mut cache);
    assert_eq!(other.blocks, 2);
    other.velocity.into_data().assert_eq(&plain(latents(9)), true);
}

#[test]
fn half_precision_weights_stay_within_two_percent_of_f32() {
    let (device, config) = (Device::flex(), tiny(2));
    let latents: Tensor<5> = input(1, [1, 2, 48, 6, 8], &device);
    let face: Tensor<3> = input(2, [1, 7, 6], &device);
    let rotary = config.rotary(2, 6, 8, &device).unwrap();
    let run = |precision| {
        let model = filled(config.init(&device).unwrap(), precision);
        model.forward(latents.clone(), face.clone(), &[500], &rotary).unwrap()
    };
    let exact = run(Precision::F32);
    for precision in [Precision::BF16, Precision::F16] {
        let half = run(precision);
        assert_eq!(half.dtype(), DType::F32, "the result has the type of the latents");
        let difference = distance(&values(half), &values(exact.clone()));
        assert!(difference < 2e-2, "{precision}: {difference:e}");
    }
}

/// The tokens with their positions, `[tokens, width]` row-major.
fn placed(model: &Transformer, face: Tensor<3>, latents: Tensor<5>) -> Vec<f32> {
    let [_, frames, _, height, width] = latents.dims();
    let rotary = model.config().rotary(frames, height, width, &latents.device()).unwrap();
    let mut trace = Trace::on();
    let identity = model.embed_identity(face).unwrap();
    model.denoise(latents, identity, &[10], &rotary, &mut trace).unwrap();
    let (_, data) = trace.tensors().iter().find(|(name, _)| name == "patch_embed").unwrap().clone();
    data.iter().collect()
}

#[test]
fn another_number_of_frames_replaces_the_whole_table_of_learned_positions() {
    let device = Device::flex();
    let learned = TransformerConfig { use_learned_positional_embeddings: true, ..tiny(2) };
    let (with, without) = (
        filled(learned.init(&device).unwrap(), Precision::F32),
        filled(tiny(2).init(&device).unwrap(), Precision::F32),
    );
    let width = learned.width();
    let face: Tensor<3> = input(2, [1, IDENTITY_TOKENS, 6], &device);
    let difference = |frames: usize, sample_frames: usize| {
        let config = TransformerConfig { sample_frames, ..learned.clone() };
        let with = if sample_frames == learned.sample_frames {
            with.clone()
        } else {
            filled(config.init(&device).unwrap(), Precision::F32)
        };
        let latents = input(1, [1, frames, 48, 6, 8], &device);
        let (with, without) = (placed(&with, face.clone(), latents.clone()), placed(&without, face.clone(), latents));
        with.iter().zip(without).map(|(a, b)| a - b).collect::<Vec<_>>()
    };
    let identity = IDENTITY_TOKENS * width;
    // 5 pixel frames are 2 latent frames: the learned table, which `filled` gives the identity tokens too.
    let trained = difference(2, 5);
    assert!(trained[..identity].iter().all(|value| *value != 0.0));
    // 3 latent frames are 9 pixel frames, and 2 are never 6 or 8: sine and cosine, for the video alone.
    for (frames, sample_frames) in [(3, 5), (2, 6), (2, 8)] {
        let others = difference(frames, sample_frames);
        assert!(others[..identity].iter().all(|value| *value == 0.0), "{frames} {sample_frames}");
        let codes = sincos_positions(width, [frames, 3, 4], [1.875, 1.0], &device).unwrap();
        let codes: Vec<f32> = codes.into_data().iter().collect();
        let far = others[identity..].iter().zip(codes).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-5, "{frames} {sample_frames}: {far:e}");
    }
}

#[test]
fn a_model_without_rotary_positions_places_the_video_by_sines_and_looks_at_no_table() {
    let device = Device::flex();
    let plain = TransformerConfig { use_rotary_positional_embeddings: false, ..tiny(2) };
    let (turned, model) =
        (filled(tiny(2).init(&device).unwrap(), Precision::F32), filled(plain.init(&device).unwrap(), Precision::F32));
    let latents: Tensor<5> = input(1, [1, 2, 48, 6, 8], &device);
    let face: Tensor<3> = input(2, [1, 7, 6], &device);
    let bare = placed(&turned, face.clone(), latents.clone());
    let tokens = placed(&model, face.clone(), latents.clone());
    let identity = 7 * plain.width();
    assert_eq!(tokens[..identity], bare[..identity]);
    let codes = sincos_positions(plain.width(), [2, 3, 4], [1.875, 1.0], &device).unwrap();
    for ((with, without), code) in tokens[identity..].iter().zip(&bare[identity..]).zip(codes.into_data().iter::<f32>())
    {
        assert!((with - without - code).abs() < 1e-5);
    }
    let still = plain.rotary(2, 6, 8, &device).unwrap();
    let other = tiny(2).rotary(3, 6, 8, &device).unwrap();
    let run = |rotary: &Rotary| model.forward(latents.clone(), face.clone(), &[500], rotary).unwrap().into_data();
    run(&still).assert_eq(&run(&other), true);
    assert!(still.cos().into_data().iter::<f32>().all(|cos| cos == 1.0));
}

#[test]
fn latents_that_fill_no_patch_are_neither_seen_nor_made() {
    let device = Device::flex();
    for rotary in [true, false] {
        let config = TransformerConfig { use_rotary_positional_embeddings: rotary, ..tiny(2) };
        let model = filled(config.init(&device).unwrap(), Precision::F32);
        let face: Tensor<3> = input(2, [1, 7, 6], &device);
        let latents: Tensor<5> = input(1, [1, 2, 48, 7, 9], &device);
        let run = |latents: Tensor<5>| {
            let [_, frames, _, height, width] = latents.dims();
            let rotary = config.rotary(frames, height, width, &device).unwrap();
            model.forward(latents, face.clone(), &[500], &rotary).unwrap()
        };
        let whole = run(latents.clone());
        assert_eq!(whole.dims(), [1, 2, 16, 6, 8]);
        whole.into_data().assert_eq(&run(latents.narrow(3, 0, 6).narrow(4, 0, 8)).into_data(), true);
    }
}

#[test]
fn another_picture_size_than_the_learned_positions_have_is_refused() {
    let device = Device::flex();
    let config = TransformerConfig { use_learned_positional_embeddings: true, ..tiny(2) };
    let model = config.init(&device).unwrap();
    let latents = Tensor::<5>::zeros([1, 2, 48, 8, 8], (&device, DType::F32));
    let face: Tensor<3> = input(2, [1, IDENTITY_TOKENS, 6], &device);
    let rotary = config.rotary(2, 8, 8, &device).unwrap();
    let error = model.forward(latents, face, &[1], &rotary).unwrap_err();
    assert!(matches!(error, Error::PictureSize { found: [8, 8], expected: [6, 8] }), "{error}");
}

#[test]
fn inputs_that_do_not_fit_are_errors_that_name_them() {
    let (device, config) = (Device::flex(), tiny(2));
    let model = filled(config.init(&device).unwrap(), Precision::F32);
    let rotary = config.rotary(2, 6, 8, &device).unwrap();
    let refused = |latents: [usize; 5], identity: [usize; 3], timesteps: &[usize], rotary: &Rotary| {
        let zeros = |device: &Device| Tensor::<5>::zeros(latents, (device, DType::F32));
        let face = Tensor::<3>::zeros(identity, (&device, DType::F32));
        model.forward(zeros(&device), face, timesteps, rotary).unwrap_err().to_string()
    };
    let good = [1, 2, 48, 6, 8];
    assert!(refused([1, 2, 32, 6, 8], [1, 7, 6], &[1], &rotary).starts_with("latents"));
    assert!(refused([1, 2, 48, 1, 8], [1, 7, 6], &[1], &rotary).starts_with("latents"));
    assert!(refused([1, 2, 48, 5, 8], [1, 7, 6], &[1], &rotary).starts_with("rotary tables"));
    assert!(refused([1, 0, 48, 6, 8], [1, 7, 6], &[1], &rotary).starts_with("latents"));
    assert!(refused(good, [1, 7, 5], &[1], &rotary).starts_with("identity tokens"));
    assert!(refused(good, [1, 0, 6], &[1], &rotary).starts_with("identity tokens"));
    assert!(refused(good, [2, 7, 6], &[1], &rotary).starts_with("embedded identity tokens"));
    assert!(refused(good, [1, 7, 6], &[1, 2], &rotary).starts_with("timesteps"));
    let other = config.rotary(3, 6, 8, &device).unwrap();
    assert!(refused(good, [1, 7, 6], &[1], &other).starts_with("rotary tables"));
}

#[test]
fn a_face_projector_of_zeros_is_reported() {
    let (device, config) = (Device::flex(), tiny(2));
    let alive = filled(config.init(&device).unwrap(), Precision::F32);
    assert!(alive.check_face_branch().is_ok());
    let dead = fill(config.init(&device).unwrap(), Precision::F32, |key, shape| {
        let value = if key == "patch_embed.pose_proj.0.weight" { 0.0 } else { 1.0 };
        vec![value; shape.iter().product()]
    });
    assert!(matches!(dead.check_face_branch(), Err(Error::DeadFaceBranch)));
}

#[test]
fn unpatchify_inverts_patchify() {
    let device = Device::flex();
    for (shape, patch) in [([2, 3, 4, 6, 10], 2), ([1, 1, 1, 9, 3], 3), ([1, 2, 16, 4, 4], 1)] {
        let [_, frames, _, height, width] = shape;
        let latents: Tensor<5> = input(5, shape, &device);
        let patches = patchify(latents.clone(), patch);
        let back = unpatchify(patches, [frames, height / patch, width / patch], patch);
        back.into_data().assert_eq(&latents.into_data(), true);
    }
}
