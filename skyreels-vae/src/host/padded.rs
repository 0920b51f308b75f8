//! The input of a convolution: frames before it, zeros around it, norm and activation applied.

use pulp::Arch;
use rayon::prelude::*;

use super::silu::ScaledSilu;

/// Zeros on each side of a frame.
pub(super) const BORDER: usize = 1;
/// Numbers after the last frame that a tile may read (and ignore).
const SLACK: usize = 64;

/// `[batch, channels, frames, height + 2, width + 2]` with zeros at the borders.
pub(super) struct Padded {
    pub(super) data: Vec<f32>,
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) frames: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// What `silu(x * gain + offset)` multiplies and adds, smaller than `x` by whole factors.
pub(super) struct Modulation {
    /// `[batch, channels, frames, height, width]`
    pub(super) gain: Vec<f32>,
    /// As `gain`.
    pub(super) offset: Vec<f32>,
    /// Frames, height and width of both.
    pub(super) sizes: [usize; 3],
}

impl Padded {
    /// Zeros for frames of `[batch, channels, frames, height, width]`.
    pub(super) fn new([batch, channels, frames, height, width]: [usize; 5]) -> Self {
        let length = batch * channels * frames * (height + 2 * BORDER) * (width + 2 * BORDER);
        Self { data: vec![0.0; length + SLACK], batch, channels, frames, height, width }
    }

    /// Distance of two rows.
    pub(super) fn stride(&self) -> usize {
        self.width + 2 * BORDER
    }

    /// Distance of two frames.
    pub(super) fn plane(&self) -> usize {
        (self.height + 2 * BORDER) * self.stride()
    }

    /// Distance of two channels.
    pub(super) fn channel_length(&self) -> usize {
        self.frames * self.plane()
    }

    /// Where the window around the first pixel of a row begins, in the first channel.
    pub(super) fn index(&self, item: usize, frame: usize, row: usize) -> usize {
        item * self.channels * self.channel_length() + frame * self.plane() + row * self.stride()
    }

    /// Writes rows: `row(channel of all items, frame, y, destination)`, for frames from `first` on.
    pub(super) fn fill(&mut self, first: usize, row: impl Fn(usize, usize, usize, &mut [f32]) + Sync) {
        let (stride, plane, width) = (self.stride(), self.plane(), self.width);
        let (height, frames, channels) = (self.height, self.frames, self.batch * self.channels);
        let length = self.channel_length();
        self.data[..channels * length].par_chunks_mut(length).enumerate().for_each(|(channel, data)| {
            for frame in first..frames {
                for y in 0..height {
                    let start = frame * plane + (y + BORDER) * stride + BORDER;
                    row(channel, frame - first, y, &mut data[start..start + width]);
                }
            }
        });
    }

    /// Writes frames of half the height and width, every value to two by two positions, to the frames from `first` on.
    pub(super) fn fill_doubled(&mut self, first: usize, x: &[f32]) {
        let (frames, height, width) = (self.frames - first, self.height / 2, self.width / 2);
        self.fill(first, |channel, frame, y, row| {
            let start = ((channel * frames + frame) * height + y / 2) * width;
            row.chunks_mut(2).zip(&x[start..start + width]).for_each(|(pair, value)| pair.fill(*value));
        });
    }

    /// Copies frame `first` to all frames before it.
    pub(super) fn repeat_into_past(&mut self, first: usize) {
        let (length, plane) = (self.channel_length(), self.plane());
        let channels = self.batch * self.channels;
        self.data[..channels * length].par_chunks_mut(length).for_each(|data| {
            for frame in 0..first {
                data.copy_within(first * plane..(first + 1) * plane, frame * plane);
            }
        });
    }

    /// Writes `past`, `[batch, channels, count, height, width]`, to the first frames.
    pub(super) fn fill_past(&mut self, past: &[f32], count: usize) {
        let (height, width) = (self.height, self.width);
        let (stride, plane, length) = (self.stride(), self.plane(), self.channel_length());
        let channels = self.batch * self.channels;
        let per_channel = past.par_chunks(count * height * width);
        self.data[..channels * length].par_chunks_mut(length).zip(per_channel).for_each(|(data, past)| {
            for (index, row) in past.chunks(width).enumerate() {
                let start = index / height * plane + (index % height + BORDER) * stride + BORDER;
                data[start..start + width].copy_from_slice(row);
            }
        });
    }

    /// The last `count` frames without their borders, `[batch, channels, count, height, width]`.
    pub(super) fn last(&self, count: usize) -> Vec<f32> {
        let mut last = vec![0.0; self.batch * self.channels * count * self.height * self.width];
        let (stride, plane, length) = (self.stride(), self.plane(), self.channel_length());
        for (channel, last) in last.chunks_mut(count * self.height * self.width).enumerate() {
            for (index, row) in last.chunks_mut(self.width).enumerate() {
                let frame = self.frames - count + index / self.height;
                let start = channel * length + frame * plane + (index % self.height + BORDER) * stride + BORDER;
                row.copy_from_slice(&self.data[start..start + self.width]);
            }
        }
        last
    }

    /// Writes `silu(x * gain + offset)` to the frames from `first` on.
    pub(super) fn fill_activated(&mut self, first: usize, x: &[f32], modulation: &Modulation) {
        let arch = Arch::new();
        let (frames, height, width) = (self.frames - first, self.height, self.width);
        let [small_frames, small_height, small_width] = modulation.sizes;
        let (row_factor, column_factor) = (height / small_height, width / small_width);
        let (stride, plane) = (self.stride(), self.plane());
        let (length, channels) = (self.channel_length(), self.batch * self.channels);
        self.data[..channels * length].par_chunks_mut(length).enumerate().for_each(|(channel, data)| {
            let (mut gain, mut offset) = (vec![0.0; width], vec![0.0; width]);
            for frame in 0..frames {
                let small_frame = channel * small_frames + source_frame(frame, frames, small_frames);
                for small_row in 0..small_height {
                    let small = (small_frame * small_height + small_row) * small_width;
                    for (wide, narrow) in [(&mut gain, &modulation.gain), (&mut offset, &modulation.offset)] {
                        let narrow = &narrow[small..small + small_width];
                        wide.chunks_mut(column_factor).zip(narrow).for_each(|(wide, value)| wide.fill(*value));
                    }
                    for y in small_row * row_factor..(small_row + 1) * row_factor {
                        let from = ((channel * frames + frame) * height + y) * width;
                        let to = (first + frame) * plane + (y + BORDER) * stride + BORDER;
                        let (x, out) = (&x[from..from + width], &mut data[to..to + width]);
                        ScaledSilu { x, gain: &gain, offset: &offset, out }.run(arch);
                    }
                }
            }
        });
    }
}

/// The frame out of `small` that frame `frame` out of `frames` follows: the nearest, with the
/// first of an odd number apart.
pub(super) fn source_frame(frame: usize, frames: usize, small: usize) -> usize {
    if frames > 1 && frames % 2 == 1 && small > 1 && frames != small {
        if frame == 0 { 0 } else { 1 + (frame - 1) / ((frames - 1) / (small - 1)) }
    } else {
        frame / (frames / small)
    }
}
