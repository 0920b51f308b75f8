//! A panel of numbers beside a face: head angles and expression scores as bars.

use skyreels_core::Frame;

use super::lettering::{self, text_width};
use super::line::{Color, span};
use crate::{BLENDSHAPE_NAMES, Face};

/// The first score, `_neutral`, says nothing.
const FIRST_SCORE: usize = 1;
/// Rows above the bars: who it is and how the head is turned.
const HEAD_ROWS: i64 = 4;
/// Cells of a row: a letter's height and the gap below it.
const ROW_CELLS: i64 = lettering::HEIGHT + 2;
/// Cells from the border of the panel to what is in it, and between names and bars.
const MARGIN: i64 = 3;
/// Length of a full bar in cells.
const BAR_CELLS: i64 = 40;
/// The panel lies beside the face if it leaves this part of the picture free.
const LARGEST_SHARE: i64 = 2;

const INK: Color = [235, 235, 235];
const FAINT: Color = [70, 74, 80];
const BAR: Color = [90, 200, 250];
/// The picture shines through by this part of 256.
const SHINE: u16 = 72;

/// Draws the panel on the side of the picture that is farther from the face.
///
/// A picture too small for legible rows stays as it is.
pub(super) fn draw(picture: &mut Frame, face: &Face) {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    let scores: Vec<(&str, f32)> = BLENDSHAPE_NAMES.into_iter().zip(face.blendshapes).skip(FIRST_SCORE).collect();
    let names = scores.iter().map(|(name, _)| text_width(&words(name))).max().unwrap_or(0);
    let cells = [names + BAR_CELLS + 3 * MARGIN, (scores.len() as i64 + HEAD_ROWS) * ROW_CELLS + 2 * MARGIN];
    let cell = (height / cells[1]).min(width / LARGEST_SHARE / cells[0]);
    if cell < 1 {
        return;
    }
    let panel = cells.map(|side| side * cell);
    let [from, _, to, _] = face.bbox;
    let left = if (from + to) / 2.0 > 0.5 { 0 } else { width - panel[0] };
    dim(picture, left, panel);

    let angles = face.angles();
    let who = face.id.map_or_else(String::new, |id| format!("face {id}"));
    let numbers = [("yaw", angles.yaw), ("pitch", angles.pitch), ("roll", angles.roll)];
    let head = [who].into_iter().chain(numbers.map(|(name, degrees)| format!("{name} {degrees:.0}")));
    let at = |row: i64| [left + MARGIN * cell, (MARGIN + row * ROW_CELLS) * cell];
    for (row, text) in (0..).zip(head) {
        lettering::write(picture, at(row), cell, &text, INK);
    }
    for (row, (name, score)) in (HEAD_ROWS..).zip(scores) {
        let [x, y] = at(row);
        lettering::write(picture, [x, y], cell, &words(name), INK);
        let start = x + (names + MARGIN) * cell;
        let full = BAR_CELLS * cell;
        // What is no number counts as 0.
        let end = start + (f64::from(score.clamp(0.0, 1.0)) * full as f64).round() as i64;
        for line in y..y + lettering::HEIGHT * cell {
            span(picture, start, start + full - 1, line, FAINT);
            span(picture, start, end - 1, line, BAR);
        }
    }
}

/// A score's name with spaces between its words.
fn words(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

fn dim(picture: &mut Frame, left: i64, [width, height]: [i64; 2]) {
    for y in 0..height.min(i64::from(picture.height())) {
        for x in left.max(0)..(left + width).min(i64::from(picture.width())) {
            let pixel = picture.get_pixel_mut(x as u32, y as u32);
            pixel.0 = pixel.0.map(|v| (u16::from(v) * SHINE / 256) as u8);
        }
    }
}
