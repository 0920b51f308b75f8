//! All tests of the crate in one program: every further one would be linked with the whole of Burn again.

mod checkpoint;
mod common;
mod diffusion;
mod golden;
mod lora;
mod media_bad_input;
mod media_decode;
mod media_encode;
mod media_peer;
mod media_picture;
mod media_sampling;
