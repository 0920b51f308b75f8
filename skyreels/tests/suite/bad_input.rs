//! Every bad input ends in a clear error, exit status 2, and no file under the final name.

use std::fs;
use std::path::Path;

use skyreels::core::Frame;
use skyreels::core::media::write_picture;

use crate::common::{ASSETS, demo, face_model, refused, says, tiny, video_bytes, write_video};

/// One step of the tiny model to `out.mp4`.
fn one_step() -> String {
    format!("{} -o {{}}/out.mp4", demo(1))
}

/// Replaces the first occurrence.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

/// An MP4 file with the tables of its samples emptied.
fn without_frames(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut rebuilt = Vec::new();
    while let [a, b, c, d, ..] = *rest {
        // A 32-bit size of 1 says that a longer one follows: the data, which come last.
        let size = match u32::from_be_bytes([a, b, c, d]) as usize {
            1 => rest.len(),
            size => size,
        };
        let (whole, tail) = rest.split_at(size);
        let payload = match &whole[4..8] {
            b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" => without_frames(&whole[8..]),
            b"stts" | b"stsc" | b"stss" | b"stco" | b"co64" => vec![0; 8],
            b"stsz" => vec![0; 12],
            _ => whole[8..].to_vec(),
        };
        let size = if size == whole.len() && a == 0 && [b, c, d] == [0, 0, 1] { 1 } else { 8 + payload.len() as u32 };
        rebuilt.extend(size.to_be_bytes());
        rebuilt.extend(&whole[4..8]);
        rebuilt.extend(payload);
        rest = tail;
    }
    rebuilt
}

#[test]
fn videos_that_are_none_or_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let good = video_bytes();
    let data = good.windows(4).position(|window| window == b"mdat").unwrap();
    let files: [(&str, Vec<u8>, &[&str]); 8] = [
        ("empty.mp4", Vec::new(), &["the file is empty"]),
        ("prose.mp4", b"this is not a video, whatever its name says".to_vec(), &["no video format known here"]),
        ("box.mp4", b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2\0\0\0\x08moov".to_vec(), &["not a valid"]),
        ("tables.mp4", good[..data / 2].to_vec(), &["no `moov` box", "cut off"]),
        ("cut.mp4", good[..data + 200].to_vec(), &["cut off"]),
        ("still.mp4", without_frames(&good), &["frames"]),
        ("sound.mp4", replaced(&good, b"vide", b"soun"), &["sound but no video"]),
        ("sound.wav", b"RIFF\0\0\0\0WAVEfmt ".to_vec(), &["sound file (WAV)"]),
    ];
    for (name, bytes, parts) in files {
        fs::write(place.join(name), bytes).unwrap();
        for command in ["animate --portrait drawn:1 --driving {}/NAME -o {}/out.mp4", "landmarks {}/NAME"] {
            let error = refused(place, &command.replace("NAME", name));
            says(&error, &[name]);
            says(&error, parts);
        }
    }
    // The same file whole is a video: then it is the named face model that is missing.
    fs::write(place.join("good.mp4"), good).unwrap();
    says(&refused(place, "landmarks {}/good.mp4 --face-model {}/absent.task"), &["absent.task"]);
    says(&refused(place, "landmarks {}/absent.mp4"), &["cannot read", "absent.mp4"]);
    says(&refused(place, "animate --portrait drawn:1 --driving {}/absent.mp4 -o {}/out.mp4"), &["absent.mp4"]);
    says(&refused(place, "landmarks {}"), &["cannot read"]);
}

#[test]
fn a_huge_video_is_refused_by_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.mp4");
    fs::write(&path, video_bytes()).unwrap();
    // A sparse file: it takes no room.
    fs::File::options().write(true).open(&path).unwrap().set_len(5 << 30).unwrap();
    for command in ["animate --portrait drawn:1 --driving {}/huge.mp4 -o {}/out.mp4", "landmarks {}/huge.mp4"] {
        says(&refused(directory.path(), command), &["huge.mp4", "5368709120", "above the limit of 4294967296"]);
    }
}

#[test]
fn a_video_that_is_cut_off_late_is_refused_when_its_frames_are_read() {
    let Some(model) = face_model() else { return };
    let directory = tempfile::tempdir().unwrap();
    let good = video_bytes();
    fs::write(directory.path().join("late.mp4"), &good[..good.len() - 100]).unwrap();
    let outputs = "--overlay {}/o.mp4 --points {}/p.json --motion {}/m.safetensors --guide {}/g.mp4";
    for command in ["animate --portrait drawn:1 --driving {}/late.mp4 -o {}/out.mp4", "landmarks {}/late.mp4"] {
        let outputs = if command.starts_with("landmarks") { outputs } else { "" };
        says(&refused(directory.path(), &format!("{command} {model} {outputs}")), &["late.mp4", "cut off"]);
    }
}

