//! All tests of the crate in one program: every further one would be linked with the whole of Burn again.

mod autoencoder;
mod flow;
mod gradients;
mod guider;
mod landmarks;
mod learning;
mod lora;
mod loss;
mod parameters;
mod prepare;
mod step;
mod support;
mod world;
