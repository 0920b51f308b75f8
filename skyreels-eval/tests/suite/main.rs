//! All tests of the crate in one program: every further one would be linked with the whole of Burn again.

mod decoding;
mod embedder;
mod evaluation;
mod frechet;
mod golden;
mod judges;
mod motion;
mod page;
mod picture;
mod protocol;
mod quality;
mod support;
mod table;
