//! Which timesteps are trained on.

use serde::{Deserialize, Serialize};
use skyreels_core::diffusion::NoiseGenerator;

use crate::{Error, Result};

/// How timesteps are distributed over those of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Timesteps {
    /// All alike, as CogVideoX has it.
    #[default]
    Uniform,
    /// The logistic function of normal numbers, as a share of the schedule: Esser et al., "Scaling Rectified Flow Transformers
    /// for High-Resolution Image Synthesis" (2024), section 3.1. A mean above 0 prefers much noise, where what moves is decided;
    /// where there is little, nearly everything can be seen, and little is learnt.
    LogitNormal {
        /// Mean of the normal numbers.
        mean: f64,
        /// Their standard deviation, above 0.
        deviation: f64,
    },
}

impl Timesteps {
    /// The next timestep of a schedule of `count`.
    pub fn draw(&self, random: &mut NoiseGenerator, count: usize) -> usize {
        let share = match *self {
            Self::Uniform => random.uniform(),
            Self::LogitNormal { mean, deviation } => {
                let normal = f64::from(random.normal_values(1)[0]);
                (1.0 + (-(mean + deviation * normal)).exp()).recip()
            }
        };
        ((share * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Checks that the numbers make a distribution.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field.
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::LogitNormal { mean, deviation }
                if !(mean.is_finite() && deviation.is_finite() && deviation > 0.0) =>
            {
                let reason = format!(
                    "logit_normal has mean {mean} and deviation {deviation}; both are numbers, and the deviation is above 0"
                );
                Err(Error::invalid("timesteps", reason))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares of a thousand draws that lie in the first and in the last quarter of the schedule.
    fn quarters(timesteps: Timesteps) -> [f64; 2] {
        let mut random = NoiseGenerator::new(7);
        let drawn: Vec<usize> = (0..1000).map(|_| timesteps.draw(&mut random, 1000)).collect();
        assert!(drawn.iter().all(|timestep| *timestep < 1000));
        let share = |of: fn(usize) -> bool| drawn.iter().filter(|timestep| of(**timestep)).count() as f64 / 1000.0;
        [share(|timestep| timestep < 250), share(|timestep| timestep >= 750)]
    }

    #[test]
    fn uniform_ones_are_everywhere_and_others_where_they_are_wanted() {
        let even = quarters(Timesteps::Uniform);
        assert!(even.iter().all(|share| (share - 0.25).abs() < 0.05), "{even:?}");
        // The normal distribution's own values: below -ln 3 - 1 and above ln 3 - 1.
        let [low, high] = quarters(Timesteps::LogitNormal { mean: 1.0, deviation: 1.0 });
        assert!((low - 0.018).abs() < 0.02 && (high - 0.461).abs() < 0.05, "{low} {high}");
        let [low, high] = quarters(Timesteps::LogitNormal { mean: 1e6, deviation: 1.0 });
        assert_eq!([low, high], [0.0, 1.0], "the last timestep is the end");
    }

    #[test]
    fn distributions_come_from_configurations_and_are_checked() {
        let read = |text: &str| serde_json::from_str::<Timesteps>(text);
        assert_eq!(read(r#""uniform""#).unwrap(), Timesteps::Uniform);
        let wide = read(r#"{ "logit_normal": { "mean": 0.5, "deviation": 2.0 } }"#).unwrap();
        assert_eq!(wide, Timesteps::LogitNormal { mean: 0.5, deviation: 2.0 });
        wide.validate().unwrap();
        let error = Timesteps::LogitNormal { mean: 0.0, deviation: 0.0 }.validate().unwrap_err().to_string();
        assert!(error.contains("deviation 0"), "{error}");
    }
}
