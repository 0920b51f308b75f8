//! A face as a row of numbers, for the files in which measurements are kept.

use skyreels_landmarks::{BLENDSHAPES, LANDMARKS};

use super::observation::FaceObservation;

impl FaceObservation {
    /// Numbers of a row.
    pub(crate) const ROW: usize = LANDMARKS * 5 + BLENDSHAPES + 9 + 4 + 2 + 1 + 4;

    /// All numbers in the order of the fields.
    pub(crate) fn to_row(&self) -> Vec<f32> {
        let mut row = Vec::with_capacity(Self::ROW);
        row.extend(self.points.as_flattened());
        row.extend(self.head_points.as_flattened());
        row.extend(&self.blendshapes);
        row.extend(self.rotation.as_flattened());
        row.extend(self.gaze.as_flattened());
        row.extend(self.eye_openness);
        row.push(self.lip_openness);
        row.extend(self.bbox);
        row
    }

    /// The face of a row; `None` when it is too short or holds a number that is none.
    pub(crate) fn from_row(row: &[f32]) -> Option<Self> {
        let mut rest = row;
        let mut take = |count: usize| {
            let (part, tail) = rest.split_at_checked(count)?;
            rest = tail;
            Some(part)
        };
        let face = Self {
            points: take(LANDMARKS * 2)?.as_chunks().0.to_vec(),
            head_points: take(LANDMARKS * 3)?.as_chunks().0.to_vec(),
            blendshapes: take(BLENDSHAPES)?.to_vec(),
            rotation: take(9)?.as_chunks::<3>().0.try_into().ok()?,
            gaze: take(4)?.as_chunks::<2>().0.try_into().ok()?,
            eye_openness: take(2)?.try_into().ok()?,
            lip_openness: take(1)?[0],
            bbox: take(4)?.try_into().ok()?,
        };
        face.check().ok()?;
        Some(face)
    }
}
