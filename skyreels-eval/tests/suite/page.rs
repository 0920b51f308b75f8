//! The page stands alone, and a browser shows it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use skyreels_core::Limits;
use skyreels_core::media::read_picture;
use skyreels_eval::{
    Better, Evaluation, Failure, METRICS, PairScores, SampleWarning, SetDistance, Summary, Thumbnail, Thumbnails, Work,
    bootstrap_mean, write_report,
};

use crate::support::scene;

/// Where a browser may be.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A small picture of a person.
fn small(person: u32, frame: usize) -> Thumbnail {
    let mut jpeg = Vec::new();
    let picture = skyreels_core::resize::fit(&scene(person, 1 + frame as u32 / 2), 150, 120).unwrap();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg).encode_image(&picture).unwrap();
    Thumbnail { frame, jpeg }
}

/// An evaluation of eight clips with every number, as a run would make it.
fn evaluation() -> Evaluation {
    let wave = |clip: usize, frame: usize, step: f64| 0.5 + 0.4 * ((frame as f64 * step + clip as f64).sin());
    let pairs: Vec<PairScores> = (0..8)
        .map(|clip| {
            let series: BTreeMap<String, Vec<Option<f64>>> = METRICS
                .iter()
                .filter(|metric| metric.better == Better::Lower && !metric.key.starts_with("a1_"))
                .enumerate()
                .map(|(index, metric)| {
                    let value = |frame| (frame % 11 != 5).then(|| wave(clip, frame, 0.1 + 0.05 * index as f64));
                    (metric.key.to_string(), (0..48).map(value).collect())
                })
                .collect();
            let values = METRICS.iter().enumerate().map(|(i, metric)| (metric.key.to_string(), wave(clip, i, 0.7)));
            PairScores {
                name: format!("portrait {clip} <b>&amp; \"friends\"__talk"),
                truth: false,
                frames: [48, 49],
                values: values.collect(),
                series,
                missing: [("a1_expression".to_string(), "one frame shows no face".to_string())].into(),
                thumbnails: Thumbnails {
                    portrait: Some(small(1 + clip as u32, 0)),
                    result: [0, 16, 32, 47].map(|frame| small(1 + clip as u32, frame)).to_vec(),
                    driving: [0, 16, 33, 48].map(|frame| small(2 + clip as u32, frame)).to_vec(),
                },
            }
        })
        .collect();
    let summary = METRICS.iter().map(|metric| {
        let values: Vec<f64> = pairs.iter().map(|pair| pair.values[metric.key]).collect();
        let mean = values.iter().sum::<f64>() / 8.0;
        let interval = Some(bootstrap_mean(&values, 500, 1).unwrap());
        (metric.key.to_string(), Summary { mean, interval, median: mean, pairs: 8, of: 9 })
    });
    let samples = [128, 100];
    Evaluation {
        rate: 12.0,
        summary: summary.collect(),
        sets: vec![SetDistance {
            name: "fid".into(),
            reference: "portraits".into(),
            value: Some(71.25),
            standard_error: Some(2.5),
            samples,
            warning: Some(SampleWarning::RankDeficient { samples, width: 2048 }),
            missing: None,
        }],
        pairs,
        failures: vec![Failure { name: "lost__talk".into(), reason: "lost__talk.mp4: no such file".into() }],
        work: Work { decoded_files: 18, kept_files: 2, frames: 800, forward_passes: 60, pictures: 900 },
    }
}

#[test]
fn the_page_loads_nothing_and_takes_no_name_for_markup() {
    let directory = tempfile::tempdir().unwrap();
    write_report(directory.path().join("report"), &evaluation()).unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.path().join("report").join(name)).unwrap();
    let page = read("report.html");
    for loading in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(loading), "{loading}");
    }
    assert!(!page.contains("<b>") && page.contains("&lt;b&gt;&amp;amp; &quot;friends&quot;"));
    assert!(page.contains("Quoted, not measured here") && page.contains("59.6884"), "the paper's numbers are marked");
    assert!(page.contains("128 and 100 samples") && page.contains("data:image/jpeg;base64,"));
    let numbers: Evaluation = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(numbers.pairs.len(), 8);
    for (key, summary) in evaluation().summary {
        assert!((numbers.summary[&key].mean - summary.mean).abs() < 1e-12, "{key}");
    }
    assert!(read("report.csv").lines().count() == 1 + 8 + 1, "a title, clips and a failure");
}

#[test]
fn a_browser_shows_the_page() {
    let Some(browser) = BROWSERS.iter().find(|name| Command::new(name).arg("--version").output().is_ok()) else {
        println!("skipped: none of {BROWSERS:?} is installed");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write_report(path("report"), &evaluation()).unwrap();
    for (scheme, file, width) in
        [("light", "light.png", 1240), ("dark", "dark.png", 1240), ("narrow", "narrow.png", 560)]
    {
        let ran = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .arg(format!("--window-size={width},4000"))
            .arg(format!("--user-data-dir={}", path(scheme).display()))
            .args((scheme == "dark").then_some("--blink-settings=preferredColorScheme=0"))
            .arg(format!("--screenshot={}", path(file).display()))
            .arg(format!("file://{}", path("report/report.html").display()))
            .output()
            .unwrap();
        assert!(path(file).exists(), "{}", String::from_utf8_lossy(&ran.stderr));
        let seen = read_picture(path(file), &Limits::default()).unwrap();
        let ground = seen.get_pixel(2, 2).0;
        let other = seen.pixels().filter(|pixel| pixel.0 != ground).count() as f64 / seen.pixels().len() as f64;
        assert!(other > 0.2, "{scheme}: {other} of the picture is not empty page");
        // Nothing reaches beyond the right edge of the page.
        let edge = (0..seen.height()).filter(|y| seen.get_pixel(seen.width() - 3, *y).0 != ground).count();
        assert!(edge == 0, "{scheme}: {edge} rows are cut off");
        keep(&path(file), file);
    }
}

/// Leaves a picture where somebody can look at it, when asked to.
fn keep(path: &Path, name: &str) {
    if let Some(place) = std::env::var_os("SKYREELS_SCREENSHOTS") {
        std::fs::copy(path, Path::new(&place).join(name)).unwrap();
    }
}
