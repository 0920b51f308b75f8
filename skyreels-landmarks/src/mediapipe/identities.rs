//! Who is who from frame to frame, by place alone.

/// A face may move this many of its box sizes between two frames and still be the same person ...
const REACH: f32 = 1.0;
/// ... and this much further for every frame in which it was not seen.
const REACH_PER_MISSED: f32 = 0.25;
/// Most people remembered; the one unseen for longest is forgotten first.
const MEMORY: usize = 64;

/// Box of a face in pixels: left, top, right, bottom.
pub(super) type PixelBox = [f32; 4];

/// The people of a stream and where each was last seen.
///
/// The nearest face within reach is the same person. Nothing looks at who it is: somebody who enters where another
/// one left a while ago takes over that number.
#[derive(Debug, Clone, Default)]
pub(super) struct Identities {
    known: Vec<Known>,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    id: u32,
    at: PixelBox,
    missed: u32,
}

impl Identities {
    /// The numbers of the faces of the next frame; a face that is already known to be somebody keeps that number.
    pub(super) fn assign(&mut self, faces: &[(Option<u32>, PixelBox)]) -> Vec<u32> {
        let mut ids: Vec<Option<u32>> = faces.iter().map(|(id, _)| *id).collect();
        let mut pairs = Vec::new();
        for (face, (id, at)) in faces.iter().enumerate() {
            for known in self.known.iter().filter(|known| id.is_none() && !ids.contains(&Some(known.id))) {
                let moved = known.moved(at);
                if moved <= REACH + REACH_PER_MISSED * known.missed as f32 {
                    pairs.push((moved, face, known.id));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, face, id) in pairs {
            if ids[face].is_none() && !ids.contains(&Some(id)) {
                ids[face] = Some(id);
            }
        }
        self.known.iter_mut().for_each(|known| known.missed = known.missed.saturating_add(1));
        let ids: Vec<u32> = ids.into_iter().map(|id| id.unwrap_or_else(|| self.new_number())).collect();
        for (id, (_, at)) in ids.iter().zip(faces) {
            self.known.retain(|known| known.id != *id);
            self.known.push(Known { id: *id, at: *at, missed: 0 });
        }
        // Those seen last stand at the end.
        self.known.drain(..self.known.len().saturating_sub(MEMORY));
        ids
    }

    fn new_number(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next.wrapping_sub(1)
    }
}

impl Known {
    /// How far a box is from where this face was, in sizes of its box.
    fn moved(&self, other: &PixelBox) -> f32 {
        let [[ax, ay], [bx, by]] = [self.at, *other].map(|[l, t, r, b]| [(l + r) / 2.0, (t + b) / 2.0]);
        let size = (self.at[2] - self.at[0]).max(self.at[3] - self.at[1]).max(1.0);
        (ax - bx).hypot(ay - by) / size
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(x: f32) -> (Option<u32>, PixelBox) {
        (None, [x, 100.0, x + 50.0, 160.0])
    }

    #[test]
    fn people_keep_their_numbers_whatever_the_order_of_the_faces() {
        let mut identities = Identities::default();
        assert_eq!(identities.assign(&[at(0.0), at(200.0)]), [0, 1]);
        assert_eq!(identities.assign(&[at(205.0), at(4.0)]), [1, 0]);
        assert_eq!(identities.assign(&[at(400.0), at(8.0), at(210.0)]), [2, 0, 1]);
    }

    #[test]
    fn another_person_far_away_does_not_take_over() {
        let mut identities = Identities::default();
        identities.assign(&[at(0.0)]);
        assert_eq!(identities.assign(&[at(500.0)]), [1]);
        assert_eq!(identities.assign(&[]), [0u32; 0]);
        assert_eq!(identities.assign(&[at(20.0)]), [0]);
    }

    #[test]
    fn who_was_away_for_long_may_come_back_further_off() {
        let mut identities = Identities::default();
        identities.assign(&[at(0.0)]);
        assert_eq!(identities.clone().assign(&[at(100.0)]), [1]);
        (0..8).for_each(|_| drop(identities.assign(&[])));
        assert_eq!(identities.assign(&[at(100.0)]), [0]);
    }

    #[test]
    fn a_followed_face_keeps_its_number_even_where_another_one_is_nearer() {
        let mut identities = Identities::default();
        identities.assign(&[at(0.0)]);
        let followed = (Some(0), [40.0, 100.0, 90.0, 160.0]);
        assert_eq!(identities.assign(&[at(1.0), followed]), [1, 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_two_faces_of_a_frame_share_a_number(
            frames in prop::collection::vec(prop::collection::vec(-1e3f32..1e3, 0..6), 1..12),
        ) {
            let mut identities = Identities::default();
            for frame in frames {
                let faces: Vec<_> = frame.iter().map(|x| at(*x)).collect();
                let mut ids = identities.assign(&faces);
                prop_assert_eq!(ids.len(), faces.len());
                ids.sort_unstable();
                ids.dedup();
                prop_assert_eq!(ids.len(), faces.len());
            }
        }
    }

    #[test]
    fn memory_stays_bounded_and_boxes_that_are_no_numbers_are_nobody() {
        let mut identities = Identities::default();
        for i in 0..500 {
            identities.assign(&[(None, [1e6 * i as f32, 0.0, 1e6 * i as f32 + 1.0, 1.0]), (None, [f32::NAN; 4])]);
        }
        assert!(identities.known.len() <= MEMORY);
    }
}
