//! Lines as they are typed and changed.
//!
//! What is written goes to two terminals at once, the screen and whoever is at the other end of the serial line. So nothing is asked of either, such as where its
//! cursor is, and the cursor is moved relative to where it was. The line editors that were looked at, `noline` and others, do ask.

use core::fmt::{self, Write};

use arrayvec::{ArrayString, ArrayVec};
use vte::{Params, Parser, Perform};

use crate::LONGEST_LINE;

/// How many lines are remembered.
const HISTORY: usize = 16;

/// A byte more than the longest line, so that one can see that a line was longer.
type Line = ArrayString<{ LONGEST_LINE + 1 }>;

/// How many columns of a line are shown. What is longer moves to the left.
const VISIBLE: usize = 64;

/// What was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Character(char),
    Enter,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    EraseBefore,
    EraseBehind,
    EraseWord,
    Clear,
    Interrupt,
}

/// What has come of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Perhaps the line has changed.
    None,
    /// The line is complete.
    Line,
    /// The line is given up.
    Interrupt,
}

/// Takes bytes, as a terminal sends them, for keys.
#[derive(Default)]
struct Keys {
    /// A byte is one key at most.
    key: Option<Key>,
}

impl Perform for Keys {
    fn print(&mut self, character: char) {
        self.key = match character {
            '\x7f' => Some(Key::Backspace),
            character if character.is_control() => None,
            character => Some(Key::Character(character)),
        };
    }

    fn execute(&mut self, byte: u8) {
        self.key = match byte {
            b'\r' | b'\n' => Some(Key::Enter),
            0x01 => Some(Key::Home),
            0x02 => Some(Key::Left),
            0x03 => Some(Key::Interrupt),
            0x04 => Some(Key::Delete),
            0x05 => Some(Key::End),
            0x06 => Some(Key::Right),
            0x08 | 0x7f => Some(Key::Backspace),
            0x0b => Some(Key::EraseBehind),
            0x0c => Some(Key::Clear),
            0x0e => Some(Key::Down),
            0x10 => Some(Key::Up),
            0x15 => Some(Key::EraseBefore),
            0x17 => Some(Key::EraseWord),
            _ => None,
        };
    }

    fn csi_dispatch(&mut self, params: &Params, _intermediates: &[u8], _ignore: bool, action: char) {
        let number = params.iter().next().and_then(|parameter| parameter.first()).copied().unwrap_or(0);
        self.key = match (action, number) {
            ('A', _) => Some(Key::Up),
            ('B', _) => Some(Key::Down),
            ('C', _) => Some(Key::Right),
            ('D', _) => Some(Key::Left),
            ('H', _) | ('~', 1 | 7) => Some(Key::Home),
            ('F', _) | ('~', 4 | 8) => Some(Key::End),
            ('~', 3) => Some(Key::Delete),
            _ => None,
        };
    }
}

/// The line that is typed, and those before.
pub struct Editor {
    prompt: &'static str,
    parser: Parser,
    line: Line,
    /// Where the cursor is in the line, in bytes.
    cursor: usize,
    /// The last one first.
    history: ArrayVec<Line, HISTORY>,
    /// Which line of the history is shown, from 1 on; 0: the one that is new.
    shown: usize,
    /// The last byte was a carriage return, which may have a line feed behind it.
    after_return: bool,
}

impl Editor {
    /// Without a history.
    #[must_use]
    pub fn new(prompt: &'static str) -> Self {
        Self {
            prompt,
            parser: Parser::new(),
            line: Line::new(),
            cursor: 0,
            history: ArrayVec::new(),
            shown: 0,
            after_return: false,
        }
    }

