//! Frames of a camera in, guide frames out, one at a time: nothing waits for a later frame.
//!
//! The camera is played by a video here. `cargo run --release -p skyreels-examples --example stream_guide --
//! face_landmarker.task driving.mp4 guide.gif`

use std::time::{Duration, Instant};

use skyreels_core::media::{FrameRate, VideoOptions, VideoReader, write_clip};
use skyreels_core::{Frame, Limits, Progress, open_device};
use skyreels_landmarks::draw::Border;
use skyreels_landmarks::{
    FaceFollower, FaceLandmarker, FacePick, LiveMotion, MeshRetargeter, MeshStream, PortraitFace, StreamOptions,
    guide_frame, synthetic,
};

const SIZE: [u32; 2] = [720, 480];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, video, output] = arguments.as_slice() else { return Err("name face model, video and output".into()) };
    let limits = Limits::default();
    let tracker = FaceLandmarker::open(task.as_ref(), &limits, &open_device("auto")?)?;
    let portrait = PortraitFace::new(&synthetic::portrait(SIZE[0], SIZE[1], 1)?.1, SIZE)?;

    let mut faces = tracker.stream(&StreamOptions::default())?;
    let mut follower = FaceFollower::new(FacePick::Largest);
    let mut live = LiveMotion::new();
    let mut stream: Option<MeshStream> = None;
    let mut slowest = Duration::ZERO;
    let mut step = |picture: &Frame, at: Duration| -> Result<Frame, skyreels_landmarks::Error> {
        let begun = Instant::now();
        let face = follower.follow(faces.track(picture, at)?);
        let motion = live.push(face.as_ref())?;
        // The first face seen is what the portrait is taken to show.
        if let (None, Some(first), Some(sizes)) = (&stream, &motion, live.proportions()) {
            stream = Some(MeshRetargeter::default().start(&portrait, sizes, first)?);
        }
        let guide = match (&mut stream, motion) {
            (Some(stream), Some(motion)) => guide_frame(&stream.retarget_frame(&motion)?, SIZE, Border::Clip)?,
            _ => Frame::new(SIZE[0], SIZE[1]),
        };
        slowest = slowest.max(begun.elapsed());
        Ok(guide)
    };
    let camera = VideoReader::open(video, &limits)?.sample(FrameRate::NATIVE, usize::MAX);
    let times = (0..).map(|number| Duration::from_secs_f64(FrameRate::NATIVE.time_of(number)));
    let guides = camera.zip(times).map(|(frame, at)| {
        step(&frame?.image, at).map_err(|error| skyreels_core::Error::invalid("frame", error.to_string()))
    });
    write_clip(output, guides, FrameRate::NATIVE, None, &VideoOptions::default(), Progress::none())?;
    println!("slowest frame: {slowest:.1?} from picture to guide");
    Ok(())
}
