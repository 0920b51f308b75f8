//! What is left of displacements when the head's motion is taken away: identity and expression.

/// Small motions of a rigid head: three shifts, three turns, and a change of size.
pub(super) const MOTIONS: usize = 7;
/// A motion that the others explain to this share has no direction of its own: that of points in a plane, for example.
const LEAST: f64 = 1e-6;

/// Unit displacements of points, at right angles to each other, that span the small motions of a rigid head with these points and its
/// changes of size: `[7, 478 * 3]`, point by point.
pub(super) fn motions(points: &[[f32; 3]]) -> Vec<f32> {
    let count = points.len().max(1) as f64;
    let middle: [f64; 3] = std::array::from_fn(|axis| points.iter().map(|p| f64::from(p[axis])).sum::<f64>() / count);
    let displacements: [fn([f64; 3]) -> [f64; 3]; MOTIONS] = [
        |_| [1.0, 0.0, 0.0],
        |_| [0.0, 1.0, 0.0],
        |_| [0.0, 0.0, 1.0],
        |[_, y, z]| [0.0, -z, y],
        |[x, _, z]| [z, 0.0, -x],
        |[x, y, _]| [-y, x, 0.0],
        |place| place,
    ];
    let mut found: Vec<Vec<f64>> = Vec::with_capacity(MOTIONS);
    for displacement in displacements {
        let about = |point: &[f32; 3]| displacement(std::array::from_fn(|axis| f64::from(point[axis]) - middle[axis]));
        let mut motion: Vec<f64> = points.iter().flat_map(about).collect();
        let before = dot(&motion, &motion);
        for other in &found {
            let share = dot(&motion, other);
            motion.iter_mut().zip(other).for_each(|(value, other)| *value -= share * other);
        }
        let left = dot(&motion, &motion);
        let scale = if left > LEAST * before.max(LEAST) { left.sqrt().recip() } else { 0.0 };
        motion.iter_mut().for_each(|value| *value *= scale);
        found.push(motion);
    }
    found.concat().into_iter().map(|value| value as f32).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use skyreels_landmarks::LANDMARKS;

    use super::*;
    use crate::world::{Identity, Person, Scene, State};

    const COORDINATES: usize = 3 * LANDMARKS;

    /// A displacement without what moves the whole head.
    fn without(motions: &[f32], displacement: &[f64]) -> Vec<f64> {
        let mut left = displacement.to_vec();
        for motion in motions.chunks(COORDINATES) {
            let motion: Vec<f64> = motion.iter().map(|value| f64::from(*value)).collect();
            let share = dot(&left, &motion);
            left.iter_mut().zip(&motion).for_each(|(value, motion)| *value -= share * motion);
        }
        left
    }

    fn size(of: &[f64]) -> f64 {
        dot(of, of).sqrt()
    }

    #[test]
    fn a_head_that_turns_moves_and_grows_leaves_nothing_and_a_smile_stays() {
        let person = Person::new(&Identity::from_seed(3), &Scene::from_seed(3));
        let points = |state: &State| person.pose(state).face([144, 96]).head_points;
        let rest = points(&State::default());
        let motions = motions(&rest);
        let rigid: Vec<f64> = rest
            .iter()
            .map(|point| point.map(f64::from))
            .flat_map(|[x, y, z]| [0.02 * x - 0.1 * z, 0.02 * y + 0.3 * z + 1.0, 0.1 * x - 0.3 * y + 0.02 * z])
            .collect();
        assert!(size(&without(&motions, &rigid)) < 1e-5 * size(&rigid));
        let smiling = State { expression: State::default().expression.with("mouthSmileLeft", 1.0), ..State::default() };
        let smile: Vec<f64> =
            points(&smiling).iter().zip(&rest).flat_map(|(a, b)| [0, 1, 2].map(|i| f64::from(a[i] - b[i]))).collect();
        assert!(size(&without(&motions, &smile)) > 0.8 * size(&smile));
    }

    #[test]
    fn points_in_one_place_have_no_turns() {
        let motions = motions(&[[0.5, 0.5, 0.0]; LANDMARKS]);
        assert!(motions[3 * COORDINATES..].iter().all(|value| *value == 0.0));
        assert!(motions.iter().all(|value| value.is_finite()));
    }
}
