//! Pictures are read by content, upright, as the original reads them.

use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat};
use skyreels_core::media::{Alpha, read_picture, read_picture_with};
use skyreels_core::{Frame, Limits};

use crate::common::{moving_picture, psnr, shared};

fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn read(bytes: &[u8]) -> Frame {
    let (_folder, path) = written("misnamed.dat", bytes);
    read_picture(path, &Limits::default()).unwrap()
}

#[test]
fn the_content_decides_whatever_the_name() {
    let picture = DynamicImage::ImageRgb8(moving_picture(0, 40, 28));
    for (format, least) in [
        (ImageFormat::Png, f64::MAX),
        (ImageFormat::WebP, f64::MAX),
        (ImageFormat::Jpeg, 30.0),
        (ImageFormat::Gif, 25.0),
    ] {
        let source =
            if format == ImageFormat::Gif { DynamicImage::ImageRgba8(picture.to_rgba8()) } else { picture.clone() };
        let back = read(&encoded(&source, format));
        match least {
            f64::MAX => assert_eq!(back, *picture.as_rgb8().unwrap(), "{format:?}"),
            least => assert!(psnr(&back, picture.as_rgb8().unwrap()) > least, "{format:?}"),
        }
    }
}

#[test]
fn one_pixel_is_a_picture() {
    assert_eq!(
        read(&encoded(&DynamicImage::ImageRgb8(Frame::from_pixel(1, 1, image::Rgb([9, 8, 7]))), ImageFormat::Png))
            .get_pixel(0, 0)
            .0,
        [9, 8, 7]
    );
}

#[test]
fn depth_grey_and_alpha_become_rgb_as_pillow_does_it() {
    let deep = image::ImageBuffer::<image::Rgb<u16>, _>::from_pixel(2, 2, image::Rgb([0x12ff, 0x80ff, 0xff00]));
    assert_eq!(read(&encoded(&DynamicImage::ImageRgb16(deep), ImageFormat::Png)).get_pixel(1, 1).0, [0x12, 0x80, 0xff]);
    let grey = image::GrayImage::from_pixel(2, 2, image::Luma([77]));
    assert_eq!(read(&encoded(&DynamicImage::ImageLuma8(grey), ImageFormat::Png)).get_pixel(0, 1).0, [77; 3]);
    let clear = image::RgbaImage::from_pixel(2, 2, image::Rgba([200, 100, 50, 51]));
    let bytes = encoded(&DynamicImage::ImageRgba8(clear), ImageFormat::Png);
    assert_eq!(read(&bytes).get_pixel(0, 0).0, [200, 100, 50]);
    let (_folder, path) = written("clear.png", &bytes);
    let over = read_picture_with(&path, &Limits::default(), Alpha::Over([0, 0, 255])).unwrap();
    assert_eq!(over.get_pixel(0, 0).0, [40, 20, 214]);
}

/// A TIFF block with nothing but the orientation tag.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

#[test]
fn exif_orientation_turns_the_picture_upright() {
    let source = moving_picture(3, 48, 32);
    let corner = |image: &Frame, x: u32, y: u32| image.get_pixel(x, y).0;
    for orientation in 1..=8 {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(source.as_raw(), 48, 32, ExtendedColorType::Rgb8).unwrap();
        let upright = read(&bytes);
        let turned = orientation >= 5;
        assert_eq!(upright.dimensions(), if turned { (32, 48) } else { (48, 32) }, "{orientation}");
        // Where the stored top left corner belongs (EXIF 2.3, table 6).
        let (right, bottom) = (upright.width() - 1, upright.height() - 1);
        let (x, y) = match orientation {
            1 | 5 => (0, 0),
            2 | 6 => (right, 0),
            3 | 7 => (right, bottom),
            _ => (0, bottom),
        };
        assert_eq!(corner(&upright, x, y), corner(&source, 0, 0), "{orientation}");
    }
}

#[test]
fn real_portraits_are_read() {
    let Some(root) = shared("media/portraits") else { return };
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "png") {
            assert_eq!(
                read_picture(&path, &Limits::default()).unwrap().dimensions(),
                (1280, 720),
                "{}",
                path.display()
            );
        }
    }
}
