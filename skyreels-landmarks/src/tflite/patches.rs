//! The first convolution's windows, cut out on the host.
//!
//! The input comes from the host anyway. Cut into patches there, the first and largest convolution is a plain
//! product of matrices, which every backend does several times faster than a strided convolution of three channels.

/// The windows of a convolution over a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patches {
    pub(super) channels: usize,
    /// Height and width of the picture.
    pub(super) size: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    /// Zeros above and on the left.
    pub(super) padding: [usize; 2],
    /// Number of windows down and across.
    pub(super) out: [usize; 2],
}

impl Patches {
    /// Shape of the result, channels first: one channel per row and column of the window and channel of the picture.
    pub(super) fn shape(&self) -> [usize; 4] {
        [1, self.channels * self.kernel[0] * self.kernel[1], self.out[0], self.out[1]]
    }

    /// Cuts planes of `size` into planes of [`Self::shape`].
    pub(super) fn cut(&self, planes: &[f32]) -> Vec<f32> {
        let [out_height, out_width] = self.out;
        let [height, width] = self.size;
        let mut patches = vec![0.0; self.shape().iter().product()];
        let mut targets = patches.chunks_exact_mut(out_height * out_width);
        for ky in 0..self.kernel[0] {
            for kx in 0..self.kernel[1] {
                for plane in planes.chunks_exact(height * width) {
                    let Some(target) = targets.next() else { return patches };
                    // Windows whose tap in this column lies inside the picture.
                    let first = self.padding[1].saturating_sub(kx).div_ceil(self.stride[1]);
                    let inside = (width + self.padding[1]).saturating_sub(kx).div_ceil(self.stride[1]);
                    let last = inside.min(out_width);
                    if first >= last {
                        continue;
                    }
                    let start = first * self.stride[1] + kx - self.padding[1];
                    for (oy, row) in target.chunks_exact_mut(out_width).enumerate() {
                        let y = (oy * self.stride[0] + ky).checked_sub(self.padding[0]).filter(|&y| y < height);
                        let Some(y) = y else { continue };
                        let source = plane[y * width..][start..width].iter().step_by(self.stride[1]);
                        for (to, &from) in row[first..last].iter_mut().zip(source) {
                            *to = from;
                        }
                    }
                }
            }
        }
        patches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tap_is_the_pixel_under_it_or_zero() {
        for (kernel, stride, padding) in [([3, 3], [2, 2], [0, 0]), ([5, 4], [2, 3], [1, 2]), ([2, 2], [1, 1], [1, 1])]
        {
            let patches = Patches { channels: 2, size: [7, 9], kernel, stride, padding, out: [4, 3] };
            let planes: Vec<f32> = (0..2 * 7 * 9).map(|i| 1.0 + i as f32).collect();
            let cut = patches.cut(&planes);
            let [_, _, out_height, out_width] = patches.shape();
            for (i, &value) in cut.iter().enumerate() {
                let (ox, oy, tap) = (i % out_width, i / out_width % out_height, i / (out_width * out_height));
                let (c, kx, ky) = (tap % 2, tap / 2 % kernel[1], tap / (2 * kernel[1]));
                let (x, y) = (ox * stride[1] + kx, oy * stride[0] + ky);
                let inside = (padding[0]..padding[0] + 7).contains(&y) && (padding[1]..padding[1] + 9).contains(&x);
                let expected = if inside { planes[c * 63 + (y - padding[0]) * 9 + x - padding[1]] } else { 0.0 };
                assert_eq!(value, expected, "{kernel:?} at {ox}, {oy}, tap {kx}, {ky} of {c}");
            }
        }
    }
}
