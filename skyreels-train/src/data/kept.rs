//! What is made of examples, in memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Result;

/// What was made of examples, up to a number of bytes; what lies beyond is made again when it comes back.
#[derive(Debug)]
pub(crate) struct Kept<K, T> {
    made: Mutex<Made<K, T>>,
    most_bytes: usize,
}

#[derive(Debug)]
struct Made<K, T> {
    found: HashMap<K, Arc<T>>,
    bytes: usize,
}

impl<K: Eq + Hash, T> Kept<K, T> {
    /// Nothing yet, with room for so many megabytes.
    pub fn new(megabytes: usize) -> Self {
        let made = Made { found: HashMap::new(), bytes: 0 };
        Self { made: Mutex::new(made), most_bytes: megabytes.saturating_mul(1_000_000) }
    }

    fn lock(&self) -> MutexGuard<'_, Made<K, T>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was kept under `key`, or else what `make` makes, which is `bytes` large. Other threads are not kept waiting meanwhile.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get(&self, key: K, make: impl FnOnce() -> Result<T>, bytes: impl FnOnce(&T) -> usize) -> Result<Arc<T>> {
        if let Some(found) = self.lock().found.get(&key) {
            return Ok(found.clone());
        }
        let new = Arc::new(make()?);
        let bytes = bytes(&new);
        let mut made = self.lock();
        // Another part of the batch may have made the same one meanwhile.
        if !made.found.contains_key(&key) && made.bytes + bytes <= self.most_bytes {
            made.bytes += bytes;
            made.found.insert(key, new.clone());
        }
        Ok(new)
    }

    /// Whether something is kept under `key`.
    pub fn contains(&self, key: &K) -> bool {
        self.lock().found.contains_key(key)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut made = self.lock();
        made.found.clear();
        made.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_made_once_and_what_does_not_again() {
        let kept = Kept::new(1);
        let get = |key: u32, says: u32, bytes| *kept.get(key, || Ok(says), |_| bytes).unwrap();
        assert_eq!([get(1, 10, 600_000), get(1, 11, 600_000)], [10, 10]);
        assert_eq!([get(2, 20, 600_000), get(2, 21, 600_000)], [20, 21]);
        assert_eq!([kept.contains(&1), kept.contains(&2)], [true, false]);
        kept.clear();
        assert_eq!([get(2, 22, 600_000), get(2, 23, 600_000), get(1, 12, 600_000)], [22, 22, 12]);
    }

    #[test]
    fn what_cannot_be_made_is_asked_for_again() {
        let kept = Kept::new(1);
        let wrong = kept.get(1, || Err(crate::Error::invalid("data", "unreadable")), |_: &u32| 1);
        assert!(wrong.is_err());
        assert_eq!(*kept.get(1, || Ok(5), |_| 1).unwrap(), 5);
    }
}
