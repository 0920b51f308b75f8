//! How the skin of a head is cut into quads: rows and columns, and rings of quads around eyes and mouth.

use std::f32::consts::PI;

use super::skull::{CROWN, UNDERSIDE, column};

/// Columns of the front, evenly spaced.
const STEP: f32 = 0.4;
const FRONT_COLUMNS: usize = 13;
/// Angles of the columns at the side and behind, in degrees.
const SIDE: [f32; 13] = [48.5, 54.5, 61.0, 68.0, 75.0, 82.5, 90.0, 100.0, 112.0, 126.0, 142.0, 160.0, 180.0];
/// Rows and columns of the blocks that make room for rings: first and last line.
const MOUTH_ROWS: usize = 12;
const MOUTH_HEIGHTS: [f32; 2] = [-6.9, -2.8];
const NOSE_ROWS: usize = 13;
const EYE_ROWS: usize = 6;
const EYE_HEIGHTS: [f32; 2] = [0.9, 4.0];
const MOUTH_COLUMNS: i32 = 9;
const EYE_COLUMNS: [i32; 2] = [3, 13];
const BELOW: [f32; 8] = [-9.97, -9.82, -9.5, -9.15, -8.75, -8.3, -7.8, -7.35];
const ABOVE: [f32; 15] = [4.42, 4.85, 5.3, 5.8, 6.4, 7.1, 7.8, 8.5, 9.2, 9.85, 10.4, 10.85, 11.2, 11.45, 11.62];

/// Points around an eye: half of them on each lid.
pub(super) const EYE_POINTS: usize = 32;
/// Points around the mouth: half of them on each lip.
pub(super) const MOUTH_POINTS: usize = 60;

/// The lines of the chart.
pub(super) struct Grid {
    /// Chart `x` of the columns, from behind over the person's right to the left and behind again.
    pub(super) columns: Vec<f32>,
    /// Chart `y` of the rows, upwards.
    pub(super) rows: Vec<f32>,
}

/// A block of the grid that rings take the place of: columns and rows of its border.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) columns: [usize; 2],
    pub(super) rows: [usize; 2],
}

impl Grid {
    pub(super) fn new() -> Self {
        let front = (0..=FRONT_COLUMNS).map(|i| STEP * i as f32);
        let half: Vec<f32> = front.chain(SIDE.map(|degrees| column(degrees * PI / 180.0))).collect();
        // Behind, the two sides share one column.
        let right = half[1..half.len() - 1].iter().rev().map(|x| -x);
        let columns = right.chain(half.iter().copied()).collect();
        let even =
            |[from, to]: [f32; 2], count: usize| (0..count).map(move |i| from + (to - from) * i as f32 / count as f32);
        let mut rows = BELOW.to_vec();
        rows.extend(even(MOUTH_HEIGHTS, MOUTH_ROWS));
        rows.extend(even([MOUTH_HEIGHTS[1], EYE_HEIGHTS[0]], NOSE_ROWS));
        rows.extend(even(EYE_HEIGHTS, EYE_ROWS));
        rows.push(EYE_HEIGHTS[1]);
        rows.extend(ABOVE);
        debug_assert!(rows[0] > UNDERSIDE && rows[rows.len() - 1] < CROWN);
        Self { columns, rows }
    }

    /// Number of the column in the middle of the face.
    fn middle(&self) -> usize {
        self.columns.len() / 2 - 1 + self.columns.len() % 2
    }

    fn block(&self, columns: [i32; 2], first_row: usize, rows: usize) -> Block {
        let middle = self.middle() as i32;
        Block { columns: columns.map(|c| (middle + c) as usize), rows: [first_row, first_row + rows] }
    }

    /// The block of the right (0) or left (1) eye.
    pub(super) fn eye(&self, side: usize) -> Block {
        let [from, to] = EYE_COLUMNS;
        let columns = if side == 0 { [-to, -from] } else { [from, to] };
        self.block(columns, BELOW.len() + MOUTH_ROWS + NOSE_ROWS, EYE_ROWS)
    }

    pub(super) fn mouth(&self) -> Block {
        self.block([-MOUTH_COLUMNS, MOUTH_COLUMNS], BELOW.len(), MOUTH_ROWS)
    }
}

impl Block {
    /// True inside the border.
    pub(super) fn hides(&self, column: usize, row: usize) -> bool {
        let within = |v: usize, [from, to]: [usize; 2]| v > from && v < to;
        within(column, self.columns) && within(row, self.rows)
    }

    /// True for the quad whose lower left corner this is, inside the block.
    pub(super) fn covers(&self, column: usize, row: usize) -> bool {
        let within = |v: usize, [from, to]: [usize; 2]| v >= from && v < to;
        within(column, self.columns) && within(row, self.rows)
    }

    /// Columns and rows of the border: from the middle of the left side over the top to the right side, and back below.
    pub(super) fn border(&self) -> Vec<[usize; 2]> {
        let ([left, right], [bottom, top]) = (self.columns, self.rows);
        let middle = (bottom + top) / 2;
        let mut border = Vec::new();
        border.extend((middle..top).map(|row| [left, row]));
        border.extend((left..right).map(|column| [column, top]));
        border.extend((bottom + 1..=top).rev().map(|row| [right, row]));
        border.extend((left + 1..=right).rev().map(|column| [column, bottom]));
        border.extend((bottom..middle).map(|row| [left, row]));
        border
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_order_and_the_middle_is_the_middle() {
        let grid = Grid::new();
        assert!(grid.columns.is_sorted_by(|a, b| a < b) && grid.rows.is_sorted_by(|a, b| a < b));
        assert_eq!(grid.columns[grid.middle()], 0.0);
    }

    #[test]
    fn borders_have_as_many_points_as_their_rings() {
        let grid = Grid::new();
        assert_eq!(grid.mouth().border().len(), MOUTH_POINTS);
        for side in [0, 1] {
            assert_eq!(grid.eye(side).border().len(), EYE_POINTS);
        }
    }
}
