//! The loss over the steps, as a picture.

use skyreels_core::Frame;
use skyreels_landmarks::draw::line;

use super::history::History;

/// Width and height of the picture.
const SIZE: [u32; 2] = [960, 480];
/// Room around the curves.
const MARGIN: f64 = 24.0;
const PAPER: [u8; 3] = [250, 250, 248];
const GRID: [u8; 3] = [222, 222, 220];
const EACH: [u8; 3] = [176, 196, 222];
const SMOOTH: [u8; 3] = [30, 80, 160];
const HELD_OUT: [u8; 3] = [200, 70, 40];
/// The smooth curve averages over this share of the run.
const SMOOTHING: f64 = 0.02;

/// Draws the loss of every step, its running mean, and the held-out loss in another colour; the height is logarithmic,
/// a line stands at every power of two, and a step up at the side of a grid line marks where a stage begins.
pub fn draw_loss(history: &History) -> Frame {
    let mut picture = Frame::from_pixel(SIZE[0], SIZE[1], image::Rgb(PAPER));
    let records = &history.records;
    let seen = || records.iter().flat_map(|r| [Some(r.loss), r.held_out]).flatten().filter(|loss| *loss > 0.0);
    let [low, high] = [seen().fold(f64::INFINITY, f64::min), seen().fold(0.0, f64::max)];
    if !(low.is_finite() && high.is_finite() && high > 0.0) {
        return picture;
    }
    let (low, high) = ((low.log2() - 0.1).min(high.log2() - 1.0), high.log2() + 0.1);
    let [width, height] = SIZE.map(f64::from);
    let x = |step: usize| MARGIN + (width - 2.0 * MARGIN) * step as f64 / (records.len().max(2) - 1) as f64;
    let y = |loss: f64| height - MARGIN - (height - 2.0 * MARGIN) * (loss.log2() - low) / (high - low);
    let mut stroke = |from: [f64; 2], to: [f64; 2], color: [u8; 3]| {
        let pixel = |[x, y]: [f64; 2]| [x.round() as i32, y.round() as i32];
        line(&mut picture, pixel(from), pixel(to), color);
    };
    for power in low.ceil() as i32..=high.floor() as i32 {
        let at = y(2f64.powi(power));
        stroke([MARGIN, at], [width - MARGIN, at], GRID);
    }
    for (step, pair) in records.windows(2).enumerate().filter(|(_, pair)| pair[0].stage != pair[1].stage) {
        let _ = pair;
        stroke([x(step + 1), MARGIN], [x(step + 1), height - MARGIN], GRID);
    }
    let mut curve = |points: Vec<(usize, f64)>, color: [u8; 3]| {
        for pair in points.windows(2).filter(|pair| pair.iter().all(|(_, loss)| *loss > 0.0)) {
            stroke([x(pair[0].0), y(pair[0].1)], [x(pair[1].0), y(pair[1].1)], color);
        }
    };
    curve(records.iter().map(|r| r.loss).enumerate().collect(), EACH);
    let weight = 1.0 / (SMOOTHING * records.len() as f64).max(1.0);
    let mut mean = records[0].loss;
    let smooth = records.iter().enumerate().map(|(step, record)| {
        mean += weight * (record.loss - mean);
        (step, mean)
    });
    curve(smooth.collect(), SMOOTH);
    curve(records.iter().enumerate().filter_map(|(step, r)| Some((step, r.held_out?))).collect(), HELD_OUT);
    picture
}