    /// The line.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Begins a new line.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn begin(&mut self, output: &mut impl Write) -> fmt::Result {
        self.line.clear();
        (self.cursor, self.shown) = (0, 0);
        self.show(output)
    }

    // ANCHOR: feed
    /// Takes a byte that was typed.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn feed(&mut self, byte: u8, output: &mut impl Write) -> Result<Event, fmt::Error> {
        let follows_return = core::mem::replace(&mut self.after_return, byte == b'\r');
        if byte == b'\n' && follows_return {
            return Ok(Event::None);
        }
        let mut keys = Keys::default();
        if matches!(byte, b'\r' | b'\n' | 0x03) {
            // No key has these in its sequence: one that was begun must not swallow them.
            self.parser = Parser::new();
            keys.execute(byte);
        } else {
            self.parser.advance(&mut keys, &[byte]);
        }
        keys.key.map_or(Ok(Event::None), |key| self.press(key, output))
    }
    // ANCHOR_END: feed

    fn press(&mut self, key: Key, output: &mut impl Write) -> Result<Event, fmt::Error> {
        match key {
            Key::Character(character) => return self.insert(character, output).map(|()| Event::None),
            Key::Enter => {
                output.write_str("\n")?;
                self.remember();
                return Ok(Event::Line);
            }
            Key::Interrupt => {
                output.write_str("^C\n")?;
                return Ok(Event::Interrupt);
            }
            Key::Left => self.cursor = self.before(),
            Key::Right => self.cursor = self.behind(),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.line.len(),
            Key::Backspace => self.erase(self.before(), self.cursor),
            Key::Delete => self.erase(self.cursor, self.behind()),
            Key::EraseBefore => self.erase(0, self.cursor),
            Key::EraseBehind => self.erase(self.cursor, self.line.len()),
            Key::EraseWord => {
                let head = self.head().trim_end();
                let start = head.rfind(' ').map_or(0, |space| space + 1);
                self.erase(start, self.cursor);
            }
            Key::Up => self.recall(self.shown + 1),
            Key::Down => self.recall(self.shown.saturating_sub(1)),
            Key::Clear => output.write_str("\x1b[2J\x1b[H")?,
        }
        self.show(output)?;
        Ok(Event::None)
    }

    fn head(&self) -> &str {
        self.line.get(..self.cursor).unwrap_or_default()
    }

    fn tail(&self) -> &str {
        self.line.get(self.cursor..).unwrap_or_default()
    }

    /// Where the character before the cursor begins.
    fn before(&self) -> usize {
        self.head().char_indices().next_back().map_or(0, |(index, _)| index)
    }

    /// Where the character at the cursor ends.
    fn behind(&self) -> usize {
        self.cursor + self.tail().chars().next().map_or(0, char::len_utf8)
    }

    fn insert(&mut self, character: char, output: &mut impl Write) -> fmt::Result {
        let tail = Line::from(self.tail()).unwrap_or_default();
        if self.line.len() + character.len_utf8() > self.line.capacity() {
            // Bell.
            return output.write_str("\x07");
        }
        self.line.truncate(self.cursor);
        self.line.push(character);
        self.cursor = self.line.len();
        self.line.push_str(&tail);
        if tail.is_empty() && self.line.chars().count() < VISIBLE {
            return output.write_char(character);
        }
        self.show(output)
    }

    fn erase(&mut self, from: usize, to: usize) {
        let tail = Line::from(self.line.get(to..).unwrap_or_default()).unwrap_or_default();
        self.line.truncate(from);
        self.line.push_str(&tail);
        self.cursor = from;
    }

    /// Shows a line of the history in place of this one.
    fn recall(&mut self, number: usize) {
        match number.checked_sub(1) {
            None => self.line.clear(),
            Some(index) => match self.history.get(index) {
                Some(line) => self.line = *line,
                None => return,
            },
        }
        (self.shown, self.cursor) = (number, self.line.len());
    }

    fn remember(&mut self) {
        if self.line.trim().is_empty() || self.history.first() == Some(&self.line) {
            return;
        }
        if self.history.is_full() {
            self.history.pop();
        }
        self.history.insert(0, self.line);
    }

    /// Writes the line anew: the part of it where the cursor is.
    fn show(&self, output: &mut impl Write) -> fmt::Result {
        let column = self.head().chars().count();
        let skipped = (column + 1).saturating_sub(VISIBLE);
        let shown = self.line.chars().skip(skipped).take(VISIBLE);
        let behind = shown.clone().count() - (column - skipped);
        write!(output, "\r{}", self.prompt)?;
        shown.into_iter().try_for_each(|character| output.write_char(character))?;
        output.write_str("\x1b[K")?;
        if behind > 0 { write!(output, "\x1b[{behind}D") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
