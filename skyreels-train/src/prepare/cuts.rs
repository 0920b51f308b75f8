//! Where one shot ends and the next one begins.

use skyreels_core::Frame;

/// Columns and rows of the small grey picture that is compared.
const GRID: [usize; 2] = [16, 12];
/// Steps of brightness that are told apart.
const BINS: usize = 16;
/// A cut differs by this many times more than the frames before it differ from each other: a pan is no cut.
const CONTRAST: f32 = 3.0;
/// Weight of the newest difference in their running mean.
const MEMORY: f32 = 0.3;

/// Finds cuts in frames that follow each other.
///
/// Two differences from 0 to 1: mean brightness of coarse squares, and the share of pixels that lie in other steps
/// of brightness. Their mean exceeds the threshold at a cut, and is far above what it was before.
#[derive(Debug, Clone)]
pub struct CutDetector {
    threshold: f32,
    last: Option<Look>,
    usual: f32,
}

#[derive(Debug, Clone)]
struct Look {
    squares: Vec<f32>,
    histogram: [f32; BINS],
}

impl CutDetector {
    /// Finds cuts at which frames differ by more than `threshold`.
    pub fn new(threshold: f32) -> Self {
        Self { threshold, last: None, usual: 0.0 }
    }

    /// Whether a new shot begins with this frame; not so for the first one.
    pub fn begins_shot(&mut self, frame: &Frame) -> bool {
        let look = Look::at(frame);
        let Some(last) = self.last.replace(look.clone()) else { return false };
        let difference = look.difference(&last);
        let cut = difference > self.threshold && difference > CONTRAST * self.usual;
        self.usual = if cut { 0.0 } else { self.usual + MEMORY * (difference - self.usual) };
        cut
    }
}

impl Look {
    fn at(frame: &Frame) -> Self {
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let mut squares = vec![0.0; GRID[0] * GRID[1]];
        let mut counts = vec![0.0; GRID[0] * GRID[1]];
        let mut histogram = [0.0; BINS];
        for (x, y, pixel) in frame.enumerate_pixels() {
            // Green stands for brightness: it makes up most of it.
            let square = y as usize * GRID[1] / height * GRID[0] + x as usize * GRID[0] / width;
            squares[square] += f32::from(pixel[1]) / 255.0;
            counts[square] += 1.0;
            histogram[usize::from(pixel[1]) * BINS / 256] += 1.0 / (width * height) as f32;
        }
        squares.iter_mut().zip(counts).for_each(|(sum, count)| *sum /= f32::max(count, 1.0));
        Self { squares, histogram }
    }

    fn difference(&self, other: &Self) -> f32 {
        let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>();
        let squares = apart(&self.squares, &other.squares) / self.squares.len() as f32;
        let histogram = apart(&self.histogram, &other.histogram) / 2.0;
        (squares + histogram) / 2.0
    }
}