#[test]
fn pictures_that_are_damaged_or_of_impossible_size() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::write(place.join("huge.png"), huge_png()).unwrap();
    fs::write(place.join("broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    fs::write(place.join("prose.png"), b"this is not a picture").unwrap();
    let animate = format!("animate --driving {ASSETS}/performance.safetensors -o {{}}/out.mp4 --portrait");
    for (name, part) in [("huge.png", "20000"), ("broken.png", "not a valid picture"), ("prose.png", "neither PNG")] {
        says(&refused(place, &format!("{animate} {{}}/{name}")), &[name, part]);
    }
    for (name, part) in [("huge.png", "20000"), ("broken.png", "not a valid picture")] {
        says(&refused(place, &format!("landmarks {{}}/{name} --overlay {{}}/o.png")), &[name, part]);
    }
    says(&refused(place, &format!("{animate} {{}}/absent.png")), &["absent.png"]);
    says(&refused(place, &format!("{animate} drawn:me")), &["`me` is not a seed"]);
}

#[test]
fn pictures_without_a_face() {
    let Some(model) = face_model() else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    write_picture(place.join("black.png"), &Frame::new(320, 240)).unwrap();
    write_picture(place.join("dot.png"), &Frame::new(1, 1)).unwrap();
    let motion = format!("--driving {ASSETS}/performance.safetensors {model}");
    for name in ["black.png", "dot.png"] {
        let error = refused(place, &format!("animate --portrait {{}}/{name} {motion} -o {{}}/out.mp4"));
        says(&error, &["no face in the portrait"]);
        let outputs = "--overlay {}/o.png --points {}/p.json --motion {}/m.safetensors --guide {}/g.gif";
        says(&refused(place, &format!("landmarks {{}}/{name} {model} {outputs}")), &["no face in", name]);
    }
}

#[test]
fn a_driving_video_without_a_face() {
    let Some(model) = face_model() else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    write_video(&place.join("black.mp4"), &vec![Frame::new(160, 120); 5]);
    let arguments = format!("animate --portrait drawn:1 --driving {{}}/black.mp4 {model} -o {{}}/out.mp4");
    says(&refused(place, &arguments), &["no face", "5 driving frames"]);
    let outputs = "--overlay {}/o.mp4 --points {}/p.json --motion {}/m.safetensors --guide {}/g.mp4";
    says(&refused(place, &format!("landmarks {{}}/black.mp4 {model} {outputs}")), &["no face", "black.mp4 (5 frames)"]);
}

#[test]
fn a_missing_face_model_says_where_to_get_one() {
    let directory = tempfile::tempdir().unwrap();
    write_picture(directory.path().join("me.png"), &Frame::new(64, 64)).unwrap();
    fs::write(directory.path().join("me.mp4"), video_bytes()).unwrap();
    // What finds the faces of rendered people is not good enough for the original's way and for datasets.
    let compat = "animate --portrait drawn:1 --driving {}/me.mp4 --compat -o {}/out.mp4";
    for arguments in [compat, "prepare {}/me.mp4 -o {}/data"] {
        says(&refused(directory.path(), arguments), &["--face-model", "https://", "SHA-256", "3758596"]);
    }
    let animate = format!("animate --portrait {{}}/me.png --driving {ASSETS}/performance.safetensors -o {{}}/out.mp4");
    for arguments in [animate.as_str(), "landmarks {}/me.png --points {}/p.json"] {
        let error = refused(directory.path(), &format!("{arguments} --face-model {{}}/absent.task"));
        says(&error, &["absent.task"]);
    }
}

#[test]
fn clips_that_the_model_cannot_make() {
    let directory = tempfile::tempdir().unwrap();
    for (option, parts) in [
        ("--size 100x100", ["100x100", "multiple of 8"]),
        ("--size 0x96", ["0x96", "multiple of 8"]),
        ("--frames 10", ["frames: ", "9"]),
        ("--frames 0", ["frames: ", "0 frames"]),
        ("--steps 0", ["steps", "1 to 1000"]),
        ("--steps 1001", ["1001", "1 to 1000"]),
        ("--guidance nan", ["guidance", "NaN"]),
        ("--quality 101", ["quality", "101"]),
        ("--device quantum", ["quantum", "ndarray"]),
        ("--model {}/absent", ["absent", "cannot"]),
    ] {
        let run = if option.starts_with("--steps") { one_step().replace("--steps 1", "") } else { one_step() };
        says(&refused(directory.path(), &format!("{run} {option}")), &parts);
    }
}

#[test]
fn damaged_checkpoints() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let model = tiny(place);
    let file = model.join("transformer/diffusion_pytorch_model.safetensors");
    let good = fs::read(&file).unwrap();
    let run = || refused(place, &format!("{} --model {{}}/tiny", one_step()));

    fs::write(&file, &good[..good.len() - 100]).unwrap();
    says(&run(), &["diffusion_pytorch_model.safetensors", "damaged or truncated"]);

    let mut lying = good.clone();
    lying[..8].copy_from_slice(&(good.len() as u64).to_le_bytes());
    fs::write(&file, lying).unwrap();
    says(&run(), &["header claims"]);

    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&file, nan).unwrap();
    says(&run(), &["NaN"]);

    fs::remove_file(&file).unwrap();
    says(&run(), &["transformer", "holds neither"]);

    let index = model.join("transformer/diffusion_pytorch_model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map": {"proj_out.bias": "part-1.safetensors"}}"#).unwrap();
    says(&run(), &["part-1.safetensors", "missing"]);
    fs::write(&index, r#"{"weight_map": {"proj_out.bias": "../vae/diffusion_pytorch_model.safetensors"}}"#).unwrap();
    says(&run(), &["not a file of this directory"]);
    fs::remove_file(&index).unwrap();

    fs::write(&file, &good).unwrap();
    change(&model.join("transformer/config.json"), "\"num_layers\": 2", "\"num_layers\": 3");
    says(&run(), &["missing", "transformer_blocks.2.attn1.to_q.weight"]);
    change(&model.join("transformer/config.json"), "\"num_layers\": 3", "\"num_layers\": 2");
    change(&model.join("transformer/config.json"), "\"time_embed_dim\": 32", "\"time_embed_dim\": 48");
    says(&run(), &["misshapen", "time_embedding.linear_1.weight", "[32, 32]", "[48, 32]"]);
    change(&model.join("transformer/config.json"), "\"time_embed_dim\": 48,", "");
    says(&run(), &["config.json", "time_embed_dim"]);
}

