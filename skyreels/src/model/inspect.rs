//! What is in a checkpoint, what is missing, and what a run will take.

use serde::Serialize;
use skyreels_core::checkpoint::{LoadReport, Published, Weights};
use skyreels_core::{Device, Precision};
use skyreels_vae::{CausalVae, LandmarkGuider};

use super::{GUIDER, ModelDir, SIGLIP, TRANSFORMER, VAE};
use crate::plan::{Plan, PlanRequest};
use crate::{Error, Result};

/// One component of a checkpoint.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentReport {
    /// Its folder.
    pub name: &'static str,
    /// Tensors in its files.
    pub tensors: usize,
    /// Parameters that its network takes from them.
    pub parameters: u64,
    /// Bytes of the tensors as stored.
    pub stored_bytes: u64,
    /// Why the component cannot be loaded; `None` when it can.
    pub problem: Option<String>,
}

/// Everything `skyreels inspect` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// `[frames, height, width]` that the model was made for.
    pub native_size: [usize; 3],
    /// The components in the order of their use.
    pub components: Vec<ComponentReport>,
    /// Memory of a run at the native size.
    pub plan: Plan,
}

impl Inspection {
    /// True when every component can be loaded.
    pub fn is_complete(&self) -> bool {
        self.components.iter().all(|component| component.problem.is_none())
    }
}

/// Compares the files of every component with its network, without reading a tensor.
///
/// # Errors
/// Those of [`ModelDir::latent_size`] and of building the networks. Missing or damaged weights
/// are part of the report.
pub fn inspect(model: &ModelDir, precision: Precision, device: &Device) -> Result<Inspection> {
    let components = vec![
        component(model, GUIDER, &LandmarkGuider::new(&model.guider, device)?),
        component(model, VAE, &CausalVae::new(&model.vae, device)?),
        component(model, SIGLIP, &model.siglip.init(device)?),
        component(model, TRANSFORMER, &model.transformer.init(device)?),
    ];
    let plan = Plan::new(model, &PlanRequest { size: model.native_size(), precision, ..PlanRequest::default() }, device)?;
    Ok(Inspection { native_size: model.native_size(), components, plan })
}

fn component<M: Published>(model: &ModelDir, name: &'static str, module: &M) -> ComponentReport {
    let shapes = module.published_shapes();
    let parameters = shapes.values().map(|shape| shape.iter().product::<usize>() as u64).sum();
    let of = |weights: Weights| {
        let report: LoadReport = weights.check(module);
        let problem = (!report.is_clean()).then(|| report.to_string());
        (weights.len(), weights.stored_bytes(), problem)
    };
    let (tensors, stored_bytes, problem) =
        model.weights(name).map(of).unwrap_or_else(|error: Error| (0, 0, Some(error.to_string())));
    ComponentReport { name, tensors, parameters, stored_bytes, problem }
}
