//! A batch in parts: several devices, or several threads of one.

use std::collections::BTreeMap;
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
/// Every step [hands](replicas) the present parameters to the other devices; [`exchange::sum`] brings their gradients together.
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
    // The longer parts come first, and those without an example last: what is left has one each.
    let busy = parts.iter().take_while(|part| !part.is_empty()).count();
    let pools = pools(tasks.len())?;
    let replicas = replicas(networks, &tasks[..busy]);
    std::thread::scope(|scope| {
        let running: Vec<_> = tasks
            .iter()
            .zip(&parts)
            .zip(&pools)
            .zip(replicas)
            .map(|(((task, part), pool), replica)| {
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

/// The networks on the device of each task, with leaves of their own: graphs of several threads must not meet.
///
/// The way of [`exchange::sum`] back: the first device hands them to the one that is farthest, each of these to the one halfway, and neighbours
/// are last, so that they go to another machine once and not once for each of its devices.
fn replicas<T: Task>(networks: &T::Networks, tasks: &[&T]) -> Vec<T::Networks> {
    let fork = |from: &T::Networks, to: usize| from.clone().fork(&tasks[to].device().clone().autodiff());
    let mut replicas = BTreeMap::from([(0, fork(networks, 0))]);
    for (from, to) in hand_overs(tasks.len()) {
        replicas.insert(to, fork(&replicas[&from], to));
    }
    replicas.into_values().collect()
}

/// Who hands something to whom until all of `count` have it, the first one from the beginning.
fn hand_overs(count: usize) -> Vec<(usize, usize)> {
    let strides: Vec<usize> = (0..).map(|power| 1 << power).take_while(|stride| *stride < count).collect();
    let from = |stride: usize| (0..count - stride).step_by(2 * stride).map(move |from| (from, from + stride));
    strides.into_iter().rev().flat_map(from).collect()
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
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_is_handed_something_once_by_somebody_who_has_it() {
        assert_eq!(hand_overs(4), [(0, 2), (0, 1), (2, 3)]);
        for count in 1..40 {
            let mut have = BTreeSet::from([0]);
            for (from, to) in hand_overs(count) {
                assert!(have.contains(&from) && have.insert(to), "{from} to {to} of {count}");
            }
            assert_eq!(have, (0..count).collect());
        }
        // Machines of eight: each gets it once from another one.
        assert_eq!(hand_overs(32).iter().filter(|(from, to)| from / 8 != to / 8).count(), 3);
    }

    #[test]
    fn parts_are_consecutive_and_nearly_equal() {
        assert_eq!(parts(10..17, 3), [10..13, 13..15, 15..17]);
        assert_eq!(parts(0..1, 2), [0..1, 1..1]);
        assert_eq!(parts(4..8, 1).first(), Some(&(4..8)));
    }
}
