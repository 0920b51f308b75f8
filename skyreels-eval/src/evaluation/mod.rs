//! All pairs, measured and put together.

mod bootstrap;
mod gather;
mod keep;
mod measure;
mod metric;
mod outcome;
mod run;

pub use bootstrap::{Interval, bootstrap_mean};
pub use metric::{Better, METRICS, Metric, MetricKind};
pub use outcome::{Evaluation, Failure, PairScores, SetDistance, Summary, Thumbnails};
pub use run::{EvaluationOptions, FidReference, evaluate};
