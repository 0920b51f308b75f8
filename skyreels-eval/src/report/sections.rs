//! The parts of the page.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use skyreels_core::{Error as CoreError, Frame};

use super::paper::PAPER_TABLE;
use super::plot::{escaped, number, over_frames, strip};
use crate::evaluation::{Better, METRICS, Metric, PairScores};
use crate::{Evaluation, Result};

/// By which numbers the worst clips are chosen, and how many of each.
const JUDGED: [&str; 4] = ["identity_arcface", "blendshape_l1", "rotation_from_first_deg", "detection_rate"];
const WORST: usize = 3;
/// Numbers in the line of a clip.
const SHORT: [&str; 4] = ["identity_arcface", "blendshape_l1", "rotation_from_first_deg", "psnr"];
const JPEG_QUALITY: u8 = 78;

pub(super) fn failures(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    if !evaluation.failures.is_empty() {
        let _ = write!(
            text,
            "<div class=\"warning\"><strong>Not measured: {}</strong><ul>",
            counted(evaluation.failures.len(), "pair")
        );
        for failure in &evaluation.failures {
            let _ = write!(text, "<li>{}: {}</li>", escaped(&failure.name), escaped(&failure.reason));
        }
        text.push_str("</ul></div>\n");
    }
    text
}

/// `1 pair`, `2 pairs`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Distances of sets, with what is to be said about few samples.
pub(super) fn distances(evaluation: &Evaluation) -> String {
    if evaluation.sets.is_empty() {
        return String::from(
            "<h2>Distances of sets</h2>\n<p class=\"note\">Not measured: no Inception network was given.</p>\n",
        );
    }
    let mut text = String::from(
        "<h2>Distances of sets</h2>\n<div class=\"scroll\"><table><tr><th>Distance</th><th>Results from</th>\
         <th class=\"number\">Value ↓</th><th class=\"number\">Samples</th></tr>\n",
    );
    for set in &evaluation.sets {
        let value = set.value.map_or_else(|| "not measured".into(), number);
        let [ours, theirs] = set.samples;
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td class=\"number\">{value}</td><td class=\"number\">{ours} and {theirs}</td></tr>",
            escaped(&set.name),
            escaped(&set.reference)
        );
    }
    text.push_str("</table></div>\n");
    for set in &evaluation.sets {
        let said = set.warning.map(|warning| warning.to_string()).or_else(|| set.missing.clone());
        if let Some(said) = said {
            let _ =
                writeln!(text, "<p class=\"warning\"><strong>{}</strong>: {}</p>", escaped(&set.name), escaped(&said));
        }
    }
    text
}

/// Every number over all clips.
pub(super) fn summary(evaluation: &Evaluation) -> String {
    let mut text = String::from(
        "<h2>Means over clips</h2>\n<p class=\"note\">Intervals hold the mean with 95 % confidence (bootstrap over clips). Each dot \
         is a clip.</p>\n<div class=\"scroll\"><table><tr><th>Measurement</th><th class=\"number\">Mean</th>\
         <th class=\"number\">95 % interval</th><th class=\"number\">Median</th><th>Clips</th><th class=\"number\">Measured</th>\
         <th>How to read it</th></tr>\n",
    );
    let compat = |metric: &Metric| metric.key.starts_with("a1_");
    for released in [false, true] {
        let chosen: Vec<&Metric> = METRICS
            .iter()
            .filter(|metric| compat(metric) == released && evaluation.summary.contains_key(metric.key))
            .collect();
        if released && !chosen.is_empty() {
            text.push_str(
                "<tr class=\"group\"><td colspan=\"7\">The released scripts' arithmetic on the faces tracked here: for comparison \
                 with numbers made by them, not for judging</td></tr>\n",
            );
        }
        chosen.iter().for_each(|metric| text.push_str(&summary_row(evaluation, metric)));
    }
    text + "</table></div>\n"
}

fn summary_row(evaluation: &Evaluation, metric: &Metric) -> String {
    let Some(summary) = evaluation.summary.get(metric.key) else { return String::new() };
    let arrow = match metric.better {
        Better::Higher => " ↑",
        Better::Lower => " ↓",
        Better::LikeDriver => "",
    };
    let dots: Vec<(&str, f64)> =
        evaluation.pairs.iter().filter_map(|pair| Some((pair.name.as_str(), *pair.values.get(metric.key)?))).collect();
    format!(
        "<tr><td>{}{arrow}<br><code>{}</code></td><td class=\"number\">{}</td><td class=\"number\">{} to {}</td>\
         <td class=\"number\">{}</td><td>{}</td><td class=\"number\">{} of {}</td><td class=\"note\">{}</td></tr>\n",
        escaped(metric.title),
        metric.key,
        number(summary.mean),
        number(summary.interval.low),
        number(summary.interval.high),
        number(summary.median),
        strip(&dots, summary.mean, &summary.interval),
        summary.pairs,
        summary.of,
        escaped(metric.note),
    )
}

