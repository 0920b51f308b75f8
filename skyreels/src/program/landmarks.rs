//! `skyreels landmarks`: faces found, and what can be made of them without a model.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use skyreels::Portrait;
use skyreels::animate::RATE;
use skyreels::core::media::{FrameRate, VideoOptions, VideoReader, read_picture, write_clip, write_picture};
use skyreels::core::output::write_file;
use skyreels::core::{Error as CoreError, Frame, Limits, open_device};
use skyreels::landmarks::draw::{Border, Overlay};
use skyreels::landmarks::{
    BLENDSHAPE_NAMES, ClipPlan, Error as LandmarkError, Face, FaceFollower, FaceTracker, GuideLayout, MeshRetargeter,
    Motion, Retargeter, StreamOptions, guide_clip,
};

use super::animate::check_output;
use super::args::Landmarks;
use super::source::tracker;
use super::{Outcome, Reporter, Result};

/// Bytes of the beginning by which pictures are told from videos.
const MAGIC_BYTES: u64 = 32;

/// What was read, frame by frame, with the followed face.
struct Tracked {
    rate: FrameRate,
    frames: Vec<Frame>,
    faces: Vec<Option<Face>>,
}

pub fn run(args: &Landmarks, reporter: &Reporter) -> Result {
    let outputs = [&args.motion, &args.points, &args.overlay, &args.guide];
    outputs.into_iter().flatten().try_for_each(|path| check_output(path))?;
    let device = open_device(&args.device)?;
    let tracker = tracker(&args.face, "finding faces", &device)?;
    let tracked = read(args, &tracker, reporter)?;
    let seen = tracked.faces.iter().flatten().count();
    if seen == 0 {
        return Err(LandmarkError::NoFace {
            place: format!("{} ({} frames)", args.input.display(), tracked.faces.len()),
            help: "use a picture or video that shows a face from the front".into(),
        }
        .into());
    }
    if let Some(path) = &args.points {
        let text = serde_json::to_vec(&points(&tracked)).expect("finite numbers and strings are valid JSON");
        write_file(path, &text)?;
    }
    if args.motion.is_some() || args.guide.is_some() {
        let motion = Motion::from_faces(tracked.faces.clone(), tracked.rate.as_f64())?.motion;
        if let Some(path) = &args.motion {
            motion.save(path)?;
        }
        if let Some(path) = &args.guide {
            guide(path, args, &tracked, &motion, &tracker, reporter)?;
        }
    }
    if let Some(path) = &args.overlay {
        overlay(path, &tracked, reporter)?;
    }
    reporter.result(
        &format!("{}: a face in {seen} of {} frames", args.input.display(), tracked.faces.len()),
        json!({ "event": "done", "frames": tracked.faces.len(), "with_face": seen }),
    );
    Ok(Outcome::Done)
}

fn read(args: &Landmarks, tracker: &dyn FaceTracker, reporter: &Reporter) -> Result<Tracked> {
    let limits = Limits::default();
    let mut follower = FaceFollower::new(args.face.face);
    let keep_frames = args.overlay.is_some() || args.guide.is_some();
    if is_picture(&args.input)? {
        let frame = read_picture(&args.input, &limits)?;
        let faces = vec![follower.follow(tracker.detect(&frame)?)];
        return Ok(Tracked { rate: RATE, frames: vec![frame], faces });
    }
    let reader = VideoReader::open(&args.input, &limits)?;
    let info = *reader.info();
    let rate = if args.rate == 0 { info.frame_rate } else { FrameRate::new(args.rate.into(), 1)? };
    let limit = usize::try_from(limits.max_frames).unwrap_or(usize::MAX);
    let chosen = reader.sample(rate, limit);
    let total = chosen.size_hint().1.map(|count| count as u64);
    let (mut frames, mut faces) = (Vec::new(), Vec::new());
    let mut stream = tracker.stream(&StreamOptions::image())?;
    for frame in chosen {
        let image = frame?.image;
        let at = Duration::from_secs_f64(rate.time_of(faces.len() as u64));
        faces.push(follower.follow(stream.track(&image, at)?));
        if keep_frames {
            frames.push(image);
        }
        reporter.progress().report("track", faces.len() as u64, total)?;
    }
    Ok(Tracked { rate, frames, faces })
}

fn is_picture(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(CoreError::io("read", path))?;
    file.take(MAGIC_BYTES).read_to_end(&mut start).map_err(CoreError::io("read", path))?;
    Ok(image::guess_format(&start).is_ok())
}

fn points(tracked: &Tracked) -> Value {
    let face = |face: &Face| {
        let scores: serde_json::Map<String, Value> = BLENDSHAPE_NAMES
            .iter()
            .zip(face.blendshapes)
            .map(|(name, score)| ((*name).to_string(), json!(score)))
            .collect();
        json!({
            "landmarks": face.landmarks, "blendshapes": scores, "matrix": face.matrix,
            "presence": face.presence, "score": face.score, "box": face.bbox,
        })
    };
    let frames: Vec<Value> = tracked
        .faces
        .iter()
        .enumerate()
        .map(|(index, found)| {
            json!({
                "index": index, "seconds": tracked.rate.time_of(index as u64), "face": found.as_ref().map(face),
            })
        })
        .collect();
    json!({ "frame_rate": tracked.rate.to_string(), "frames": frames })
}

/// The input's own first face, moved by the input.
fn guide(
    path: &Path,
    args: &Landmarks,
    tracked: &Tracked,
    motion: &Motion,
    tracker: &dyn FaceTracker,
    reporter: &Reporter,
) -> Result<()> {
    let [height, width] = args.size.map(|side| side as u32);
    let first = tracked.faces.iter().position(Option::is_some).unwrap_or(0);
    let portrait = Portrait::find(&tracked.frames[first], [width, height], tracker, args.face.face)?;
    let moved = MeshRetargeter::default().retarget(&portrait.face, motion)?;
    let plan = ClipPlan { motion: (0..moved.len()).collect(), keep: moved.len() };
    let layout = GuideLayout { canvas: [width, height], crop: portrait.crop, border: Border::Clip };
    let clip = guide_clip(&portrait.face, &moved, &plan, &layout, reporter.progress())?;
    let frames = clip.into_iter().skip(1).map(Ok);
    write_clip(path, frames, tracked.rate, None, &VideoOptions::default(), reporter.progress())?;
    Ok(())
}

fn overlay(path: &Path, tracked: &Tracked, reporter: &Reporter) -> Result<()> {
    let mut drawn = tracked.frames.iter().zip(&tracked.faces).map(|(frame, face)| {
        let mut picture = frame.clone();
        if let Some(face) = face {
            Overlay::default().draw(&mut picture, face);
        }
        picture
    });
    if let [_] = tracked.frames.as_slice() {
        return drawn.try_for_each(|picture| Ok(write_picture(path, &picture)?));
    }
    let options = VideoOptions::default();
    write_clip(path, drawn.map(Ok), tracked.rate, None, &options, reporter.progress())?;
    Ok(())
}
