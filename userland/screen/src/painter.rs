//! Makes the screen show what the grid has.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width};

use crate::color::{BLACK, LIGHT_GRAY, Pen};
use crate::cursor::Place;
use crate::editor::Editor;
use crate::grid::{Cell, Grid, MOST_COLUMNS, MOST_ROWS};
use crate::mixes::Mixes;
use crate::pixels::{Format, Surface};

const HEIGHT: usize = RasterHeight::Size16.val();
const WIDTH: usize = get_raster_width(FontWeight::Regular, RasterHeight::Size16);

fn glyph(character: char) -> Option<RasterizedChar> {
    get_raster(character, FontWeight::Regular, RasterHeight::Size16)
}

/// Whether the font has a character.
pub(crate) fn has_glyph(character: char) -> bool {
    // Most are of ASCII, and looking one up in the font is not as quick.
    matches!(character, ' '..='~') || glyph(character).is_some()
}

/// How many rows and columns a screen has.
pub(crate) fn text_size(format: Format) -> (usize, usize) {
    ((format.height() / HEIGHT).min(MOST_ROWS), (format.width() / WIDTH).min(MOST_COLUMNS))
}

/// The cells as they are to be, and as they are on the screen, and how their pixels are mixed.
pub struct Grids {
    pub(crate) wanted: Grid,
    pub(crate) shown: Grid,
    pub(crate) mixes: Mixes,
}

impl Grids {
    /// Grids of empty cells.
    pub const BLANK: Grids = Grids { wanted: Grid::BLANK, shown: Grid::BLANK, mixes: Mixes::EMPTY };
}

/// The screen, and what is on it.
pub(crate) struct Painter<'a, S> {
    surface: S,
    format: Format,
    shown: &'a mut Grid,
    mixes: &'a mut Mixes,
    cursor: Option<Place>,
}

impl<'a, S: Surface> Painter<'a, S> {
    /// Clears the screen. Nothing is on it then, whatever was.
    pub(crate) fn new(mut surface: S, format: Format, shown: &'a mut Grid, mixes: &'a mut Mixes) -> Self {
        surface.clear();
        Self { surface, format, shown, mixes, cursor: None }
    }

    pub(crate) fn surface(&self) -> &S {
        &self.surface
    }

    // ANCHOR: paint
    /// Draws the cells that differ from those on the screen.
    pub(crate) fn paint(&mut self, editor: &mut Editor<'_>) {
        let (rows, columns) = editor.size();
        let cursor = editor.cursor();
        if cursor != self.cursor {
            for Place { row, column } in [self.cursor, cursor].into_iter().flatten() {
                editor.grid().mark(row, column..column + 1);
            }
            self.cursor = cursor;
        }
        for row in 0..rows {
            let changed = editor.grid().take_changed(row);
            for column in changed.start..changed.end.min(columns) {
                let mut cell = editor.grid().get(row, column);
                if cursor == Some(Place { row, column }) {
                    cell.pen = cursor_pen(cell.pen);
                }
                let shown = self.shown.get(row, column);
                if cell != shown {
                    self.draw(row, column, shown, cell);
                    self.shown.set(row, column, cell);
                }
            }
        }
    }

    /// Writes the pixels in which two cells differ.
    fn draw(&mut self, row: usize, column: usize, old: Cell, new: Cell) {
        // ANCHOR: exercise-11-4
        // The pixels of old ones are mostly at hand still.
        self.mixes.prepare(self.format, old.pen);
        self.mixes.prepare(self.format, new.pen);
        let (old_pixels, Some(new_pixels)) = (self.mixes.get(old.pen), self.mixes.get(new.pen)) else { return };
        let (Some(old_glyph), Some(new_glyph)) = (glyph_of(old), glyph_of(new)) else { return };
        let format = self.format;
        let old_pixel = |coverage: u8| match old_pixels {
            Some(pixels) => pixel_of(pixels, coverage),
            None => format.encode(old.pen.mix(coverage)),
        };
        let bytes_per_pixel = format.bytes_per_pixel();
        let mut line_start = row * HEIGHT * format.line_bytes() + column * WIDTH * bytes_per_pixel;
        for (old_line, new_line) in old_glyph.rows().zip(new_glyph.rows()) {
            let mut offset_bytes = line_start;
            for (&old_coverage, &new_coverage) in old_line.iter().zip(new_line) {
                let pixel = pixel_of(new_pixels, new_coverage);
                if pixel != old_pixel(old_coverage) {
                    self.surface.write(offset_bytes, pixel);
                }
                offset_bytes += bytes_per_pixel;
            }
            line_start += format.line_bytes();
        }
        // ANCHOR_END: exercise-11-4
    }
    // ANCHOR_END: paint
}

/// The pixel of a letter at a place that it covers so far.
fn pixel_of(pixels: &[u32; 256], coverage: u8) -> u32 {
    pixels.get(usize::from(coverage)).copied().unwrap_or_default()
}

/// The glyph of a cell; that of an empty one is a blank.
fn glyph_of(cell: Cell) -> Option<RasterizedChar> {
    let character = if cell.character == 0 { Some(' ') } else { char::from_u32(cell.character.into()) };
    character.and_then(glyph)
}

/// The colours of the cell under the cursor: a light block, with the letter in it.
fn cursor_pen(pen: Pen) -> Pen {
    let block = Pen { text: BLACK, background: LIGHT_GRAY };
    if pen.background == LIGHT_GRAY { block.swapped() } else { block }
}
