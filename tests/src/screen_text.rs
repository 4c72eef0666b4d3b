//! Reads the text on a picture of the kernel's screen: each cell must be, pixel for pixel, a glyph of the kernel's font.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use flatmk_tools::machine::Running;
use image::RgbImage;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

const HEIGHT: u32 = RasterHeight::Size16.val() as u32;
const WIDTH: u32 = get_raster_width(FontWeight::Regular, RasterHeight::Size16) as u32;

/// Stands for a cell that shows no glyph.
pub const UNREADABLE: char = '\u{fffd}';

/// A colour, 8 bits a channel: red, green, blue.
pub type Color = [u8; 3];

/// The colour of the letters and of what is behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colors {
    /// Of the letters.
    pub text: Color,
    /// Behind them.
    pub background: Color,
}

/// Light gray on black: the console.
pub const CONSOLE: Colors = Colors { text: [0xd8; 3], background: [0; 3] };

/// White on dark red: the kernel has stopped.
pub const STOPPED: Colors = Colors { text: [0xff; 3], background: [0x80, 0, 0] };

/// The text of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenText {
    /// Its rows, without the blanks at their ends.
    pub rows: Vec<String>,
    /// All of it in one line.
    whole: String,
}

impl ScreenText {
    /// Reads a picture.
    pub fn read(picture: &RgbImage, colors: Colors) -> Self {
        let glyphs = glyphs(colors);
        let (rows, columns) = (picture.height() / HEIGHT, picture.width() / WIDTH);
        let read_cell = |row, column| glyphs.get(&cell(picture, row, column)).copied().unwrap_or(UNREADABLE);
        let whole: Vec<String> =
            (0..rows).map(|row| (0..columns).map(|column| read_cell(row, column)).collect()).collect();
        Self { rows: whole.iter().map(|row| row.trim_end().to_owned()).collect(), whole: whole.concat() }
    }

    /// Whether a text of one line stands on the screen, even where it goes on in the next row.
    pub fn contains(&self, text: &str) -> bool {
        self.whole.contains(text)
    }

    /// The two cells in the upper right corner, where the kernel shows how far boot has come.
    pub fn corner(&self) -> String {
        let columns = self.whole.chars().count() / self.rows.len().max(1);
        self.whole.chars().take(columns).skip(columns.saturating_sub(2)).collect()
    }

    /// Whether every cell shows a glyph in the colours given.
    pub fn is_readable(&self) -> bool {
        !self.rows.iter().any(|row| row.contains(UNREADABLE))
    }
}

impl fmt::Display for ScreenText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        self.rows.iter().take(used).try_for_each(|row| writeln!(formatter, "|{row}"))
    }
}

/// Reads the screen of a machine until it is as wanted. Nothing tells when a picture changes, so it is looked at again and again.
///
/// # Errors
///
/// What it shows in the end, if it does not become so in this time.
pub fn wait_until(
    running: &mut Running,
    colors: Colors,
    limit: Duration,
    mut wanted: impl FnMut(&ScreenText) -> bool,
) -> Result<ScreenText, String> {
    const PAUSE: Duration = Duration::from_millis(50);
    let deadline = Instant::now() + limit;
    loop {
        // QEMU is not ready for it at once.
        let found = match running.screen() {
            Ok(picture) => {
                let text = ScreenText::read(&picture, colors);
                if wanted(&text) {
                    return Ok(text);
                }
                text.to_string()
            }
            Err(error) => format!("no picture: {error}"),
        };
        if Instant::now() > deadline {
            return Err(format!("after {} s the screen shows:\n{found}", limit.as_secs()));
        }
        thread::sleep(PAUSE);
    }
}

type Cell = Vec<Color>;

fn cell(picture: &RgbImage, row: u32, column: u32) -> Cell {
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (column * WIDTH + x, row * HEIGHT + y)));
    pixels.map(|(x, y)| picture.get_pixel(x, y).0).collect()
}

