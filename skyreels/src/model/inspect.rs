//! What is in a checkpoint, what is missing, and what a run will take.

use std::path::Path;

use serde::Serialize;
use skyreels_core::checkpoint::{Published, Weights};
use skyreels_core::{Device, Limits, Precision};
use skyreels_vae::{CausalVae, LandmarkGuider};

use super::directory::{read_schedule, read_siglip, read_transformer, read_vae};
use super::{GUIDER, ModelDir, SCHEDULER, SIGLIP, TRANSFORMER, VAE};
use crate::Result;
use crate::plan::{Plan, PlanRequest, parameters};

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
    /// The components in the order of their use.
    pub components: Vec<ComponentReport>,
    /// What keeps the components from working together; `None` when they do, or when one is not there.
    pub problem: Option<String>,
    /// Memory of a run at the size that the model was made for, when every configuration is there.
    pub plan: Option<Plan>,
}

impl Inspection {
    /// True when every component can be loaded and they fit each other.
    pub fn is_complete(&self) -> bool {
        self.problem.is_none() && self.components.iter().all(|component| component.problem.is_none())
    }
}

/// Compares the files of every component with its network, without reading a tensor.
///
/// What is missing, damaged or refused is part of the report, component by component.
///
/// # Errors
/// [`skyreels_core::Error::Io`] when `path` is no directory.
pub fn inspect(path: &Path, limits: &Limits, precision: Precision, device: &Device) -> Result<Inspection> {
    std::fs::read_dir(path).map_err(skyreels_core::Error::io("read", path))?;
    let folder = |name: &'static str| Folder { path, limits, name };
    let components = vec![
        folder(GUIDER).report(|| Ok(LandmarkGuider::new(&read_vae(path, GUIDER)?, device)?)),
        folder(VAE).report(|| Ok(CausalVae::new(&read_vae(path, VAE)?, device)?)),
        folder(SIGLIP).report(|| Ok(read_siglip(path)?.init(device)?)),
        folder(TRANSFORMER).report(|| {
            let mut config = read_transformer(path)?;
            // The published JSON leaves this to the vision tower.
            if let Ok(siglip) = read_siglip(path) {
                config.pose_embed_width.get_or_insert(siglip.hidden_size);
            }
            Ok(config.init(device)?)
        }),
        ComponentReport {
            problem: read_schedule(path).err().map(|error| error.to_string()),
            ..ComponentReport::empty(SCHEDULER)
        },
    ];
    let planned = ModelDir::open(path, limits).and_then(|model| {
        let request = PlanRequest { size: model.native_size(), precision, ..PlanRequest::default() };
        Plan::new(&model, &request, device)
    });
    let told = components.iter().any(|component| component.problem.is_some());
    Ok(match planned {
        Ok(plan) => Inspection { components, problem: None, plan: Some(plan) },
        Err(error) => Inspection { components, problem: (!told).then(|| error.to_string()), plan: None },
    })
}

impl ComponentReport {
    fn empty(name: &'static str) -> Self {
        Self { name, tensors: 0, parameters: 0, stored_bytes: 0, problem: None }
    }
}

/// A component on disk.
struct Folder<'a> {
    path: &'a Path,
    limits: &'a Limits,
    name: &'static str,
}

impl Folder<'_> {
    /// What is there for the network that `build` makes from its configuration.
    fn report<M: Published>(&self, build: impl FnOnce() -> Result<M>) -> ComponentReport {
        let mut report = ComponentReport::empty(self.name);
        let weights = Weights::open(self.path.join(self.name), self.limits);
        if let Ok(weights) = &weights {
            (report.tensors, report.stored_bytes) = (weights.len(), weights.stored_bytes());
        }
        let problems = match (build(), weights) {
            (Ok(module), Ok(weights)) => {
                report.parameters = parameters(&module);
                let found = weights.check(&module);
                if found.is_clean() { Vec::new() } else { vec![found.to_string()] }
            }
            (Ok(module), Err(error)) => {
                report.parameters = parameters(&module);
                vec![error.to_string()]
            }
            (Err(error), Ok(_)) => vec![error.to_string()],
            (Err(config), Err(weights)) => vec![config.to_string(), weights.to_string()],
        };
        report.problem = (!problems.is_empty()).then(|| problems.join("; "));
        report
    }
}
