//! Schedules and resizes against the original's numbers, on every CPU backend, and files that are not what they
//! should be.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use skyreels_core::golden::{Golden, Report, run_resize, run_scheduler};
use skyreels_core::resize::fit;
use skyreels_core::{Device, Frame, Result, open_device};

use crate::common::{Stored, floats, integers, moving_picture, picture, shared, write_golden};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");

fn backends() -> Vec<Device> {
    ["cpu", "ndarray"].map(|name| open_device(name).unwrap()).into()
}

fn cpu() -> Device {
    open_device("cpu").unwrap()
}

fn golden(name: &str) -> PathBuf {
    Path::new(COMMITTED).join(name)
}

/// A file of kind `scheduler` with the published configuration under each of `names`, changed as `change` says.
fn scheduler(names: &[&str], change: impl Fn(&str, &str) -> String, tensors: &[Stored]) -> Result<Report> {
    const CONFIG: &str = r#"{"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "clip_sample": false, "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": true, "set_alpha_to_one": true, "snr_shift_scale": 1.0, "steps_offset": 0,
        "timestep_spacing": "trailing"}"#;
    let folder = tempfile::tempdir().unwrap();
    let configs: Vec<String> = names.iter().map(|name| format!("\"{name}\": {}", change(name, CONFIG))).collect();
    let header = format!(r#"{{"kind": "scheduler", "name": "s", "config": {{{}}}}}"#, configs.join(", "));
    let path = write_golden(folder.path(), "any", &header, tensors);
    run_scheduler(&Golden::open(path).unwrap(), &cpu())
}

#[test]
fn schedules_and_samplers_give_the_numbers_of_the_original() {
    let golden = Golden::open(golden("scheduler.json")).unwrap();
    for device in backends() {
        let report = run_scheduler(&golden, &device).unwrap();
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn a_wrong_schedule_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(golden("scheduler.json")).unwrap();
    let shifted = text.replace("\"snr_shift_scale\": 1.0", "\"snr_shift_scale\": 1.001");
    assert_ne!(text, shifted);
    std::fs::write(directory.path().join("other-name.json"), shifted).unwrap();
    std::fs::copy(golden("scheduler.safetensors"), directory.path().join("other-name.safetensors")).unwrap();
    let golden = Golden::open(directory.path().join("other-name.json")).unwrap();
    let report = run_scheduler(&golden, &cpu()).unwrap();
    assert!(!report.passed(), "{report}");
}

#[test]
fn linear_betas_are_those_of_an_original_that_counts_in_f32() {
    // torch.linspace in f32: from the start in the first half, from the end in the second.
    let (start, end, count) = (0.00085_f32, 0.012_f32, 1_000);
    let step = (end - start) / (count - 1) as f32;
    let beta = |i: i32| if i < count / 2 { start + step * i as f32 } else { end - step * (count - 1 - i) as f32 };
    let betas: Vec<f32> = (0..count).map(beta).collect();
    let linear = |_: &str, config: &str| config.replace("scaled_linear", "linear");
    let tables = [floats("out.betas", &[1_000], &betas)];
    let report = scheduler(&["5b"], linear, &tables).unwrap();
    assert!(report.passed(), "{report}");
    // The same numbers are no answer to scaled betas.
    let report = scheduler(&["5b"], |_, config| config.into(), &tables).unwrap();
    assert!(!report.passed(), "{report}");
}

#[test]
fn timesteps_may_name_their_configuration_and_an_unknown_spacing_is_refused() {
    let offset = |name: &str, config: &str| match name {
        "my_2b" => config.replace("\"steps_offset\": 0", "\"steps_offset\": 5"),
        _ => config.into(),
    };
    let tables = [
        integers("out.timesteps_my_2b_leading_4", &[755, 505, 255, 5]),
        integers("out.timesteps_leading_4", &[750, 500, 250, 0]),
        integers("out.timesteps_5b_trailing_4", &[999, 749, 499, 249]),
    ];
    let report = scheduler(&["my_2b", "5b"], offset, &tables).unwrap();
    assert!(report.passed(), "{report}");
    for name in ["out.timesteps_sideways_4", "out.timesteps_7b_trailing_4", "out.timesteps_trailing_few"] {
        let error = scheduler(&["5b"], offset, &[integers(name, &[0])]).unwrap_err();
        assert!(error.to_string().contains(&name[4..]), "{error}");
    }
}

#[test]
fn the_first_configuration_of_a_file_is_its_main_one() {
    // In alphabetical order the other one would come first.
    let offset = |name: &str, config: &str| match name {
        "zebra" => config.replace("\"steps_offset\": 0", "\"steps_offset\": 7"),
        _ => config.into(),
    };
    let tables = [integers("out.timesteps_leading_2", &[507, 7])];
    assert!(scheduler(&["zebra", "ant"], offset, &tables).unwrap().passed());
    assert!(!scheduler(&["ant", "zebra"], offset, &tables).unwrap().passed());
}

#[test]
fn runs_whose_inputs_do_not_belong_together_are_refused() {
    let one = [1, 1, 2, 1, 2];
    let zeros = |name: &str, shape: &[usize]| floats(name, shape, &vec![0.0; shape.iter().product()]);
    let steps = |count: usize| [&[count][..], &one].concat();
    let draws = |count: usize, draws: usize| [&[count, draws][..], &one].concat();
    let answer = || zeros("out.5b_n3_dpm_prev.f64r", &steps(3));
    let sample = || zeros("in.5b_n3_sample", &one);
    let outputs = |shape: &[usize]| zeros("in.5b_n3_model_outputs", shape);
    let noise = |shape: &[usize]| zeros("in.5b_n3_dpm_noise", shape);
    let run = |tensors: &[Stored]| scheduler(&["5b"], |_, config| config.into(), tensors);
    assert!(run(&[answer(), sample(), outputs(&steps(3)), noise(&draws(3, 2))]).unwrap().passed());
    let wrong: [(&str, Vec<Stored>); 8] = [
        ("needs an input", vec![answer(), sample()]),
        ("axes", vec![answer(), zeros("in.5b_n3_sample", &[1, 2, 1, 2]), outputs(&steps(3)), noise(&draws(3, 2))]),
        ("not 3 of", vec![answer(), sample(), outputs(&steps(2)), noise(&draws(3, 2))]),
        ("not 3 of", vec![answer(), sample(), outputs(&[3, 1, 1, 2, 2, 1]), noise(&draws(3, 2))]),
        ("axes", vec![answer(), sample(), outputs(&steps(3)), noise(&steps(3))]),
        ("too few", vec![answer(), sample(), outputs(&steps(3)), noise(&draws(3, 1))]),
        ("too few", vec![answer(), sample(), outputs(&steps(3)), noise(&draws(2, 2))]),
        ("draws", vec![answer(), sample(), outputs(&steps(3)), noise(&[3, 2, 1, 1, 2, 2, 2])]),
    ];
    for (says, tensors) in wrong {
        let message = run(&tensors).unwrap_err().to_string();
        assert!(message.contains("any.json") && message.contains(says), "{message}");
    }
    let training = |timesteps: &[i64]| {
        run(&[zeros("in.train_x0", &one), zeros("in.train_noise", &one), integers("in.train_t", timesteps)])
    };
    for timesteps in [&[1_000][..], &[-1], &[1, 2], &[]] {
        assert!(training(timesteps).unwrap_err().to_string().contains("train_t"), "{timesteps:?}");
    }
    assert!(training(&[999]).is_ok());
}

#[test]
fn resizes_are_those_of_pillow_to_the_byte() {
    let report = run_resize(&Golden::open(golden("preprocess.json")).unwrap()).unwrap();
    assert!(report.passed() && report.rows.len() >= 6, "{report}");
}

#[test]
fn resizes_and_crops_are_those_of_pillow_opencv_torchvision_and_the_original() {
    let Some(path) = shared("golden/extra/resize_pil_cv2.json") else { return };
    let report = run_resize(&Golden::open(path).unwrap()).unwrap();
    assert!(report.passed() && report.rows.len() >= 32, "{report}");
}

#[test]
fn a_file_of_crops_alone_needs_no_other_source_and_a_wrong_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let source = moving_picture(1, 40, 30);
    let mut fitted = fit(&source, 36, 24).unwrap();
    let header = r#"{"kind": "resize", "name": "crops"}"#;
    let run = |fitted: &Frame| {
        let tensors = [picture("in.crop_source_7", &source), picture("out.crop_and_resize_7_24x36", fitted)];
        run_resize(&Golden::open(write_golden(folder.path(), "crops", header, &tensors)).unwrap()).unwrap()
    };
    assert!(run(&fitted).passed());
    fitted.get_pixel_mut(3, 4)[1] ^= 1;
    assert!(!run(&fitted).passed());
}

