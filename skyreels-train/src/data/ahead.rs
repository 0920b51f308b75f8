//! Examples that are made while something else is computed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::dataset::Dataset;
use super::example::Example;

/// Examples of the next batch, by their numbers; parts of a batch that are computed side by side share them.
///
/// An example is a function of its number: whether it was made ahead, and when, changes nothing but the time it takes.
#[derive(Default)]
pub(crate) struct Ahead {
    ready: Mutex<BTreeMap<u64, Ready>>,
}

/// An example, and the batch during which it was made.
struct Ready {
    batch: u64,
    example: Example,
}

impl Ahead {
    /// Does `work` while another thread makes the examples `wanted`, one after the other; returns when both are done. Those that were made
    /// before the batch before this one and nobody has taken are dropped.
    pub(crate) fn during<R>(
        &self,
        data: &dyn Dataset,
        batch: u64,
        mut wanted: Vec<u64>,
        work: impl FnOnce() -> R,
    ) -> R {
        wanted.sort_unstable();
        wanted.dedup();
        self.lock().retain(|_, ready| ready.batch + 1 >= batch);
        let missing: Vec<u64> = wanted.into_iter().filter(|index| !self.lock().contains_key(index)).collect();
        if missing.is_empty() {
            return work();
        }
        std::thread::scope(|scope| {
            let making = scope.spawn(|| {
                for index in missing {
                    // What fails here fails again, and is told, when the example is needed.
                    let Ok(example) = data.example(index) else { return };
                    self.lock().insert(index, Ready { batch, example });
                }
            });
            let result = work();
            let _ = making.join();
            result
        })
    }

    /// An example, if it was made ahead.
    pub(crate) fn take(&self, index: u64) -> Option<Example> {
        self.lock().remove(&index).map(|ready| ready.example)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Ready>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::data::RenderedWorld;
    use crate::{Error, Result};

    /// Counts how often it is asked, and has no example 3.
    struct Counted(RenderedWorld, AtomicUsize);

    impl Dataset for Counted {
        fn len(&self) -> u64 {
            self.0.len()
        }

        fn example(&self, index: u64) -> Result<Example> {
            self.1.fetch_add(1, Ordering::SeqCst);
            if index == 3 { Err(Error::invalid("example", "damaged")) } else { self.0.example(index) }
        }
    }

    #[test]
    fn what_is_made_ahead_is_what_would_be_made_and_is_made_once() {
        let data = Counted(RenderedWorld::new([9, 32, 32], 4, 1), AtomicUsize::new(0));
        let ahead = Ahead::default();
        assert_eq!(ahead.during(&data, 0, vec![1, 2, 1], || 5), 5);
        assert_eq!(ahead.during(&data, 1, vec![2, 3], || 6), 6);
        assert_eq!(data.1.load(Ordering::SeqCst), 3, "the second is kept, the damaged one is tried");
        assert_eq!(ahead.take(2).unwrap().video, data.0.example(2).unwrap().video);
        assert!(ahead.take(1).is_some(), "another part of the batch may still want it");
        assert!(ahead.take(2).is_none() && ahead.take(3).is_none());
    }
}
