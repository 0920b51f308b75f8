//! First-block caching.

use burn::tensor::{DType, Tensor};

use super::reuse::{GuidancePass, StepReuse};
use crate::{Error, Result};

/// Takes the sum of all blocks behind the first from an earlier step, as long as the first block adds nearly what it
/// added there (known as first-block cache: ParaAttention's FBCache, `FirstBlockCache` of diffusers).
///
/// With `r` for what the first block adds to the video tokens now and `r'` for what it added when all blocks were last
/// computed, the blocks are skipped where `mean |r - r'| < threshold * mean |r'|`, in every entry of the batch. Either
/// pass of the guidance has a cache of its own. At a threshold of 0 everything is computed, and the result has the
/// bytes of a run without a cache.
///
/// It holds two tensors of video tokens per guidance pass: 432 MB for the published model and clip in bf16. A run of both
/// passes in one batch of which some steps run one pass alone holds those of three.
#[derive(Debug)]
pub struct FirstBlockCache {
    threshold: f64,
    kept: Vec<Kept>,
}

/// A pass whose blocks were all computed.
#[derive(Debug)]
struct Kept {
    pass: GuidancePass,
    /// What the first block added.
    first: Tensor<3>,
    /// What the others added.
    rest: Tensor<3>,
}

impl FirstBlockCache {
    /// Largest threshold: the change is then as large as what is compared.
    pub const MAX_THRESHOLD: f64 = 1.0;

    /// An empty cache.
    ///
    /// # Errors
    /// [`Error::Threshold`] when `threshold` is not between 0 and [`MAX_THRESHOLD`](Self::MAX_THRESHOLD).
    pub fn new(threshold: f64) -> Result<Self> {
        if (0.0..=Self::MAX_THRESHOLD).contains(&threshold) {
            Ok(Self { threshold, kept: Vec::new() })
        } else {
            Err(Error::Threshold { threshold, most: Self::MAX_THRESHOLD })
        }
    }
}

impl StepReuse for FirstBlockCache {
    fn reuses_blocks(&self) -> bool {
        true
    }

    fn rest(&mut self, pass: GuidancePass, first: &Tensor<3>) -> Result<Option<Tensor<3>>> {
        // Asking a card for a number makes it wait; where the answer is known, nobody asks.
        if self.threshold == 0.0 {
            return Ok(None);
        }
        let known = self.kept.iter().find(|kept| kept.pass == pass && kept.first.dims() == first.dims());
        let Some(kept) = known else { return Ok(None) };
        let changes = relative_changes(first.clone(), kept.first.clone())?;
        // A change that is no number is no reason to skip.
        Ok(changes.iter().all(|change| *change < self.threshold).then(|| kept.rest.clone()))
    }

    fn keep_rest(&mut self, pass: GuidancePass, first: Tensor<3>, rest: Tensor<3>) {
        self.kept.retain(|kept| kept.pass != pass);
        self.kept.push(Kept { pass, first, rest });
    }
}

/// `mean |now - then| / mean |then|` of every entry of the batch.
fn relative_changes(now: Tensor<3>, then: Tensor<3>) -> Result<Vec<f64>> {
    let mean = |x: Tensor<3>| x.abs().mean_dims(&[1, 2]);
    let (now, then) = (now.cast(DType::F32), then.cast(DType::F32));
    let change = mean(now - then.clone()) / mean(then);
    let data = change.try_into_data().map_err(|error| Error::Execution { reason: error.to_string() })?;
    Ok(data.iter::<f64>().collect())
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use skyreels_core::Device;

    use super::*;

    fn tokens(values: [f32; 4]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), [2, 1, 2]), &Device::flex())
    }

    #[test]
    fn every_entry_of_the_batch_has_to_be_near_enough() {
        let mut cache = FirstBlockCache::new(0.25).unwrap();
        let pass = GuidancePass::Both;
        assert!(cache.rest(pass, &tokens([1.0; 4])).unwrap().is_none());
        cache.keep_rest(pass, tokens([1.0, 1.0, 2.0, 2.0]), tokens([7.0; 4]));
        // The first entry moves by a tenth; the second by a fifth, by a half.
        assert!(cache.rest(pass, &tokens([1.1, 0.9, 2.4, 1.6])).unwrap().is_some());
        assert!(cache.rest(pass, &tokens([1.1, 0.9, 3.0, 1.0])).unwrap().is_none());
        assert!(cache.rest(pass, &tokens([1.1, 0.9, f32::NAN, 2.0])).unwrap().is_none());
        assert!(cache.rest(GuidancePass::Conditional, &tokens([1.0; 4])).unwrap().is_none());
    }

    #[test]
    fn thresholds_that_mean_nothing_are_refused() {
        for threshold in [-0.1, 1.01, f64::NAN, f64::INFINITY] {
            let message = FirstBlockCache::new(threshold).unwrap_err().to_string();
            assert!(message.contains("between 0 and 1"), "{message}");
        }
    }
}