/// The paper's table, so marked that nobody takes it for a measurement.
pub(super) fn paper() -> String {
    let mut text = String::from(
        "<h2>For reference: quoted from the paper</h2>\n<div class=\"quoted\"><p><strong>Quoted, not measured here.</strong> Table 1 \
         of the SkyReels-A1 paper: other clips, across people with 100 portraits, and the arithmetic of the released scripts. Its \
         \"image quality\" is no distance of sets and its expression and pose distances do not know the order of frames: compare \
         only with the <code>a1_</code> rows, and only over the same clips.</p>\n<div class=\"scroll\"><table><tr><th>Method</th>\
         <th class=\"number\">Identity ↑ ArcFace / CurricularFace</th><th class=\"number\">Image quality ↓</th>\
         <th class=\"number\">Expression ↓</th><th class=\"number\">Pose ↓</th></tr>\n",
    );
    for row in &PAPER_TABLE {
        let [arcface, curricular] = row.identity;
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"number\">{arcface:.4} / {curricular:.4}</td><td class=\"number\">{:.4}</td>\
             <td class=\"number\">{:.4}</td><td class=\"number\">{:.4}</td></tr>",
            row.method, row.quality, row.expression, row.pose
        );
    }
    text + "</table></div></div>\n"
}

/// The clips at the wrong end of the numbers that matter most, with pictures.
pub(super) fn worst(evaluation: &Evaluation) -> Result<String> {
    let mut cards = String::new();
    for metric in JUDGED.iter().filter_map(|key| Metric::of(key)) {
        let mut clips: Vec<(&PairScores, f64)> =
            evaluation.pairs.iter().filter_map(|pair| Some((pair, *pair.values.get(metric.key)?))).collect();
        let sign = if metric.better == Better::Higher { 1.0 } else { -1.0 };
        clips.sort_by(|(a, x), (b, y)| (sign * x).total_cmp(&(sign * y)).then(a.name.cmp(&b.name)));
        // A face that is always found is no reason to point at a clip.
        clips.retain(|(_, value)| metric.key != "detection_rate" || *value < 1.0);
        for (pair, value) in clips.into_iter().take(WORST) {
            let _ = writeln!(
                cards,
                "<div class=\"card\"><h3>{}</h3><p class=\"note\">{}: {}</p>{}{}</div>",
                escaped(&pair.name),
                escaped(metric.title),
                number(value),
                pictures(pair)?,
                pair.series.get(metric.key).map_or(String::new(), |series| over_frames(metric.title, series)),
            );
        }
    }
    if cards.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("<h2>Worst clips</h2>\n<div class=\"cards\">\n{cards}</div>\n"))
}

fn pictures(pair: &PairScores) -> Result<String> {
    let mut text = String::from("<div class=\"pictures\">");
    for (label, frames) in ["result", "driver"].into_iter().zip(&pair.thumbnails) {
        let _ = write!(text, "<span>{label}</span>");
        for place in 0..3 {
            match frames.get(place) {
                Some(frame) => {
                    let _ = write!(
                        text,
                        "<img alt=\"{label} {place}\" src=\"data:image/jpeg;base64,{}\">",
                        STANDARD.encode(jpeg(frame)?)
                    );
                }
                None => text.push_str("<span></span>"),
            }
        }
    }
    Ok(text + "</div>")
}

fn jpeg(frame: &Frame) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(frame);
    encoded.map_err(|error| CoreError::invalid("small picture", error.to_string()))?;
    Ok(bytes)
}

/// Every clip with everything that was measured frame by frame.
pub(super) fn per_clip(evaluation: &Evaluation) -> String {
    let mut text = String::from("<h2>Clips</h2>\n");
    for pair in &evaluation.pairs {
        let short: Vec<String> = SHORT
            .iter()
            .filter_map(|key| {
                let (metric, value) = (Metric::of(key)?, pair.values.get(*key)?);
                Some(format!("<span>{} {}</span>", escaped(metric.title), number(*value)))
            })
            .collect();
        let [result, driving] = pair.frames;
        let frames =
            if result == driving { format!("{result} frames") } else { format!("{result} of {driving} frames") };
        let _ = write!(
            text,
            "<details><summary>{}<span>{frames}</span>{}</summary>\n<div class=\"plots\">",
            escaped(&pair.name),
            short.concat()
        );
        for metric in &METRICS {
            if let Some(series) = pair.series.get(metric.key) {
                text.push_str(&over_frames(metric.title, series));
            }
        }
        text.push_str("</div>\n");
        for (key, reason) in &pair.missing {
            let _ = writeln!(
                text,
                "<p class=\"note\"><code>{}</code> was not measured: {}</p>",
                escaped(key),
                escaped(reason)
            );
        }
        text.push_str("</details>\n");
    }
    text
}

/// What it has cost.
pub(super) fn work(evaluation: &Evaluation) -> String {
    let work = &evaluation.work;
    format!(
        "<h2>Work</h2>\n<p class=\"note\">{} files decoded, each once; {} kept from an earlier run; {} frames looked at; {} pictures in \
         {} batches through recognition and feature networks.</p>\n",
        work.decoded_files, work.kept_files, work.frames, work.pictures, work.forward_passes
    )
}
