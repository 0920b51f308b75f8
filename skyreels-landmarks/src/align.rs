//! The aligned faces that identity networks are trained on: five points carried to a template.

use skyreels_core::Frame;

/// Eyes, nose tip and mouth corners as fractions of the aligned square, in the order right eye,
/// left eye, nose, right mouth corner, left mouth corner (of the person; the picture's left
/// first). FFHQ's template for 512 pixels as facexlib's `FaceRestoreHelper` has it.
const TEMPLATE_512: [[f64; 2]; 5] = [
    [192.98138, 239.94708],
    [318.90277, 240.1936],
    [256.63416, 314.01935],
    [201.26117, 371.41043],
    [313.08905, 371.15118],
];

/// ArcFace's template for 112 pixels, as insightface has it (in f32).
const ARCFACE_112: [[f32; 2]; 5] =
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];
/// Side that the template is for; sides that are not its multiples are taken as multiples of the other one, which has a
/// margin on both sides.
const ARCFACE_SIDE: u32 = 112;
const ARCFACE_WIDE_SIDE: u32 = 128;
const ARCFACE_MARGIN: f64 = 8.0;

/// Side of the aligned face that SigLIP's preprocessing starts from, in pixels.
pub const ALIGNED_SIDE: u32 = 512;

/// What lies outside of the picture in the aligned face: grey (red, green, blue).
const BORDER: [u8; 3] = [132, 133, 135];

/// The five points of `TEMPLATE_512` among MediaPipe's 478: iris centres, nose tip, mouth corners.
pub const FIVE_POINTS: [usize; 5] = [468, 473, 4, 61, 291];

/// A 2x3 matrix that carries `[x, y, 1]` to `[x', y']`.
pub type Affine = [[f64; 3]; 2];

/// The aligned face of a picture, `[512, 512, 3]`, from MediaPipe's 478 points in pixels.
///
/// The original finds its five points with RetinaFace; the template and the estimation are the same.
pub fn aligned_face(picture: &Frame, landmarks: &[[f64; 2]]) -> Option<Frame> {
    aligned_to_points(picture, &FIVE_POINTS.map(|index| landmarks.get(index).copied().unwrap_or([f64::NAN; 2])))
}

/// The aligned face of a picture, `[512, 512, 3]`, from five points in pixels: eyes, nose tip and mouth corners in the order
/// of [`Detection::points`](crate::detection::Detection::points).
///
/// `FaceRestoreHelper` of facexlib. `None` when the points are not finite or coincide.
pub fn aligned_to_points(picture: &Frame, points: &[[f64; 2]; 5]) -> Option<Frame> {
    let affine = similarity(points, &TEMPLATE_512)?;
    Some(warp_affine(picture, &affine, [ALIGNED_SIDE, ALIGNED_SIDE], BORDER))
}

/// The similarity that carries five points in pixels to ArcFace's places in a square of `side` pixels, by least squares:
/// `estimate_norm` of insightface.
///
/// `None` when the points are not finite or coincide.
pub fn arcface_similarity(points: &[[f64; 2]; 5], side: u32) -> Option<Affine> {
    let (unit, margin) =
        if side.is_multiple_of(ARCFACE_SIDE) { (ARCFACE_SIDE, 0.0) } else { (ARCFACE_WIDE_SIDE, ARCFACE_MARGIN) };
    let ratio = f64::from(side) / f64::from(unit);
    let template = ARCFACE_112.map(|[x, y]| [(f64::from(x) + margin) * ratio, f64::from(y) * ratio]);
    least_squares(points, &template, &ALL)
}

/// The face that ArcFace sees, `[side, side, 3]`, black outside of the picture: `norm_crop` of insightface.
///
/// `None` when the points are not finite or coincide.
pub fn arcface_face(picture: &Frame, points: &[[f64; 2]; 5], side: u32) -> Option<Frame> {
    Some(warp_affine(picture, &arcface_similarity(points, side)?, [side, side], [0; 3]))
}

/// The similarity whose inverse carries `to` to `from` by least squares: errors count in the picture, not in the square.
/// (`cp2tform` in facexlib and other ports from Matlab.)
pub(crate) fn inverse_similarity(from: &[[f64; 2]; 5], to: &[[f64; 2]; 5]) -> Option<Affine> {
    let [[a, b, x], [c, d, y]] = least_squares(to, from, &ALL)?;
    let determinant = a * d - b * c;
    let inverse = [[d / determinant, -b / determinant], [-c / determinant, a / determinant]];
    let affine = inverse.map(|[e, f]| [e, f, -e * x - f * y]);
    affine.iter().flatten().all(|value| value.is_finite()).then_some(affine)
}

/// The similarity (rotation, uniform scale, shift) that carries `from` to `to`, by least median of
/// squares over every pair of points and least squares on the inliers, as OpenCV's
/// `estimateAffinePartial2D` with `LMEDS`.
///
/// `None` when the points are not finite or coincide.
pub fn similarity(from: &[[f64; 2]; 5], to: &[[f64; 2]; 5]) -> Option<Affine> {
    Some(robust_similarity(from, to)?.0)
}

/// All five points.
const ALL: [usize; 5] = [0, 1, 2, 3, 4];

