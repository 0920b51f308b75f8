//! A network of the bundle with the input and outputs this crate relies on.

use burn::tensor::Device;

use crate::task::FaceTask;
use crate::tflite::{Fault, Network};
use crate::{Error, Result};

pub(crate) struct FaceNetwork {
    name: &'static str,
    network: Network,
}

impl FaceNetwork {
    /// Reads a member and checks its input shape (channels last) and the sizes of its first outputs.
    pub(crate) fn new(
        task: &FaceTask,
        name: &'static str,
        bytes: &[u8],
        device: &Device,
        input: [usize; 4],
        outputs: &[usize],
    ) -> Result<Self> {
        let network = Network::read(bytes, device).map_err(|fault| match fault {
            Fault::Malformed(reason) => task.malformed(name, reason),
            Fault::Unsupported(what) => task.unsupported(name, what),
        })?;
        let (found_input, found_outputs) = (network.input_shape(), network.output_sizes());
        if found_input != input || !found_outputs.starts_with(outputs) {
            let found = format!("input {found_input:?} and outputs of {found_outputs:?} values");
            let wanted = format!("this program knows the one with {input:?} and {outputs:?}");
            return Err(task.unsupported(name, format!("a network with {found} ({wanted})")).into());
        }
        Ok(Self { name, network })
    }

    /// Runs on planes (channels first) and returns the outputs.
    pub(crate) fn run(&self, planes: Vec<f32>) -> Result<Vec<Vec<f32>>> {
        self.network.run(planes).map_err(|reason| Error::Inference { network: self.name, reason })
    }
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
