//! Still pictures: read by content, upright, as 8-bit RGB.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Pixel, Primitive};

use crate::{Error, Frame, Limits, Result, output};

/// What becomes of transparency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alpha {
    /// It is dropped and the colours beneath it show, as Pillow's `convert("RGB")` in the original has it.
    #[default]
    Drop,
    /// The picture is laid over this colour.
    Over([u8; 3]),
}

/// Room that decoding one picture may take: a picture of 16384x16384 with 8 bits and alpha.
const MAX_DECODED_BYTES: u64 = 1 << 30;

/// Reads a picture: PNG, JPEG, WebP or the first frame of a GIF, told by its content whatever its name.
///
/// It is turned as its EXIF orientation says. Grey, palette and 16-bit pictures become 8-bit RGB (the upper byte);
/// transparency is dropped, see [`read_picture_with`].
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Malformed`] when it is no picture or damaged,
/// [`Error::Limit`] when it is too large, which is known before its pixels are.
pub fn read_picture(path: impl AsRef<Path>, limits: &Limits) -> Result<Frame> {
    read_picture_with(path, limits, Alpha::Drop)
}

/// Like [`read_picture`], with a choice about transparency.
///
/// # Errors
/// As [`read_picture`].
pub fn read_picture_with(path: impl AsRef<Path>, limits: &Limits, alpha: Alpha) -> Result<Frame> {
    let path = path.as_ref();
    let file = File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    if length > limits.max_file_bytes {
        return Err(too_large(path, "the file size in bytes", length, limits.max_file_bytes));
    }
    let reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(Error::io("read", path))?;
    if length == 0 {
        return Err(Error::malformed(path, "picture", "the file is empty"));
    }
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif)) {
        return Err(Error::malformed(path, "picture", "it is neither PNG nor JPEG, WebP or GIF"));
    }
    let mut decoder = reader.into_decoder().map_err(|e| of_image(path, e))?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > limits.max_side {
        return Err(too_large(path, "its larger side", width.max(height).into(), limits.max_side.into()));
    }
    if width == 0 || height == 0 {
        return Err(Error::malformed(path, "picture", "it has no pixels"));
    }
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        return Err(too_large(path, "its size in memory in bytes", decoder.total_bytes(), MAX_DECODED_BYTES));
    }
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(2 * MAX_DECODED_BYTES);
    decoder.set_limits(allowed).map_err(|e| of_image(path, e))?;
    // A damaged EXIF block does not spoil the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| of_image(path, e))?;
    picture.apply_orientation(orientation);
    Ok(to_rgb8(picture, alpha))
}

/// Writes a picture as PNG, whole or not at all.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written, [`Error::Invalid`] when the picture has no pixels.
pub fn write_picture(path: impl AsRef<Path>, image: &Frame) -> Result<()> {
    output::write_file(path, &png_bytes(image)?)
}

/// The picture as a PNG file.
pub(super) fn png_bytes(image: &Frame) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|e| Error::invalid("picture", format!("cannot be written as PNG: {e}")))?;
    Ok(bytes.into_inner())
}

/// Eight bits by taking the upper byte, as libpng does for Pillow; `image` would round.
fn to_rgb8(picture: DynamicImage, alpha: Alpha) -> Frame {
    let picture = match picture {
        DynamicImage::ImageLuma16(p) => DynamicImage::ImageLuma8(upper_bytes(&p)),
        DynamicImage::ImageLumaA16(p) => DynamicImage::ImageLumaA8(upper_bytes(&p)),
        DynamicImage::ImageRgb16(p) => DynamicImage::ImageRgb8(upper_bytes(&p)),
        DynamicImage::ImageRgba16(p) => DynamicImage::ImageRgba8(upper_bytes(&p)),
        other => other,
    };
    match alpha {
        Alpha::Over(colour) if picture.color().has_alpha() => {
            let picture = picture.into_rgba8();
            Frame::from_fn(picture.width(), picture.height(), |x, y| {
                let [r, g, b, a] = picture.get_pixel(x, y).0.map(u32::from);
                let blend = |over: u32, under: u8| ((over * a + u32::from(under) * (255 - a) + 127) / 255) as u8;
                image::Rgb([blend(r, colour[0]), blend(g, colour[1]), blend(b, colour[2])])
            })
        }
        _ => picture.into_rgb8(),
    }
}

fn upper_bytes<P, Q>(picture: &ImageBuffer<P, Vec<u16>>) -> ImageBuffer<Q, Vec<u8>>
where
    P: Pixel<Subpixel = u16>,
    Q: Pixel<Subpixel = u8>,
    u16: Primitive,
{
    let bytes = picture.as_raw().iter().map(|value| (value >> 8) as u8).collect();
    ImageBuffer::from_raw(picture.width(), picture.height(), bytes).expect("as many samples as before")
}

fn too_large(path: &Path, what: &'static str, value: u64, limit: u64) -> Error {
    Error::Limit { path: path.to_path_buf(), what, value, limit, help: "scale the picture down first".into() }
}

fn of_image(path: &Path, error: ImageError) -> Error {
    match error {
        ImageError::IoError(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::io("read", path)(source)
        }
        ImageError::Limits(_) => too_large(path, "its size in memory in bytes", u64::MAX, MAX_DECODED_BYTES),
        ImageError::Unsupported(e) => Error::Unsupported {
            path: path.to_path_buf(),
            what: e.to_string(),
            help: "save it as an ordinary PNG or JPEG".into(),
        },
        other => Error::malformed(path, "picture", other.to_string()),
    }
}
