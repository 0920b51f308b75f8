//! Differentiation in pieces, convolutions by hand.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Param, ParamId};
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::checkpoint::{Key, Published, PublishedVisitor};
use skyreels_core::device::Backend;
use skyreels_vae::differentiate::{Tape, convolve, input_gradient, weight_gradient};

use super::gradients::Gradients;

/// A [`Tape`] that keeps what its backward pass needs.
#[derive(Default)]
pub struct Pieces {
    nodes: Mutex<Vec<Node>>,
}

/// A leaf, and where its value comes from.
struct Node {
    leaf: Tensor<5>,
    source: Source,
}

#[expect(clippy::large_enum_variant, reason = "there are few of them, and a tensor is a handle")]
enum Source {
    /// The end of an earlier piece.
    Piece(Tensor<5>),
    /// The convolution of an earlier leaf.
    Convolution { of: Tensor<5>, weight: (ParamId, Tensor<5>), bias: Option<ParamId> },
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("leaves", &self.lock().len()).finish()
    }
}

impl Tape for Pieces {
    fn leaf(&self, x: Tensor<5>) -> Tensor<5> {
        let leaf = Tensor::from_inner(x.clone().inner()).require_grad();
        self.lock().push(Node { leaf: leaf.clone(), source: Source::Piece(x) });
        leaf
    }

    fn convolution(&self, x: Tensor<5>, weight: (ParamId, Tensor<5>), bias: Option<(ParamId, Tensor<1>)>) -> Tensor<5> {
        let kernel = weight.1.inner();
        let (bias, shift) = bias.map_or((None, None), |(id, bias)| (Some(id), Some(bias.inner())));
        let y = convolve(x.clone().inner(), kernel.clone(), shift);
        let leaf = Tensor::from_inner(y).require_grad();
        let source = Source::Convolution { of: x, weight: (weight.0, kernel), bias };
        self.lock().push(Node { leaf: leaf.clone(), source });
        leaf
    }
}

impl Pieces {
    /// A tape for a device, where it gains something: the convolutions of CUDA and others differentiate well, and these are f32 only.
    pub fn for_device(device: &Device, dtype: DType) -> Option<Arc<Self>> {
        (Backend::of(device).is_host() && dtype == DType::F32).then(Arc::default)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gradients of `loss`, the end of the last piece, with respect to the parameters of `module` that ask for one.
    pub fn backward<M: Published>(&self, loss: &Tensor<1>, module: &M) -> Gradients {
        let mut nodes = std::mem::take(&mut *self.lock());
        let parameters = Trained::of(module);
        let mut found: BTreeMap<String, Tensor<1>> = BTreeMap::new();
        let mut cotangents: Vec<Option<Tensor<5>>> = vec![None; nodes.len()];
        let mut sum = differentiate(loss.backward(), module, &nodes, &mut cotangents);
        while let Some(Node { source, .. }) = nodes.pop() {
            let Some(cotangent) = cotangents.pop().flatten() else { continue };
            match source {
                // Nothing that is trained leads to it: the frames, for example.
                Source::Piece(end) if !end.is_tracked() => {}
                Source::Piece(end) => {
                    let gradients = (end * Tensor::from_inner(cotangent)).sum().backward();
                    sum.add(differentiate(gradients, module, &nodes, &mut cotangents));
                }
                Source::Convolution { of, weight: (id, kernel), bias } => {
                    if let Some(key) = parameters.keys.get(&id) {
                        let gradient = weight_gradient(of.clone().inner(), cotangent.clone());
                        let count = gradient.shape().num_elements();
                        accumulate(&mut found, key, gradient.reshape([count]));
                    }
                    if let Some(key) = bias.and_then(|id| parameters.keys.get(&id)) {
                        let [_, to, ..] = cotangent.dims();
                        let rows = cotangent.clone().swap_dims(0, 1).flatten::<2>(1, 4);
                        accumulate(&mut found, key, rows.sum_dim(1).reshape([to]));
                    }
                    // Its input is the leaf that was made last before it.
                    let place = nodes.len() - 1;
                    if matches!(&nodes[place].source, Source::Piece(end) if !end.is_tracked()) {
                        continue;
                    }
                    let gradient = input_gradient(cotangent, kernel);
                    cotangents[place] = Some(match cotangents[place].take() {
                        Some(own) => own + gradient,
                        None => gradient,
                    });
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
            *cotangent = Some(match cotangent.take() {
                Some(own) => own + found,
                None => found,
            });
        }
    }
    Gradients::collect(module, &gradients)
}

fn accumulate(sums: &mut BTreeMap<String, Tensor<1>>, key: &str, gradient: Tensor<1>) {
    let sum = match sums.remove(key) {
        Some(own) => own + gradient,
        None => gradient,
    };
    sums.insert(key.to_string(), sum);
}

/// Keys of the parameters that are trained, by identity.
#[derive(Default)]
struct Trained {
    keys: HashMap<ParamId, String>,
}

impl Trained {
    fn of<M: Published>(module: &M) -> Self {
        let mut trained = Self::default();
        module.visit_published(&mut trained);
        trained
    }
}

impl PublishedVisitor for Trained {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.keys.insert(param.id, key.as_str().to_string());
        }
    }
}
