//! Every file measured once, several at a time, and kept for the next run.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use skyreels_core::{Error as CoreError, Progress};

use super::keep::{Comparison, Store, joined};
use super::run::EvaluationOptions;
use crate::analysis::{ClipAnalysis, Judges, TruthScores, Work, analyse_portraits, analyse_together};
use crate::inference::BATCH;
use crate::protocol::Pair;
use crate::{Error, Result};

/// Name of this operation in progress reports: files.
const STAGE: &str = "measure";

/// What is known about each file and each result beside its truth, or why it is not.
#[derive(Default)]
pub(super) struct Gathered {
    pub clips: BTreeMap<PathBuf, Result<ClipAnalysis, String>>,
    /// By result and truth.
    pub truths: BTreeMap<Comparison, Result<TruthScores, String>>,
    pub work: Work,
}

/// Something to do at a time.
enum Job {
    Portraits(Vec<PathBuf>),
    /// Videos that are read beside each other, and which result is compared with which truth, by their places.
    Videos(Vec<PathBuf>, Vec<[usize; 2]>),
}

impl Job {
    /// Files that are looked at.
    fn files(&self) -> &[PathBuf] {
        let (Self::Portraits(files) | Self::Videos(files, _)) = self;
        files
    }
}

/// Measures every file of the pairs that was not measured before with the same options.
pub(super) fn gather(
    pairs: &[Pair],
    judges: &Judges,
    options: &EvaluationOptions,
    progress: Progress,
) -> Result<Gathered> {
    let store = Store::open(options)?;
    let mut gathered = Gathered::default();
    let jobs = jobs(pairs, &store, &mut gathered);
    let total = (jobs.iter().map(|job| job.files().len()).sum::<usize>() + gathered.clips.len()) as u64;
    let done = AtomicUsize::new(gathered.clips.len());
    gathered.work.kept_files = gathered.clips.len() as u64;
    progress.report(STAGE, done.load(Ordering::Relaxed) as u64, Some(total))?;
    let next = AtomicUsize::new(0);
    let gathered = Mutex::new(gathered);
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    let stopped = || failed.lock().is_ok_and(|failed| failed.is_some());
    let work = || {
        while !stopped() {
            let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            // Frames are not told, since several files are under way: but each may stop the work.
            let beat = |_| match progress.report(STAGE, done.load(Ordering::Relaxed) as u64, Some(total)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            let outcome = perform(job, judges, options, &store, Progress::new(&beat), &gathered).and_then(|()| {
                let files = job.files().len();
                let done = done.fetch_add(files, Ordering::Relaxed) + files;
                Ok(progress.report(STAGE, done as u64, Some(total))?)
            });
            if let (Err(error), Ok(mut failed)) = (outcome, failed.lock()) {
                failed.get_or_insert(error);
            }
        }
    };
    let ended_well = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..options.jobs.clamp(1, jobs.len().max(1))).map(|_| scope.spawn(work)).collect();
        work();
        let ended: Vec<bool> = helpers.into_iter().map(|helper| helper.join().is_ok()).collect();
        ended.into_iter().all(|well| well)
    });
    if let Ok(Some(error)) = failed.into_inner() {
        return Err(error);
    }
    let gathered = gathered.into_inner().ok().filter(|_| ended_well);
    Ok(gathered.ok_or_else(|| CoreError::invalid("evaluation", "a worker ended unexpectedly; run it again"))?)
}

/// What is not known yet.
fn jobs(pairs: &[Pair], store: &Store, gathered: &mut Gathered) -> Vec<Job> {
    let mut todo = BTreeSet::new();
    let files = pairs.iter().flat_map(|pair| [Some(&pair.result), pair.portrait.as_ref(), Some(&pair.driving)]);
    for path in files.flatten().collect::<BTreeSet<_>>() {
        match store.kept(path) {
            Some(analysis) => drop(gathered.clips.insert(path.clone(), Ok(analysis))),
            None => drop(todo.insert(path.clone())),
        }
    }
    let mut comparisons = BTreeSet::new();
    for pair in pairs.iter().filter(|pair| pair.truth) {
        let key = (pair.result.clone(), pair.driving.clone());
        match store.kept_truth(&key) {
            Some(scores) => drop(gathered.truths.insert(key, Ok(scores))),
            None => drop(comparisons.insert(key)),
        }
    }
    let mut jobs: Vec<Job> =
        together(comparisons).into_iter().map(|(files, comparisons)| Job::Videos(files, comparisons)).collect();
    for path in jobs.iter().flat_map(Job::files) {
        todo.remove(path);
    }
    let portraits: BTreeSet<&PathBuf> = pairs.iter().filter_map(|pair| pair.portrait.as_ref()).collect();
    let (pictures, clips): (Vec<PathBuf>, Vec<PathBuf>) = todo.into_iter().partition(|path| portraits.contains(path));
    jobs.extend(pictures.chunks(BATCH).map(|batch| Job::Portraits(batch.to_vec())));
    jobs.extend(clips.into_iter().map(|path| Job::Videos(vec![path], Vec::new())));
    jobs
}

