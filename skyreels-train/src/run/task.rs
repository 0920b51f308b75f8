//! What a run trains.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use burn::tensor::Device;
use skyreels_core::Frame;
use skyreels_core::checkpoint::Published;

use crate::Result;
use crate::optimise::Gradients;
use crate::stage::Stage;

/// Networks, data and a loss: what differs between the denoiser and the VAE.
///
/// Random numbers of an example are a function of the seed and its cursor; a task keeps nothing that a run could not find again.
pub trait Task: Sync {
    /// What holds the parameters; on a device with automatic differentiation.
    type Networks: Published;

    /// Prepares for a stage. `fresh` when it begins, false when it goes on from a checkpoint.
    ///
    /// # Errors
    /// When the stage asks for what the task does not have.
    fn begin(
        &mut self,
        networks: Self::Networks,
        stage: &Stage,
        keys: &BTreeSet<String>,
        fresh: bool,
    ) -> Result<Self::Networks>;

    /// Loss of the examples at these cursors times `share`, and its gradients.
    ///
    /// # Errors
    /// Those of data and networks.
    fn gradients(&self, networks: &Self::Networks, cursors: Range<u64>, share: f64) -> Result<(f64, Gradients)>;

    /// Floating-point operations that the loss and gradients of so many examples are, recomputation not counted.
    fn flops(&self, networks: &Self::Networks, examples: u64) -> u64;

    /// The loss on examples that are not trained on, always the same ones with the same noise; `None` where there are none.
    ///
    /// # Errors
    /// Those of data and networks.
    fn held_out_loss(&self, networks: &Self::Networks) -> Result<Option<f64>>;

    /// What the networks make of examples that are not trained on; `None` where there are none.
    ///
    /// # Errors
    /// Those of data and networks.
    fn samples(&self, networks: &Self::Networks) -> Result<Option<Samples>>;

    /// Writes the networks into `directory` in the published layout, with everything else that a model directory has.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn save(&self, networks: &Self::Networks, directory: &Path) -> Result<()>;

    /// Reads networks that [`save`](Self::save) has written.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit.
    fn load(&self, directory: &Path) -> Result<Self::Networks>;

    /// Where tensors without gradients are.
    fn device(&self) -> &Device;
}

/// Pictures of what a model makes.
#[derive(Debug, Clone)]
pub struct Samples {
    /// A video: frames in which everything lies side by side.
    pub frames: Vec<Frame>,
}

impl Samples {
    /// Videos in rows and columns, as long as the shortest of them; `None` where there is none.
    pub fn grid(rows: &[Vec<Vec<Frame>>]) -> Option<Self> {
        let (width, height) = rows.first()?.first()?.first()?.dimensions();
        let length = rows.iter().flatten().map(Vec::len).min()?;
        let columns = rows.iter().map(Vec::len).max()? as u32;
        let frame = |number: usize| {
            let mut sheet = Frame::new(columns * width, rows.len() as u32 * height);
            for (row, y) in rows.iter().zip(0..) {
                for (video, x) in row.iter().zip(0..) {
                    let place = [x * i64::from(width), y * i64::from(height)];
                    image::imageops::replace(&mut sheet, &video[number], place[0], place[1]);
                }
            }
            sheet
        };
        Some(Self { frames: (0..length).map(frame).collect() })
    }
}
