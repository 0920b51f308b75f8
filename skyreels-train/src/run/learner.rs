//! What a stage changes: parameters, or factors in their place, with their optimiser and average.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Tensor;
use skyreels_core::checkpoint::Published;

use super::checkpoint::Saved;
use crate::optimise::{
    AdamWSettings, Average, Gradients, LowRank, Muon, Optimizer, Patterns, keys, reduced, trainable_only, values,
};
use crate::stage::Stage;
use crate::{Error, Result};

/// Keys that a stage means in a model.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    /// Parameters that are trained themselves.
    whole: BTreeSet<String>,
    /// Matrices that learn through factors.
    low_rank: BTreeSet<String>,
}

impl Selection {
    pub(super) fn of<M: Published>(networks: &M, stage: &Stage) -> Result<Self> {
        let Some(lora) = &stage.lora else {
            return Ok(Self { whole: keys(networks, &stage.parameters, &stage.name)?, low_rank: BTreeSet::new() });
        };
        let patterns = Patterns { train: lora.keys.clone(), freeze: Vec::new() };
        let low_rank = keys(networks, &patterns, &stage.name)?;
        let whole = match stage.parameters.train.is_empty() {
            true => BTreeSet::new(),
            false => keys(networks, &stage.parameters, &stage.name)?,
        };
        if let Some(key) = whole.intersection(&low_rank).next() {
            let reason = format!(
                "`{}` trains `{key}` itself and by LoRA; freeze it in `parameters`, or narrow `lora.keys`",
                stage.name
            );
            return Err(Error::invalid("stage", reason));
        }
        // Before a run begins, not when its last stage does.
        LowRank::check(networks, &low_rank)?;
        Ok(Self { whole, low_rank })
    }

    /// The matrices that learn by Muon.
    pub(super) fn muon<M: Published>(&self, networks: &M, stage: &Stage) -> Result<Option<Muon>> {
        let new = |settings| Muon::new(networks, &self.whole, settings, stage.optimizer.weight_decay);
        stage.muon.as_ref().map(new).transpose()
    }

    /// Everything that needs a gradient.
    pub(super) fn all(&self) -> BTreeSet<String> {
        self.whole.union(&self.low_rank).cloned().collect()
    }
}

/// What learns in the stage under way.
#[derive(Debug)]
pub(super) struct Learner {
    selection: Selection,
    optimizer: Optimizer,
    average: Option<Average>,
    /// Behind the last stage: what that has learned.
    lora: Option<LowRank>,
}

impl Default for Learner {
    /// Behind the last stage: nothing learns.
    fn default() -> Self {
        let optimizer = Optimizer::new(&AdamWSettings::default());
        Self { selection: Selection::default(), optimizer, average: None, lora: None }
    }
}

impl Learner {
    /// At the first step of a stage.
    pub(super) fn begin<M: Published>(
        networks: M,
        stage: &Stage,
        selection: Selection,
        seed: u64,
    ) -> Result<(M, Self)> {
        let networks = trainable_only(networks, &selection.all());
        let lora = stage.lora.as_ref();
        let lora = lora.map(|lora| LowRank::new(&networks, &selection.low_rank, lora, seed)).transpose()?;
        let average = stage.average.map(|decay| {
            let average = Average::new(decay, &networks, &selection.whole);
            lora.as_ref().map_or(average.clone(), |lora| average.and(lora.factors()))
        });
        let optimizer = Optimizer::new(&stage.optimizer).with_muon(selection.muon(&networks, stage)?);
        Ok((networks, Self { selection, optimizer, average, lora }))
    }

    /// Goes on where a checkpoint was written; `networks` are those of the checkpoint.
    pub(super) fn restore<M: Published>(&mut self, networks: M, stage: &Stage, saved: Saved) -> Result<M> {
        if self.lora.is_none() {
            let parameters = networks.published_shapes();
            if let Some(key) = saved.values.keys().find(|key| !parameters.contains_key(*key)) {
                let reason = format!(
                    "the checkpoint has `{key}`, and `{}` no `lora`: resume with the settings it began with",
                    stage.name
                );
                return Err(Error::invalid("resume", reason));
            }
        }
        let muon = self.selection.muon(&networks, stage)?;
        self.optimizer = Optimizer::new(&stage.optimizer).with_muon(muon).with_state(saved.optimizer)?;
        if let (Some(decay), Some(steps)) = (stage.average, saved.state.average_steps) {
            self.average = Some(Average::restored(decay, steps, saved.average));
        }
        let lora = self.lora.take().map(|lora| lora.with_factors(&saved.values)).transpose()?;
        // Before the first step of a stage there are no masters, and no updates: the parameters themselves are all there is.
        let began = saved.state.position.step > 0;
        if began {
            let reduced = reduced(&networks, &self.selection.whole);
            self.optimizer.set_masters(saved.values.into_iter().filter(|(key, _)| reduced.contains(key)).collect());
        }
        self.lora = lora;
        Ok(match &self.lora {
            Some(lora) if began => lora.apply(networks),
            _ => networks,
        })
    }

