//! The page: one file that needs no other.

use super::sections::{counted, distances, failures, paper, per_clip, summary, work};
use super::worst::worst;
use crate::Evaluation;

/// The page's style, light or dark as the reader's system is.
const STYLE: &str = include_str!("style.css");

/// The evaluation as a page of HTML: everything is in it, nothing is loaded.
pub fn page(evaluation: &Evaluation) -> String {
    let pairs = evaluation.pairs.len();
    let truths = evaluation.pairs.iter().filter(|pair| pair.truth).count();
    let clips = match evaluation.failures.len() {
        0 => counted(pairs, "clip"),
        failed => format!("{pairs} of {}", counted(pairs + failed, "clip")),
    };
    let protocol = match truths {
        0 => "cross re-enactment".to_string(),
        all if all == pairs => "self re-enactment".to_string(),
        some => format!("{some} of self re-enactment, {} across people", pairs - some),
    };
    let sections = [
        failures(evaluation),
        distances(evaluation),
        summary(evaluation),
        paper(evaluation),
        worst(evaluation),
        per_clip(evaluation),
        work(evaluation),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>skyreels evaluation of {clips}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Evaluation of {clips}</h1>\n<p class=\"soft\">{protocol}; compared at {} frames per second</p>\n\
         {}</body>\n</html>\n",
        evaluation.rate,
        sections.concat()
    )
}
