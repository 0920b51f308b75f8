//! `skyreels landmarks`: faces found, and what can be made of them without a model.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use skyreels::animate::RATE;
use skyreels::core::media::{
    ClipFormat, ClipWriter, FrameRate, VideoOptions, VideoReader, read_picture, write_picture,
};
use skyreels::core::{Error as CoreError, Frame, Limits, Result as CoreResult, open_device};
use skyreels::landmarks::draw::{Border, Overlay};
use skyreels::landmarks::smirk::SmirkTracker;
use skyreels::landmarks::{
    Error as LandmarkError, Face, FaceFollower, FaceTracker, FlameFrame, GuideLayout, Motion, RetargetedFrame,
};
use skyreels::{Portrait, flame_frame};

use super::animate::check_output;
use super::args::Landmarks;
use super::faces::{Counting, same_face};
use super::points::PointsFormat;
use super::source::request;
use super::{Outcome, Reporter, Result};

/// Bytes of the beginning by which pictures are told from videos.
const MAGIC_BYTES: u64 = 32;

pub fn run(args: &Landmarks, reporter: &Reporter) -> Result {
    let input = Input::open(&args.input, args.rate)?;
    let (rate, still) = (input.rate, input.still);
    // Everything that is to be written is tried before the work begins.
    let points = args.points.as_deref().map(PointsFormat::check).transpose()?;
    if let Some(path) = &args.motion {
        check_output(path)?;
    }
    let drawing = |path: &Option<PathBuf>| path.as_ref().map(|path| Drawing::create(path, rate, still)).transpose();
    let (mut overlay, guide) = (drawing(&args.overlay)?, drawing(&args.guide)?);
    let size = canvas(args)?;

    let device = open_device(&args.device)?;
    let landmarker = args.face.tracker(false, &device, reporter)?;
    let (smirk, retargeting) = args.moving.open(&device)?;
    let tracker = Counting::new(&*landmarker);
    let Followed { faces, flame, first } =
        follow(args, input, &tracker, smirk.as_ref(), &mut overlay, guide.is_some(), reporter)?;
    let (frames, seen) = (faces.len(), faces.iter().flatten().count());
    if seen == 0 {
        let place = format!("{} ({frames} frames)", args.input.display());
        let nobody = tracker.no_such_number("face", args.face.face, &args.input.display().to_string());
        let help = "use a picture or video that shows a face from the front".into();
        return Err(nobody.unwrap_or_else(|| LandmarkError::NoFace { place, help }.into()));
    }
    if let Some(overlay) = overlay {
        overlay.finish()?;
    }
    if let (Some(path), Some(format)) = (&args.points, points) {
        format.save(path, &faces, rate)?;
    }
    if args.motion.is_some() || guide.is_some() {
        let mut motion = Motion::from_faces(faces, rate.as_f64())?.motion;
        if smirk.is_some() {
            motion = motion.with_flame(flame)?;
        }
        if let Some(path) = &args.motion {
            motion.save(path)?;
        }
        if let (Some(guide), Some((frame, face))) = (guide, first) {
            let pick = same_face(&frame, &face, size, &*landmarker)?;
            let mut portrait = Portrait::find(&frame, size, &*landmarker, pick)?;
            if let Some(smirk) = &smirk {
                portrait = portrait.with_flame(smirk)?;
            }
            let moved = retargeting.retarget(&portrait, &motion)?;
            draw_guide(guide, &portrait, &moved, reporter)?;
        }
    }
    reporter.result(
        &format!("{}: a face in {seen} of {frames} frames", args.input.display()),
        json!({ "event": "done", "frames": frames, "with_face": seen }),
    );
    Ok(Outcome::Done)
}

/// Width and height of the guide's canvas.
fn canvas(args: &Landmarks) -> Result<[u32; 2]> {
    let most = Limits::default().max_side;
    let [height, width] = args.size.map(|side| u32::try_from(side).ok().filter(|side| (1..=most).contains(side)));
    let [given_height, given_width] = args.size;
    let refused = || request("size", format!("{given_height}x{given_width} has a side that is not 1 to {most} pixels"));
    Ok([width.ok_or_else(refused)?, height.ok_or_else(refused)?])
}

/// A picture or a video, frame by frame.
struct Input {
    rate: FrameRate,
    /// Whether it is a picture.
    still: bool,
    frames: Box<dyn Iterator<Item = CoreResult<Frame>>>,
    total: Option<u64>,
}

