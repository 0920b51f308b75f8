//! Pairs by a seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::list::{ListedPair, PairList, Protocol};
use crate::{Error, Result};

/// Portraits of the paper's comparison across people: "100 in-the-wild images".
pub const PAPER_PORTRAITS: usize = 100;

/// Draws a list: the same names and seed give the same list, in whatever order the names come.
///
/// Across people, at most `most_portraits` are drawn, and each driver gets `per_driver` of them; no portrait comes
/// a second time before all have come once. (The paper draws one for each driver out of [`PAPER_PORTRAITS`].) Of oneself, each
/// driver gets the portrait of its own name, or its own first frame.
///
/// # Errors
/// [`Error::Empty`] without drivers, or across people without portraits.
pub fn draw_pairs(
    protocol: Protocol,
    portraits: &[String],
    drivers: &[String],
    most_portraits: usize,
    per_driver: usize,
    seed: u64,
) -> Result<PairList> {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names.dedup();
        names
    };
    let (mut portraits, drivers) = (sorted(portraits), sorted(drivers));
    if drivers.is_empty() || (protocol == Protocol::Cross && (portraits.is_empty() || most_portraits == 0)) {
        let what = format!("pairs of {} portraits and {} drivers", portraits.len(), drivers.len());
        return Err(Error::empty(what, "put pictures and videos into their directories"));
    }
    let mut pairs = Vec::new();
    match protocol {
        Protocol::Own => {
            for driving in drivers {
                let portrait = portraits.iter().find(|portrait| stem(portrait) == stem(&driving)).cloned();
                pairs.push(ListedPair { name: stem(&driving).to_string(), portrait, driving, result: None });
            }
        }
        Protocol::Cross => {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            shuffle(&mut portraits, &mut random);
            portraits.truncate(most_portraits);
            let per_driver = per_driver.clamp(1, portraits.len());
            let mut next = portraits.iter().cycle();
            for driving in drivers {
                for portrait in next.by_ref().take(per_driver) {
                    let name = format!("{}{SEPARATOR}{}", stem(portrait), stem(&driving));
                    let portrait = Some(portrait.clone());
                    pairs.push(ListedPair { name, portrait, driving: driving.clone(), result: None });
                }
            }
        }
    }
    let list = PairList { protocol, seed: (protocol == Protocol::Cross).then_some(seed), pairs };
    list.check()?;
    Ok(list)
}

/// Between the portrait's and the driver's part of a name.
pub(super) const SEPARATOR: &str = "__";

/// A file's name without folder and extension.
pub(super) fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        // The upper half of a product is a number below `last + 1`, as even as 64 bits allow.
        let chosen = (u128::from(random.next_u64()) * (last as u128 + 1)) >> 64;
        items.swap(last, chosen as usize);
    }
}
