//! Writes the seed corpus, all of it made here: `cargo fuzz run seeds -- -runs=1` in this folder.
//!
//! It is a target that fuzzes nothing, so that it is built as the others are and nothing twice.
#![no_main]

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use skyreels_fuzz::{bundle, geometry};
use skyreels_landmarks::{
    Aperture, ExpressionMode, FLAME_SHAPE, FlameFrame, MeshPrecision, MotionEdit, SaveOptions, synthetic,
};

#[allow(dead_code)]
#[path = "../../skyreels-landmarks/src/tflite/sample.rs"]
mod sample;

use sample::{Node, Tensor, Value, model};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

libfuzzer_sys::fuzz_target!(init: write().expect("there is room for the corpus"), |_bytes: &[u8]| {});

fn write() -> Outcome {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["motion", "task", "network", "image", "edit"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    motions(&corpus.join("motion"))?;
    bundles(&corpus.join("task"), &corpus.join("network"))?;
    images(&corpus.join("image"))?;
    edits(&corpus.join("edit"))?;
    println!("wrote {}", corpus.display());
    Ok(())
}

fn motions(folder: &Path) -> Outcome {
    let plain = synthetic::performance(1, 12.0, 1)?;
    plain.save(folder.join("plain"))?;
    let half = SaveOptions { mesh: MeshPrecision::F16, identity: true };
    plain.save_with(folder.join("half"), &half)?;
    let edit = MotionEdit {
        expression: Some(ExpressionMode::Absolute),
        eyes: Some(Aperture::Driver),
        multiplier: 0.5,
        ..MotionEdit::default()
    };
    let flame = FlameFrame { eyes: Some([[[1.0; 2]; 17]; 2]), ..FlameFrame::default() };
    let full = edit.apply(&plain.with_flame(vec![Some(flame)])?)?.with_flame_shape(Some(vec![0.1; FLAME_SHAPE]))?;
    full.save_with(folder.join("full"), &half)?;
    Ok(())
}

fn node(code: i32, inputs: &[i32], output: i32, options: &[(usize, Value)]) -> Node {
    Node { code, inputs: inputs.to_vec(), output, options: options.to_vec() }
}

/// A few small networks; codes are those of the schema's `BuiltinOperator`.
fn networks() -> Vec<Vec<u8>> {
    const ADD: i32 = 0;
    const CONV: i32 = 3;
    const DEPTHWISE: i32 = 4;
    const DEQUANTIZE: i32 = 6;
    const MAX_POOL: i32 = 17;
    const RESHAPE: i32 = 22;
    let window = [(0, Value::I8(0)), (1, Value::I32(2)), (2, Value::I32(2))];
    let picture = Tensor::value(&[1, 4, 4, 2]);
    let unknown = || Tensor::value(&[]);
    let weight = |shape: [i32; 4]| Tensor::f16(&shape, &vec![0.5; shape.iter().product::<i32>() as usize]);
    vec![
        model(&[picture.clone(), unknown()], &[node(ADD, &[0, 0], 1, &[])]),
        model(
            &[picture.clone(), weight([3, 3, 3, 2]), unknown(), unknown(), Tensor::f32(&[3], &[0.1; 3])],
            &[node(DEQUANTIZE, &[1], 2, &[]), node(CONV, &[0, 2, 4], 3, &window)],
        ),
        model(
            &[picture.clone(), weight([1, 3, 3, 2]), unknown(), unknown()],
            &[node(DEQUANTIZE, &[1], 2, &[]), node(DEPTHWISE, &[0, 2], 3, &window)],
        ),
        model(
            &[picture, unknown(), Tensor::i32(&[1, -1]), unknown()],
            &[
                node(MAX_POOL, &[0], 1, &[window.to_vec(), vec![(3, Value::I32(2)), (4, Value::I32(2))]].concat()),
                node(RESHAPE, &[1, 2], 3, &[]),
            ],
        ),
    ]
}

fn bundles(tasks: &Path, members: &Path) -> Outcome {
    let geometry = geometry();
    fs::write(members.join("geometry"), [&[0], &geometry[..]].concat())?;
    for (k, network) in networks().into_iter().enumerate() {
        fs::write(members.join(format!("network{k}")), [&[1], &network[..]].concat())?;
        fs::write(tasks.join(format!("bundle{k}")), bundle([&geometry, &network, &network, &network]))?;
    }
    Ok(())
}

fn images(folder: &Path) -> Outcome {
    let colour = RgbImage::from_fn(9, 7, |x, y| Rgb([28 * x as u8, 36 * y as u8, 128]));
    let alpha = RgbaImage::from_fn(5, 6, |x, y| Rgba([50 * x as u8, 40 * y as u8, 0, 40 * x as u8]));
    for (format, name) in
        [(ImageFormat::Png, "png"), (ImageFormat::Jpeg, "jpeg"), (ImageFormat::WebP, "webp"), (ImageFormat::Gif, "gif")]
    {
        let mut bytes = Cursor::new(Vec::new());
        colour.write_to(&mut bytes, format)?;
        fs::write(folder.join(name), bytes.into_inner())?;
    }
    let mut bytes = Cursor::new(Vec::new());
    alpha.write_to(&mut bytes, ImageFormat::Png)?;
    fs::write(folder.join("alpha"), bytes.into_inner())?;
    let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(4, 3, |x, y| image::Luma([9000 * (x + y) as u16]));
    let mut bytes = Cursor::new(Vec::new());
    image::DynamicImage::ImageLuma16(deep).write_to(&mut bytes, ImageFormat::Png)?;
    fs::write(folder.join("deep"), bytes.into_inner())?;
    Ok(())
}

fn edits(folder: &Path) -> Outcome {
    fs::write(folder.join("nothing"), MotionEdit::default().to_json())?;
    fs::write(folder.join("empty"), "{}")?;
    let text = r#"{"trim":{"start":0.1,"end":0.2},"neutral":{"frame":1},"regions":["lips","pose"],"multiplier":0.5,
"sliders":{"jawOpen":0.5,"eyeBlinkLeft":-1},"pose":{"yaw":9},"eyes":"driver","lips":{"ratio":0.3},
"retime":{"speed":0.5,"rate":24},"repeat":{"mode":"ping-pong","times":2}}"#;
    fs::write(folder.join("much"), text)?;
    Ok(())
}
