//! Faces of frames that follow each other: `FaceLandmarkerGraph` of MediaPipe 0.10 in stream mode, and identities.

use std::time::Duration;

use skyreels_core::Frame;

use super::face::{Face, bounds};
use super::identities::Identities;
use super::landmarker::{Candidate, FaceLandmarker, Sight, size};
use super::options::{StreamOptions, TrackingMode};
use super::region::{next_region, overlap};
use crate::smoothing::LandmarkFilter;
use crate::{Error, Result};

/// Frames in, faces out, one frame at a time: every answer is final when it is given, and nothing of the past is
/// kept but where each face was last.
pub trait FaceStream {
    /// The faces of the next frame, in order of their [`Face::id`]; empty if there is none.
    ///
    /// `at` is the time of the frame in the stream, from any origin.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the time is not later than that of the frame before; a frame without pixels; a device
    /// that fails. After an error the stream goes on with the next frame.
    fn track(&mut self, frame: &Frame, at: Duration) -> Result<Vec<Face>>;
}

/// MediaPipe's networks on a stream.
pub(super) struct LandmarkStream {
    landmarker: FaceLandmarker,
    options: StreamOptions,
    identities: Identities,
    /// The faces of the last frame: where to look for them in the next one.
    followed: Vec<Candidate>,
    /// Smoothing of the faces of the last frame, by id.
    filters: Vec<(u32, LandmarkFilter)>,
    last: Option<(Duration, [f32; 2])>,
}

impl LandmarkStream {
    pub(super) fn new(landmarker: FaceLandmarker, options: StreamOptions) -> Result<Self> {
        options.validate()?;
        let identities = Identities::default();
        Ok(Self { landmarker, options, identities, followed: Vec::new(), filters: Vec::new(), last: None })
    }

    /// What the landmark network sees in a frame of the stream.
    fn sights(&self, frame: &Frame) -> Result<Vec<Sight>> {
        if self.options.mode == TrackingMode::Image {
            return self.landmarker.sights(frame);
        }
        let most = self.landmarker.options().max_faces;
        let mut candidates = self.followed.clone();
        let complete = candidates.len() >= most;
        if !complete {
            associate(&mut candidates, self.landmarker.candidates(frame)?, self.options.min_tracking_confidence);
        }
        candidates.truncate(most);
        let mut found = self.look(frame, &candidates)?;
        if complete && found.len() < most && self.options.redetect_at_once {
            let size = size(frame)?;
            let seen: Vec<_> = found.iter().map(|sight| next_region(&sight.landmarks, size)).collect();
            let mut missing = self.landmarker.candidates(frame)?;
            let same_face = self.options.min_tracking_confidence;
            missing.retain(|candidate| seen.iter().all(|region| overlap(region, &candidate.region) <= same_face));
            missing.truncate(most - found.len());
            found.extend(self.look(frame, &missing)?);
        }
        if found.is_empty() { self.landmarker.second_look(frame) } else { Ok(found) }
    }

    fn look(&self, frame: &Frame, candidates: &[Candidate]) -> Result<Vec<Sight>> {
        let mut found = Vec::new();
        for candidate in candidates {
            found.extend(self.landmarker.look(frame, candidate)?);
        }
        Ok(found)
    }

    /// Smooths the points of a known face; that of somebody who was not in the last frame begins anew.
    fn smooth(&mut self, id: u32, sight: &mut Sight, at: Duration, size: [f32; 2]) -> (u32, LandmarkFilter) {
        let place = self.filters.iter().position(|(known, _)| *known == id);
        let mut filter = match place {
            Some(place) => self.filters.swap_remove(place).1,
            None => LandmarkFilter::new(self.options.smoothing),
        };
        filter.apply(&mut sight.landmarks, at, size);
        sight.bbox = bounds(&sight.landmarks);
        (id, filter)
    }
}

impl FaceStream for LandmarkStream {
    fn track(&mut self, frame: &Frame, at: Duration) -> Result<Vec<Face>> {
        let size = size(frame)?;
        if let Some((last, last_size)) = self.last {
            if at <= last {
                let reason = format!("{at:?} is not later than {last:?}, the time of the frame before");
                return Err(Error::invalid("time of a frame", reason));
            }
            // Places and tremor are known in pixels of the old size.
            if size != last_size {
                self.followed.clear();
                self.filters.clear();
            }
        }
        let sights = self.sights(frame)?;
        let boxes: Vec<_> = sights.iter().map(|sight| (sight.id, pixels(sight.bbox, size))).collect();
        let ids = self.identities.assign(&boxes);
        let (mut faces, mut followed, mut filters) = (Vec::new(), Vec::new(), Vec::new());
        for (id, mut sight) in ids.into_iter().zip(sights) {
            sight.id = Some(id);
            // The next place comes from what was seen, not from what was smoothed.
            let next = Candidate { region: next_region(&sight.landmarks, size), score: sight.score, id: Some(id) };
            let filter = self.smooth(id, &mut sight, at, size);
            if let Some(face) = self.landmarker.face(sight, size)? {
                faces.push(face);
                followed.push(next);
                filters.push(filter);
            }
        }
        (self.followed, self.filters, self.last) = (followed, filters, Some((at, size)));
        faces.sort_by_key(|face| face.id);
        Ok(faces)
    }
}

fn pixels([left, top, right, bottom]: [f32; 4], [width, height]: [f32; 2]) -> [f32; 4] {
    [left * width, top * height, right * width, bottom * height]
}

/// Adds what was detected to what is followed (`AssociationNormRectCalculator`): where two overlap, the later one stays
/// and takes over the name of the earlier one.
fn associate(candidates: &mut Vec<Candidate>, detected: Vec<Candidate>, same_face: f32) {
    for mut candidate in std::mem::take(candidates).into_iter().chain(detected) {
        candidates.retain(|earlier| {
            let same = overlap(&earlier.region, &candidate.region) > same_face;
            if same {
                candidate.id = earlier.id.or(candidate.id);
            }
            !same
        });
        candidates.push(candidate);
    }
}

#[cfg(test)]
mod tests {
    use super::super::warp::Region;
    use super::*;

    fn candidate(x: f32, id: Option<u32>) -> Candidate {
        Candidate { region: Region { center: [x, 0.0], size: [2.0, 2.0], rotation: 0.0 }, score: 1.0, id }
    }

    #[test]
    fn a_detection_takes_the_place_and_the_name_of_the_face_it_covers() {
        let mut candidates = vec![candidate(0.0, Some(7)), candidate(10.0, Some(3))];
        associate(&mut candidates, vec![candidate(0.1, None), candidate(20.0, None)], 0.5);
        let found: Vec<_> = candidates.iter().map(|c| (c.region.center[0], c.id)).collect();
        assert_eq!(found, [(10.0, Some(3)), (0.1, Some(7)), (20.0, None)]);
    }

    #[test]
    fn two_followed_places_that_have_become_one_are_followed_once() {
        let mut candidates = vec![candidate(0.0, Some(0)), candidate(0.1, Some(1))];
        associate(&mut candidates, Vec::new(), 0.5);
        assert_eq!(candidates.len(), 1);
    }
}
