//! Who performs what: lists of pairs, drawn by a seed, read from a file or told from names.

mod draw;
mod list;
mod resolve;

pub use draw::{PAPER_PORTRAITS, draw_pairs};
pub use list::{ListedPair, PairList, Protocol};
pub use resolve::{Directories, Pair};
