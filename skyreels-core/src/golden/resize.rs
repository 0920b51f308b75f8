//! Runner for golden files of kinds `resize` and `preprocess`.

use super::file::Golden;
use super::report::{Report, Tolerance};
use crate::resize::{Filter, Interpolation, fit, resize_opencv, resize_pillow};
use crate::{Error, Frame, Result};

/// What most resizes of a file are made from.
const SOURCE: &str = "source_u8";

/// Resizes as the names of the outputs say and compares every byte.
///
/// # Errors
/// Those of reading the file; a wrong byte is a failed row, not an error.
pub fn run(golden: &Golden) -> Result<Report> {
    let mut report = Report::new(golden);
    let mut source = None;
    for name in golden.outputs() {
        let Some(request) = Request::parse(&name) else { continue };
        let ours = match &request.method {
            Method::Fit { number } => {
                let picture = picture(golden, &format!("crop_source_{number}"))?;
                fit(&picture, request.width, request.height)?
            }
            Method::Resize(kernel) => {
                if source.is_none() {
                    source = Some(picture(golden, SOURCE)?);
                }
                let Some(source) = &source else { continue };
                kernel.resize(source, request.width, request.height)?
            }
        };
        if request.normalised {
            normalised(&mut report, golden, &name, &ours)?;
        } else {
            exact(&mut report, golden, &name, &every(&ours, request.every))?;
        }
    }
    Ok(report.finish(golden))
}

/// What the name of an output asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    method: Method,
    width: u32,
    height: u32,
    /// SigLIP's processor and the video processor scale to `[-1, 1]` after resizing.
    normalised: bool,
    /// Of large results only each so many rows and columns are stored.
    every: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Method {
    /// `crop_and_resize` of the picture of this number.
    Fit {
        number: String,
    },
    Resize(Kernel),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    Pillow(Filter),
    OpenCv(Interpolation),
}

impl Kernel {
    fn resize(self, source: &Frame, width: u32, height: u32) -> Result<Frame> {
        match self {
            Self::Pillow(filter) => resize_pillow(source, width, height, filter),
            Self::OpenCv(interpolation) => resize_opencv(source, width, height, interpolation),
        }
    }
}

impl Request {
    /// `{method}_{size}`, then perhaps `_every{step}` and `_u8`; `None` for a name that says nothing.
    ///
    /// A size of `64x128` is 64 rows and 128 columns, `96` a square.
    fn parse(name: &str) -> Option<Self> {
        let name = name.strip_suffix("_u8").unwrap_or(name);
        let (name, every) = match name.rsplit_once("_every") {
            Some((name, step)) => (name, step.parse().ok().filter(|step| *step > 0)?),
            None => (name, 1),
        };
        let (method, size) = name.rsplit_once('_')?;
        let (height, width) = size.split_once('x').unwrap_or((size, size));
        let request = |method, normalised| {
            let (width, height) = (width.parse().ok()?, height.parse().ok()?);
            Some(Self { method, width, height, normalised, every })
        };
        if let Some(number) = method.strip_prefix("crop_and_resize_") {
            return request(Method::Fit { number: number.into() }, false);
        }
        let (kernel, normalised) = match method {
            "siglip" => (Kernel::Pillow(Filter::Bicubic), true),
            "video_processor" => (Kernel::Pillow(Filter::Lanczos), true),
            // torchvision leaves a Pillow picture to Pillow, with the bilinear filter.
            "torchvision" => (Kernel::Pillow(Filter::Bilinear), false),
            _ => (kernel(method)?, false),
        };
        request(Method::Resize(kernel), normalised)
    }
}

/// `cv2_linear`, `pil_bicubic`, or `bicubic`, which is Pillow's too.
fn kernel(name: &str) -> Option<Kernel> {
    if let Some(name) = name.strip_prefix("cv2_") {
        return Some(Kernel::OpenCv(match name {
            "nearest" => Interpolation::Nearest,
            "linear" | "bilinear" => Interpolation::Linear,
            "cubic" | "bicubic" => Interpolation::Cubic,
            "area" => Interpolation::Area,
            _ => return None,
        }));
    }
    Some(Kernel::Pillow(match name.strip_prefix("pil_").unwrap_or(name) {
        "box" => Filter::Box,
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        "lanczos" => Filter::Lanczos,
        _ => return None,
    }))
}

fn every(image: &Frame, step: u32) -> Frame {
    let (width, height) = image.dimensions();
    Frame::from_fn(width.div_ceil(step), height.div_ceil(step), |x, y| *image.get_pixel(x * step, y * step))
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

fn picture(golden: &Golden, name: &str) -> Result<Frame> {
    let [picture] = <[Frame; 1]>::try_from(golden.pictures(name)?).map_err(|pictures| {
        Error::malformed(golden.path(), "golden file", format!("input `{name}` holds {} pictures", pictures.len()))
    })?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_output_says_how_it_was_made() {
        let parse = |name: &str| {
            let request = Request::parse(name)?;
            let Method::Resize(kernel) = request.method else { return None };
            Some((kernel, request.width, request.height, request.every, request.normalised))
        };
        let pillow = Kernel::Pillow;
        assert_eq!(parse("torchvision_299_every3"), Some((pillow(Filter::Bilinear), 299, 299, 3, false)));
        assert_eq!(parse("torchvision_20x30_every2"), Some((pillow(Filter::Bilinear), 30, 20, 2, false)));
        assert_eq!(parse("pil_box_4x9"), Some((pillow(Filter::Box), 9, 4, 1, false)));
        assert_eq!(parse("bilinear_64x128_u8"), Some((pillow(Filter::Bilinear), 128, 64, 1, false)));
        assert_eq!(parse("siglip_96"), Some((pillow(Filter::Bicubic), 96, 96, 1, true)));
        assert_eq!(parse("cv2_area_5x6"), Some((Kernel::OpenCv(Interpolation::Area), 6, 5, 1, false)));
        let fitted = Request::parse("crop_and_resize_12_96x144").unwrap();
        assert_eq!(fitted.method, Method::Fit { number: "12".into() });
        assert_eq!((fitted.width, fitted.height), (144, 96));
        for name in ["pil_gauss_4x4", "cv2_lanczos4_4x4", "bicubic", "bicubic_u8", "bicubic_4_every0", "box_4y4"] {
            assert_eq!(Request::parse(name), None, "{name}");
        }
    }
}
