//! Seeded numbers: SplitMix64 (Steele, Lea and Flood, 2014), and noise that needs no state.

/// A stream of numbers that depends on its seed alone.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

/// The finaliser of SplitMix64.
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Random {
    /// A stream; streams of one seed for different purposes do not depend on each other.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(scramble(seed ^ scramble(purpose.wrapping_add(0x9E37_79B9_7F4A_7C15))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scramble(self.0)
    }

    /// A number in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// A number in `[low, high)`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A number in `(-1, 1)`, most often near 0.
    pub(crate) fn bell(&mut self) -> f32 {
        self.unit() + self.unit() - 1.0
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of the choices.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[(self.next() % choices.len() as u64) as usize]
    }
}

/// A number in `[0, 1)` for a place on a grid.
#[inline]
fn lattice(x: i32, y: i32) -> f32 {
    let mut z = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    z = (z ^ (z >> 15)).wrapping_mul(0x2C1B_3C6D);
    z = (z ^ (z >> 12)).wrapping_mul(0x297A_2D39);
    ((z ^ (z >> 15)) >> 8) as f32 / (1 << 24) as f32
}

/// Smooth noise in `[0, 1)` with one hill per unit.
#[inline]
pub(super) fn noise(x: f32, y: f32) -> f32 {
    let (cx, cy) = (x.floor(), y.floor());
    let (ix, iy) = (cx as i32, cy as i32);
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(x - cx), ease(y - cy));
    let along = |iy: i32| {
        let (a, b) = (lattice(ix, iy), lattice(ix.wrapping_add(1), iy));
        a + (b - a) * u
    };
    let (a, b) = (along(iy), along(iy.wrapping_add(1)));
    a + (b - a) * v
}
