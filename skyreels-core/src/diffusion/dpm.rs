//! DPM-Solver++ 2M SDE (Lu et al., 2022, arXiv 2211.01095) as `scheduling_dpm_cogvideox.py` has it.

use burn::tensor::Tensor;

use super::ddim::Step;
use super::schedule::Schedule;

/// What a second-order step remembers of the step before.
#[derive(Debug, Clone)]
pub struct Memory<const D: usize> {
    /// Timestep the step before began at.
    pub timestep: i64,
    /// Its prediction of the clean sample.
    pub x0: Tensor<D>,
}

/// One step from `timestep` to `target` (negative: the end) with fresh `noise`.
///
/// First order without `memory` and at the end of a run, second order between.
///
/// # Panics
/// When a timestep is beyond the schedule, see [`Schedule::alpha`].
pub fn dpm_step<const D: usize>(
    schedule: &Schedule,
    timestep: i64,
    target: i64,
    prediction: Tensor<D>,
    sample: Tensor<D>,
    memory: Option<&Memory<D>>,
    noise: Tensor<D>,
) -> Step<D> {
    let (here, there) = (schedule.alpha(timestep), schedule.alpha(target));
    let x0 = schedule.x0(prediction, sample.clone(), here);
    // With zero terminal SNR the first lambda is -inf and the last +inf; every term below has a
    // finite limit there, which these forms reach without special cases.
    let h = lambda(there) - lambda(here);
    let keep = ((1.0 - there) / (1.0 - here)).sqrt() * (-h).exp();
    let pull = -(-2.0 * h).exp_m1() * there.sqrt();
    let spread = (1.0 - there).sqrt() * (-(-2.0 * h).exp_m1()).sqrt();
    let direction = match memory {
        Some(memory) if target >= 0 => {
            let r = (lambda(here) - lambda(schedule.alpha(memory.timestep))) / h;
            let half = 1.0 / (2.0 * r);
            x0.clone() * (1.0 + half) - memory.x0.clone() * half
        }
        _ => x0.clone(),
    };
    Step { previous: sample * keep + direction * pull + noise * spread, x0 }
}

/// Half the log of the signal-to-noise ratio.
fn lambda(alpha: f64) -> f64 {
    (alpha / (1.0 - alpha)).sqrt().ln()
}
