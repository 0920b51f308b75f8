//! Differentiation in pieces, convolutions by hand.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::ParamId;
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::checkpoint::Published;
use skyreels_core::device::Backend;
use skyreels_vae::differentiate::{self, Before, Convolution, Leaf, Tape};

use super::gradients::{Gradients, Keys};

/// A [`Tape`] that keeps what its backward pass needs.
#[derive(Default)]
pub struct Pieces {
    nodes: Mutex<Vec<Node>>,
}

/// A leaf, and where its value comes from. It asks for a gradient where something that is trained leads to it.
struct Node {
    leaf: Tensor<5>,
    source: Source,
}

#[expect(clippy::large_enum_variant, reason = "there are few of them, and a tensor is a handle")]
enum Source {
    /// The end of an earlier piece.
    Piece(Tensor<5>),
    /// The convolution of an earlier leaf.
    Convolution(Convolved),
}

/// A convolution of a leaf.
struct Convolved {
    own: differentiate::Convolved,
    /// Places of what it was made of.
    of: usize,
    sum: Option<usize>,
    earlier: Option<usize>,
    /// Gain and offset, where a norm came first: the ends of one piece.
    modulation: Option<(Tensor<5>, Tensor<5>)>,
    weight: ParamId,
    bias: Option<ParamId>,
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("leaves", &self.lock().len()).finish()
    }
}

impl Tape for Pieces {
    fn leaf(&self, x: Tensor<5>) -> Leaf {
        let trained = x.is_tracked();
        self.push(x.clone().inner(), Source::Piece(x), trained)
    }

    fn convolution(&self, x: &Leaf, convolution: Convolution) -> Leaf {
        let Convolution { before, weight: (weight, kernel), bias, earlier, sum } = convolution;
        let tracked = |tensor: &Tensor<5>| tensor.is_tracked();
        let mut trained = tracked(&x.value)
            || kernel.is_tracked()
            || bias.as_ref().is_some_and(|(_, bias)| bias.is_tracked())
            || sum.as_ref().is_some_and(|leaf| tracked(&leaf.value));
        let (modulation, before) = match before {
            Before::Activation { gain, offset, groups, epsilon } => {
                trained |= tracked(&gain) || tracked(&offset);
                let [plain_gain, plain_offset] = [&gain, &offset].map(|tensor| tensor.clone().inner());
                let before = Before::Activation { gain: plain_gain, offset: plain_offset, groups, epsilon };
                (Some((gain, offset)), before)
            }
            other => (None, other),
        };
        let (bias, shift) = bias.map_or((None, None), |(id, bias)| (Some(id), Some(bias.inner())));
        let (added, sum) = sum.map_or((None, None), |leaf| (Some(leaf.value.inner()), Some(leaf.place)));
        let (y, own) = {
            let nodes = self.lock();
            let before_these = earlier.and_then(|place| nodes[place].source.convolved());
            differentiate::Convolved::of(x.value.clone().inner(), before, kernel.inner(), shift, before_these, added)
        };
        let convolved = Convolved { own, of: x.place, sum, earlier, modulation, weight, bias };
        self.push(y, Source::Convolution(convolved), trained)
    }
}

impl Source {
    fn convolved(&self) -> Option<&differentiate::Convolved> {
        match self {
            Self::Convolution(convolved) => Some(&convolved.own),
            Self::Piece(_) => None,
        }
    }
}

impl Pieces {
    /// A tape for a device, where it gains something: the convolutions of CUDA and others differentiate well, and these are f32 only.
    pub fn for_device(device: &Device, dtype: DType) -> Option<Arc<Self>> {
        (Backend::of(device).is_host() && dtype == DType::F32).then(Arc::default)
    }

