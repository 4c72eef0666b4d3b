//! What characters and control functions do to the grid.

use crate::cursor::{Place, Style};
use crate::grid::{Cell, Grid};
use crate::pace::Pace;

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// Shows instead of a character that the font does not have.
const UNKNOWN: char = '?';

/// Which part is erased: the parameter of `CSI … J` and `CSI … K`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// From the cursor to the end.
    After,
    /// From the beginning to the cursor, which is included.
    Before,
    /// All.
    All,
}

/// A grid that is written to, at a cursor.
pub(crate) struct Editor<'a> {
    grid: &'a mut Grid,
    rows: usize,
    columns: usize,
    place: Place,
    saved: Place,
    style: Style,
    is_cursor_shown: bool,
    pace: Pace,
}

impl<'a> Editor<'a> {
    /// An empty screen of this size, which must not be larger than the grid.
    pub(crate) fn new(grid: &'a mut Grid, rows: usize, columns: usize) -> Self {
        let mut editor = Self {
            grid,
            rows,
            columns,
            place: Place::default(),
            saved: Place::default(),
            style: Style::NORMAL,
            is_cursor_shown: true,
            pace: Pace::default(),
        };
        editor.reset();
        editor
    }

    pub(crate) fn grid(&mut self) -> &mut Grid {
        self.grid
    }

    /// Rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    pub(crate) fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    pub(crate) fn style(&mut self) -> &mut Style {
        &mut self.style
    }

    /// Where the cursor is to be seen, if it is.
    pub(crate) fn cursor(&self) -> Option<Place> {
        let column = self.place.column.min(self.columns.saturating_sub(1));
        (self.is_cursor_shown && self.columns > 0 && self.rows > 0).then_some(Place { row: self.place.row, column })
    }

    pub(crate) fn show_cursor(&mut self, is_shown: bool) {
        self.is_cursor_shown = is_shown;
    }

    /// Everything as at the beginning.
    pub(crate) fn reset(&mut self) {
        (self.place, self.saved, self.style, self.is_cursor_shown) =
            (Place::default(), Place::default(), Style::NORMAL, true);
        self.erase_screen(Part::All);
    }

    /// Writes a character, and goes on behind it.
    pub(crate) fn put(&mut self, character: char) {
        if self.place.column >= self.columns {
            self.start_line();
        }
        let known = if crate::painter::has_glyph(character) { character } else { UNKNOWN };
        // The font has no character beyond 16 bits.
        let cell = Cell { character: u32::from(known) as u16, pen: self.style.pen() };
        self.grid.set(self.place.row, self.place.column, cell);
        self.place.column += 1;
    }

    /// Goes to the beginning of the next row.
    pub(crate) fn start_line(&mut self) {
        self.place.column = 0;
        self.go_down();
    }

    /// Goes down a row. At the last one the text goes up.
    pub(crate) fn go_down(&mut self) {
        if self.place.row + 1 >= self.rows && self.rows > 0 {
            let step = self.pace.step(self.rows);
            self.delete_rows(0, step);
            self.place.row = self.rows - step;
        } else {
            self.place.row += 1;
        }
    }

    /// Goes up a row. At the first one the text goes down.
    pub(crate) fn go_up(&mut self) {
        match self.place.row.checked_sub(1) {
            Some(row) => self.place.row = row,
            None => self.insert_rows(0, 1),
        }
    }

    pub(crate) fn return_to_column_zero(&mut self) {
        self.place.column = 0;
    }

    pub(crate) fn tab(&mut self) {
        self.move_to(self.place.row, (self.place.column / TAB + 1) * TAB);
    }

    /// Goes to a place, or to the nearest one on the screen.
    pub(crate) fn move_to(&mut self, row: usize, column: usize) {
        self.place =
            Place { row: row.min(self.rows.saturating_sub(1)), column: column.min(self.columns.saturating_sub(1)) };
    }

    /// Goes so many rows down, or up, and columns to the right, or to the left, as far as the screen goes.
    pub(crate) fn move_by(&mut self, rows: isize, columns: isize) {
        // Behind a full row the cursor is seen on its last column.
        let column = self.place.column.min(self.columns.saturating_sub(1));
        self.move_to(self.place.row.saturating_add_signed(rows), column.saturating_add_signed(columns));
    }

    /// The row and column of the cursor.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.place.row, self.place.column)
    }

    pub(crate) fn save_place(&mut self) {
        self.saved = self.place;
    }

    pub(crate) fn restore_place(&mut self) {
        self.place = self.saved;
    }

    fn blank(&self) -> Cell {
        Cell { character: 0, pen: self.style.erased() }
    }

    /// The rows from one to the end, erased.
    fn erase_rows(&mut self, rows: core::ops::Range<usize>) {
        let blank = self.blank();
        rows.for_each(|row| self.grid.fill(row, 0..self.columns, blank));
    }

    pub(crate) fn erase_screen(&mut self, part: Part) {
        match part {
            Part::After => self.erase_rows(self.place.row + 1..self.rows),
            Part::Before => self.erase_rows(0..self.place.row),
            Part::All => return self.erase_rows(0..self.rows),
        }
        self.erase_row(part);
    }

    pub(crate) fn erase_row(&mut self, part: Part) {
        let blank = self.blank();
        let columns = match part {
            Part::After => self.place.column.min(self.columns)..self.columns,
            Part::Before => 0..(self.place.column + 1).min(self.columns),
            Part::All => 0..self.columns,
        };
        self.grid.fill(self.place.row, columns, blank);
    }

    /// Erases characters from the cursor on.
    pub(crate) fn erase_characters(&mut self, count: usize) {
        let (start, blank) = (self.place.column.min(self.columns), self.blank());
        self.grid.fill(self.place.row, start..(start + count.min(self.columns)).min(self.columns), blank);
    }

    /// Makes room at the cursor; what is behind goes to the right.
    pub(crate) fn insert_characters(&mut self, count: usize) {
        let start = self.place.column.min(self.columns);
        let count = count.min(self.columns - start);
        self.grid.shift(self.place.row, start..self.columns - count, start + count);
        self.erase_characters(count);
    }

    /// Takes characters out at the cursor; what is behind comes up.
    pub(crate) fn delete_characters(&mut self, count: usize) {
        let start = self.place.column.min(self.columns);
        let count = count.min(self.columns - start);
        self.grid.shift(self.place.row, start + count..self.columns, start);
        let blank = self.blank();
        self.grid.fill(self.place.row, self.columns - count..self.columns, blank);
    }

    /// Makes room for rows; what is below goes down.
    pub(crate) fn insert_rows(&mut self, first: usize, count: usize) {
        let first = first.min(self.rows);
        let count = count.min(self.rows - first);
        self.grid.copy_rows(first..self.rows - count, first + count, self.columns);
        self.erase_rows(first..first + count);
    }

    /// Takes rows out; what is below comes up.
    pub(crate) fn delete_rows(&mut self, first: usize, count: usize) {
        let first = first.min(self.rows);
        let count = count.min(self.rows - first);
        self.grid.copy_rows(first + count..self.rows, first, self.columns);
        self.erase_rows(self.rows - count..self.rows);
    }
}