/// [`similarity`], and the points that support it.
pub(crate) fn robust_similarity(from: &[[f64; 2]; 5], to: &[[f64; 2]; 5]) -> Option<(Affine, Vec<usize>)> {
    const COUNT: usize = 5;
    const MIDDLE: usize = COUNT / 2;
    let mut best: Option<(f64, Affine)> = None;
    for first in 0..COUNT {
        for second in first + 1..COUNT {
            let Some(model) = least_squares(from, to, &[first, second]) else { continue };
            let mut errors: Vec<f64> = ALL.iter().map(|i| squared_error(&model, from[*i], to[*i])).collect();
            errors.sort_by(f64::total_cmp);
            if best.as_ref().is_none_or(|(median, _)| errors[MIDDLE] < *median) {
                best = Some((errors[MIDDLE], model));
            }
        }
    }
    let (median, model) = best?;
    // OpenCV's robust standard deviation of a sample this small.
    let sigma = (2.5 * 1.4826 * (1.0 + 5.0 / (COUNT - 2) as f64) * median.sqrt()).max(1e-3);
    let inliers: Vec<usize> =
        ALL.into_iter().filter(|i| squared_error(&model, from[*i], to[*i]) <= sigma * sigma).collect();
    Some((least_squares(from, to, &inliers)?, inliers))
}

fn squared_error(affine: &Affine, from: [f64; 2], to: [f64; 2]) -> f64 {
    let carried = |row: &[f64; 3]| row[0] * from[0] + row[1] * from[1] + row[2];
    (carried(&affine[0]) - to[0]).powi(2) + (carried(&affine[1]) - to[1]).powi(2)
}

/// Closed form: complex regression `to = z from + shift` about the centres.
fn least_squares(from: &[[f64; 2]; 5], to: &[[f64; 2]; 5], chosen: &[usize]) -> Option<Affine> {
    let count = chosen.len() as f64;
    let centre = |points: &[[f64; 2]; 5]| {
        let sum = chosen.iter().fold([0.0; 2], |sum, i| [sum[0] + points[*i][0], sum[1] + points[*i][1]]);
        sum.map(|coordinate| coordinate / count)
    };
    let (from_centre, to_centre) = (centre(from), centre(to));
    let (mut real, mut imaginary, mut norm) = (0.0, 0.0, 0.0);
    for i in chosen {
        let (x, y) = (from[*i][0] - from_centre[0], from[*i][1] - from_centre[1]);
        let (u, v) = (to[*i][0] - to_centre[0], to[*i][1] - to_centre[1]);
        real += x * u + y * v;
        imaginary += x * v - y * u;
        norm += x * x + y * y;
    }
    let (a, b) = (real / norm, imaginary / norm);
    let turned = |x: f64, y: f64| [a * x - b * y, b * x + a * y];
    let [x, y] = turned(from_centre[0], from_centre[1]);
    let affine = [[a, -b, to_centre[0] - x], [b, a, to_centre[1] - y]];
    affine.iter().flatten().all(|value| value.is_finite()).then_some(affine)
}

/// `cv2.warpAffine` of an 8-bit picture, bilinear in its fixed-point arithmetic; `affine` carries
/// source to destination, `size` is `[width, height]`.
///
/// An affine that cannot be inverted gives a picture of border.
pub fn warp_affine(picture: &Frame, affine: &Affine, size: [u32; 2], border: [u8; 3]) -> Frame {
    /// Fraction bits of a coordinate, and those that choose a weight.
    const COORDINATE_BITS: u32 = 10;
    const WEIGHT_BITS: u32 = 5;
    const ONE: i64 = 1 << WEIGHT_BITS;
    let scale = f64::from(1 << COORDINATE_BITS);
    let half_weight = 1i64 << (COORDINATE_BITS - WEIGHT_BITS - 1);

    let [[a, b, c], [d, e, f]] = *affine;
    let determinant = a * e - b * d;
    let inverse = if determinant == 0.0 { 0.0 } else { 1.0 / determinant };
    let (ia, ib, id, ie) = (e * inverse, -b * inverse, -d * inverse, a * inverse);
    let (ic, jf) = (-ia * c - ib * f, -id * c - ie * f);
    let fixed = |value: f64| (value * scale).round_ties_even() as i64;

    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    let tap = |x: i64, y: i64| -> [i64; 3] {
        let inside = (0..width).contains(&x) && (0..height).contains(&y);
        let pixel = if inside { picture.get_pixel(x as u32, y as u32).0 } else { border };
        pixel.map(i64::from)
    };
    Frame::from_fn(size[0], size[1], |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let shift = COORDINATE_BITS - WEIGHT_BITS;
        let across = (fixed(ib * y + ic) + half_weight + fixed(ia * x)) >> shift;
        let down = (fixed(ie * y + jf) + half_weight + fixed(id * x)) >> shift;
        let (left, top) = (across >> WEIGHT_BITS, down >> WEIGHT_BITS);
        let (fx, fy) = (across & (ONE - 1), down & (ONE - 1));
        let taps = [
            (tap(left, top), (ONE - fx) * (ONE - fy)),
            (tap(left + 1, top), fx * (ONE - fy)),
            (tap(left, top + 1), (ONE - fx) * fy),
            (tap(left + 1, top + 1), fx * fy),
        ];
        let channel = |c: usize| {
            let sum: i64 = taps.iter().map(|(pixel, weight)| pixel[c] * weight).sum();
            ((sum + ONE * ONE / 2) / (ONE * ONE)) as u8
        };
        image::Rgb([channel(0), channel(1), channel(2)])
    })
}
