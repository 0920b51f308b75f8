//! What travels through the network beside the tensor: the convolutions' memory, and the trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use burn::tensor::Tensor;

/// The last frames of every causal convolution's input, in the order in which the convolutions
/// run.
#[derive(Debug, Default)]
pub(crate) struct TimeCache {
    past: Vec<Tensor<5>>,
    next: usize,
    last_batch: bool,
}

impl TimeCache {
    /// Starts the next batch of the same clip; nothing is kept of the last one.
    pub(crate) fn start_batch(&mut self, last: bool) {
        self.next = 0;
        self.last_batch = last;
    }

    /// Puts `count` frames before `x`: those that came before it, or copies of its first frame
    /// at the start of the clip.
    ///
    /// # Shapes
    /// `[batch, channels, frames, height, width] -> [.., count + frames, ..]`
    pub(crate) fn extend(&mut self, x: Tensor<5>, count: usize) -> Tensor<5> {
        let slot = self.next;
        self.next += 1;
        let past = match self.past.get(slot) {
            Some(past) => past.clone(),
            None => x.clone().narrow(2, 0, 1).repeat_dim(2, count),
        };
        let extended = Tensor::cat(vec![past, x], 2);
        if !self.last_batch {
            let frames = extended.dims()[2];
            // Joining copies: a slice alone may keep the whole tensor alive.
            let recent = (frames - count..frames).map(|frame| extended.clone().narrow(2, frame, 1)).collect();
            let recent = Tensor::cat(recent, 2);
            match self.past.get_mut(slot) {
                Some(past) => *past = recent,
                None => self.past.push(recent),
            }
        }
        extended
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
