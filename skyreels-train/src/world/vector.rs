//! Vectors and rotations in f32; plain enough to be fast in a test build.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// A point, a direction or a colour.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct V3 {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) z: f32,
}

pub(super) const fn v3(x: f32, y: f32, z: f32) -> V3 {
    V3 { x, y, z }
}

impl V3 {
    pub(super) const ZERO: Self = v3(0.0, 0.0, 0.0);

    #[inline]
    pub(super) fn splat(v: f32) -> Self {
        v3(v, v, v)
    }

    #[inline]
    pub(super) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    #[inline]
    pub(super) fn cross(self, other: Self) -> Self {
        v3(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    #[inline]
    pub(super) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The direction; the zero vector stays.
    #[inline]
    pub(super) fn unit(self) -> Self {
        let length = self.length();
        if length > 1e-12 { self * (1.0 / length) } else { self }
    }

    /// Each component by its own factor.
    #[inline]
    pub(super) fn scale(self, other: Self) -> Self {
        v3(self.x * other.x, self.y * other.y, self.z * other.z)
    }

    #[inline]
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        self + (other - self) * share
    }
}

impl From<[f32; 3]> for V3 {
    #[inline]
    fn from([x, y, z]: [f32; 3]) -> Self {
        v3(x, y, z)
    }
}

impl From<V3> for [f32; 3] {
    #[inline]
    fn from(v: V3) -> Self {
        [v.x, v.y, v.z]
    }
}

impl Add for V3 {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        v3(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl AddAssign for V3 {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for V3 {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        v3(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Neg for V3 {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        v3(-self.x, -self.y, -self.z)
    }
}

impl Mul<f32> for V3 {
    type Output = Self;
    #[inline]
    fn mul(self, factor: f32) -> Self {
        v3(self.x * factor, self.y * factor, self.z * factor)
    }
}

/// A rotation, by rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rotation(pub(super) [V3; 3]);

impl Rotation {
    /// Turn to the person's left by `yaw`, of what nods up by `pitch`, of what tilts by `roll`; radians.
    pub(super) fn turned([pitch, yaw, roll]: [f32; 3]) -> Self {
        let ((sp, cp), (sy, cy), (sr, cr)) = (pitch.sin_cos(), yaw.sin_cos(), roll.sin_cos());
        let about_y = Self([v3(cy, 0.0, sy), v3(0.0, 1.0, 0.0), v3(-sy, 0.0, cy)]);
        let about_x = Self([v3(1.0, 0.0, 0.0), v3(0.0, cp, sp), v3(0.0, -sp, cp)]);
        let about_z = Self([v3(cr, -sr, 0.0), v3(sr, cr, 0.0), v3(0.0, 0.0, 1.0)]);
        about_y.after(&about_x).after(&about_z)
    }

    /// This rotation of what `first` has rotated.
    pub(super) fn after(&self, first: &Self) -> Self {
        let columns = [0, 1, 2].map(|i| {
            let column = first.0.map(|row| <[f32; 3]>::from(row)[i]);
            self.apply(column.into())
        });
        let [a, b, c] = columns;
        Self([v3(a.x, b.x, c.x), v3(a.y, b.y, c.y), v3(a.z, b.z, c.z)])
    }

    #[inline]
    pub(super) fn apply(&self, v: V3) -> V3 {
        v3(self.0[0].dot(v), self.0[1].dot(v), self.0[2].dot(v))
    }
}

/// 0 below `from`, 1 above `to`, smooth between; `from` may be the larger one.
#[inline]
pub(super) fn smoothstep(from: f32, to: f32, v: f32) -> f32 {
    let t = ((v - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[inline]
pub(super) fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

/// A hill of height 1 at `center` that has fallen to 1/e at `radius`.
#[inline]
pub(super) fn hill(x: f32, y: f32, center: [f32; 2], radius: [f32; 2]) -> f32 {
    let (u, v) = ((x - center[0]) / radius[0], (y - center[1]) / radius[1]);
    let squared = u * u + v * v;
    // Too far away to matter: most calls end here.
    if squared > 12.0 { 0.0 } else { (-squared).exp() }
}

/// The larger of two, without a crease of less than about `soft`.
#[inline]
pub(super) fn smooth_max(a: f32, b: f32, soft: f32) -> f32 {
    let d = a - b;
    0.5 * (a + b + (d * d + soft * soft).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_keeps_lengths_and_turns_the_way_it_says() {
        let turned = Rotation::turned([0.3, -0.7, 0.2]);
        let v = v3(1.0, -2.0, 0.5);
        assert!((turned.apply(v).length() - v.length()).abs() < 1e-5);
        let face = v3(0.0, 0.0, 1.0);
        assert!(Rotation::turned([0.0, 0.4, 0.0]).apply(face).x > 0.3, "yaw turns to the person's left");
        assert!(Rotation::turned([0.4, 0.0, 0.0]).apply(face).y > 0.3, "pitch nods up");
    }
}
