//! One person out of many: picked once, then followed.

use std::fmt;
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

impl fmt::Display for FacePick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Largest => f.write_str("largest"),
            Self::Center => f.write_str("center"),
            Self::Score => f.write_str("score"),
            Self::Index(place) => write!(f, "{place}"),
        }
    }
}

/// Follows the picked face through a stream by its [`Face::id`].
///
/// Faces of pictures that were looked at on their own have no id; of those the rule picks anew in every frame.
#[derive(Debug, Clone)]
pub struct FaceFollower {
    pick: FacePick,
    followed: Option<u32>,
}

impl FaceFollower {
    /// Nobody is followed until the first frame with a face that the rule picks.
    pub fn new(pick: FacePick) -> Self {
        Self { pick, followed: None }
    }

    /// The id of the followed face, once there is one.
    pub fn followed(&self) -> Option<u32> {
        self.followed
    }

    /// Takes the followed face out of a frame's faces; `None` when it is not among them.
    pub fn follow(&mut self, mut faces: Vec<Face>) -> Option<Face> {
        let place = match self.followed {
            None => self.pick.choose(&faces),
            followed => faces.iter().position(|face| face.id == followed),
        };
        let face = faces.swap_remove(place?);
        self.followed = face.id;
        Some(face)
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
        let (_, face) = crate::synthetic::portrait(64, 64, 1).unwrap();
        Face { score, bbox: [left, 0.4, left + size, 0.4 + size], ..face }
    }

    fn person(id: u32, left: f32, size: f32) -> Face {
        Face { id: Some(id), ..face(left, size, 0.9) }
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
    fn a_rule_is_read_by_name_or_number_and_written_the_same_way() {
        for pick in [FacePick::Largest, FacePick::Center, FacePick::Score, FacePick::Index(2)] {
            assert_eq!(pick.to_string().parse::<FacePick>().unwrap(), pick);
        }
        assert!("nobody".parse::<FacePick>().unwrap_err().to_string().contains("largest"));
        assert!("-1".parse::<FacePick>().is_err());
    }

    #[test]
    fn a_picked_face_is_kept_even_when_a_larger_one_enters() {
        let mut follower = FaceFollower::new(FacePick::Largest);
        assert_eq!(follower.followed(), None);
        assert_eq!(follower.follow(vec![person(4, 0.1, 0.2)]).unwrap().bbox[0], 0.1);
        let kept = follower.follow(vec![person(5, 0.6, 0.4), person(4, 0.12, 0.2)]).unwrap();
        assert_eq!((kept.bbox[0], follower.followed()), (0.12, Some(4)));
    }

    #[test]
    fn while_the_picked_face_is_away_nobody_takes_its_place() {
        let mut follower = FaceFollower::new(FacePick::Largest);
        assert!(follower.follow(vec![]).is_none());
        follower.follow(vec![person(0, 0.0, 0.1)]);
        assert!(follower.follow(vec![person(1, 0.8, 0.1)]).is_none());
        assert!(follower.follow(vec![]).is_none());
        assert!(follower.follow(vec![person(1, 0.8, 0.1), person(0, 0.05, 0.1)]).unwrap().id == Some(0));
    }

    #[test]
    fn faces_without_ids_are_picked_anew_in_every_frame() {
        let mut follower = FaceFollower::new(FacePick::Score);
        assert_eq!(follower.follow(vec![face(0.1, 0.2, 0.6)]).unwrap().score, 0.6);
        assert_eq!(follower.follow(vec![face(0.1, 0.2, 0.6), face(0.7, 0.2, 0.8)]).unwrap().score, 0.8);
    }
}
