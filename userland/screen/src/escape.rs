//! What the control characters and escape sequences of a terminal mean (ECMA-48; xterm's for those that are not in it).

use vte::{Params, Perform};

use crate::editor::{Editor, Part};

/// The number in a sequence at a position; where there is none, or 0, it is 1.
fn count(parameters: &Params, index: usize) -> usize {
    let number = parameters.iter().nth(index).and_then(|parts| parts.first()).copied().unwrap_or_default();
    usize::from(number.max(1))
}

/// The same, as a distance.
fn distance(parameters: &Params) -> isize {
    // A number in a sequence has 16 bits.
    count(parameters, 0).cast_signed()
}

impl Perform for Editor<'_> {
    fn print(&mut self, character: char) {
        self.put(character);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            // As programs print it, a line feed begins a line.
            b'\n' | 0x0b | 0x0c => self.start_line(),
            b'\r' => self.return_to_column_zero(),
            0x08 => self.move_by(0, -1),
            b'\t' => self.tab(),
            _ => {}
        }
    }

    // ANCHOR: csi
    fn csi_dispatch(&mut self, parameters: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore {
            return;
        }
        if !intermediates.is_empty() {
            return self.set_mode(parameters, intermediates, action);
        }
        let (row, column) = self.place();
        match action {
            'A' => self.move_by(-distance(parameters), 0),
            'B' | 'e' => self.move_by(distance(parameters), 0),
            'C' | 'a' => self.move_by(0, distance(parameters)),
            'D' => self.move_by(0, -distance(parameters)),
            'E' => self.move_to(row + count(parameters, 0), 0),
            'F' => self.move_to(row.saturating_sub(count(parameters, 0)), 0),
            'G' | '`' => self.move_to(row, count(parameters, 0) - 1),
            'd' => self.move_to(count(parameters, 0) - 1, column),
            'H' | 'f' => self.move_to(count(parameters, 0) - 1, count(parameters, 1) - 1),
            'J' => part(parameters).into_iter().for_each(|part| self.erase_screen(part)),
            'K' => part(parameters).into_iter().for_each(|part| self.erase_row(part)),
            'X' => self.erase_characters(count(parameters, 0)),
            '@' => self.insert_characters(count(parameters, 0)),
            'P' => self.delete_characters(count(parameters, 0)),
            'L' => self.insert_rows(row, count(parameters, 0)),
            'M' => self.delete_rows(row, count(parameters, 0)),
            'S' => self.delete_rows(0, count(parameters, 0)),
            'T' => self.insert_rows(0, count(parameters, 0)),
            'm' => self.style().select(parameters.iter()),
            's' => self.save_place(),
            'u' => self.restore_place(),
            _ => {}
        }
    }
    // ANCHOR_END: csi

    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        if ignore || !intermediates.is_empty() {
            return;
        }
        match byte {
            b'7' => self.save_place(),
            b'8' => self.restore_place(),
            b'D' => self.go_down(),
            b'E' => self.start_line(),
            b'M' => self.go_up(),
            b'c' => self.reset(),
            _ => {}
        }
    }
}

impl Editor<'_> {
    /// Of the modes there is one: whether the cursor is shown.
    fn set_mode(&mut self, parameters: &Params, intermediates: &[u8], action: char) {
        const CURSOR: usize = 25;
        if intermediates == b"?" && count(parameters, 0) == CURSOR && matches!(action, 'h' | 'l') {
            self.show_cursor(action == 'h');
        }
    }
}

/// What is to be erased.
fn part(parameters: &Params) -> Option<Part> {
    match parameters.iter().next().and_then(|parts| parts.first()).copied().unwrap_or_default() {
        0 => Some(Part::After),
        1 => Some(Part::Before),
        2 | 3 => Some(Part::All),
        _ => None,
    }
}
