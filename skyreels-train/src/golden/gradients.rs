//! Gradients through the transformer.

use burn::module::Param;
use burn::tensor::{Device, Gradients, Tensor};
use skyreels_core::checkpoint::{Key, Published, PublishedVisitor, as_stored};
use skyreels_core::golden::{Golden, Report};
use skyreels_core::{Precision, Progress};
use skyreels_dit::TransformerConfig;

use crate::Result;

/// Gradients of `sum(sample * cotangent)` with respect to every parameter and both inputs.
pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let device = device.clone().autodiff();
    let config: TransformerConfig = file.config("")?;
    let model = file.weights("").load(config.init(&device)?, Precision::F32, Progress::none())?;
    let latents: Tensor<5> = file.tensor("hidden_states", &device)?.require_grad();
    let identity: Tensor<3> = file.tensor("encoder_hidden_states", &device)?.require_grad();
    let timesteps: Vec<usize> = file.input("timestep")?.data.iter().map(|t| *t as usize).collect();
    let [_, frames, _, height, width] = latents.dims();
    let rotary = config.rotary(frames, height, width, &device)?;
    let sample = model.forward(latents.clone(), identity.clone(), &timesteps, &rotary)?;
    let gradients = (sample * file.tensor("cotangent", &device)?).sum().backward();

    let mut comparison = Comparison { file, gradients: &gradients, report: Report::new(file), failed: None };
    model.visit_published(&mut comparison);
    comparison.compare("hidden_states", latents.grad(&gradients));
    comparison.compare("encoder_hidden_states", identity.grad(&gradients));
    match comparison.failed {
        Some(error) => Err(error.into()),
        None => Ok(comparison.report.finish(file)),
    }
}

struct Comparison<'a> {
    file: &'a Golden,
    gradients: &'a Gradients,
    report: Report,
    failed: Option<skyreels_core::Error>,
}

impl Comparison<'_> {
    /// A gradient that is not there is left for [`Report::finish`] to complain about.
    fn compare<const D: usize>(&mut self, name: &str, gradient: Option<Tensor<D>>) {
        let Some(gradient) = gradient else { return };
        if let Err(error) = self.report.compare(self.file, &format!("grad.{name}"), gradient) {
            self.failed = Some(error);
        }
    }
}

impl PublishedVisitor for Comparison<'_> {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients).map(|gradient| as_stored(param, gradient));
        self.compare(key.as_str(), gradient);
    }
}
