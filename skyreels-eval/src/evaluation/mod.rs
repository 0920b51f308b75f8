//! All pairs, measured and put together.

mod bootstrap;
mod gather;
mod measure;
mod metric;
mod outcome;
mod run;

pub use bootstrap::{Interval, bootstrap_mean};
pub use metric::{Better, METRICS, Metric};
pub use outcome::{Evaluation, Failure, PairScores, SetDistance, Summary};
pub use run::{EvaluationOptions, FidReference, evaluate};
