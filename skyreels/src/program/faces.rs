//! One face out of several: what to say when there is no such face, and the same face on another canvas.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use skyreels::Error;
use skyreels::core::Frame;
use skyreels::core::resize::fit;
use skyreels::landmarks::{
    Error as LandmarkError, Face, FacePick, FaceStream, FaceTracker, Result as LandmarkResult, StreamOptions,
};

use super::Result;
use super::source::request;

/// A tracker that remembers how many faces it has seen at once.
pub struct Counting<'a> {
    tracker: &'a dyn FaceTracker,
    most: Rc<Cell<usize>>,
}

/// A stream that counts with its tracker.
struct CountingStream {
    stream: Box<dyn FaceStream>,
    most: Rc<Cell<usize>>,
}

impl<'a> Counting<'a> {
    pub fn new(tracker: &'a dyn FaceTracker) -> Self {
        Self { tracker, most: Rc::default() }
    }

    /// Where `option` picked face number N of `place`, and there are faces but not so many, an error that says so.
    pub fn no_such_number(&self, option: &'static str, pick: FacePick, place: &str) -> Option<Error> {
        let most = self.most.get();
        let FacePick::Index(number) = pick else { return None };
        let faces = if most == 1 { "1 face".into() } else { format!("{most} faces") };
        (1..=number).contains(&most).then(|| {
            request(option, format!("{faces} in {place}, no number {number}; they are counted from the left, from 0"))
        })
    }

    /// The same in place of "no face".
    pub fn explained(&self, option: &'static str, pick: FacePick, place: &str, error: Error) -> Error {
        match error {
            Error::Landmarks(LandmarkError::NoFace { .. }) => self.no_such_number(option, pick, place).unwrap_or(error),
            other => other,
        }
    }
}

impl FaceTracker for Counting<'_> {
    fn detect(&self, frame: &Frame) -> LandmarkResult<Vec<Face>> {
        let faces = self.tracker.detect(frame)?;
        self.most.set(self.most.get().max(faces.len()));
        Ok(faces)
    }

    fn stream(&self, options: &StreamOptions) -> LandmarkResult<Box<dyn FaceStream>> {
        Ok(Box::new(CountingStream { stream: self.tracker.stream(options)?, most: Rc::clone(&self.most) }))
    }
}

impl FaceStream for CountingStream {
    fn track(&mut self, frame: &Frame, at: Duration) -> LandmarkResult<Vec<Face>> {
        let faces = self.stream.track(frame, at)?;
        self.most.set(self.most.get().max(faces.len()));
        Ok(faces)
    }
}

/// The place from the left of `face`, found in `frame`, among the faces that `tracker` finds when the frame is fitted
/// to a canvas of `size` (width, height).
///
/// # Errors
/// [`LandmarkError::NoFace`] when it is not among them.
pub fn same_face(frame: &Frame, face: &Face, size: [u32; 2], tracker: &dyn FaceTracker) -> Result<FacePick> {
    let faces = tracker.detect(&fit(frame, size[0], size[1])?)?;
    let boxes: Vec<[f32; 4]> = faces.iter().map(|face| face.bbox).collect();
    let there = fitted(face.bbox, frame.dimensions(), size);
    let nearest = boxes.iter().max_by(|a, b| shared(there, **a).total_cmp(&shared(there, **b)));
    let Some(found) = nearest.filter(|found| shared(there, **found) > 0.0) else {
        return Err(LandmarkError::NoFace {
            place: format!("the guide's canvas of {}x{} where the followed one should be", size[1], size[0]),
            help: "choose a wider canvas with `--size`".into(),
        }
        .into());
    };
    let middle = |[left, _, right, _]: [f32; 4]| (left + right) / 2.0;
    Ok(FacePick::Index(boxes.iter().filter(|other| middle(**other) < middle(*found)).count()))
}

/// Area that two boxes share.
fn shared(a: [f32; 4], b: [f32; 4]) -> f32 {
    let side = |low: usize, high: usize| (a[high].min(b[high]) - a[low].max(b[low])).max(0.0);
    side(0, 2) * side(1, 3)
}

/// Where [`fit`] puts a box of a picture: its height is kept, its middle stays the middle.
fn fitted([left, top, right, bottom]: [f32; 4], (width, height): (u32, u32), size: [u32; 2]) -> [f32; 4] {
    let stretch = width as f32 * size[1] as f32 / (height as f32 * size[0] as f32);
    let across = |x: f32| 0.5 + (x - 0.5) * stretch;
    [across(left), top, across(right), bottom]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tracker that sees the same boxes everywhere.
    struct Boxes(Vec<[f32; 4]>);

    impl FaceTracker for Boxes {
        fn detect(&self, _: &Frame) -> LandmarkResult<Vec<Face>> {
            Ok(self.0.iter().map(|bbox| face(*bbox)).collect())
        }

        fn stream(&self, _: &StreamOptions) -> LandmarkResult<Box<dyn FaceStream>> {
            Ok(Box::new(Self(self.0.clone())))
        }
    }

    impl FaceStream for Boxes {
        fn track(&mut self, frame: &Frame, _: Duration) -> LandmarkResult<Vec<Face>> {
            self.detect(frame)
        }
    }

    fn face(bbox: [f32; 4]) -> Face {
        Face {
            id: None,
            landmarks: Vec::new(),
            blendshapes: [0.0; 52],
            matrix: [[0.0; 4]; 4],
            head_points: Vec::new(),
            presence: 1.0,
            score: 1.0,
            bbox,
        }
    }

    #[test]
    fn the_followed_face_is_found_on_a_wider_canvas() {
        // A picture of 100x200 between bars on a canvas of 400x200: its middle quarter.
        let frame = Frame::new(100, 200);
        assert_eq!(fitted([0.0, 0.1, 1.0, 0.3], (100, 200), [400, 200]), [0.375, 0.1, 0.625, 0.3]);
        let (left, right) = ([0.39, 0.4, 0.45, 0.6], [0.5, 0.3, 0.6, 0.7]);
        // The larger face comes first, as trackers give them; the followed one is the smaller.
        let tracker = Boxes(vec![right, left]);
        let pick = |bbox| same_face(&frame, &face(bbox), [400, 200], &tracker).unwrap();
        assert_eq!(pick([0.06, 0.4, 0.3, 0.6]), FacePick::Index(0));
        assert_eq!(pick([0.5, 0.3, 0.9, 0.7]), FacePick::Index(1));
        let lost = same_face(&frame, &face([0.06, 0.0, 0.1, 0.02]), [400, 200], &tracker).unwrap_err();
        assert!(lost.to_string().contains("--size"), "{lost}");
    }

    #[test]
    fn a_number_that_no_face_has_is_told_from_no_face() {
        let one = Boxes(vec![[0.1, 0.1, 0.2, 0.2]]);
        let tracker = Counting::new(&one);
        assert!(tracker.no_such_number("face", FacePick::Index(3), "it").is_none(), "nothing was looked at");
        tracker.detect(&Frame::new(1, 1)).unwrap();
        let error = tracker.no_such_number("face", FacePick::Index(3), "the portrait").unwrap().to_string();
        assert!(error.contains("1 face in the portrait, no number 3"), "{error}");
        assert!(tracker.no_such_number("face", FacePick::Index(0), "it").is_none());
        assert!(tracker.no_such_number("face", FacePick::Largest, "it").is_none());
    }
}
