//! What a model is trained on: clips with everything that inference would know about them.

mod dataset;
mod example;
mod rendered;
mod source;

pub(crate) use dataset::mix;
pub use dataset::{Dataset, Order};
pub use example::{Example, FLOW_LEAD};
pub use rendered::{IdentityFrom, RenderedWorld, Split};
pub use source::Source;
