//! From names to files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use skyreels_core::Error as CoreError;

use super::draw::{SEPARATOR, stem};
use super::list::{ListedPair, PairList, Protocol};
use crate::{Error, Result};

/// Extensions that are taken for videos and for pictures.
const VIDEOS: [&str; 6] = ["mp4", "mov", "m4v", "mkv", "webm", "avi"];
const PICTURES: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
/// Names of an error message before it says "and so on".
const MOST_NAMED: usize = 8;

/// Where results, portraits and drivers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// Videos to judge.
    pub results: PathBuf,
    /// Pictures.
    pub portraits: PathBuf,
    /// Driving videos.
    pub driving: PathBuf,
}

/// A result and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What it is called.
    pub name: String,
    /// The video to judge.
    pub result: PathBuf,
    /// The portrait; `None` for the driver's first frame.
    pub portrait: Option<PathBuf>,
    /// The driving video.
    pub driving: PathBuf,
    /// Whether the driver is the true result.
    pub truth: bool,
}

impl Directories {
    /// Names of the pictures among the portraits, in alphabetical order.
    ///
    /// # Errors
    /// [`Error::Core`] when the directory cannot be read.
    pub fn portrait_names(&self) -> Result<Vec<String>> {
        names(&self.portraits, &PICTURES)
    }

    /// Names of the videos among the drivers, in alphabetical order.
    ///
    /// # Errors
    /// [`Error::Core`] when the directory cannot be read.
    pub fn driving_names(&self) -> Result<Vec<String>> {
        names(&self.driving, &VIDEOS)
    }

    /// Tells the pairs from the names of the results: `PORTRAIT__DRIVER.mp4` across people, `DRIVER.mp4` of oneself.
    ///
    /// # Errors
    /// [`Error::Invalid`] names every result that belongs to no portrait and driver, or to several, and files that differ in
    /// their extension alone; [`Error::Empty`] when there is none;
    /// [`Error::Core`] when a directory cannot be read.
    pub fn pairs_by_name(&self) -> Result<Vec<Pair>> {
        let portraits = by_stem(&self.portraits, self.portrait_names()?)?;
        let drivers = by_stem(&self.driving, self.driving_names()?)?;
        let (mut pairs, mut strangers) = (Vec::new(), Vec::new());
        for (name, result) in by_stem(&self.results, names(&self.results, &VIDEOS)?)? {
            let across = name.char_indices().filter_map(|(at, _)| {
                let (portrait, driver) = (&name[..at], name[at..].strip_prefix(SEPARATOR)?);
                Some((Some(portraits.get(portrait)?), drivers.get(driver)?, false))
            });
            let own = drivers.get(&name).map(|driver| (portraits.get(&name), driver, true));
            match across.chain(own).collect::<Vec<_>>()[..] {
                [(portrait, driver, truth)] => pairs.push(Pair {
                    result: self.results.join(&result),
                    portrait: portrait.map(|portrait| self.portraits.join(portrait)),
                    driving: self.driving.join(driver),
                    truth,
                    name: name.clone(),
                }),
                [] => strangers.push(result),
                _ => {
                    let reason =
                        format!("{result} can be read as several pairs; rename files, or give a list of pairs");
                    return Err(Error::invalid("results", reason));
                }
            }
        }
        if !strangers.is_empty() {
            let reason = format!(
                "{}: of no portrait and driver here; name results PORTRAIT{SEPARATOR}DRIVER.mp4, or DRIVER.mp4 where the \
                 driver is the portrait, or give a list of pairs",
                some(&strangers)
            );
            return Err(Error::invalid("results", reason));
        }
        if pairs.is_empty() {
            let what = format!("the directory {} of results", self.results.display());
            return Err(Error::empty(what, "put the videos to judge there"));
        }
        Ok(pairs)
    }

    /// The files of a list. A result is the file that the pair names, or the video of the pair's name.
    ///
    /// # Errors
    /// [`Error::Invalid`] names every file that is not there, and results that differ in their extension alone; [`Error::Core`] when a directory cannot be read.
    pub fn pairs_of(&self, list: &PairList) -> Result<Vec<Pair>> {
        list.check()?;
        let results = match list.pairs.iter().all(|pair| pair.result.is_some()) {
            true => BTreeMap::new(),
            false => by_stem(&self.results, names(&self.results, &VIDEOS)?)?,
        };
        let mut missing = Vec::new();
        let mut pairs = Vec::new();
        for ListedPair { name, portrait, driving, result } in &list.pairs {
            let result = result.as_ref().or_else(|| results.get(name));
            let Some(result) = result else {
                missing.push(format!("{name}.mp4 in {}", self.results.display()));
                continue;
            };
            let pair = Pair {
                name: name.clone(),
                result: self.results.join(result),
                portrait: portrait.as_ref().map(|portrait| self.portraits.join(portrait)),
                driving: self.driving.join(driving),
                truth: list.protocol == Protocol::Own,
            };
            let files = [Some(&pair.result), pair.portrait.as_ref(), Some(&pair.driving)];
            missing.extend(files.into_iter().flatten().filter(|path| !path.is_file()).map(|p| p.display().to_string()));
            pairs.push(pair);
        }
        if missing.is_empty() {
            return Ok(pairs);
        }
        missing.sort();
        missing.dedup();
        Err(Error::invalid("list of pairs", format!("not there: {}", some(&missing))))
    }
}

/// Files by their names without extension, of which none may come twice.
fn by_stem(directory: &Path, names: Vec<String>) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for name in names {
        if let Some(other) = files.insert(stem(&name).to_string(), name.clone()) {
            let reason = format!("{other} and {name} differ in their extension alone; rename one or move it away");
            return Err(Error::invalid("file names", format!("{}: {reason}", directory.display())));
        }
    }
    Ok(files)
}

/// The first few of many.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST_NAMED { format!("{shown} and {} more", names.len() - MOST_NAMED) } else { shown }
}

/// Names of the files with one of the extensions, in alphabetical order.
fn names(directory: &Path, extensions: &[&str]) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(directory).map_err(CoreError::io("read", directory))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(CoreError::io("read", directory))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("").to_lowercase();
        if path.is_file() && extensions.contains(&extension.as_str()) {
            let name = path.file_name().and_then(|name| name.to_str());
            let refused = || Error::invalid("file names", format!("{} is not UTF-8; rename it", path.display()));
            names.push(name.ok_or_else(refused)?.to_string());
        }
    }
    names.sort();
    Ok(names)
}
