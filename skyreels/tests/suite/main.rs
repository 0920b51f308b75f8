//! All tests of the crate in one program: every further one would be linked with the whole of Burn again.

#[cfg(feature = "program")]
mod bad_input;
mod common;
mod conditions;
#[cfg(feature = "program")]
mod eval;
#[cfg(feature = "program")]
mod flame;
#[cfg(feature = "program")]
mod interrupted;
#[cfg(feature = "program")]
mod landmarks;
#[cfg(feature = "program")]
mod motion;
mod pipeline;
#[cfg(feature = "program")]
mod prepare;
#[cfg(feature = "program")]
mod program;
#[cfg(feature = "program")]
mod remote;
mod rendered;
mod reuse;
#[cfg(feature = "program")]
mod train;
#[cfg(feature = "program")]
mod tune;
