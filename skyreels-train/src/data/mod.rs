//! What a model is trained on: clips with everything that inference would know about them.

mod ahead;
mod dataset;
mod example;
mod kept;
mod rendered;

pub(crate) use ahead::Ahead;
pub(crate) use dataset::mix;
pub use dataset::{Dataset, Order};
pub use example::{Example, FLOW_LEAD, Latents, Moving};
pub(crate) use kept::Kept;
pub use rendered::{IdentityFrom, RenderedWorld, Split};
