//! DDIM (Song et al., 2021, arXiv 2010.02502), deterministic.

use burn::tensor::Tensor;

use super::schedule::Schedule;

/// Where a step arrives.
#[derive(Debug, Clone)]
pub struct Step<const D: usize> {
    /// The sample at the next timestep of the run.
    pub previous: Tensor<D>,
    /// The clean sample predicted on the way.
    pub x0: Tensor<D>,
}

/// One step from `timestep` to `target` (negative: the end):
/// `x' = a x + b x0` with `a = sqrt((1 - a') / (1 - a))` and `b = sqrt(a') - sqrt(a) a`.
///
/// # Panics
/// When a timestep is beyond the schedule, see [`Schedule::alpha`].
pub fn ddim_step<const D: usize>(
    schedule: &Schedule,
    timestep: i64,
    target: i64,
    prediction: Tensor<D>,
    sample: Tensor<D>,
) -> Step<D> {
    let (here, there) = (schedule.alpha(timestep), schedule.alpha(target));
    let x0 = schedule.x0(prediction, sample.clone(), here);
    let a = ((1.0 - there) / (1.0 - here)).sqrt();
    let b = there.sqrt() - here.sqrt() * a;
    Step { previous: sample * a + x0.clone() * b, x0 }
}
