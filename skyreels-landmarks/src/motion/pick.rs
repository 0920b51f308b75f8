//! One person out of many: picked once, then followed.

use std::str::FromStr;

use crate::Face;
use crate::{Error, Result};

/// Which of several faces is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FacePick {
    /// The face with the largest box.
    #[default]
    Largest,
    /// The face nearest to the centre of the picture.
    Center,
    /// The face of which the detector is surest.
    Score,
    /// The face of this place, counted from the left, from 0.
    Index(usize),
}

impl FacePick {
    /// Place of the chosen face; `None` when there is no such face.
    pub fn choose(self, faces: &[Face]) -> Option<usize> {
        let best = |measure: &dyn Fn(&Face) -> f32| {
            let scored = faces.iter().map(measure).enumerate();
            scored.max_by(|(i, a), (j, b)| a.total_cmp(b).then(j.cmp(i))).map(|(i, _)| i)
        };
        match self {
            Self::Largest => best(&|face| area(face.bbox)),
            Self::Center => best(&|face| -distance(center(face.bbox), [0.5, 0.5])),
            Self::Score => best(&|face| face.score),
            Self::Index(place) => {
                let mut order: Vec<usize> = (0..faces.len()).collect();
                order.sort_by(|a, b| center(faces[*a].bbox)[0].total_cmp(&center(faces[*b].bbox)[0]));
                order.get(place).copied()
            }
        }
    }
}

impl FromStr for FacePick {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "largest" => Ok(Self::Largest),
            "center" => Ok(Self::Center),
            "score" => Ok(Self::Score),
            place => place.parse().map(Self::Index).map_err(|_| {
                Error::invalid("face", format!("`{name}` is unknown; use largest, center, score or a number from 0"))
            }),
        }
    }
}

/// Follows the picked face from frame to frame by its box.
#[derive(Debug, Clone)]
pub struct FaceFollower {
    pick: FacePick,
    last: Option<[f32; 4]>,
    missed: u32,
}

/// A face may move this many of its box sizes between two frames and still be the same person ...
const REACH: f32 = 1.0;
/// ... and this much further for every frame in which it was not seen.
const REACH_PER_MISSED: f32 = 0.25;

impl FaceFollower {
    /// Nobody is followed until the first frame with a face.
    pub fn new(pick: FacePick) -> Self {
        Self { pick, last: None, missed: 0 }
    }

    /// Takes the followed face out of a frame's faces; `None` when it is not among them.
    pub fn follow(&mut self, mut faces: Vec<Face>) -> Option<Face> {
        let place = match self.last {
            None => self.pick.choose(&faces),
            Some(last) => self.nearest(last, &faces),
        };
        match place {
            Some(place) => {
                let face = faces.swap_remove(place);
                self.last = Some(face.bbox);
                self.missed = 0;
                Some(face)
            }
            None => {
                self.missed = self.missed.saturating_add(1);
                None
            }
        }
    }

    fn nearest(&self, last: [f32; 4], faces: &[Face]) -> Option<usize> {
        let size = (last[2] - last[0]).max(last[3] - last[1]);
        let reach = size * (REACH + REACH_PER_MISSED * self.missed as f32);
        let moved = faces.iter().map(|face| distance(center(face.bbox), center(last))).enumerate();
        moved.filter(|(_, moved)| *moved <= reach).min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(i, _)| i)
    }
}

fn area([left, top, right, bottom]: [f32; 4]) -> f32 {
    (right - left).max(0.0) * (bottom - top).max(0.0)
}

fn center([left, top, right, bottom]: [f32; 4]) -> [f32; 2] {
    [(left + right) / 2.0, (top + bottom) / 2.0]
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(left: f32, size: f32, score: f32) -> Face {
        Face {
            landmarks: Vec::new(),
            blendshapes: [0.0; 52],
            matrix: [[0.0; 4]; 4],
            head_points: Vec::new(),
            presence: 1.0,
            score,
            bbox: [left, 0.4, left + size, 0.4 + size],
        }
    }

    #[test]
    fn each_rule_picks_its_face() {
        let faces = [face(0.7, 0.1, 0.5), face(0.42, 0.2, 0.7), face(0.0, 0.3, 0.6)];
        assert_eq!(FacePick::Largest.choose(&faces), Some(2));
        assert_eq!(FacePick::Center.choose(&faces), Some(1));
        assert_eq!(FacePick::Score.choose(&faces), Some(1));
        assert_eq!(FacePick::Index(0).choose(&faces), Some(2));
        assert_eq!(FacePick::Index(2).choose(&faces), Some(0));
        assert_eq!(FacePick::Index(3).choose(&faces), None);
        assert_eq!(FacePick::Largest.choose(&[]), None);
    }

    #[test]
    fn a_rule_is_read_by_name_or_number() {
        assert_eq!("center".parse::<FacePick>().unwrap(), FacePick::Center);
        assert_eq!("2".parse::<FacePick>().unwrap(), FacePick::Index(2));
        assert!("nobody".parse::<FacePick>().unwrap_err().to_string().contains("largest"));
    }

    #[test]
    fn a_picked_face_is_kept_even_when_a_larger_one_enters() {
        let mut follower = FaceFollower::new(FacePick::Largest);
        assert_eq!(follower.follow(vec![face(0.1, 0.2, 0.9)]).unwrap().bbox[0], 0.1);
        let kept = follower.follow(vec![face(0.6, 0.4, 0.9), face(0.12, 0.2, 0.8)]).unwrap();
        assert_eq!(kept.bbox[0], 0.12);
    }

    #[test]
    fn another_person_far_away_does_not_take_over() {
        let mut follower = FaceFollower::new(FacePick::Largest);
        follower.follow(vec![face(0.0, 0.1, 0.9)]);
        assert!(follower.follow(vec![face(0.8, 0.1, 0.9)]).is_none());
        assert!(follower.follow(vec![]).is_none());
        assert!(follower.follow(vec![face(0.05, 0.1, 0.9)]).is_some());
    }
}
