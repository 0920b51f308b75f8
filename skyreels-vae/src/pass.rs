//! What travels through the network beside the tensor: the convolutions' memory, and the trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use burn::tensor::Tensor;

use crate::differentiate::{Convolution, Leaf, TapeRef};

/// The last frames of every causal convolution's input, in the order in which the convolutions
/// run.
#[derive(Debug, Default)]
pub(crate) struct TimeCache {
    past: Vec<Tensor<5>>,
    next: usize,
    last_batch: bool,
    tape: Option<OnTape>,
}

/// A network that is differentiated in pieces.
#[derive(Debug)]
struct OnTape {
    tape: TapeRef,
    /// What every causal convolution made of the last batch.
    places: Vec<usize>,
    /// The leaf that was made last in this batch.
    last: Option<Leaf>,
}

impl TimeCache {
    /// A cache for a network that is differentiated in pieces.
    pub(crate) fn on_tape(tape: TapeRef) -> Self {
        Self { tape: Some(OnTape { tape, places: Vec::new(), last: None }), ..Self::default() }
    }

    /// The value as a leaf of the tape, where there is one.
    pub(crate) fn leaf(&mut self, x: Tensor<5>) -> Option<Leaf> {
        let OnTape { tape, last, .. } = self.tape.as_mut()?;
        let leaf = match last.take() {
            // Nothing happened to it since: only leaves ask for gradients of their own.
            Some(leaf) if x.is_require_grad() => leaf,
            _ => tape.0.leaf(x),
        };
        *last = Some(leaf.clone());
        Some(leaf)
    }

    /// A convolution on the tape, which must be there; one that looks at the past goes on where the last batch ended.
    pub(crate) fn convolve_on_tape(&mut self, x: &Leaf, mut convolution: Convolution, causal: bool) -> Leaf {
        let slot = causal.then(|| self.next_slot());
        let OnTape { tape, places, last } = self.tape.as_mut().expect("who made the leaf had a tape");
        convolution.earlier = slot.and_then(|slot| places.get(slot).copied());
        let leaf = tape.0.convolution(x, convolution);
        if let Some(slot) = slot {
            match places.get_mut(slot) {
                Some(place) => *place = leaf.place,
                None => places.push(leaf.place),
            }
        }
        *last = Some(leaf.clone());
        leaf
    }

    /// Starts the next batch of the same clip; nothing is kept of the last one.
    pub(crate) fn start_batch(&mut self, last: bool) {
        self.next = 0;
        self.last_batch = last;
        if let Some(tape) = &mut self.tape {
            tape.last = None;
        }
    }

    /// Puts `count` frames before `x`: those that came before it, or copies of its first frame
    /// at the start of the clip.
    ///
    /// # Shapes
    /// `[batch, channels, frames, height, width] -> [.., count + frames, ..]`
    pub(crate) fn extend(&mut self, x: Tensor<5>, count: usize) -> Tensor<5> {
        let slot = self.next_slot();
        let past = self.past(slot).unwrap_or_else(|| x.clone().narrow(2, 0, 1).repeat_dim(2, count));
        let extended = Tensor::cat(vec![past, x], 2);
        self.keep(slot, || {
            let frames = extended.dims()[2];
            // Joining copies: a slice alone may keep the whole tensor alive.
            let recent = (frames - count..frames).map(|frame| extended.clone().narrow(2, frame, 1)).collect();
            Tensor::cat(recent, 2)
        });
        extended
    }

    /// The place of the next convolution.
    pub(crate) fn next_slot(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    /// The frames that a convolution saw last; `None` at the start of the clip.
    pub(crate) fn past(&self, slot: usize) -> Option<Tensor<5>> {
        self.past.get(slot).cloned()
    }

    /// Keeps the frames that a convolution saw last, unless no batch follows.
    pub(crate) fn keep(&mut self, slot: usize, recent: impl FnOnce() -> Tensor<5>) {
        if self.last_batch {
            return;
        }
        match self.past.get_mut(slot) {
            Some(past) => *past = recent(),
            None => self.past.push(recent()),
        }
    }
}

/// Intermediates of a pass, by the name of the module that made them and the batch in which it
/// did: `encoder.down_blocks.1.batch0`. For parity tests and debugging; off, it costs nothing.
#[derive(Debug, Default)]
pub struct Trace {
    wanted: Wanted,
    path: Vec<String>,
    batch: Option<usize>,
    tensors: BTreeMap<String, Tensor<5>>,
}

#[derive(Debug, Default)]
enum Wanted {
    #[default]
    Nothing,
    Named(BTreeSet<String>),
    Everything,
}

impl Trace {
    /// Keeps nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Keeps the tensors of these names.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self { wanted: Wanted::Named(names.into_iter().collect()), ..Self::default() }
    }

    /// Keeps the output of every block, of every batch: much memory.
    pub fn everything() -> Self {
        Self { wanted: Wanted::Everything, ..Self::default() }
    }

    /// What was kept, by name.
    ///
    /// # Shapes
    /// `[batch, channels, frames, height, width]` of the batch and tile.
    pub fn into_tensors(self) -> BTreeMap<String, Tensor<5>> {
        self.tensors
    }

    fn record(&mut self, tensor: &Tensor<5>) {
        let name = format!("{}.batch{}", self.path.join("."), self.batch.unwrap_or(0));
        if matches!(&self.wanted, Wanted::Everything) || matches!(&self.wanted, Wanted::Named(n) if n.contains(&name)) {
            self.tensors.insert(name, tensor.clone());
        }
    }
}

/// One batch on its way through the encoder or the decoder.
pub(crate) struct Pass<'a> {
    pub(crate) cache: &'a mut TimeCache,
    trace: &'a mut Trace,
}

impl<'a> Pass<'a> {
    /// Starts a batch.
    pub(crate) fn new(cache: &'a mut TimeCache, trace: &'a mut Trace, last_batch: bool) -> Self {
        cache.start_batch(last_batch);
        trace.batch = Some(trace.batch.map_or(0, |batch| batch + 1));
        Self { cache, trace }
    }

    /// True when the trace wants the output of a module inside of the present one.
    pub(crate) fn is_watched(&self) -> bool {
        match &self.trace.wanted {
            Wanted::Nothing => false,
            Wanted::Everything => true,
            Wanted::Named(names) => {
                let inside = format!("{}.", self.trace.path.join("."));
                let own = format!("{inside}batch");
                names.iter().any(|name| name.starts_with(&inside) && !name.starts_with(&own))
            }
        }
    }

    /// Runs a module under its name.
    pub(crate) fn named(&mut self, name: impl Display, run: impl FnOnce(&mut Self) -> Tensor<5>) -> Tensor<5> {
        if matches!(self.trace.wanted, Wanted::Nothing) {
            return run(self);
        }
        self.trace.path.push(name.to_string());
        let y = run(self);
        self.trace.record(&y);
        self.trace.path.pop();
        y
    }
}
