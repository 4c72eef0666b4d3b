//! Text on the framebuffer: a grid of characters of 16 pixels' height, which scrolls.

use bootloader_api::info::{FrameBuffer, FrameBufferInfo, PixelFormat};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

const HEIGHT: usize = RasterHeight::Size16.val();
const WIDTH: usize = get_raster_width(FontWeight::Regular, RasterHeight::Size16);

/// The largest grid. A larger screen keeps a blank margin.
const MOST_ROWS: usize = 136;
const MOST_COLUMNS: usize = 256;

/// A colour, 8 bits a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

/// Text and background color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colors {
    /// Color of the letters.
    pub text: Color,
    /// Color behind them.
    pub background: Color,
}

impl Colors {
    /// Light gray on black.
    pub const NORMAL: Colors =
        Colors { text: Color { red: 0xd8, green: 0xd8, blue: 0xd8 }, background: Color { red: 0, green: 0, blue: 0 } };
    /// White on dark red: the machine has stopped.
    pub const STOPPED: Colors = Colors {
        text: Color { red: 0xff, green: 0xff, blue: 0xff },
        background: Color { red: 0x80, green: 0, blue: 0 },
    };
}

/// What stands on the screen, so that scrolling redraws only the characters that change and never reads the framebuffer.
struct Grid {
    cells: [[u8; MOST_COLUMNS]; MOST_ROWS],
}

/// A text screen on a framebuffer.
pub struct Screen {
    pixels: &'static mut [u8],
    info: FrameBufferInfo,
    rows: usize,
    columns: usize,
    row: usize,
    column: usize,
    colors: Colors,
    grid: Grid,
}

impl Screen {
    /// A cleared screen on this framebuffer.
    pub fn on(framebuffer: FrameBuffer) -> Self {
        let info = framebuffer.info();
        let mut screen = Self {
            pixels: framebuffer.into_buffer(),
            info,
            rows: (info.height / HEIGHT).min(MOST_ROWS),
            columns: (info.width / WIDTH).min(MOST_COLUMNS),
            row: 0,
            column: 0,
            colors: Colors::NORMAL,
            grid: Grid { cells: [[b' '; MOST_COLUMNS]; MOST_ROWS] },
        };
        screen.clear(Colors::NORMAL);
        screen
    }

    /// Where its framebuffer is, and what that is like.
    #[cfg(feature = "chapter11")]
    pub(super) fn framebuffer(&self) -> (u64, FrameBufferInfo) {
        (self.pixels.as_ptr() as u64, self.info)
    }

    /// Empties the screen and continues in these colors at its top.
    pub fn clear(&mut self, colors: Colors) {
        self.colors = colors;
        self.fill(colors.background);
        self.grid.cells = [[b' '; MOST_COLUMNS]; MOST_ROWS];
        (self.row, self.column) = (0, 0);
    }

    /// Writes one byte of text. What is not printable ASCII, line feed or backspace shows as `?`.
    pub fn put(&mut self, byte: u8) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        match byte {
            b'\n' => self.start_line(),
            b'\r' => self.column = 0,
            0x08 => {
                self.column = self.column.saturating_sub(1);
                self.draw(self.row, self.column, b' ');
            }
            _ => {
                if self.column == self.columns {
                    self.start_line();
                }
                let shown = if matches!(byte, b' '..=b'~') { byte } else { b'?' };
                self.draw(self.row, self.column, shown);
                self.column += 1;
            }
        }
    }

    /// Shows two hexadecimal digits in the upper right corner.
    #[cfg(feature = "chapter12")]
    pub(super) fn mark(&mut self, number: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for (digit, place) in [(number >> 4, 2), (number % 16, 1)] {
            if let Some(column) = self.columns.checked_sub(place).filter(|_| self.rows > 0) {
                self.draw(0, column, DIGITS.get(usize::from(digit)).copied().unwrap_or(b'?'));
            }
        }
    }

    /// The character at a place, as it stands on the screen.
    #[must_use]
    pub fn character_at(&self, row: usize, column: usize) -> Option<u8> {
        self.grid.cells.get(row)?.get(column).copied()
    }

    fn start_line(&mut self) {
        // ANCHOR: exercise-1-4
        self.column = 0;
        if self.row + 1 < self.rows {
            self.row += 1;
            return;
        }
        // Half a screen at a time: redrawing is slow, and this makes it rare.
        let step = self.rows.div_ceil(2);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let below = if row + step < self.rows { self.character_at(row + step, column) } else { None };
                self.draw(row, column, below.unwrap_or(b' '));
            }
        }
        self.row = self.rows - step;
        // ANCHOR_END: exercise-1-4
    }

    // ANCHOR: draw
    /// Shows a character, unless it stands there already.
    fn draw(&mut self, row: usize, column: usize, byte: u8) {
        // ANCHOR: exercise-1-3
        let Some(cell) = self.grid.cells.get_mut(row).and_then(|cells| cells.get_mut(column)) else { return };
        if core::mem::replace(cell, byte) == byte {
            return;
        }
        let Some(glyph) = get_raster(char::from(byte), FontWeight::Regular, RasterHeight::Size16) else { return };
        for (y, line) in glyph.rows().enumerate() {
            for (x, &coverage) in line.iter().enumerate() {
                let color = self.colors.mix(coverage);
                self.set_pixel(column * WIDTH + x, row * HEIGHT + y, color);
            }
        }
        // ANCHOR_END: exercise-1-3
    }
    // ANCHOR_END: draw

    /// Fills all of the framebuffer, many pixels at a time and without reading it.
    fn fill(&mut self, color: Color) {
        // Whole pixels of 1, 2, 3 or 4 bytes.
        let mut pattern = [0; 192];
        for pixel in pattern.chunks_exact_mut(self.info.bytes_per_pixel.max(1)) {
            put_color(self.info.pixel_format, pixel, color);
        }
        for part in self.pixels.chunks_mut(pattern.len()) {
            part.iter_mut().zip(&pattern).for_each(|(to, from)| *to = *from);
        }
    }

    fn set_pixel(&mut self, x: usize, y: usize, color: Color) {
        let bytes_per_pixel = self.info.bytes_per_pixel;
        let start = (y * self.info.stride + x) * bytes_per_pixel;
        if let Some(pixel) = self.pixels.get_mut(start..start + bytes_per_pixel) {
            put_color(self.info.pixel_format, pixel, color);
        }
    }
}

/// Writes the bytes of a pixel.
fn put_color(format: PixelFormat, pixel: &mut [u8], Color { red, green, blue }: Color) {
    // ANCHOR: exercise-1-2
    match (format, pixel) {
        (PixelFormat::Rgb, [r, g, b, ..]) => (*r, *g, *b) = (red, green, blue),
        (PixelFormat::Bgr, [b, g, r, ..]) => (*r, *g, *b) = (red, green, blue),
        // A gray-scale screen, or one with a layout of its own: the brightest channel is legible on both.
        (_, pixel) => pixel.fill(red.max(green).max(blue)),
    }
    // ANCHOR_END: exercise-1-2
}

impl Colors {
    /// The color of a pixel that a letter covers by `coverage` parts of 255.
    fn mix(self, coverage: u8) -> Color {
        let channel = |text: u8, background: u8| -> u8 {
            let (text, background, coverage) = (u32::from(text), u32::from(background), u32::from(coverage));
            u8::try_from((text * coverage + background * (255 - coverage)) / 255).unwrap_or(u8::MAX)
        };
        Color {
            red: channel(self.text.red, self.background.red),
            green: channel(self.text.green, self.background.green),
            blue: channel(self.text.blue, self.background.blue),
        }
    }
}