    /// Goes back to where a run has ended whose last stage was `last`.
    pub(super) fn restore_end<M: Published>(&mut self, networks: M, last: Option<&Stage>, saved: &Saved) -> Result<M> {
        let Some((stage, settings)) = last.and_then(|stage| Some((stage, stage.lora.as_ref()?))) else {
            return Ok(networks);
        };
        let selection = Selection::of(&networks, stage)?;
        let lora = LowRank::new(&networks, &selection.low_rank, settings, 0)?.with_factors(&saved.values)?;
        let networks = lora.apply(networks);
        self.lora = Some(lora);
        Ok(networks)
    }

    /// Ends the last stage. Nothing learns any more; the average of the factors, where there is one, takes their place.
    pub(super) fn end(&mut self) {
        *self = Self { lora: self.lora(), ..Self::default() };
    }

    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Turns gradients into those of what learns, and clips them; their norm before.
    pub(super) fn prepare(&self, gradients: &mut Gradients, clip_norm: Option<f64>) -> f64 {
        if let Some(lora) = &self.lora {
            lora.project(gradients);
        }
        match clip_norm {
            Some(most) => gradients.clip(most),
            None => gradients.norm(),
        }
    }

    /// One step with [prepared](Self::prepare) gradients.
    pub(super) fn step<M: Published>(&mut self, networks: M, mut gradients: Gradients, learning_rate: f64) -> M {
        if let Some(lora) = &mut self.lora {
            lora.step(&mut self.optimizer, &mut gradients, learning_rate);
        }
        let mut networks = self.optimizer.step(networks, gradients, learning_rate);
        if let Some(lora) = &self.lora {
            networks = lora.apply(networks);
        }
        if self.average.is_some() {
            let kept = self.kept();
            self.average.as_mut().into_iter().for_each(|average| average.update(&networks, kept.clone()));
        }
        networks
    }

    /// f32 values that the networks do not have: masters and factors.
    fn kept(&self) -> BTreeMap<String, Tensor<1>> {
        let factors = self.lora.iter().flat_map(LowRank::factors);
        self.optimizer.masters().iter().chain(factors).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The networks as they are used: with the average, where there is one.
    pub(super) fn averaged<M: Published>(&self, networks: M) -> M {
        let Some(average) = &self.average else { return networks };
        let networks = average.apply(networks);
        match self.lora() {
            Some(lora) => lora.apply(networks),
            None => networks,
        }
    }

    /// The networks with the matrices that the factors change as they were before, to the byte.
    pub(super) fn frozen<M: Published>(&self, networks: M) -> M {
        match &self.lora {
            Some(lora) => lora.without(networks),
            None => networks,
        }
    }

    /// Low-rank updates as they are used: with the average of their factors, where there is one.
    pub(super) fn lora(&self) -> Option<LowRank> {
        let lora = self.lora.clone()?;
        Some(match &self.average {
            // An average of other sizes cannot be: it was made of these factors.
            Some(average) => lora.clone().with_factors(average.values()).unwrap_or(lora),
            None => lora,
        })
    }

    /// f32 values of everything that learns.
    pub(super) fn values<M: Published>(&self, networks: &M) -> BTreeMap<String, Tensor<1>> {
        let mut values = values(networks, &self.selection.whole);
        values.extend(self.kept());
        values
    }

    pub(super) fn optimizer_state(&self) -> BTreeMap<String, Tensor<1>> {
        self.optimizer.state()
    }

    pub(super) fn average_steps(&self) -> Option<u64> {
        self.average.as_ref().map(Average::steps)
    }

    pub(super) fn average_values(&self) -> BTreeMap<String, Tensor<1>> {
        self.average.as_ref().map(|average| average.values().clone()).unwrap_or_default()
    }
}
