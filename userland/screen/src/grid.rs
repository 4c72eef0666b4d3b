//! The cells of a text screen, and which of them may have changed.

use core::ops::Range;

use crate::color::Pen;

/// The largest grid. A larger screen keeps a blank margin.
pub const MOST_ROWS: usize = 136;
/// Columns of the largest grid.
pub const MOST_COLUMNS: usize = 256;

/// One character with its colours. An empty one is all zeros, so a grid takes no room in the program's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// The character, as UTF-16; 0 for none.
    pub character: u16,
    /// Its colours.
    pub pen: Pen,
}

/// The columns of a row that may have changed: from the first up to the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Changed {
    start: u16,
    end: u16,
}

/// The cells of the largest screen; a smaller one has those in the upper left corner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    cells: [[Cell; MOST_COLUMNS]; MOST_ROWS],
    changed: [Changed; MOST_ROWS],
}

impl Grid {
    /// A grid of empty cells.
    pub const BLANK: Grid = {
        const CELL: Cell = Cell { character: 0, pen: Pen { text: 0, background: 0 } };
        const UNCHANGED: Changed = Changed { start: 0, end: 0 };
        Grid { cells: [[CELL; MOST_COLUMNS]; MOST_ROWS], changed: [UNCHANGED; MOST_ROWS] }
    };

    /// The cell at a place; an empty one outside of the grid.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> Cell {
        self.cells.get(row).and_then(|cells| cells.get(column)).copied().unwrap_or_default()
    }

    /// Changes a cell. Outside of the grid there is none.
    pub fn set(&mut self, row: usize, column: usize, cell: Cell) {
        self.fill(row, column..column + 1, cell);
    }

    /// Makes the cells of these columns of a row the same.
    pub fn fill(&mut self, row: usize, columns: Range<usize>, cell: Cell) {
        if let Some(cells) = self.cells.get_mut(row).and_then(|cells| cells.get_mut(columns.clone())) {
            cells.fill(cell);
            self.mark(row, columns);
        }
    }

    /// Copies cells of a row to other columns of it, from `target` on.
    pub fn shift(&mut self, row: usize, source: Range<usize>, target: usize) {
        let end = target + source.len();
        if source.end <= MOST_COLUMNS
            && end <= MOST_COLUMNS
            && source.start <= source.end
            && let Some(cells) = self.cells.get_mut(row)
        {
            cells.copy_within(source, target);
            self.mark(row, target..end);
        }
    }

    /// Copies rows to other rows, from `target` on, as far as the columns of the screen go.
    pub fn copy_rows(&mut self, source: Range<usize>, target: usize, columns: usize) {
        let end = target + source.len();
        if source.end <= MOST_ROWS && end <= MOST_ROWS && source.start <= source.end {
            self.cells.copy_within(source, target);
            (target..end).for_each(|row| self.mark(row, 0..columns));
        }
    }

    /// Remembers that these columns of a row may have changed.
    pub fn mark(&mut self, row: usize, columns: Range<usize>) {
        // ANCHOR: exercise-11-3
        let Some(changed) = self.changed.get_mut(row) else { return };
        // Both are at most `MOST_COLUMNS`.
        let (start, end) = (columns.start as u16, columns.end.min(MOST_COLUMNS) as u16);
        *changed = if changed.start == changed.end {
            Changed { start, end }
        } else {
            Changed { start: changed.start.min(start), end: changed.end.max(end) }
        };
        // ANCHOR_END: exercise-11-3
    }

    /// The columns of a row that may have changed; they count as unchanged afterwards.
    pub(crate) fn take_changed(&mut self, row: usize) -> Range<usize> {
        let Changed { start, end } = self.changed.get_mut(row).map(core::mem::take).unwrap_or_default();
        usize::from(start)..usize::from(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Cell = Cell { character: b'x' as u16, pen: Pen { text: 7, background: 0 } };

    #[test]
    fn what_changes_is_remembered_once() {
        let mut grid = Grid::BLANK;
        grid.set(3, 5, X);
        grid.fill(3, 9..12, X);
        assert_eq!((grid.get(3, 5), grid.get(3, 6), grid.get(3, 11)), (X, Cell::default(), X));
        assert_eq!((grid.take_changed(3), grid.take_changed(3), grid.take_changed(4)), (5..12, 0..0, 0..0));
    }

    #[test]
    fn rows_and_columns_move() {
        let mut grid = Grid::BLANK;
        grid.set(3, 5, X);
        grid.copy_rows(1..4, 0, 80);
        assert_eq!((grid.get(2, 5), grid.get(3, 5)), (X, X));
        grid.shift(2, 5..8, 4);
        assert_eq!((grid.get(2, 4), grid.get(2, 5)), (X, Cell::default()));
        assert_eq!(grid.take_changed(2), 0..80);
    }

    #[test]
    fn what_is_outside_changes_nothing() {
        let mut grid = Grid::BLANK;
        grid.set(MOST_ROWS, 0, X);
        grid.set(0, MOST_COLUMNS, X);
        grid.fill(0, 250..300, X);
        grid.shift(0, 0..10, 250);
        grid.copy_rows(130..MOST_ROWS, 131, 80);
        assert!(grid == Grid::BLANK);
    }
}
