//! The parts of the page.

use std::fmt::Write;

use super::paper::PAPER_TABLE;
use super::plot::{escaped, number, over_frames, strip};
use crate::Evaluation;
use crate::evaluation::{Better, METRICS, Metric, MetricKind};

/// Numbers in the line of a clip.
const SHORT: [&str; 4] = ["identity_arcface", "blendshape_l1", "rotation_from_first_deg", "psnr"];
/// Clips up to which all are shown open.
const OPEN: usize = 3;

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
pub(super) fn counted(count: usize, what: &str) -> String {
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
         <th class=\"number\">Value ↓</th><th class=\"number\">Standard error</th>\
         <th class=\"number\">Samples</th></tr>\n",
    );
    for set in &evaluation.sets {
        let value = set.value.map_or_else(|| "not measured".into(), number);
        let error = set.standard_error.map_or_else(|| "–".into(), |error| format!("± {}", number(error)));
        let [ours, theirs] = set.samples;
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td class=\"number\">{value}</td><td class=\"number\">{error}</td>\
             <td class=\"number\">{ours} and {theirs}</td></tr>",
            escaped(&set.name),
            escaped(&set.reference)
        );
    }
    text.push_str(
        "</table></div>\n<p class=\"note\">The error is that over other clips of the same kind (jackknife over clips, from five on); \
         the bias of few samples is not in it.</p>\n",
    );
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
         <th class=\"number\">95 % interval</th><th class=\"number\">Median</th><th>Unit</th><th>Clips</th><th class=\"number\">Measured</th>\
         <th>How to read it</th></tr>\n",
    );
    for kind in MetricKind::ALL {
        let of_kind = METRICS.iter().filter(|metric| metric.kind == kind);
        let chosen: Vec<&Metric> = of_kind.filter(|metric| evaluation.summary.contains_key(metric.key)).collect();
        if !chosen.is_empty() {
            let _ = writeln!(text, "<tr class=\"group\"><td colspan=\"8\">{}</td></tr>", escaped(kind.title()));
        }
        if kind == MetricKind::Identity && chosen.is_empty() {
            text.push_str(
                "<tr><td colspan=\"8\" class=\"note\">Identity was not measured: no face recognition network was given, or no portrait \
                 shows a face.</td></tr>\n",
            );
        }
        chosen.iter().for_each(|metric| text.push_str(&summary_row(evaluation, metric)));
    }
    text + "</table></div>\n"
}

fn summary_row(evaluation: &Evaluation, metric: &Metric) -> String {
    let Some(summary) = evaluation.summary.get(metric.key) else { return String::new() };
    let arrow = match metric.better {
        Better::Higher => "&nbsp;↑",
        Better::Lower => "&nbsp;↓",
        Better::LikeDriver => "",
    };
    let dots: Vec<(&str, f64)> =
        evaluation.pairs.iter().filter_map(|pair| Some((pair.name.as_str(), *pair.values.get(metric.key)?))).collect();
    let interval = summary
        .interval
        .map_or_else(|| "–".into(), |interval| format!("{} to {}", number(interval.low), number(interval.high)));
    format!(
        "<tr><td>{}{arrow}<br><code>{}</code></td><td class=\"number\">{}</td>\
         <td class=\"number\">{interval}</td>\
         <td class=\"number\">{}</td><td class=\"unit\">{}</td><td>{}</td>\
         <td class=\"number\">{} of {}</td><td class=\"note\">{}</td></tr>\n",
        escaped(metric.title),
        metric.key,
        number(summary.mean),
        number(summary.median),
        metric.unit,
        strip(&dots, summary.mean, summary.interval.as_ref()),
        summary.pairs,
        summary.of,
        escaped(metric.note).replace(" to ", "&nbsp;to&nbsp;"),
    )
}

/// The released scripts' numbers that stand in the paper's columns; there is none for pose here.
const RELEASED: [&str; 4] = ["a1_identity_arcface", "a1_identity_curricularface", "a1_frame_fid", "a1_expression"];

/// The paper's table, so marked that nobody takes it for a measurement, and the measured numbers of the same arithmetic below it.
pub(super) fn paper(evaluation: &Evaluation) -> String {
    let mut text = String::from(
        "<h2>For reference: quoted from the paper</h2>\n<div class=\"quoted\"><p><strong>Quoted, not measured here.</strong> Table 1 \
         of the SkyReels-A1 paper: other clips, across people with 100 portraits. As far as the released scripts show how it was \
         made, its \"image quality\" is no distance of sets, and its expression and pose distances do not know the order of \
         frames: compare only with the <code>a1_</code> numbers, and only over the same clips.</p>\n<div class=\"scroll\"><table>\
         <tr><th>Method</th><th class=\"number\">ArcFace ↑</th><th class=\"number\">CurricularFace ↑</th>\
         <th class=\"number\">Image quality ↓</th><th class=\"number\">Expression ↓</th><th class=\"number\">Pose ↓</th></tr>\n",
    );
    for row in &PAPER_TABLE {
        let [arcface, curricular] = row.identity;
        let numbers =
            [arcface, curricular, row.quality, row.expression, row.pose].map(|value| cell(&format!("{value:.4}")));
        let _ =
            writeln!(text, "<tr><td>{} <span class=\"unit\">quoted</span></td>{}</tr>", row.method, numbers.concat());
    }
    let mean = |key: &str| evaluation.summary.get(key).map(|summary| summary.mean);
    if RELEASED.iter().any(|key| mean(key).is_some()) {
        let measured = RELEASED.map(|key| cell(&mean(key).map_or("–".into(), |mean| format!("{mean:.4}"))));
        let _ = writeln!(
            text,
            "<tr class=\"measured\"><td>These clips <span class=\"unit\">measured, <code>a1_</code></span></td>{}{}</tr>",
            measured.concat(),
            cell("–")
        );
    }
    text + "</table></div></div>\n"
}

fn cell(text: &str) -> String {
    format!("<td class=\"number\">{text}</td>")
}

/// Every clip with everything that was measured frame by frame.
pub(super) fn per_clip(evaluation: &Evaluation) -> String {
    let mut text = String::from("<h2>Clips</h2>\n");
    for pair in &evaluation.pairs {
        let short: Vec<String> = SHORT
            .iter()
            .filter_map(|key| {
                let (metric, value) = (Metric::of(key)?, pair.values.get(*key)?);
                Some(format!("<span>{} {}</span>", escaped(&metric.title_with_unit()), number(*value)))
            })
            .collect();
        let [result, driving] = pair.frames;
        let frames =
            if result == driving { format!("{result} frames") } else { format!("{result} frames, driver {driving}") };
        let _ = write!(
            text,
            "<details{}><summary>{}<span>{frames}</span>{}</summary>\n<div class=\"plots\">",
            if evaluation.pairs.len() <= OPEN { " open" } else { "" },
            escaped(&pair.name),
            short.concat()
        );
        for metric in &METRICS {
            if let Some(series) = pair.series.get(metric.key) {
                text.push_str(&over_frames(&metric.title_with_unit(), series));
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
