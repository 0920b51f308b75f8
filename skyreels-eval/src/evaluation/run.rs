//! From pairs to an evaluation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use skyreels_core::{Limits, Progress};

use super::bootstrap::bootstrap_mean;
use super::gather::{Gathered, gather};
use super::measure::{Files, measure};
use super::metric::METRICS;
use super::outcome::{Evaluation, Failure, PairScores, SetDistance, Summary};
use crate::analysis::{AnalysisOptions, ClipAnalysis, Judges};
use crate::frechet::{FeatureStatistics, FrechetDistance, frechet_distance, frechet_standard_error};
use crate::protocol::Pair;
use crate::{Error, Result};

/// What the features of results are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FidReference {
    /// The drivers' frames.
    Driving,
    /// The portraits.
    Portraits,
    /// Both.
    All,
}

impl FidReference {
    fn name(self) -> &'static str {
        match self {
            Self::Driving => "driving frames",
            Self::Portraits => "portraits",
            Self::All => "portraits and driving frames",
        }
    }
}

impl FromStr for FidReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "driving" => Ok(Self::Driving),
            "portraits" => Ok(Self::Portraits),
            "all" => Ok(Self::All),
            _ => Err(format!("`{text}` is not driving, portraits or all")),
        }
    }
}

/// How to evaluate.
#[derive(Debug, Clone)]
pub struct EvaluationOptions {
    /// How closely files are looked at.
    pub analysis: AnalysisOptions,
    /// Files that are looked at at the same time.
    pub jobs: usize,
    /// Directory in which measurements are kept for the next run.
    pub keep: Option<PathBuf>,
    /// What tells the networks from others: measurements of other networks are made again.
    pub networks: String,
    /// What distances of sets are measured from.
    pub reference: FidReference,
    /// Resamples of the bootstrap, at least one.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Limits for files.
    pub limits: Limits,
}

