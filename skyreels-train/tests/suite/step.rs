//! One training step of the denoiser.

use std::collections::BTreeSet;

use burn::tensor::{Device, Tensor};
use skyreels_core::checkpoint::Published;
use skyreels_core::pixels::frames_to_tensor;
use skyreels_core::{Frame, Precision, Progress};
use skyreels_train::data::{Dataset, Example, Latents, Moving, RenderedWorld};
use skyreels_train::diffusion::{
    Batch, Control, Denoising, Dropout, Encoded, Encoder, GuideClip, Loss, Noise, Parts, Recompute, loss_and_gradients,
};
use skyreels_train::loss::{FaceAware, Objective};
use skyreels_train::optimise::{AdamWSettings, Gradients, Optimizer, trainable_only};
use skyreels_vae::Tiling;

use crate::support::{bytes, networks, parts, schedule, world};

/// The same example, of which the networks that are never trained cannot see video and face any more.
fn with_kept(example: &Example, parts: &Parts, encoded: &Encoded, device: &Device) -> Example {
    let clip = frames_to_tensor(&example.video, device);
    let posterior = parts.vae.encode(clip, Tiling::Off, Progress::none()).unwrap();
    let data = |tensor: Tensor<5>| tensor.squeeze_dim::<4>(0).into_data();
    let latents = Latents { mean: data(posterior.mean), logvar: data(posterior.logvar) };
    let tokens = encoded.identity.clone().squeeze_dim::<2>(0).into_data();
    let black = |frame: &Frame| Frame::new(frame.width(), frame.height());
    Example {
        video: example.video.iter().map(black).collect(),
        face: black(&example.face),
        latents: Some(latents),
        tokens: Some(tokens),
        ..example.clone()
    }
}

/// A batch of two rendered examples for a guider that is trained (or not).
fn batch(guider: bool, dropout: Dropout) -> Batch {
    let device = Device::flex();
    let parts = parts(std::path::Path::new("."), Precision::F32);
    let own = networks(&device, Precision::F32).pose_guider;
    let encoder = Encoder {
        vae: &parts.vae,
        siglip: &parts.siglip,
        guider: (!guider).then_some(&own),
        face_aware: Some(FaceAware::default()),
        tiling: Tiling::Off,
    };
    let data = world(2, 1);
    let examples: Vec<_> =
        (0..2).map(|index| (index, encoder.encode(&data.example(index).unwrap(), &device).unwrap())).collect();
    let schedule = schedule();
    Batch::draw(&examples, &Objective::new(&schedule), &schedule, &dropout, Noise::new(5), &device).unwrap()
}

fn all_keys(model: &Denoising) -> BTreeSet<String> {
    model.published_shapes().into_keys().collect()
}

fn distance(a: &Gradients, b: &Gradients) -> f64 {
    let mut difference = a.clone();
    difference.add(b.clone().scaled(-1.0));
    difference.norm() / b.norm()
}

#[test]
fn block_by_block_the_gradients_are_those_of_the_whole_graph() {
    let schedule = schedule();
    let loss = Loss { objective: Objective::new(&schedule), share: 0.5 };
    for (guider, recompute) in
        [(true, Recompute::Blocks), (false, Recompute::Blocks), (true, Recompute::Scores), (false, Recompute::Scores)]
    {
        let batch = batch(guider, Dropout::default());
        let model = networks(&Device::flex().autodiff(), Precision::F32);
        let keys = all_keys(&model);
        let model = trainable_only(model, &keys);
        let (value, whole) = loss_and_gradients(&model, &batch, &loss, Recompute::Nothing).unwrap();
        let (again, blocks) = loss_and_gradients(&model, &batch, &loss, recompute).unwrap();
        assert!((value - again).abs() < 1e-5 * value, "{value} {again}");
        let of = |part: &str| whole.keys().filter(|key| key.starts_with(part)).count();
        // All of the transformer; of the guider its encoder where it is trained.
        assert_eq!(of("transformer."), keys.iter().filter(|key| key.starts_with("transformer.")).count());
        let encoder = keys.iter().filter(|key| key.starts_with("pose_guider.encoder.")).count();
        assert_eq!(of("pose_guider."), if guider { encoder } else { 0 });
        assert_eq!(whole.keys().collect::<Vec<_>>(), blocks.keys().collect::<Vec<_>>());
        let error = distance(&blocks, &whole);
        println!("guider trained {guider}, {recompute:?}: relative difference {error:e}");
        assert!(error < 1e-5, "{error:e}");
        for key in whole.keys() {
            let pair = [&blocks, &whole].map(|gradients| gradients.get(key).unwrap());
            let [ours, theirs] = pair;
            let size = theirs.clone().square().sum().sqrt().into_scalar::<f32>();
            let error = (ours - theirs).square().sum().sqrt().into_scalar::<f32>();
            assert!(error <= 2e-5 * size + 1e-9 * whole.norm() as f32 + 1e-7, "{key}: {error:e} of {size:e}");
        }
    }
}