    /// Gradients of `loss` with respect to the parameters of `module` that ask for one, whether its network was cut into pieces or not.
    pub fn gradients<M: Published>(pieces: Option<&Self>, loss: &Tensor<1>, module: &M) -> Gradients {
        match pieces {
            Some(pieces) => pieces.backward(loss, module),
            None => Gradients::collect(module, &loss.backward()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, value: Tensor<5>, source: Source, trained: bool) -> Leaf {
        let value = Tensor::from_inner(value).set_require_grad(trained);
        let mut nodes = self.lock();
        nodes.push(Node { leaf: value.clone(), source });
        Leaf { value, place: nodes.len() - 1 }
    }

    /// Gradients of `loss`, the end of the last piece, with respect to the parameters of `module` that ask for one.
    pub fn backward<M: Published>(&self, loss: &Tensor<1>, module: &M) -> Gradients {
        let mut nodes = std::mem::take(&mut *self.lock());
        let mut parameters = Keys::default();
        module.visit_published(&mut parameters);
        let mut found: BTreeMap<String, Tensor<1>> = BTreeMap::new();
        let mut cotangents: Vec<Option<Tensor<5>>> = vec![None; nodes.len()];
        // What a convolution is asked about the last frames it saw by the one of the frames after them.
        let mut later: HashMap<usize, Tensor<5>> = HashMap::new();
        let mut sum = differentiate(loss.backward(), module, &nodes, &mut cotangents);
        while let Some(Node { leaf, source }) = nodes.pop() {
            let later_frames = later.remove(&nodes.len());
            let cotangent = cotangents.pop().flatten();
            // Nothing that is trained leads to it: the frames, for example.
            if !leaf.is_require_grad() {
                continue;
            }
            let cotangent = match cotangent {
                Some(cotangent) => cotangent,
                // The loss does not look at these frames, but the convolution of those after them does.
                None if later_frames.is_some() => leaf.inner().zeros_like(),
                None => continue,
            };
            match source {
                Source::Piece(end) => {
                    let gradients = (end * Tensor::from_inner(cotangent)).sum().backward();
                    sum.add(differentiate(gradients, module, &nodes, &mut cotangents));
                }
                Source::Convolution(convolved) => {
                    let Convolved { own, of, sum: added, earlier, modulation, weight, bias } = convolved;
                    if let Some(place) = added {
                        add(&mut cotangents[place], cotangent.clone());
                    }
                    let gradients = own.backward(cotangent, later_frames);
                    for (id, gradient) in [(Some(weight), flat(gradients.weight)), (bias, gradients.bias)] {
                        if let Some(key) = id.and_then(|id| parameters.0.get(&id)) {
                            accumulate(&mut found, key, gradient);
                        }
                    }
                    add(&mut cotangents[of], gradients.input);
                    if let (Some(place), Some(past)) = (earlier, gradients.past) {
                        later.insert(place, past);
                    }
                    if let (Some((gain, offset)), Some((to_gain, to_offset))) = (modulation, gradients.modulation)
                        && (gain.is_tracked() || offset.is_tracked())
                    {
                        let [to_gain, to_offset] = [to_gain, to_offset].map(Tensor::from_inner);
                        let gradients = (gain * to_gain + offset * to_offset).sum().backward();
                        sum.add(differentiate(gradients, module, &nodes, &mut cotangents));
                    }
                }
            }
        }
        sum.add(Gradients::from_map(found));
        sum
    }
}

/// Takes what a backward pass has found: cotangents of leaves, and the gradients of parameters.
fn differentiate<M: Published>(
    gradients: burn::tensor::Gradients,
    module: &M,
    nodes: &[Node],
    cotangents: &mut [Option<Tensor<5>>],
) -> Gradients {
    for (node, cotangent) in nodes.iter().zip(cotangents) {
        if let Some(found) = node.leaf.grad(&gradients) {
            add(cotangent, found);
        }
    }
    Gradients::collect(module, &gradients)
}

fn add(sum: &mut Option<Tensor<5>>, cotangent: Tensor<5>) {
    *sum = Some(match sum.take() {
        Some(own) => own + cotangent,
        None => cotangent,
    });
}

fn flat(gradient: Tensor<5>) -> Tensor<1> {
    let count = gradient.shape().num_elements();
    gradient.reshape([count])
}

fn accumulate(sums: &mut BTreeMap<String, Tensor<1>>, key: &str, gradient: Tensor<1>) {
    let sum = match sums.remove(key) {
        Some(own) => own + gradient,
        None => gradient,
    };
    sums.insert(key.to_string(), sum);
}
