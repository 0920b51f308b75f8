//! All tests of the crate in one program: every further one would be linked with the whole of Burn again.

mod attention;
mod common;
mod config;
mod golden;
mod golden_files;
mod layout;
mod siglip;
mod smaller;
mod transformer;
