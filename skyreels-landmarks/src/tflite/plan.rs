//! From a graph to steps: constants resolved, every shape computed and checked, lifetimes known.
//!
//! Declared shapes of intermediate values are not trusted: they are computed anew, so that running the steps
//! cannot fail on shapes.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::Fault;
use super::decode::decode;
use super::host;
use super::layout::{channels_first, padded, to_channels_first};
use super::model::{Model, Operator, element_count};
use super::operator::Op;
use super::patches::Patches;

/// Most constant values a network may hold in f32 (256 MiB); the face networks hold 1.3 million at most.
const MAX_CONSTANTS: usize = 1 << 26;
/// Most values all steps together may produce; the landmark network produces 6 million.
const MAX_ACTIVATIONS: usize = 1 << 28;
/// Most multiply-adds of one run; the landmark network needs 40 million.
const MAX_WORK: usize = 1 << 32;

/// `DEQUANTIZE` in the schema's `BuiltinOperator`.
const DEQUANTIZE: i32 = 6;

/// Where an operand comes from.
pub(super) enum Source {
    /// The result of an earlier step (or the input); `last` if nobody asks for it afterwards.
    Value {
        slot: usize,
        last: bool,
    },
    Constant(Box<Tensor<4>>),
}

/// One operator to run.
pub(super) struct Step {
    pub(super) op: Op,
    pub(super) sources: Vec<Source>,
    pub(super) slot: usize,
}

/// A network ready to run.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) slots: usize,
    /// Slot and channels-last shape.
    pub(super) input: (usize, [usize; 4]),
    /// How the host arranges the input, if the first convolution wants it.
    pub(super) patches: Option<Patches>,
    pub(super) outputs: Vec<(usize, Vec<usize>)>,
}

/// What is known while the operators are walked.
pub(super) struct Planner<'a> {
    model: &'a Model<'a>,
    device: &'a Device,
    /// Shape of each value computed so far.
    values: Vec<Option<Vec<usize>>>,
    /// For the result of a `DEQUANTIZE`, the constant it stands for.
    folded: Vec<Option<usize>>,
    constants_left: usize,
    work_left: usize,
    /// Steps that the operator at hand needs before it.
    before: Vec<Step>,
    /// Values already unshuffled: slot, block side, slot of the result.
    unshuffled: Vec<(usize, usize, usize)>,
    slots: usize,
    /// Only one operator reads the input.
    input_read_once: bool,
    patches: Option<Patches>,
}

impl Plan {
    pub(super) fn new(model: &Model<'_>, device: &Device) -> Result<Self, Fault> {
        let count = model.tensors.len();
        let reads = model.operators.iter().flat_map(|o| &o.inputs).copied().flatten();
        let readers = reads.chain(model.outputs.iter().copied()).filter(|&tensor| tensor == model.input).count();
        let mut planner = Planner {
            model,
            device,
            values: vec![None; count],
            folded: vec![None; count],
            constants_left: MAX_CONSTANTS,
            work_left: MAX_WORK,
            before: Vec::new(),
            unshuffled: Vec::new(),
            slots: count,
            input_read_once: readers == 1,
            patches: None,
        };
        let input = &model.tensors[model.input];
        element_count(&input.shape)?;
        planner.values[model.input] = Some(input.shape.clone());

        let mut activations_left = MAX_ACTIVATIONS;
        let mut steps = Vec::new();
        for (i, operator) in model.operators.iter().enumerate() {
            let place = || format!("operator {i} (code {})", operator.code);
            if operator.code == DEQUANTIZE {
                planner.fold(operator).map_err(|fault| fault.at(&place()))?;
                continue;
            }
            let (op, sources, shape) = decode(operator, &mut planner).map_err(|fault| fault.at(&place()))?;
            let elements = element_count(&shape).map_err(|fault| fault.at(&place()))?;
            activations_left = activations_left
                .checked_sub(elements)
                .ok_or_else(|| Fault::unsupported("a network with that many intermediate values"))?;
            planner.define(operator.output, shape).map_err(|fault| fault.at(&place()))?;
            steps.append(&mut planner.before);
            steps.push(Step { op, sources, slot: operator.output });
        }

        let outputs = model.outputs.iter().map(|&slot| Ok((slot, planner.value(slot)?.to_vec())));
        let outputs: Vec<_> = outputs.collect::<Result<_, Fault>>()?;
        let Planner { slots, patches, .. } = planner;
        mark_last_uses(&mut steps, slots, &outputs);
        Ok(Self { steps, slots, input: (model.input, padded(&input.shape)), patches, outputs })
    }
}

/// Marks the step after which each value can be dropped (or overwritten in place).
fn mark_last_uses(steps: &mut [Step], slots: usize, outputs: &[(usize, Vec<usize>)]) {
    let mut needed = vec![false; slots];
    for &(slot, _) in outputs {
        needed[slot] = true;
    }
    for source in steps.iter_mut().rev().flat_map(|step| step.sources.iter_mut().rev()) {
        if let Source::Value { slot, last } = source {
            *last = !std::mem::replace(&mut needed[*slot], true);
        }
    }
}