/// What each character looks like, also under the cursor, where its colours are the other way round.
fn glyphs(colors: Colors) -> HashMap<Cell, char> {
    let swapped = Colors { text: colors.background, background: colors.text };
    let in_colors = |colors: Colors| (' '..='~').map(move |character| (glyph(character, colors), character));
    in_colors(swapped).chain(in_colors(colors)).collect()
}

fn glyph(character: char, colors: Colors) -> Cell {
    let raster = get_raster(character, FontWeight::Regular, RasterHeight::Size16).expect("the font has all of ASCII");
    raster.pixels().iter().map(|&coverage| colors.mix(coverage)).collect()
}

impl Colors {
    fn mix(self, coverage: u8) -> Color {
        let [red, green, blue] = self.text;
        let [back_red, back_green, back_blue] = self.background;
        let channel = |text: u8, background: u8| {
            let sum = u32::from(text) * u32::from(coverage) + u32::from(background) * (255 - u32::from(coverage));
            u8::try_from(sum / 255).expect("a mean of bytes is a byte")
        };
        [channel(red, back_red), channel(green, back_green), channel(blue, back_blue)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(rows: &[&str], colors: Colors) -> RgbImage {
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0) as u32;
        // A margin, as on a screen whose size is no multiple of the font's.
        let size = (columns * WIDTH + 5, rows.len() as u32 * HEIGHT + 3);
        let mut picture = RgbImage::from_pixel(size.0, size.1, image::Rgb(colors.background));
        for (row, text) in rows.iter().enumerate() {
            for (column, character) in text.chars().enumerate() {
                for (index, pixel) in glyph(character, colors).into_iter().enumerate() {
                    let (x, y) = (index as u32 % WIDTH, index as u32 / WIDTH);
                    picture.put_pixel(column as u32 * WIDTH + x, row as u32 * HEIGHT + y, image::Rgb(pixel));
                }
            }
        }
        picture
    }

    #[test]
    fn every_character_is_read_as_itself() {
        let all: String = (' '..='~').collect();
        let text = ScreenText::read(&picture(&[&all, "x y"], STOPPED), STOPPED);
        assert_eq!(text.rows, [all.as_str(), "x y"]);
    }

    #[test]
    fn one_wrong_pixel_makes_a_character_unreadable() {
        let mut picture = picture(&["abc"], CONSOLE);
        assert!(ScreenText::read(&picture, CONSOLE).is_readable());
        picture.put_pixel(WIDTH + 2, 3, image::Rgb([1, 2, 3]));
        assert_eq!(ScreenText::read(&picture, CONSOLE).rows, [format!("a{UNREADABLE}c")]);
    }

    #[test]
    fn the_character_under_the_cursor_is_read() {
        let mut picture = picture(&["a b"], CONSOLE);
        let swapped = Colors { text: CONSOLE.background, background: CONSOLE.text };
        for (index, pixel) in glyph('b', swapped).into_iter().enumerate() {
            let (x, y) = (index as u32 % WIDTH, index as u32 / WIDTH);
            picture.put_pixel(2 * WIDTH + x, y, image::Rgb(pixel));
        }
        for (x, y) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (WIDTH + x, y))) {
            picture.put_pixel(x, y, image::Rgb([0xd8; 3]));
        }
        assert_eq!(
            ScreenText::read(&picture, CONSOLE).rows.first().map(|row| row.replace(UNREADABLE, "?")),
            Some("a b".to_owned())
        );
    }

    #[test]
    fn other_colors_are_unreadable() {
        assert!(!ScreenText::read(&picture(&["abc"], CONSOLE), STOPPED).is_readable());
    }

    #[test]
    fn a_long_line_goes_on_in_the_next_row() {
        let text = ScreenText::read(&picture(&["abcd", "ef", "gh"], CONSOLE), CONSOLE);
        assert!(text.contains("abcdef"));
        assert_eq!(text.corner(), "cd");
        assert!(!text.contains("efgh"));
    }
}
