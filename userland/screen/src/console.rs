//! Bytes to a screen.

use vte::Parser;

use crate::editor::Editor;
use crate::painter::{Grids, Painter, text_size};
use crate::pixels::{Format, Surface};

/// Longer commands to the operating system of a terminal, of which there are none here, are cut off.
const COMMAND_BYTES: usize = 64;

/// A text screen that understands what is sent to terminals.
pub struct Console<'a, S> {
    parser: Parser<COMMAND_BYTES>,
    editor: Editor<'a>,
    painter: Painter<'a, S>,
}

impl<'a, S: Surface> Console<'a, S> {
    /// Clears the screen. The grids are blank.
    pub fn new(surface: S, format: Format, grids: &'a mut Grids) -> Self {
        let (rows, columns) = text_size(format);
        let Grids { wanted, shown, mixes } = grids;
        let mut console = Self {
            parser: Parser::new_with_size(),
            editor: Editor::new(wanted, rows, columns),
            painter: Painter::new(surface, format, shown, mixes),
        };
        console.painter.paint(&mut console.editor);
        console
    }

    /// How many rows and columns of text there are.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.editor.size()
    }

    // ANCHOR: write
    /// Writes bytes, which may end within a character or an escape sequence: what follows completes it. All of it is on the screen afterwards. The clock,
    /// which tells nanoseconds since any moment, decides how far the screen scrolls.
    pub fn write(&mut self, bytes: &[u8], clock: impl Fn() -> u64) {
        if self.size().0 == 0 || self.size().1 == 0 {
            return;
        }
        self.editor.pace().set_time(clock());
        self.parser.advance(&mut self.editor, bytes);
        self.painter.paint(&mut self.editor);
        self.editor.pace().set_end(clock());
    }
    // ANCHOR_END: write

    /// Empties the screen, whatever was written before.
    pub fn clear(&mut self) {
        self.parser = Parser::new_with_size();
        self.editor.reset();
        self.painter.paint(&mut self.editor);
    }

    /// The framebuffer's memory.
    #[must_use]
    pub fn surface(&self) -> &S {
        self.painter.surface()
    }

    /// The characters of a row, without the blanks at its end. For tests.
    pub fn row_text(&mut self, row: usize) -> impl Iterator<Item = char> {
        let (_, columns) = self.size();
        let grid = self.editor.grid();
        let used = (0..columns).rev().find(|&column| !matches!(grid.get(row, column).character, 0 | 0x20));
        let character = move |column| match grid.get(row, column).character {
            0 => ' ',
            character => char::from_u32(character.into()).unwrap_or(' '),
        };
        (0..used.map_or(0, |last| last + 1)).map(character)
    }
}
