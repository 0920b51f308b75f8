//! Rendered people as portraits and drivers, and the commands that use them.

use serde_json::Value;
use skyreels::core::{Limits, Precision};
use skyreels::rendered::Scene;
use skyreels::train::diffusion::Loader;
use skyreels::{ModelDir, core::Progress, core::open_device};

use crate::common::{ASSETS, accepted, events, names, refused, says, tiny};

const SIZE: [u32; 2] = [96, 64];

/// The last word of a run with `--json`.
fn done(output: &str) -> Value {
    events(output).into_iter().find(|event| event["event"] == "done").expect("the run ended well")
}

#[test]
fn a_person_who_drives_itself_begins_as_its_portrait() {
    let scene = Scene::own(7, 3, 5, SIZE);
    assert_eq!(scene.picture, scene.truth[0]);
    assert_eq!(scene.driving, scene.truth);
    assert!(scene.truth[1..].iter().any(|frame| *frame != scene.picture));
}

#[test]
fn the_truth_about_another_driver_shows_the_portraits_person() {
    let scene = Scene::across(7, 9, 3, 5, SIZE);
    assert_eq!(scene.picture, scene.truth[0], "performances begin at rest");
    assert!(scene.truth.iter().zip(&scene.driving).all(|(truth, driving)| truth != driving));
    assert_eq!(scene.driving_faces.len(), 5);
}

#[test]
fn a_converted_checkpoint_is_the_same_model_in_half_the_bytes() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let model = tiny(place);
    accepted(place, &format!("convert {} -o {{}}/half --precision f16", model.display()));
    let size = |path: &std::path::Path, file: &str| std::fs::metadata(path.join(file)).unwrap().len();
    let file = "transformer/diffusion_pytorch_model.safetensors";
    assert!(size(&place.join("half"), file) * 10 < size(&model, file) * 6);
    let device = open_device("cpu").unwrap();
    let half = ModelDir::open(place.join("half"), &Limits::default()).unwrap();
    half.check_weights(&device).unwrap();
    // It can be trained from, although the guider's decoder is gone.
    let parts = half.training_parts(Precision::F32, &device, Progress::none()).unwrap();
    Loader::of(&parts, &device).networks(half.path()).unwrap();
    let before = names(&place.join("half"));
    says(&refused(place, &format!("convert {} -o {{}}/half", model.display())), &["not empty"]);
    assert_eq!(names(&place.join("half")), before);
}

#[test]
fn a_demo_of_any_seed_and_a_measurement_run() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let model = tiny(place);
    let options = format!("--model {} --steps 1", model.display());
    let demo = format!("--json demo --seed 18446744073709551615 {options} -o {{}}/demo.gif");
    let demo = done(&accepted(place, &demo).0);
    assert!(demo["psnr"].as_f64().unwrap() > 0.0, "{demo}");
    assert!(place.join("demo.gif").is_file());
    let measure = format!("--json measure --identities 2 --motions 1 {options}");
    let measured = done(&accepted(place, &measure).0);
    let own = &measured["measurement"]["own"];
    assert!(
        own["still_ssim"].as_f64().unwrap() > own["ssim"].as_f64().unwrap(),
        "random weights make noise: {measured}"
    );
    says(&refused(place, &format!("measure --identities 1 {options}")), &["at least two people"]);
}

#[test]
fn a_folder_is_a_landmark_network_of_ones_own() {
    const NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../skyreels-nano/model/landmarks");
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let find = |options: &str, output: &str| {
        let (_, error) =
            accepted(place, &format!("landmarks {ASSETS}/portrait_1.png --points {{}}/{output}.json {options}"));
        (std::fs::read(place.join(format!("{output}.json"))).unwrap(), error)
    };
    let ((embedded, note), (own, silent)) = (find("", "embedded"), find(&format!("--face-model {NETWORK}"), "own"));
    assert!(!own.is_empty() && own == embedded);
    says(&note, &["no --face-model given"]);
    assert!(!silent.contains("no --face-model given"), "{silent}");
    std::fs::create_dir(place.join("empty")).unwrap();
    says(
        &refused(place, &format!("landmarks {ASSETS}/portrait_1.png --face-model {{}}/empty --points {{}}/x.json")),
        &["empty"],
    );
}
