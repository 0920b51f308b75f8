//! Examples by number, and the order in which they are seen.

use super::example::Example;
use crate::Result;

/// A number of examples, each found by its number: the same number is the same example, always.
pub trait Dataset: Send + Sync {
    /// How many there are.
    fn len(&self) -> u64;

    /// True when there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them; `index` is below [`len`](Self::len).
    ///
    /// # Errors
    /// When it cannot be read or made.
    fn example(&self, index: u64) -> Result<Example>;
}

/// In which order examples are seen: every pass is a permutation of its own.
///
/// It is a function of seed and cursor and keeps nothing: a run that goes on at a cursor sees what it would have seen, and
/// several machines can each take their part of the cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    length: u64,
    seed: u64,
}

/// Rounds of the Feistel network; four make its permutations look random (Luby and Rackoff, 1988).
const ROUNDS: u64 = 4;

impl Order {
    /// An order of `length` examples.
    pub fn new(length: u64, seed: u64) -> Self {
        Self { length, seed }
    }

    /// The example at a cursor; every `length` of them are one pass. 0 where there is no example.
    pub fn index(&self, cursor: u64) -> u64 {
        if self.length <= 1 {
            return 0;
        }
        let (pass, place) = (cursor / self.length, cursor % self.length);
        let half = (u64::BITS - (self.length - 1).leading_zeros()).div_ceil(2);
        // A permutation of a power of four; places beyond the length are walked through.
        let mut place = self.permute(place, pass, half);
        while place >= self.length {
            place = self.permute(place, pass, half);
        }
        place
    }

    fn permute(&self, place: u64, pass: u64, half: u32) -> u64 {
        let mask = (1 << half) - 1;
        let (mut left, mut right) = (place >> half, place & mask);
        for round in 0..ROUNDS {
            let mixed = mix(mix(mix(self.seed, pass), round), right) & mask;
            (left, right) = (right, left ^ mixed);
        }
        left << half | right
    }
}

/// Two numbers to one that looks random: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) fn mix(seed: u64, value: u64) -> u64 {
    let mut z = seed.rotate_left(17) ^ value.wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_pass_sees_every_example_once(length in 1u64..300, seed in any::<u64>(), pass in 0u64..1000) {
            let order = Order::new(length, seed);
            let seen: BTreeSet<u64> = (0..length).map(|place| order.index(pass * length + place)).collect();
            prop_assert_eq!(seen, (0..length).collect());
        }
    }

    #[test]
    fn passes_and_seeds_differ() {
        let pass =
            |seed, pass: u64| (0..50u64).map(|at| Order::new(50, seed).index(pass * 50 + at)).collect::<Vec<_>>();
        assert_ne!(pass(1, 0), pass(1, 1));
        assert_ne!(pass(1, 0), pass(2, 0));
        assert_eq!(pass(1, 3), pass(1, 3));
    }
}
