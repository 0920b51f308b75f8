//! The two ways in which weights are published.

use burn::module::Module;
use burn::tensor::Device;
use skyreels_core::checkpoint::{LoadReport, Published, Weights};
use skyreels_core::golden::Golden;
use skyreels_core::{Precision, Progress};

use super::network::{Raft, Size};
use crate::Result;

/// Whose names the keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Of the authors' repository; there `module.` stands before every key.
    Original,
    /// Of torchvision.
    Torchvision,
}

/// What the authors' checkpoints put before each key.
const PARALLEL: &str = "module.";
/// The first convolution, whose width tells the small network from the large one.
const STEMS: [(Layout, &str); 2] =
    [(Layout::Original, "fnet.conv1.weight"), (Layout::Torchvision, "feature_encoder.convnormrelu.0.weight")];

/// The network under the authors' names.
#[derive(Module, Debug)]
struct Original {
    raft: Raft,
}

impl Published for Original {
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("raft", ""),
        ("feature_encoder", "fnet"),
        ("context_encoder", "cnet"),
        ("stem.conv", "conv1"),
        ("stem.norm", "norm1"),
        ("step1.conv", "conv1"),
        ("step1.norm", "norm1"),
        ("step2.conv", "conv2"),
        ("step2.norm", "norm2"),
        ("step3.conv", "conv3"),
        ("step3.norm", "norm3"),
        ("downsample.conv", "downsample.0"),
        ("downsample.norm", "downsample.1"),
        ("head", "conv2"),
        ("motion_encoder", "encoder"),
        ("convcorr1", "convc1"),
        ("convcorr2", "convc2"),
        ("convflow1", "convf1"),
        ("convflow2", "convf2"),
        ("merge", "conv"),
        ("recurrent_block", "gru"),
        ("separable.0.convz", "convz1"),
        ("separable.0.convr", "convr1"),
        ("separable.0.convq", "convq1"),
        ("separable.1.convz", "convz2"),
        ("separable.1.convr", "convr2"),
        ("separable.1.convq", "convq2"),
        ("plain.0.convz", "convz"),
        ("plain.0.convr", "convr"),
        ("plain.0.convq", "convq"),
        ("mask_predictor.hidden", "update_block.mask.0"),
        ("mask_predictor.out", "update_block.mask.2"),
    ];
    // The norms of `downsample.1` a second time.
    const IGNORED: &'static [&'static str] = &["cnet.layer2.0.norm3.", "cnet.layer3.0.norm3."];
}

/// The network under torchvision's names.
#[derive(Module, Debug)]
struct Torchvision {
    raft: Raft,
}

impl Published for Torchvision {
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("raft", ""),
        ("conv", "0"),
        ("norm", "1"),
        ("stem", "convnormrelu"),
        ("step1", "convnormrelu1"),
        ("step2", "convnormrelu2"),
        ("step3", "convnormrelu3"),
        ("head", "conv"),
        ("convcorr1", "convcorr1.0"),
        ("convcorr2", "convcorr2.0"),
        ("convflow1", "convflow1.0"),
        ("convflow2", "convflow2.0"),
        ("merge", "conv.0"),
        ("separable.0", "convgru1"),
        ("separable.1", "convgru2"),
        ("plain.0", "convgru1"),
        ("mask_predictor.hidden", "mask_predictor.convrelu.0"),
        ("mask_predictor.out", "mask_predictor.conv"),
    ];
}

