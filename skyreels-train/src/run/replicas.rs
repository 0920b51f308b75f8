//! A batch in parts: several devices, or several threads of one.

use std::ops::Range;

use burn::module::Module;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::exchange;
use super::task::Task;
use crate::optimise::Gradients;
use crate::{Error, Result};

/// Loss and gradients of the examples at these cursors times `share`, computed by all tasks at once, each on its own device
/// and thread; the sums are on the device of the first. A task that is named twice computes two parts.
///
/// Every step hands the present parameters to the other devices; [`exchange::sum`] brings their gradients together.
pub(super) fn gradients<T: Task>(
    tasks: &[&T],
    networks: &T::Networks,
    cursors: Range<u64>,
    share: f64,
) -> Result<(f64, Gradients)> {
    let (first, others) = tasks.split_first().ok_or_else(|| Error::invalid("devices", "there is none"))?;
    if others.is_empty() {
        return first.gradients(networks, cursors, share);
    }
    let parts = parts(cursors.clone(), tasks.len() as u64);
    let whole = (cursors.end - cursors.start).max(1) as f64;
    let part_share = |part: &Range<u64>| share * (part.end - part.start) as f64 / whole;
    let pools = pools(tasks.len())?;
    std::thread::scope(|scope| {
        let running: Vec<_> = tasks
            .iter()
            .zip(&parts)
            .zip(&pools)
            .filter(|((_, part), _)| !part.is_empty())
            .map(|((task, part), pool)| {
                // Leaves of its own: graphs of several threads must not meet.
                let replica = networks.clone().fork(&task.device().clone().autodiff());
                let share = part_share(part);
                scope.spawn(move || pool.install(move || task.gradients(&replica, part.clone(), share)))
            })
            .collect();
        let (mut loss, mut found) = (0.0, Vec::new());
        for (thread, task) in running.into_iter().zip(tasks) {
            let failed = |_| Error::invalid("devices", "the thread of one of them has panicked");
            let (value, gradients) = thread.join().map_err(failed)??;
            loss += value;
            found.push((task.device().clone(), gradients));
        }
        Ok((loss, exchange::sum(found)?))
    })
}

/// Threads for each part: none waits for work of another.
fn pools(parts: usize) -> Result<Vec<ThreadPool>> {
    let threads = (rayon::current_num_threads() / parts).max(1);
    let pool = |_| ThreadPoolBuilder::new().num_threads(threads).build();
    (0..parts)
        .map(pool)
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::invalid("parts", error.to_string()))
}

/// Consecutive parts whose lengths differ by one at most, the longer ones first.
fn parts(all: Range<u64>, count: u64) -> Vec<Range<u64>> {
    let length = all.end - all.start;
    let start = |part: u64| all.start + part * (length / count) + part.min(length % count);
    (0..count).map(|part| start(part)..start(part + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_consecutive_and_nearly_equal() {
        assert_eq!(parts(10..17, 3), [10..13, 13..15, 15..17]);
        assert_eq!(parts(0..1, 2), [0..1, 1..1]);
        assert_eq!(parts(4..8, 1).first(), Some(&(4..8)));
    }
}