impl Input {
    fn open(path: &Path, rate: u32) -> Result<Self> {
        let limits = Limits::default();
        if is_picture(path)? {
            let frame = read_picture(path, &limits)?;
            return Ok(Self { rate: RATE, still: true, frames: Box::new(std::iter::once(Ok(frame))), total: Some(1) });
        }
        let reader = VideoReader::open(path, &limits)?;
        let rate = if rate == 0 { reader.info().frame_rate } else { FrameRate::new(rate.into(), 1)? };
        let chosen = reader.sample(rate, usize::try_from(limits.max_frames).unwrap_or(usize::MAX));
        let total = chosen.size_hint().1.map(|count| count as u64);
        Ok(Self { rate, still: false, frames: Box::new(chosen.map(|frame| Ok(frame?.image))), total })
    }
}

fn is_picture(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(CoreError::io("read", path))?;
    file.take(MAGIC_BYTES).read_to_end(&mut start).map_err(CoreError::io("read", path))?;
    Ok(image::guess_format(&start).is_ok())
}

/// Frames drawn one by one: a clip, or one picture where the input is one and the name says `.png`.
enum Drawing {
    Clip(Box<ClipWriter>),
    Picture(PathBuf, Option<Frame>),
}

impl Drawing {
    fn create(path: &Path, rate: FrameRate, still: bool) -> Result<Self> {
        let png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
        // A number in the name (`%d`) makes it a clip of one frame.
        if still && png && ClipFormat::of(path).is_err() {
            check_output(path)?;
            return Ok(Self::Picture(path.to_path_buf(), None));
        }
        Ok(Self::Clip(Box::new(ClipWriter::create(path, rate, &VideoOptions::default())?)))
    }

    fn push(&mut self, frame: &Frame) -> Result<()> {
        match self {
            Self::Clip(writer) => writer.push(frame)?,
            Self::Picture(_, picture) => *picture = Some(frame.clone()),
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Clip(writer) => writer.finish().map(drop)?,
            Self::Picture(path, Some(picture)) => write_picture(path, &picture)?,
            Self::Picture(path, None) => {
                return Err(request("output", format!("nothing to write to {}", path.display())));
            }
        }
        Ok(())
    }
}

/// The followed face in every frame, and the first frame that shows it.
struct Followed {
    faces: Vec<Option<Face>>,
    /// FLAME's coefficients of each, where SMIRK reads them.
    flame: Vec<Option<FlameFrame>>,
    first: Option<(Frame, Face)>,
}

/// Follows one face and draws the overlay on the way: no frame is held but the first one with a face.
fn follow(
    args: &Landmarks,
    input: Input,
    tracker: &dyn FaceTracker,
    smirk: Option<&SmirkTracker>,
    overlay: &mut Option<Drawing>,
    keep_first: bool,
    reporter: &Reporter,
) -> Result<Followed> {
    const STAGE: &str = "track";
    let mut follower = FaceFollower::new(args.face.face);
    let mut stream = tracker.stream(&args.following.options())?;
    let (mut faces, mut flame, mut first) = (Vec::new(), Vec::new(), None);
    reporter.progress().report(STAGE, 0, input.total)?;
    for frame in input.frames {
        let mut frame = frame?;
        let at = Duration::from_secs_f64(input.rate.time_of(faces.len() as u64));
        let face = follower.follow(stream.track(&frame, at)?);
        if let Some(smirk) = smirk {
            flame.push(face.as_ref().map(|face| flame_frame(&frame, face, smirk)).transpose()?);
        }
        if let (Some(face), true, None) = (&face, keep_first, &first) {
            first = Some((frame.clone(), face.clone()));
        }
        if let Some(overlay) = overlay {
            if let Some(face) = &face {
                Overlay::default().draw(&mut frame, face);
            }
            overlay.push(&frame)?;
        }
        faces.push(face);
        reporter.progress().report(STAGE, faces.len() as u64, input.total)?;
    }
    Ok(Followed { faces, flame, first })
}

/// The portrait's face moved by the motion, frame by frame on a black canvas.
fn draw_guide(mut guide: Drawing, portrait: &Portrait, moved: &[RetargetedFrame], reporter: &Reporter) -> Result<()> {
    let layout = GuideLayout { canvas: portrait.canvas.dimensions().into(), crop: portrait.crop, border: Border::Clip };
    for (frame, done) in moved.iter().zip(1..) {
        guide.push(&layout.draw(frame)?)?;
        reporter.progress().report("draw", done, Some(moved.len() as u64))?;
    }
    guide.finish()
}
