//! Small capital letters of our own, for labels on overlays.

use skyreels_core::Frame;

use super::line::{Color, put};

/// Height of a letter in cells.
pub(super) const HEIGHT: i64 = 5;
/// Cells between two letters.
const GAP: i64 = 1;
/// Width of a space, and of what has no letter.
const SPACE: i64 = 2;

/// Rows of a letter, `#` where there is ink.
type Glyph = [&'static str; HEIGHT as usize];

const GLYPHS: [(char, Glyph); 38] = [
    ('A', [".#.", "#.#", "###", "#.#", "#.#"]),
    ('B', ["##.", "#.#", "##.", "#.#", "##."]),
    ('C', [".##", "#..", "#..", "#..", ".##"]),
    ('D', ["##.", "#.#", "#.#", "#.#", "##."]),
    ('E', ["###", "#..", "##.", "#..", "###"]),
    ('F', ["###", "#..", "##.", "#..", "#.."]),
    ('G', [".###", "#...", "#.##", "#..#", ".###"]),
    ('H', ["#.#", "#.#", "###", "#.#", "#.#"]),
    ('I', ["#", "#", "#", "#", "#"]),
    ('J', ["..#", "..#", "..#", "#.#", ".#."]),
    ('K', ["#.#", "#.#", "##.", "#.#", "#.#"]),
    ('L', ["#..", "#..", "#..", "#..", "###"]),
    ('M', ["#...#", "##.##", "#.#.#", "#...#", "#...#"]),
    ('N', ["#..#", "##.#", "#.##", "#..#", "#..#"]),
    ('O', [".##.", "#..#", "#..#", "#..#", ".##."]),
    ('P', ["##.", "#.#", "##.", "#..", "#.."]),
    ('Q', [".##.", "#..#", "#..#", "#.#.", ".#.#"]),
    ('R', ["##.", "#.#", "##.", "#.#", "#.#"]),
    ('S', [".##", "#..", ".#.", "..#", "##."]),
    ('T', ["###", ".#.", ".#.", ".#.", ".#."]),
    ('U', ["#.#", "#.#", "#.#", "#.#", "###"]),
    ('V', ["#.#", "#.#", "#.#", "#.#", ".#."]),
    ('W', ["#...#", "#...#", "#.#.#", "##.##", "#...#"]),
    ('X', ["#.#", "#.#", ".#.", "#.#", "#.#"]),
    ('Y', ["#.#", "#.#", ".#.", ".#.", ".#."]),
    ('Z', ["###", "..#", ".#.", "#..", "###"]),
    ('0', ["###", "#.#", "#.#", "#.#", "###"]),
    ('1', [".#.", "##.", ".#.", ".#.", "###"]),
    ('2', ["##.", "..#", ".#.", "#..", "###"]),
    ('3', ["##.", "..#", ".#.", "..#", "##."]),
    ('4', ["#.#", "#.#", "###", "..#", "..#"]),
    ('5', ["###", "#..", "##.", "..#", "##."]),
    ('6', [".##", "#..", "###", "#.#", "###"]),
    ('7', ["###", "..#", ".#.", ".#.", ".#."]),
    ('8', ["###", "#.#", "###", "#.#", "###"]),
    ('9', ["###", "#.#", "###", "..#", "##."]),
    ('-', ["...", "...", "###", "...", "..."]),
    ('.', [".", ".", ".", ".", "#"]),
];

fn glyph(letter: char) -> Option<&'static Glyph> {
    let letter = letter.to_ascii_uppercase();
    GLYPHS.iter().find(|(known, _)| *known == letter).map(|(_, glyph)| glyph)
}

fn width(letter: char) -> i64 {
    glyph(letter).map_or(SPACE, |rows| rows[0].len() as i64)
}

/// Width of a text in cells.
pub(super) fn text_width(text: &str) -> i64 {
    text.chars().map(|letter| width(letter) + GAP).sum::<i64>() - GAP
}

/// Writes a text whose upper left corner is `at`, in cells of `cell` pixels; lower case becomes upper case.
pub(super) fn write(canvas: &mut Frame, at: [i64; 2], cell: i64, text: &str, color: Color) {
    let mut left = at[0];
    for letter in text.chars() {
        for (y, row) in glyph(letter).into_iter().flatten().enumerate() {
            for (x, _) in row.bytes().enumerate().filter(|(_, ink)| *ink == b'#') {
                for pixel in 0..cell * cell {
                    let (dx, dy) = (x as i64 * cell + pixel % cell, y as i64 * cell + pixel / cell);
                    put(canvas, [left + dx, at[1] + dy], color);
                }
            }
        }
        left += (width(letter) + GAP) * cell;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_a_score_has_a_glyph_and_all_rows_of_a_glyph_are_as_wide() {
        for name in crate::BLENDSHAPE_NAMES {
            assert!(name.chars().all(|letter| letter == '_' || glyph(letter).is_some()), "{name}");
        }
        for (letter, rows) in GLYPHS {
            assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{letter}");
            let same = GLYPHS.iter().filter(|(_, other)| *other == rows).count();
            assert_eq!(same, 1, "{letter} looks like another letter");
        }
    }

    #[test]
    fn a_text_is_as_wide_as_it_says_and_clipped_at_the_border() {
        let mut canvas = Frame::new(60, 12);
        write(&mut canvas, [1, 1], 2, "Il-1", [9; 3]);
        let inked = canvas.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 == [9; 3]);
        let right = inked.map(|(x, _, _)| i64::from(x)).max().unwrap();
        assert_eq!(right, 2 * text_width("Il-1"));
        write(&mut canvas, [-3, -3], 3, "over the border", [9; 3]);
        write(&mut Frame::new(0, 0), [0, 0], 1, "A", [9; 3]);
    }
}