impl Raft {
    /// Loads a checkpoint in either layout, of either size, in f32; both are told by the keys.
    ///
    /// # Errors
    /// [`Error::Core`](crate::Error::Core) with every missing, unused and misshapen key, or when `progress` asks to stop.
    pub fn load(weights: &Weights, device: &Device, progress: Progress) -> Result<Self> {
        let parallel = weights.subset(PARALLEL);
        let weights = if parallel.is_empty() { weights } else { &parallel };
        let stems = weights.shapes().find_map(|(key, shape)| {
            let (layout, _) = STEMS.iter().find(|(_, stem)| *stem == key)?;
            Some((*layout, shape.first().copied()))
        });
        // Without a stem the report will name all that is missing.
        let (layout, width) = stems.unwrap_or((Layout::Original, None));
        let size = if width == Some(Size::Small.encoder_widths()[0]) { Size::Small } else { Size::Large };
        let raft = Self::new(size, device);
        Ok(match layout {
            Layout::Original => weights.load(Original { raft }, Precision::F32, progress)?.raft,
            Layout::Torchvision => weights.load(Torchvision { raft }, Precision::F32, progress)?.raft,
        })
    }
}

/// The network of a golden file, which may describe its weights instead of storing them: of all layouts and sizes the
/// one that fits, or the complaint of the one that fits best.
pub(crate) fn load_golden(file: &Golden, device: &Device) -> skyreels_core::Result<Raft> {
    let mut nearest: Option<(usize, skyreels_core::Error)> = None;
    for layout in [Layout::Original, Layout::Torchvision] {
        for size in [Size::Large, Size::Small] {
            let raft = Raft::new(size, device);
            let loaded = match layout {
                Layout::Original => file.load("", Original { raft }).map(|loaded| loaded.raft),
                Layout::Torchvision => file.load("", Torchvision { raft }).map(|loaded| loaded.raft),
            };
            match loaded {
                Err(skyreels_core::Error::Checkpoint { path, report }) => {
                    let LoadReport { missing, unused, misshapen, .. } = &*report;
                    let wrong = missing.len() + unused.len() + misshapen.len();
                    if nearest.as_ref().is_none_or(|(least, _)| wrong < *least) {
                        nearest = Some((wrong, skyreels_core::Error::Checkpoint { path, report }));
                    }
                }
                other => return other,
            }
        }
    }
    Err(nearest.expect("four were tried").1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Tensor};
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    use skyreels_core::Limits;
    use skyreels_core::checkpoint::fill;

    use super::*;

    /// Values that depend on the shape alone, so that both layouts get the same.
    fn values(shape: &[usize]) -> Vec<f32> {
        let size: usize = shape.iter().product();
        (0..size).map(|i| 0.05 * ((i * 7919 + shape.len()) % 101) as f32 / 101.0).collect()
    }

    /// Writes the small network as `M` names it, each key after `prefix`, and counts of batches as PyTorch adds them.
    fn write<M: Published>(module: M, prefix: &str, path: &std::path::Path) {
        let shapes = module.published_shapes();
        let bytes =
            |shape: &Vec<usize>| values(shape).iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let tensors: Vec<_> =
            shapes.iter().map(|(key, shape)| (format!("{prefix}{key}"), shape.clone(), bytes(shape))).collect();
        let count =
            (format!("{prefix}norm.num_batches_tracked"), TensorView::new(Dtype::I64, vec![], &[0; 8]).unwrap());
        let views = tensors
            .iter()
            .map(|(key, shape, bytes)| (key.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        std::fs::write(path, safetensors::serialize(views.chain([count]), None).unwrap()).unwrap();
    }

    #[test]
    fn both_layouts_load_with_and_without_what_the_authors_put_before_each_key() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let raft = || Raft::new(Size::Small, &device);
        let picture = Tensor::<4>::ones([1, 3, 32, 32], (&device, DType::F32));
        let filled = fill(Original { raft: raft() }, Precision::F32, |_, shape| values(shape)).raft;
        let expected = filled.context(picture.clone()).into_data();
        let path = folder.path().join("raft.safetensors");
        let check = || {
            let weights = Weights::open(&path, &Limits::default()).unwrap();
            let loaded = Raft::load(&weights, &device, Progress::none()).unwrap();
            assert_eq!(loaded.size(), Size::Small);
            assert_eq!(loaded.context(picture.clone()).into_data(), expected);
        };
        for prefix in ["", PARALLEL] {
            write(Original { raft: raft() }, prefix, &path);
            check();
        }
        write(Torchvision { raft: raft() }, "", &path);
        check();
    }
}