impl Planner<'_> {
    /// The shape of a value.
    fn value(&self, tensor: usize) -> Result<&[usize], Fault> {
        let shape = self.values[tensor].as_deref();
        shape.ok_or_else(|| Fault::malformed(format!("tensor {tensor} is used before anything computes it")))
    }

    fn define(&mut self, tensor: usize, shape: Vec<usize>) -> Result<(), Fault> {
        if self.values[tensor].is_some() || self.constant_of(tensor).is_some() {
            return Err(Fault::malformed(format!("tensor {tensor} is computed twice")));
        }
        self.values[tensor] = Some(shape);
        Ok(())
    }

    /// The constant that `tensor` is, directly or through a folded `DEQUANTIZE`.
    fn constant_of(&self, tensor: usize) -> Option<usize> {
        self.folded[tensor].or_else(|| self.model.tensors[tensor].data.map(|_| tensor))
    }

    /// `DEQUANTIZE` of a constant costs nothing at run time.
    fn fold(&mut self, operator: &Operator<'_>) -> Result<(), Fault> {
        let [Some(input)] = operator.inputs[..] else {
            return Err(Fault::malformed("DEQUANTIZE needs one input"));
        };
        let constant = self.constant_of(input).ok_or_else(|| Fault::unsupported("DEQUANTIZE of a computed value"))?;
        if self.values[operator.output].is_some() || self.constant_of(operator.output).is_some() {
            return Err(Fault::malformed(format!("tensor {} is computed twice", operator.output)));
        }
        self.folded[operator.output] = Some(constant);
        Ok(())
    }

    /// Shape and values of a floating-point constant.
    pub(super) fn floats(&mut self, tensor: usize) -> Result<(Vec<usize>, Vec<f32>), Fault> {
        let constant = self.constant_of(tensor);
        let info = constant.map(|c| &self.model.tensors[c]);
        let info =
            info.ok_or_else(|| Fault::unsupported(format!("tensor {tensor} as weight: it is not a constant")))?;
        self.constants_left = self
            .constants_left
            .checked_sub(element_count(&info.shape)?)
            .ok_or_else(|| Fault::unsupported("a network with that many constants"))?;
        let values = info.f32s().ok_or_else(|| Fault::unsupported(format!("constants of type {:?}", info.element)))?;
        Ok((info.shape.clone(), values))
    }

    /// Values of a constant of axes or sizes.
    pub(super) fn integers(&self, tensor: usize) -> Result<Vec<i32>, Fault> {
        let values = self.model.tensors[tensor].i32s();
        values.ok_or_else(|| Fault::unsupported(format!("tensor {tensor} as axes or sizes: no short i32 constant")))
    }

    /// An operand with its shape.
    pub(super) fn operand(&mut self, tensor: usize) -> Result<(Source, Vec<usize>), Fault> {
        if self.constant_of(tensor).is_none() {
            return Ok((Source::Value { slot: tensor, last: false }, self.value(tensor)?.to_vec()));
        }
        let (shape, values) = self.floats(tensor)?;
        let constant = to_channels_first(self.upload(values, padded(&shape)));
        debug_assert_eq!(constant.dims(), channels_first(padded(&shape)));
        Ok((Source::Constant(Box::new(constant)), shape))
    }

    /// Inserts a step before the operator at hand and returns its result.
    fn insert(&mut self, op: Op, source: Source) -> usize {
        let slot = self.slots;
        self.slots += 1;
        self.before.push(Step { op, sources: vec![source], slot });
        slot
    }

    /// The whole of a picture as channels.
    pub(super) fn flattened(&mut self, source: Source) -> Source {
        let slot = self.insert(Op::Flatten, source);
        Source::Value { slot, last: false }
    }

    /// A picture whose blocks of `n` x `n` are channels; computed once however many operators ask.
    pub(super) fn unshuffled(&mut self, source: Source, n: usize) -> Source {
        let of = match source {
            Source::Value { slot, .. } => Some(slot),
            Source::Constant(_) => None,
        };
        let known = self.unshuffled.iter().find(|(slot, side, _)| Some(*slot) == of && *side == n);
        let slot = known.map(|known| known.2).unwrap_or_else(|| self.insert(Op::Unshuffle(n), source));
        self.unshuffled.extend(of.map(|of| (of, n, slot)));
        Source::Value { slot, last: false }
    }

    /// Lets the host arrange the input as patches, if `source` is the input and nobody else reads it.
    pub(super) fn patch_input(&mut self, source: &Source, patches: Patches) -> bool {
        let possible =
            self.input_read_once && matches!(source, Source::Value { slot, .. } if *slot == self.model.input);
        if possible {
            self.patches = Some(patches);
        }
        possible
    }

    /// Whether convolutions are computed in host memory.
    pub(super) fn on_host(&self) -> bool {
        host::serves(self.device)
    }

    /// Moves constants to the device.
    pub(super) fn upload<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), (self.device, DType::F32))
    }

    /// Accounts for the multiply-adds of one operator.
    pub(super) fn spend(&mut self, work: Option<usize>) -> Result<(), Fault> {
        let left = work.and_then(|work| self.work_left.checked_sub(work));
        self.work_left = left.ok_or_else(|| Fault::unsupported("a network with that many multiply-adds"))?;
        Ok(())
    }
}
