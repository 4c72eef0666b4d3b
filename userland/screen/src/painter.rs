//! Makes the screen show what the grid has.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width};

use crate::color::{BLACK, LIGHT_GRAY, Pen};
use crate::cursor::Place;
use crate::editor::Editor;
use crate::grid::{Cell, Grid, MOST_COLUMNS, MOST_ROWS};
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

/// The cells as they are to be, and as they are on the screen.
pub struct Grids {
    pub(crate) wanted: Grid,
    pub(crate) shown: Grid,
}

impl Grids {
    /// Two grids of empty cells.
    pub const BLANK: Grids = Grids { wanted: Grid::BLANK, shown: Grid::BLANK };
}

/// The pixels of a letter in two colours, by how far the letter covers them.
struct Mixed {
    pen: Pen,
    pixels: [u32; 256],
}

/// The screen, and what is on it.
pub(crate) struct Painter<'a, S> {
    surface: S,
    format: Format,
    shown: &'a mut Grid,
    cursor: Option<Place>,
    mixed: Mixed,
}

impl<'a, S: Surface> Painter<'a, S> {
    /// Clears the screen. Nothing is on it then, whatever was.
    pub(crate) fn new(mut surface: S, format: Format, shown: &'a mut Grid) -> Self {
        surface.clear();
        let pen = Pen { text: LIGHT_GRAY, background: BLACK };
        Self { surface, format, shown, cursor: None, mixed: Mixed { pen, pixels: Self::mix(format, pen) } }
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
        if self.mixed.pen != new.pen {
            self.mixed = Mixed { pen: new.pen, pixels: Self::mix(self.format, new.pen) };
        }
        let (Some(old_glyph), Some(new_glyph)) = (glyph_of(old), glyph_of(new)) else { return };
        let bytes_per_pixel = self.format.bytes_per_pixel();
        let mut line_start = row * HEIGHT * self.format.line_bytes() + column * WIDTH * bytes_per_pixel;
        for (old_line, new_line) in old_glyph.rows().zip(new_glyph.rows()) {
            let mut offset_bytes = line_start;
            for (&old_coverage, &new_coverage) in old_line.iter().zip(new_line) {
                let pixel = self.mixed.pixels.get(usize::from(new_coverage)).copied().unwrap_or_default();
                let differs = if old.pen == new.pen {
                    old_coverage != new_coverage && pixel != self.mixed_pixel(old_coverage)
                } else {
                    pixel != self.format.encode(old.pen.mix(old_coverage))
                };
                if differs {
                    self.surface.write(offset_bytes, pixel);
                }
                offset_bytes += bytes_per_pixel;
            }
            line_start += self.format.line_bytes();
        }
    }
    // ANCHOR_END: paint

    fn mixed_pixel(&self, coverage: u8) -> u32 {
        self.mixed.pixels.get(usize::from(coverage)).copied().unwrap_or_default()
    }

    fn mix(format: Format, pen: Pen) -> [u32; 256] {
        let mut coverage = 0;
        [(); 256].map(|()| {
            let pixel = format.encode(pen.mix(coverage));
            coverage = coverage.wrapping_add(1);
            pixel
        })
    }
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
