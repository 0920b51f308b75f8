//! Running a planned network.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::Fault;
use super::layout::{channels_first, to_channels_last};
use super::model::Model;
use super::plan::{Plan, Source};

/// A `.tflite` network on a device.
pub(crate) struct Network {
    plan: Plan,
    device: Device,
}

impl Network {
    /// Reads, checks and uploads a network.
    pub(crate) fn read(bytes: &[u8], device: &Device) -> Result<Self, Fault> {
        let model = Model::read(bytes)?;
        Ok(Self { plan: Plan::new(&model, device)?, device: device.clone() })
    }

    /// Shape of the input, channels last.
    pub(crate) fn input_shape(&self) -> [usize; 4] {
        self.plan.input.1
    }

    /// Number of values of each output.
    pub(crate) fn output_sizes(&self) -> Vec<usize> {
        self.plan.outputs.iter().map(|(_, shape)| shape.iter().product()).collect()
    }

    /// Runs the network once.
    ///
    /// `planes` holds the input channels-first (all of channel 0, then channel 1, ...) and must have as many values
    /// as [`Self::input_shape`]; the outputs come back in their own order, channels last.
    pub(crate) fn run(&self, planes: Vec<f32>) -> Result<Vec<Vec<f32>>, String> {
        let (input, shape) = self.plan.input;
        let data = match &self.plan.patches {
            Some(patches) => TensorData::new(patches.cut(&planes), patches.shape()),
            None => TensorData::new(planes, channels_first(shape)),
        };
        let mut values: Vec<Option<Tensor<4>>> = vec![None; self.plan.slots];
        values[input] = Some(Tensor::from_data(data, (&self.device, DType::F32)));
        for step in &self.plan.steps {
            let operands = step.sources.iter().map(|source| match source {
                Source::Constant(tensor) => (**tensor).clone(),
                Source::Value { slot, last } => {
                    let value = if *last { values[*slot].take() } else { values[*slot].clone() };
                    value.expect("the plan orders steps so that every value is there")
                }
            });
            let operands = operands.collect();
            values[step.slot] = Some(step.op.apply(operands));
        }
        let outputs = self.plan.outputs.iter().map(|(slot, _)| {
            let output = values[*slot].clone().expect("the plan keeps every output");
            to_channels_last(output).try_into_vec_as::<f32>().map_err(|error| error.to_string())
        });
        outputs.collect()
    }
}
