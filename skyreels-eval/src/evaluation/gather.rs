//! Every file measured once, several at a time, and kept for the next run.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use skyreels_core::{Error as CoreError, Progress};

use super::run::EvaluationOptions;
use crate::analysis::{
    ClipAnalysis, Judges, TruthScores, Work, analyse_clips, analyse_portraits, analyse_with_truth, load, load_truth,
    save, save_truth,
};
use crate::inference::BATCH;
use crate::protocol::Pair;
use crate::{Error, Result};

/// Name of this operation in progress reports: files.
const STAGE: &str = "measure";
/// Endings of kept files.
const CLIP: &str = "safetensors";
const TRUTH: &str = "truth.safetensors";

/// What is known about each file, or why it is not.
#[derive(Default)]
pub(super) struct Gathered {
    pub clips: BTreeMap<PathBuf, Result<ClipAnalysis, String>>,
    pub truths: BTreeMap<(PathBuf, PathBuf), TruthScores>,
    pub work: Work,
}

/// Something to do at a time.
enum Job {
    Portraits(Vec<PathBuf>),
    Clip(PathBuf),
    WithTruth(PathBuf, PathBuf),
}

impl Job {
    /// Files that are looked at.
    fn files(&self) -> usize {
        match self {
            Self::Portraits(paths) => paths.len(),
            Self::Clip(_) => 1,
            Self::WithTruth(..) => 2,
        }
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
    let total = (jobs.iter().map(Job::files).sum::<usize>() + gathered.clips.len()) as u64;
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
                let done = done.fetch_add(job.files(), Ordering::Relaxed) + job.files();
                Ok(progress.report(STAGE, done as u64, Some(total))?)
            });
            if let (Err(error), Ok(mut failed)) = (outcome, failed.lock()) {
                failed.get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..options.jobs.clamp(1, jobs.len().max(1))).map(|_| scope.spawn(work)).collect();
        work();
        helpers.into_iter().for_each(|helper| drop(helper.join()));
    });
    let poisoned = |_| Error::from(CoreError::invalid("evaluation", "a worker ended unexpectedly; run it again"));
    if let Ok(Some(error)) = failed.into_inner() {
        return Err(error);
    }
    gathered.into_inner().map_err(poisoned)
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
    let mut jobs = Vec::new();
    for pair in pairs.iter().filter(|pair| pair.truth) {
        let key = (pair.result.clone(), pair.driving.clone());
        if let Some(scores) = store.kept_truth(&key) {
            gathered.truths.insert(key, scores);
        } else {
            todo.remove(&pair.result);
            todo.remove(&pair.driving);
            jobs.push(Job::WithTruth(pair.result.clone(), pair.driving.clone()));
        }
    }
    let portraits: BTreeSet<&PathBuf> = pairs.iter().filter_map(|pair| pair.portrait.as_ref()).collect();
    let (pictures, clips): (Vec<PathBuf>, Vec<PathBuf>) = todo.into_iter().partition(|path| portraits.contains(path));
    jobs.extend(pictures.chunks(BATCH).map(|batch| Job::Portraits(batch.to_vec())));
    jobs.extend(clips.into_iter().map(Job::Clip));
    jobs
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
    let mut work = Work::default();
    let (how, limits) = (&options.analysis, &options.limits);
    let mut truth = None;
    let clips: Vec<(PathBuf, Result<ClipAnalysis>)> = match job {
        Job::Portraits(paths) => match analyse_portraits(paths, judges, how, limits, &mut work) {
            Ok(found) => paths.iter().cloned().zip(found.into_iter().map(Ok)).collect(),
            // One bad picture does not take the others of its batch along.
            Err(_) => {
                let mut one = |path: &PathBuf| {
                    let found = analyse_portraits(std::slice::from_ref(path), judges, how, limits, &mut work);
                    (path.clone(), found.map(|mut found| found.remove(0)))
                };
                paths.iter().map(&mut one).collect()
            }
        },
        Job::Clip(path) => {
            let found = analyse_clips(std::slice::from_ref(path), judges, how, limits, progress, &mut work);
            vec![(path.clone(), found.map(|mut found| found.remove(0)))]
        }
        Job::WithTruth(result, driving) => {
            match analyse_with_truth(result, driving, judges, how, limits, progress, &mut work) {
                Ok(([ours, theirs], scores)) => {
                    truth = Some(((result.clone(), driving.clone()), scores));
                    vec![(result.clone(), Ok(ours)), (driving.clone(), Ok(theirs))]
                }
                // Which of the two could not be read, the message says; the pair needs both.
                Err(error) => vec![(result.clone(), Err(error))],
            }
        }
    };
    let mut known = Vec::with_capacity(clips.len());
    for (path, analysis) in clips {
        match analysis {
            Ok(analysis) => {
                store.keep(&path, &analysis)?;
                known.push((path, Ok(analysis)));
            }
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => known.push((path, Err(error.to_string()))),
        }
    }
    if let Some((key, scores)) = &truth {
        store.keep_truth(key, scores)?;
    }
    let mut gathered = gathered.lock().map_err(|_| CoreError::invalid("evaluation", "a worker failed"))?;
    gathered.clips.extend(known);
    gathered.truths.extend(truth);
    gathered.work += work;
    Ok(())
}

/// Where measurements are kept between runs.
struct Store {
    directory: Option<PathBuf>,
    options: String,
}

impl Store {
    fn open(options: &EvaluationOptions) -> Result<Self> {
        if let Some(directory) = &options.keep {
            std::fs::create_dir_all(directory).map_err(CoreError::io("create", directory))?;
        }
        Ok(Self { directory: options.keep.clone(), options: format!("{:?} {}", options.analysis, options.networks) })
    }

    /// What the measurements of a file depend on: its place, size and time, and the options.
    fn fingerprint(&self, path: &Path) -> Option<String> {
        let about = std::fs::metadata(path).ok()?;
        let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        Some(format!("{} {} {changed} {}", path.display(), about.len(), self.options))
    }

    /// A name that no other file of the run has: of the path, so that files of one name in two folders stay apart.
    fn place(&self, path: &Path, extension: &str) -> Option<PathBuf> {
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        let hash = fnv(path.to_string_lossy().as_bytes());
        Some(self.directory.as_ref()?.join(format!("{stem}-{hash:016x}.{extension}")))
    }

    fn kept(&self, path: &Path) -> Option<ClipAnalysis> {
        load(&self.place(path, CLIP)?, &self.fingerprint(path)?)
    }

    fn keep(&self, path: &Path, analysis: &ClipAnalysis) -> Result<()> {
        match (self.place(path, CLIP), self.fingerprint(path)) {
            (Some(place), Some(fingerprint)) => save(&place, analysis, &fingerprint),
            _ => Ok(()),
        }
    }

    fn pair_fingerprint(&self, (result, truth): &(PathBuf, PathBuf)) -> Option<String> {
        Some(format!("{} {}", self.fingerprint(result)?, self.fingerprint(truth)?))
    }

    fn kept_truth(&self, key: &(PathBuf, PathBuf)) -> Option<TruthScores> {
        load_truth(&self.place(&key.0, TRUTH)?, &self.pair_fingerprint(key)?)
    }

    fn keep_truth(&self, key: &(PathBuf, PathBuf), scores: &TruthScores) -> Result<()> {
        match (self.place(&key.0, TRUTH), self.pair_fingerprint(key)) {
            (Some(place), Some(fingerprint)) => save_truth(&place, scores, &fingerprint),
            _ => Ok(()),
        }
    }
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}