#[test]
fn an_input_of_another_rank_is_an_error_that_names_file_input_and_axes() {
    let folder = tempfile::tempdir().unwrap();
    let lender = [floats("in.x", &[2, 3], &[1.0; 6]), floats("in.noise", &[1], &[0.0])];
    write_golden(folder.path(), "lender", r#"{"kind": "dit", "name": "lender"}"#, &lender);
    let header = r#"{"kind": "dit", "name": "borrower", "shares_weights_and_inputs_of": "lender"}"#;
    let path = write_golden(folder.path(), "borrower", header, &[floats("in.own", &[1], &[2.0])]);
    let golden = Golden::open(path).unwrap();
    let tensor: Tensor<2> = golden.tensor("x", &cpu()).unwrap();
    assert_eq!(tensor.dims(), [2, 3]);
    let message = golden.tensor::<3>("x", &cpu()).unwrap_err().to_string();
    assert!(message.contains("lender.json") && message.contains("`x`") && message.contains("[2, 3]"), "{message}");
    let message = golden.tensor::<2>("own", &cpu()).unwrap_err().to_string();
    assert!(message.contains("borrower.json") && message.contains("1 axes instead of 2"), "{message}");
    assert!(golden.tensor::<1>("absent", &cpu()).unwrap_err().to_string().contains("`absent`"));
    assert!(golden.pictures("x").unwrap_err().to_string().contains("[2, 3]"));
    assert!(golden.has_input("noise") && !golden.owns_input("noise") && golden.owns_input("own"));
}

#[test]
fn what_the_original_stored_among_the_inputs_is_compared_too() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"kind": "dit", "name": "x"}"#;
    let path = write_golden(folder.path(), "x", header, &[floats("in.tokens", &[2], &[1.0, 2.0])]);
    let golden = Golden::open(path).unwrap();
    let mut report = Report::new(&golden);
    report.compare_input(&golden, "absent", Tensor::<1>::zeros([2], &cpu())).unwrap();
    assert!(report.rows.is_empty());
    report.compare_input(&golden, "tokens", Tensor::<1>::ones([2], &cpu()).cumsum(0)).unwrap();
    assert!(report.passed(), "{report}");
    report.compare_input(&golden, "tokens", Tensor::<1>::ones([2], &cpu())).unwrap();
    assert!(!report.passed() && report.rows[1].tensor == "in.tokens", "{report}");
}