/// Measures every pair, and the sets.
///
/// Each file is decoded once, however many pairs it is part of. A file that cannot be read costs its pairs, which are reported,
/// not the others. The order of the pairs changes nothing but their order in the report.
///
/// # Errors
/// [`Error::Empty`] without pairs, or when none could be measured; [`Error::Invalid`] for two pairs of one name, for no resamples
/// and as [`Judges::check`]; [`Error::Core`] when measurements cannot be kept or `progress`
/// asks to stop: what was measured until then is kept.
pub fn evaluate(
    pairs: &[Pair],
    judges: &Judges,
    options: &EvaluationOptions,
    progress: Progress,
) -> Result<Evaluation> {
    if pairs.is_empty() {
        return Err(Error::empty("an evaluation without pairs", "give results with their portraits and drivers"));
    }
    if options.resamples == 0 {
        return Err(Error::invalid("resamples", "0; intervals need at least one, better a thousand"));
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = pairs.iter().find(|pair| !names.insert(&pair.name)) {
        return Err(Error::invalid("pairs", format!("two are called `{}`; give each its name", twice.name)));
    }
    judges.check()?;
    let gathered = gather(pairs, judges, options, progress)?;
    let (mut measured, mut failures) = (Vec::new(), Vec::new());
    for pair in pairs {
        match files(pair, &gathered) {
            Ok(files) => measured.push(measure(&files)),
            Err(reason) => failures.push(Failure { name: pair.name.clone(), reason }),
        }
    }
    if let (true, Some(failure)) = (measured.is_empty(), failures.first()) {
        let what = format!("an evaluation of {} pairs of which none could be measured", pairs.len());
        return Err(Error::empty(what, format!("the first, {}: {}", failure.name, failure.reason)));
    }
    let kept: Vec<&Pair> = pairs.iter().filter(|pair| files(pair, &gathered).is_ok()).collect();
    Ok(Evaluation {
        rate: options.analysis.rate.as_f64(),
        summary: summary(&measured, pairs, options)?,
        sets: sets(&kept, judges, &gathered, options.reference, progress)?,
        pairs: measured,
        failures,
        work: gathered.work,
    })
}

/// What is known about the files of a pair, or why one is not.
fn files<'a>(pair: &'a Pair, gathered: &'a Gathered) -> Result<Files<'a>, String> {
    let clip = |path: &PathBuf| match gathered.clips.get(path) {
        Some(Ok(analysis)) => Ok(analysis),
        Some(Err(reason)) => Err(reason.clone()),
        None => Err(format!("{} was not measured", path.display())),
    };
    Ok(Files {
        pair,
        result: clip(&pair.result)?,
        portrait: pair.portrait.as_ref().map(clip).transpose()?,
        driving: clip(&pair.driving)?,
        truth: gathered.truths.get(&(pair.result.clone(), pair.driving.clone())).filter(|_| pair.truth),
    })
}

fn summary(measured: &[PairScores], pairs: &[Pair], options: &EvaluationOptions) -> Result<BTreeMap<String, Summary>> {
    let mut summary = BTreeMap::new();
    for metric in &METRICS {
        let of = pairs.iter().filter(|pair| pair.truth || !metric.needs_truth()).count();
        let mut values: Vec<f64> = measured.iter().filter_map(|pair| pair.values.get(metric.key).copied()).collect();
        if values.is_empty() {
            continue;
        }
        let interval = match values.len() {
            1 => None,
            _ => Some(bootstrap_mean(&values, options.resamples, options.seed)?),
        };
        values.sort_by(f64::total_cmp);
        let (middle, count) = (values.len() / 2, values.len());
        let median = if count % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        let mean = values.iter().sum::<f64>() / count as f64;
        summary.insert(metric.key.to_string(), Summary { mean, interval, median, pairs: count, of });
    }
    Ok(summary)
}

/// Distances of the results from the references, each file counted once.
///
/// # Errors
/// A cancellation only: what cannot be measured says why.
fn sets(
    pairs: &[&Pair],
    judges: &Judges,
    gathered: &Gathered,
    reference: FidReference,
    progress: Progress,
) -> Result<Vec<SetDistance>> {
    let results: BTreeSet<&PathBuf> = pairs.iter().map(|pair| &pair.result).collect();
    let references: BTreeSet<&PathBuf> = pairs
        .iter()
        .flat_map(|pair| {
            let driving = (reference != FidReference::Portraits).then_some(&pair.driving);
            let portrait = (reference != FidReference::Driving).then_some(pair.portrait.as_ref()).flatten();
            [driving, portrait]
        })
        .flatten()
        .collect();
    let features = |files: &BTreeSet<&PathBuf>, name: &str| -> Vec<Vec<&[f32]>> {
        let clips = files.iter().filter_map(|path| gathered.clips.get(*path)?.as_ref().ok());
        clips
            .map(|clip: &ClipAnalysis| clip.features.get(name).into_iter().flatten().map(Vec::as_slice).collect())
            .collect()
    };
    let mut sets = Vec::with_capacity(judges.features.len());
    for extractor in &judges.features {
        let name = extractor.name();
        let (ours, theirs) = (features(&results, name), features(&references, name));
        let mut set = SetDistance {
            name: name.to_string(),
            reference: reference.name().to_string(),
            value: None,
            standard_error: None,
            samples: [&ours, &theirs].map(|clips| clips.iter().map(Vec::len).sum()),
            warning: None,
            missing: None,
        };
        match measured(&ours, &theirs, progress) {
            Ok((distance, standard_error)) => {
                set = SetDistance { value: Some(distance.value), warning: distance.warning, standard_error, ..set };
            }
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => set.missing = Some(error.to_string()),
        }
        sets.push(set);
    }
    Ok(sets)
}

/// A distance and its standard error.
fn measured(
    ours: &[Vec<&[f32]>],
    theirs: &[Vec<&[f32]>],
    progress: Progress,
) -> Result<(FrechetDistance, Option<f64>)> {
    let theirs = FeatureStatistics::of(&theirs.concat())?;
    let distance = frechet_distance(&FeatureStatistics::of(&ours.concat())?, &theirs)?;
    // What cannot be said about other clips does not take the distance of these along.
    let standard_error = match frechet_standard_error(ours, &theirs, progress) {
        Err(error) if !error.is_cancelled() => None,
        outcome => outcome?,
    };
    Ok((distance, standard_error))
}
