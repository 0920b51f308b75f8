//! RAFT: features, products, and what each iteration makes of them.

use burn::tensor::{Device, Tensor};
use skyreels_core::golden::{Golden, Report};

use crate::Result;
use crate::flow::raft::{Correlation, Raft, load_golden};

/// Names of the two pictures of a pair; cases of one file are told apart by what follows.
const PICTURES: [&str; 2] = ["image1_u8", "image2_u8"];

pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let raft = load_golden(file, device)?;
    let mut report = Report::new(file);
    for input in file.inputs() {
        if let Some(case) = input.strip_prefix(PICTURES[0]) {
            run_case(file, &raft, case, &mut report, device)?;
        }
    }
    Ok(report.finish(file))
}

fn run_case(file: &Golden, raft: &Raft, case: &str, report: &mut Report, device: &Device) -> Result<()> {
    let picture = |name: &str| -> Result<Tensor<4>> {
        let name = format!("{name}{case}");
        let bytes: Tensor<4> = file.tensor(&name, device)?;
        let [_, _, sides @ ..] = bytes.dims();
        if sides.iter().any(|side| side % Raft::MULTIPLE != 0 || *side < Raft::SMALLEST) {
            let reason =
                format!("input `{name}`: {sides:?} are no multiples of {} from {}", Raft::MULTIPLE, Raft::SMALLEST);
            return Err(skyreels_core::Error::malformed(file.path(), "golden file", reason).into());
        }
        Ok(bytes.div_scalar(255.0).mul_scalar(2.0).sub_scalar(1.0))
    };
    let (first, second) = (picture(PICTURES[0])?, picture(PICTURES[1])?);
    let features = [raft.features(first.clone()), raft.features(second)];
    let context = raft.context(first);
    let mut case = Case { file, case, report };
    case.compare("fmap1", features[0].clone(), 1)?;
    case.compare("fmap2", features[1].clone(), 1)?;
    case.compare("context_out", context.clone(), 1)?;

    let [first, second] = features;
    let mut steps = raft.refine(first, second, context, Correlation::Stored);
    for (level, products) in steps.pyramid().to_vec().into_iter().enumerate() {
        case.compare(&format!("corr_pyramid{level}"), products, 0)?;
    }
    let iterations = case.iterations()?;
    let mut low = Vec::with_capacity(iterations);
    for (index, step) in steps.by_ref().take(iterations).enumerate() {
        case.compare(&format!("corr_features_it{index}"), step.correlation.clone(), 1)?;
        case.compare(&format!("hidden_it{index}"), step.hidden.clone(), 1)?;
        case.compare(&format!("flow_up_it{index}"), raft.upsample(&step), 1)?;
        low.push(step.flow);
    }
    case.compare("flow_low", Tensor::stack::<5>(low, 0), 1)
}

struct Case<'a> {
    file: &'a Golden,
    /// What follows the name of each input and answer.
    case: &'a str,
    report: &'a mut Report,
}

impl Case<'_> {
    /// Names of the answers of this case, as stored and without what tells the case.
    fn answers(&self) -> Vec<(String, String)> {
        let named = |stored: String| Some((stored.strip_suffix(self.case)?.to_owned(), stored));
        self.file.outputs().into_iter().filter_map(named).map(|(name, stored)| (stored, name)).collect()
    }

    /// How many iterations the answers speak of.
    fn iterations(&self) -> Result<usize> {
        let mut iterations = 1;
        for (stored, name) in self.answers() {
            let counted = match name.split_once("_it") {
                Some((_, rest)) => {
                    rest.split('_').next().and_then(|index| index.parse().ok()).map_or(0, |i: usize| i + 1)
                }
                None if name == "flow_low" => self
                    .file
                    .expected(&stored)?
                    .map_or(0, |expected| expected.values.shape.first().copied().unwrap_or(0)),
                None => 0,
            };
            iterations = iterations.max(counted);
        }
        Ok(iterations)
    }

    /// Compares a tensor with the answer `name`, of which a part may be stored: `_everyN` says every Nth slice along
    /// `axis`, `_yN_xM` every Nth row and Mth column; without a word the sizes tell.
    fn compare<const D: usize>(&mut self, name: &str, ours: Tensor<D>, axis: usize) -> Result<()> {
        for (stored, answer) in self.answers() {
            let Some(part) = answer.strip_prefix(name).filter(|part| part.is_empty() || part.starts_with('_')) else {
                continue;
            };
            let Some(expected) = self.file.expected(&stored)? else { continue };
            let mut thinned = ours.clone();
            for along in 0..D {
                let said = |letter: &str| part.split('_').find_map(|word| word.strip_prefix(letter)?.parse().ok());
                let step: Option<usize> = if along == axis {
                    said("every")
                } else if along + 2 == D {
                    said("y")
                } else if along + 1 == D {
                    said("x")
                } else {
                    None
                };
                let have = thinned.dims()[along];
                let wanted = expected.values.shape.get(along).copied().unwrap_or(have);
                let step = step.or_else(|| (1..=have).find(|step| have.div_ceil(*step) == wanted)).unwrap_or(1);
                thinned = every(thinned, along, step.max(1));
            }
            self.report.compare(self.file, &stored, thinned)?;
        }
        Ok(())
    }
}

/// Every `step`th slice along an axis.
fn every<const D: usize>(tensor: Tensor<D>, axis: usize, step: usize) -> Tensor<D> {
    if step == 1 {
        return tensor;
    }
    let slices = (0..tensor.dims()[axis]).step_by(step).map(|at| tensor.clone().narrow(axis, at, 1));
    Tensor::cat(slices.collect(), axis)
}
