//! The page: one file that needs no other.

use super::sections::{distances, failures, paper, per_clip, summary, work, worst};
use crate::{Evaluation, Result};

/// The page's style, light or dark as the reader's system is.
const STYLE: &str = include_str!("style.css");

/// The evaluation as a page of HTML: everything is in it, nothing is loaded.
///
/// # Errors
/// [`Error::Core`](crate::Error::Core) when a small picture cannot be encoded.
pub fn page(evaluation: &Evaluation) -> Result<String> {
    let pairs = evaluation.pairs.len();
    let truths = evaluation.pairs.iter().filter(|pair| pair.truth).count();
    let protocol = match truths {
        0 => "cross re-enactment".to_string(),
        all if all == pairs => "self re-enactment".to_string(),
        some => format!("{some} of self re-enactment, {} across people", pairs - some),
    };
    let sections = [
        failures(evaluation),
        distances(evaluation),
        summary(evaluation),
        paper(),
        worst(evaluation)?,
        per_clip(evaluation),
        work(evaluation),
    ];
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>skyreels evaluation of {pairs} clips</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Evaluation of {pairs} clips</h1>\n<p class=\"soft\">{protocol}; compared at {} frames per second</p>\n\
         {}</body>\n</html>\n",
        evaluation.rate,
        sections.concat()
    ))
}
