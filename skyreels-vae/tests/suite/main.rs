//! All tests of the crate in one program: every further one would be linked with the whole of Burn again.

mod common;
mod config;
mod golden;
mod layout;
mod model;
