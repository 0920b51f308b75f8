//! Every frame of real driving videos, against what FFmpeg makes of them.

use skyreels_core::Limits;
use skyreels_core::media::VideoReader;

use crate::common::shared;

#[test]
fn every_frame_is_bit_exact_as_yuv_and_as_rgb() {
    let Some(root) = shared("media") else { return };
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.join("expected/decode.json")).unwrap()).unwrap();
    for (name, video) in expected.as_object().unwrap() {
        let crcs = |key: &str| -> Vec<String> {
            video[key].as_array().unwrap().iter().map(|crc| crc.as_str().unwrap().to_owned()).collect()
        };
        let (yuv, rgb) = (crcs("crc32_yuv420p"), crcs("crc32_rgb24"));
        let path = root.join(format!("driving/{name}.mp4"));
        let mut reader = VideoReader::open(&path, &Limits::default()).unwrap();
        let info = *reader.info();
        assert_eq!(u64::from(info.width), video["width"].as_u64().unwrap());
        assert_eq!(u64::from(info.height), video["height"].as_u64().unwrap());
        assert_eq!(info.frames as usize, rgb.len());
        let rate = format!("{}/{}", info.frame_rate.numerator(), info.frame_rate.denominator());
        assert_eq!(rate, video["avg_frame_rate"].as_str().unwrap());
        assert!(info.has_audio);
        let mut count = 0;
        let mut last_time = -1.0;
        while let Some(frame) = reader.next_planes() {
            let frame = frame.unwrap();
            assert_eq!(frame.index as usize, count);
            assert!(frame.time_seconds > last_time);
            if count == 0 {
                assert!(frame.time_seconds.abs() < 1e-9, "{name} begins at {}", frame.time_seconds);
            }
            last_time = frame.time_seconds;
            let mut hasher = crc32fast::Hasher::new();
            for plane in [&frame.planes.y, &frame.planes.u, &frame.planes.v] {
                hasher.update(plane);
            }
            assert_eq!(format!("{:08x}", hasher.finalize()), yuv[count], "{name} frame {count} as yuv420p");
            let image = frame.planes.to_rgb(frame.colour);
            assert_eq!(format!("{:08x}", crc32fast::hash(&image)), rgb[count], "{name} frame {count} as rgb24");
            count += 1;
        }
        assert_eq!(count, rgb.len(), "{name}");
        println!("{name}: {count} frames of {}x{} exact", info.width, info.height);
    }
}

#[test]
fn selected_frames_are_those_of_the_whole_video() {
    let Some(root) = shared("media") else { return };
    let path = root.join("driving/4.mp4");
    let whole: Vec<u32> = VideoReader::open(&path, &Limits::default())
        .unwrap()
        .map(|frame| crc32fast::hash(&frame.unwrap().image))
        .collect();
    let wanted = vec![0, 0, 3, 4, 4, 40, 74];
    let chosen: Vec<(u64, u32)> = VideoReader::open(&path, &Limits::default())
        .unwrap()
        .select(wanted.clone())
        .map(|frame| frame.unwrap())
        .map(|frame| (frame.index, crc32fast::hash(&frame.image)))
        .collect();
    assert_eq!(chosen, wanted.iter().map(|i| (*i, whole[*i as usize])).collect::<Vec<_>>());
    let mut backwards = VideoReader::open(&path, &Limits::default()).unwrap().select(vec![3, 2]);
    assert!(backwards.next().unwrap().is_ok());
    assert!(backwards.next().unwrap().is_err());
    assert!(backwards.next().is_none());
}
