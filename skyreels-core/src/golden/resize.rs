//! Runner for golden files of kinds `resize` and `preprocess`.

use super::file::{Golden, Values};
use super::report::{Report, Tolerance};
use crate::resize::{Filter, Interpolation, fit, resize_opencv, resize_pillow};
use crate::{Error, Frame, Result};

/// Side of torchvision's resize in the file, and the step at which it was sampled.
const TORCHVISION: (u32, u32) = (299, 3);

/// Resizes as the names of the outputs say and compares every byte.
///
/// # Errors
/// Those of reading the file; a wrong byte is a failed row, not an error.
pub fn run(golden: &Golden) -> Result<Report> {
    let mut report = Report::new(golden);
    let source = picture(golden, "source_u8")?;
    for name in golden.outputs() {
        if name == "torchvision_299_every3" {
            // torchvision's resize of a Pillow picture is Pillow's bilinear filter.
            let (side, step) = TORCHVISION;
            let whole = resize_pillow(&source, side, side, Filter::Bilinear)?;
            let kept = side.div_ceil(step);
            let ours = Frame::from_fn(kept, kept, |x, y| *whole.get_pixel(x * step, y * step));
            exact(&mut report, golden, &name, &ours)?;
        } else if let Some(case) = name.strip_prefix("crop_and_resize_") {
            let number = case.split('_').next().unwrap_or(case);
            let source = picture(golden, &format!("crop_source_{number}"))?;
            if let Some((width, height)) = size(&name) {
                exact(&mut report, golden, &name, &fit(&source, width, height)?)?;
            }
        } else if let Some(ours) = resized(&source, &name)? {
            if is_normalised(&name) {
                normalised(&mut report, golden, &name, &ours)?;
            } else {
                exact(&mut report, golden, &name, &ours)?;
            }
        }
    }
    Ok(report.finish(golden))
}

/// The resize that an output stands for; `None` for a name that says nothing.
fn resized(source: &Frame, name: &str) -> Result<Option<Frame>> {
    let Some((width, height)) = size(name) else { return Ok(None) };
    let has = |part: &str| name.starts_with(part);
    let pillow = |filter| resize_pillow(source, width, height, filter).map(Some);
    let opencv = |interpolation| resize_opencv(source, width, height, interpolation).map(Some);
    match () {
        () if has("cv2_linear") => opencv(Interpolation::Linear),
        () if has("cv2_cubic") => opencv(Interpolation::Cubic),
        () if has("cv2_area") => opencv(Interpolation::Area),
        () if has("cv2_nearest") => opencv(Interpolation::Nearest),
        () if has("pil_bicubic") || has("bicubic") || has("siglip") => pillow(Filter::Bicubic),
        () if has("pil_bilinear") => pillow(Filter::Bilinear),
        () if has("pil_lanczos") || has("lanczos") || has("video_processor") => pillow(Filter::Lanczos),
        () => Ok(None),
    }
}

/// SigLIP's processor and the video processor scale to `[-1, 1]` after resizing.
fn is_normalised(name: &str) -> bool {
    name.starts_with("siglip") || name.starts_with("video_processor")
}

fn normalised(report: &mut Report, golden: &Golden, name: &str, ours: &Frame) -> Result<()> {
    let (width, height) = ours.dimensions();
    let plane = |channel: usize| ours.pixels().map(move |pixel| f64::from(f32::from(pixel[channel]) / 127.5 - 1.0));
    let values: Vec<f64> = (0..3).flat_map(plane).collect();
    let shape = [1, 3, height as usize, width as usize];
    report.compare_values(golden, name, &shape, &values, Tolerance::Reference)
}

fn exact(report: &mut Report, golden: &Golden, name: &str, ours: &Frame) -> Result<()> {
    let (width, height) = ours.dimensions();
    let values: Vec<f64> = ours.as_raw().iter().map(|byte| f64::from(*byte)).collect();
    report.compare_values(golden, name, &[height as usize, width as usize, 3], &values, Tolerance::Exact)
}

/// `.._64x128_u8` is 64 rows and 128 columns, `.._96` a square; as (width, height).
fn size(name: &str) -> Option<(u32, u32)> {
    let name = name.strip_suffix("_u8").unwrap_or(name);
    let last = name.rsplit('_').next()?;
    match last.split_once('x') {
        Some((height, width)) => Some((width.parse().ok()?, height.parse().ok()?)),
        None => last.parse().ok().map(|side| (side, side)),
    }
}

fn picture(golden: &Golden, name: &str) -> Result<Frame> {
    let Values { shape, data } = golden.input(name)?;
    let wrong = || Error::malformed(golden.path(), "golden file", format!("input `{name}` is not [height, width, 3]"));
    let [height, width, 3] = shape[..] else { return Err(wrong()) };
    let bytes = data.into_iter().map(|value| value as u8).collect();
    Frame::from_raw(width as u32, height as u32, bytes).ok_or_else(wrong)
}