#[test]
fn only_what_a_stage_trains_has_gradients_and_everything_else_stays_to_the_byte() {
    let schedule = schedule();
    let loss = Loss::from(&schedule);
    for (keys, recompute) in [
        (["transformer.patch_embed.proj."].as_slice(), Recompute::Blocks),
        (&["transformer.patch_embed.pose_proj."], Recompute::Blocks),
        (&["transformer.patch_embed.proj."], Recompute::Scores),
        (&["pose_guider.encoder.", "transformer."], Recompute::Nothing),
    ] {
        let batch = batch(keys.len() == 2, Dropout::default());
        let model = networks(&Device::flex().autodiff(), Precision::F32);
        let trained: BTreeSet<String> =
            all_keys(&model).into_iter().filter(|key| keys.iter().any(|start| key.starts_with(start))).collect();
        let model = trainable_only(model, &trained);
        let (_, gradients) = loss_and_gradients(&model, &batch, &loss, recompute).unwrap();
        assert_eq!(gradients.keys().map(str::to_string).collect::<BTreeSet<_>>(), trained);
        let before = bytes(&model);
        let after = bytes(&Optimizer::new(&AdamWSettings::default()).step(model, gradients, 1e-3));
        for (key, value) in &before {
            assert_eq!(after[key] != *value, trained.contains(key), "{key}");
        }
    }
}

#[test]
fn dropped_conditions_are_zero_and_noise_belongs_to_the_cursor() {
    let size = |tensor: Tensor<5>| tensor.abs().max().into_scalar::<f32>();
    let none = batch(false, Dropout::default());
    let Control::Latents(control) = none.control.clone() else { panic!("a frozen guider gives latents") };
    assert!(size(none.image.clone()) > 0.0 && size(control) > 0.0);
    assert_eq!(size(none.image.clone().narrow(1, 1, 2)), 0.0, "the portrait is in the first latent frame");
    let all = batch(false, Dropout { image: 1.0, guide: 1.0, identity: 1.0 });
    let Control::Latents(control) = all.control.clone() else { panic!("a frozen guider gives latents") };
    assert_eq!([size(all.image), size(control)], [0.0, 0.0]);
    assert_eq!(all.identity.abs().max().into_scalar::<f32>(), 0.0);
    // What is dropped does not move the noise.
    assert_eq!(none.timesteps, all.timesteps);
    assert_eq!(size(none.noisy - all.noisy), 0.0);
}

#[test]
fn clips_are_what_inference_makes_and_identities_are_disjoint() {
    let (train, held_out) = (world(6, 2), world(6, 2).held_out());
    let people = |world: &RenderedWorld| (0..world.len()).map(|index| world.identity(index)).collect::<BTreeSet<_>>();
    assert_eq!((people(&train).len(), people(&held_out).len()), (6, 6));
    assert!(people(&train).is_disjoint(&people(&held_out)));
    let example = train.example(3).unwrap();
    example.check().unwrap();
    assert_eq!(example.size(), crate::support::SIZE);
    // The portrait is the first frame, and the first moment is doubled.
    assert_eq!(example.video[0], example.portrait);
    assert_eq!(example.video[0], example.video[1]);
    assert_eq!(example.video[1], example.video[2]);
    assert_ne!(example.video[2], example.video[5]);
    let Some(Moving::Flow(flow)) = &example.moving else { panic!("the true flow was asked for") };
    assert!(flow[0].iter().all(|length| *length == 0.0) && flow[4].iter().any(|length| *length > 0.2));
    assert_eq!(train.example(3).unwrap().video, example.video, "the same number is the same clip");
}

#[test]
fn an_encoded_example_is_as_large_as_its_latents_and_takes_what_was_kept() {
    let device = Device::flex();
    let parts = parts(std::path::Path::new("."), Precision::F32);
    let guider = networks(&device, Precision::F32).pose_guider;
    let encoder = Encoder {
        vae: &parts.vae,
        siglip: &parts.siglip,
        guider: Some(&guider),
        face_aware: None,
        tiling: Tiling::Off,
    };
    let example = world(1, 1).example(0).unwrap();
    let encoded = encoder.encode(&example, &device).unwrap();
    let again = encoder.encode(&with_kept(&example, &parts, &encoded, &device), &device).unwrap();
    for (kept, own) in again.video.iter().chain([&again.image[0]]).zip(encoded.video.iter().chain([&encoded.image[0]]))
    {
        assert_eq!(kept.to_data(), own.to_data());
    }
    assert_eq!(again.identity.to_data(), encoded.identity.to_data());
    let GuideClip::Latents(latents) = encoded.guide else { panic!("the guider is frozen") };
    assert_eq!(latents.dims(), [1, 3, 8, 8, 8]);
    assert_eq!(encoded.video[0].dims(), [1, 3, 8, 8, 8]);
    assert_eq!(encoded.image[0].dims(), [1, 1, 8, 8, 8]);
    assert_eq!(encoded.identity.dims(), [1, 4, 24]);
    assert!(encoded.weights.is_none());
}

#[test]
fn a_portrait_from_elsewhere_changes_where_the_clip_begins_and_nothing_after() {
    let begins = RenderedWorld::new([9, 48, 64], 2, 1);
    let elsewhere = RenderedWorld { portrait_elsewhere: 1.0, flow: true, ..begins.clone() };
    for index in 0..begins.len() {
        let (plain, moved) = (begins.example(index).unwrap(), elsewhere.example(index).unwrap());
        assert_eq!(plain.portrait, plain.video[1], "the clip begins at its portrait");
        assert_ne!(moved.portrait, moved.video[1]);
        assert_eq!(moved.portrait, moved.video[0]);
        assert_eq!(moved.video[1..], plain.video[1..]);
        assert_ne!(moved.guide[0], plain.guide[0], "the guide begins with the portrait's own landmarks");
        let Some(Moving::Flow(flow)) = moved.moving else { panic!("flow was asked for") };
        assert!(flow[0].iter().any(|length| *length > 0.1), "the head jumps to where the driver begins");
        assert!(flow[1].iter().all(|length| *length == 0.0), "the first moment is doubled");
    }
    let none = RenderedWorld { portrait_elsewhere: 1.5, ..begins };
    assert!(none.example(0).unwrap_err().to_string().contains("portrait_elsewhere"));
}