/// Groups of files such that no comparison is between two of them, with the places of the compared.
fn together(comparisons: BTreeSet<Comparison>) -> Vec<(Vec<PathBuf>, Vec<[usize; 2]>)> {
    let mut groups: Vec<(Vec<PathBuf>, Vec<[usize; 2]>)> = Vec::new();
    for (result, truth) in comparisons {
        // Those that know one of the two become one.
        let known = |(files, _): &mut (Vec<PathBuf>, _)| files.contains(&result) || files.contains(&truth);
        let (mut files, mut compared) = (Vec::new(), Vec::new());
        for (theirs, places) in groups.extract_if(.., known) {
            let offset = files.len();
            files.extend(theirs);
            compared.extend(places.into_iter().map(|places| places.map(|place| place + offset)));
        }
        let pair = [result, truth].map(|path| {
            files.iter().position(|known| *known == path).unwrap_or_else(|| {
                files.push(path);
                files.len() - 1
            })
        });
        compared.push(pair);
        groups.push((files, compared));
    }
    groups
}

/// Does one thing; a file that cannot be read or measured is remembered, a cancellation is passed on.
fn perform(
    job: &Job,
    judges: &Judges,
    options: &EvaluationOptions,
    store: &Store,
    progress: Progress,
    gathered: &Mutex<Gathered>,
) -> Result<()> {
    let again = |job: Job| perform(&job, judges, options, store, progress, gathered);
    let mut found = Found::default();
    let (how, limits) = (&options.analysis, &options.limits);
    // Of before the files are read: what changes meanwhile is not taken for what was measured.
    let seal = |path: &PathBuf| store.fingerprint(path);
    match job {
        Job::Portraits(paths) => {
            let seals: Vec<_> = paths.iter().map(seal).collect();
            match analyse_portraits(paths, judges, how, limits, &mut found.work) {
                Ok(all) => {
                    for ((path, seal), analysis) in paths.iter().zip(seals).zip(all) {
                        found.clip(path, seal, Ok(analysis));
                    }
                }
                Err(error) => match &paths[..] {
                    [path] => found.clip(path, None, Err(error)),
                    // One bad picture does not take the others of its batch along.
                    _ => return paths.iter().try_for_each(|path| again(Job::Portraits(vec![path.clone()]))),
                },
            }
        }
        Job::Videos(files, comparisons) => {
            let seals: Vec<_> = files.iter().map(seal).collect();
            let together = analyse_together(files, comparisons, judges, how, limits, progress, &mut found.work)?;
            for ([result, truth], scores) in comparisons.iter().zip(together.comparisons) {
                let both = seals[*result].as_ref().zip(seals[*truth].as_ref());
                found.truth(&files[*result], &files[*truth], both.map(|(ours, theirs)| joined(ours, theirs)), scores);
            }
            for ((path, seal), analysis) in files.iter().zip(seals).zip(together.clips) {
                found.clip(path, seal, analysis);
            }
        }
    }
    found.keep(store, gathered)
}

/// Why a file or a comparison is not known; a cancellation is passed on.
fn reason<T>(outcome: Result<T>) -> Result<Result<T, String>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// What was measured, when the file had this fingerprint.
struct Measured<K, T> {
    key: K,
    seal: Option<String>,
    outcome: Result<T>,
}

/// What a job has found.
#[derive(Default)]
struct Found {
    clips: Vec<Measured<PathBuf, ClipAnalysis>>,
    truths: Vec<Measured<Comparison, TruthScores>>,
    work: Work,
}

impl Found {
    fn clip(&mut self, path: &Path, seal: Option<String>, outcome: Result<ClipAnalysis>) {
        self.clips.push(Measured { key: path.to_path_buf(), seal, outcome });
    }

    fn truth(&mut self, result: &Path, truth: &Path, seal: Option<String>, outcome: Result<TruthScores>) {
        self.truths.push(Measured { key: (result.to_path_buf(), truth.to_path_buf()), seal, outcome });
    }

    fn keep(self, store: &Store, gathered: &Mutex<Gathered>) -> Result<()> {
        let (mut clips, mut truths) = (Vec::new(), Vec::new());
        for Measured { key, seal, outcome } in self.clips {
            let outcome = reason(outcome)?;
            if let (Some(seal), Ok(analysis)) = (seal, &outcome) {
                store.keep(&key, analysis, &seal)?;
            }
            clips.push((key, outcome));
        }
        for Measured { key, seal, outcome } in self.truths {
            let outcome = reason(outcome)?;
            if let (Some(seal), Ok(scores)) = (seal, &outcome) {
                store.keep_truth(&key, scores, &seal)?;
            }
            truths.push((key, outcome));
        }
        let mut gathered = gathered.lock().map_err(|_| CoreError::invalid("evaluation", "a worker failed"))?;
        gathered.clips.extend(clips);
        gathered.truths.extend(truths);
        gathered.work += self.work;
        Ok(())
    }
}
