//! The clips to look at first, with pictures.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::plot::{escaped, number, over_frames};
use crate::Evaluation;
use crate::analysis::Thumbnail;
use crate::evaluation::{Better, Metric, PairScores};

/// By which numbers the worst clips are chosen, and how many of each.
const JUDGED: [&str; 5] = ["detection_rate", "identity_arcface", "blendshape_l1", "rotation_from_first_deg", "ssim"];
const WORST: usize = 3;
const NOTE: &str = "<p class=\"note\">Numbers below the pictures are frames. The worst frame of those shown is framed; the driver's \
                    are of the same instants.</p>\n";

/// The clips at the wrong end of the numbers that matter most.
pub(super) fn worst(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    for metric in JUDGED.iter().filter_map(|key| Metric::of(key)) {
        let mut clips: Vec<(&PairScores, f64)> =
            evaluation.pairs.iter().filter_map(|pair| Some((pair, *pair.values.get(metric.key)?))).collect();
        clips.sort_by(|(a, x), (b, y)| badness(metric, *y).total_cmp(&badness(metric, *x)).then(a.name.cmp(&b.name)));
        // A face that is always found is no reason to point at a clip.
        clips.retain(|(_, value)| metric.key != "detection_rate" || *value < 1.0);
        if clips.is_empty() {
            continue;
        }
        let end = if metric.better == Better::Higher { "lowest" } else { "highest" };
        let title = escaped(&metric.title_with_unit());
        let _ = writeln!(text, "<h3>{title}: {end}</h3>\n<div class=\"cards\">");
        for (pair, value) in clips.into_iter().take(WORST) {
            let series = pair.series.get(metric.key);
            let _ = writeln!(
                text,
                "<div class=\"card\"><h4>{}</h4><p class=\"note\">{title}: <strong>{}</strong></p>{}{}</div>",
                escaped(&pair.name),
                number(value),
                pictures(pair, metric),
                series.map_or(String::new(), |series| over_frames(&metric.title_with_unit(), series)),
            );
        }
        text.push_str("</div>\n");
    }
    if text.is_empty() { text } else { format!("<h2>Worst clips</h2>\n{NOTE}{text}") }
}

/// A number that is larger the worse the value is.
fn badness(metric: &Metric, value: f64) -> f64 {
    if metric.better == Better::Higher { -value } else { value }
}

/// The portrait; the first, the worst and the last small picture of the result, and the driver's of the same instants.
fn pictures(pair: &PairScores, metric: &Metric) -> String {
    let small = &pair.thumbnails;
    let value = |picture: &Thumbnail| *pair.series.get(metric.key)?.get(picture.frame)?;
    let worst = small
        .result
        .iter()
        .filter_map(|picture| Some((picture.frame, badness(metric, value(picture)?))))
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
        .map(|(frame, _)| frame);
    let mut shown: Vec<&Thumbnail> = small.result.first().into_iter().chain(small.result.last()).collect();
    let middle = small.result.get(small.result.len() / 2);
    shown.extend(small.result.iter().find(|picture| Some(picture.frame) == worst));
    if shown.len() < 3 || shown[0].frame == shown[2].frame || shown[1].frame == shown[2].frame {
        shown.extend(middle);
    }
    shown.sort_by_key(|picture| picture.frame);
    shown.dedup_by_key(|picture| picture.frame);
    let row = |name: &str, pictures: Vec<&Thumbnail>, marked: bool| {
        let each = pictures.into_iter().map(|picture| {
            let class = if marked && Some(picture.frame) == worst { "worst" } else { "" };
            figure(class, &format!("{name} {}", picture.frame), picture)
        });
        each.collect::<String>()
    };
    let beside = |ours: &&Thumbnail| small.driving.iter().min_by_key(|theirs| theirs.frame.abs_diff(ours.frame));
    let driving = shown.iter().filter_map(beside).collect();
    let portrait = small.portrait.as_ref().map_or(String::new(), |portrait| figure("portrait", "portrait", portrait));
    format!("<div class=\"pictures\">{portrait}{}{}</div>", row("result", shown, true), row("driver", driving, false),)
}

fn figure(class: &str, caption: &str, picture: &Thumbnail) -> String {
    format!(
        "<figure class=\"{class}\"><img alt=\"{caption}\" src=\"data:image/jpeg;base64,{}\">\
         <figcaption>{caption}</figcaption></figure>",
        STANDARD.encode(&picture.jpeg)
    )
}