#[test]
fn components_that_do_not_belong_together() {
    let directory = tempfile::tempdir().unwrap();
    let model = tiny(directory.path());
    let run = || refused(directory.path(), &format!("{} --model {{}}/tiny", one_step()));
    change(&model.join("vae/config.json"), "\"latent_channels\": 16", "\"latent_channels\": 8");
    says(&run(), &["do not fit each other"]);
    fs::remove_file(model.join("scheduler/scheduler_config.json")).unwrap();
    says(&run(), &["scheduler_config.json"]);
}

#[test]
fn latents_that_cannot_be_decoded() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    tiny(place);
    let latents = |shape: &str, values: &[f32]| {
        let bytes = 4 * values.len();
        let header = format!(r#"{{"latents":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{bytes}]}}}}"#);
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        file
    };
    let mut nan = vec![0.0; 16 * 4];
    nan[7] = f32::NAN;
    let good = latents("[1,1,16,2,2]", &[0.0; 16 * 4]);
    let files: [(&str, Vec<u8>, &str); 6] = [
        ("empty", Vec::new(), "empty"),
        ("prose", b"these are no latents, whatever the name says".to_vec(), "prose"),
        ("cut", good[..good.len() - 4].to_vec(), "truncated"),
        ("flat", latents("[16,4]", &[0.0; 16 * 4]), "`latents` must be f32"),
        ("nan", latents("[1,1,16,2,2]", &nan), "NaN"),
        ("narrow", latents("[1,1,8,2,2]", &[0.0; 8 * 4]), "8 channels"),
    ];
    for (name, bytes, part) in files {
        fs::write(place.join(name), bytes).unwrap();
        says(&refused(place, &format!("decode {{}}/{name} --model {{}}/tiny -o {{}}/out.mp4")), &[part]);
    }
    fs::write(place.join("good"), good).unwrap();
    says(&refused(place, "decode {}/good --model {}/absent -o {}/out.mp4"), &["absent"]);
    says(&refused(place, "decode {}/absent --model {}/tiny -o {}/out.mp4"), &["absent"]);
    says(&refused(place, "decode {}/good --model {}/tiny -o {}/out.avi"), &["out.avi", ".mp4"]);
}

fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// A header that promises 20000 x 20000 pixels.
fn huge_png() -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend([20_000u32, 20_000].iter().flat_map(|side| side.to_be_bytes()));
    chunk.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(&chunk);
    png.extend(crc32fast::hash(&chunk).to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    png
}
