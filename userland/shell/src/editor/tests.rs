extern crate std;

use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const PROMPT: &str = "> ";

/// What a terminal shows of one row.
#[derive(Default)]
struct Row {
    cells: Vec<char>,
    column: usize,
}

impl Perform for Row {
    fn print(&mut self, character: char) {
        while self.cells.len() <= self.column {
            self.cells.push(' ');
        }
        self.cells[self.column] = character;
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.column = 0,
            b'\n' => *self = Row::default(),
            7 => {}
            other => panic!("byte {other} is written"),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        let number = params.iter().next().and_then(|parameter| parameter.first()).copied().unwrap_or(0);
        match action {
            'K' => self.cells.truncate(self.column),
            'D' => self.column -= usize::from(number),
            'J' | 'H' => *self = Row::default(),
            other => panic!("sequence {other} is written"),
        }
    }
}

fn shown(output: &str) -> (String, usize) {
    let (mut row, mut parser) = (Row::default(), Parser::new());
    parser.advance(&mut row, output.as_bytes());
    (row.cells.iter().collect(), row.column)
}

/// Types, and gives each line that was completed, and what is shown in the end.
fn type_in(editor: &mut Editor, bytes: &[u8]) -> (Vec<String>, String) {
    let (mut lines, mut output) = (Vec::new(), String::new());
    editor.begin(&mut output).expect("text can be collected");
    for &byte in bytes {
        match editor.feed(byte, &mut output).expect("text can be collected") {
            Event::None => {}
            Event::Line => {
                lines.push(String::from(editor.line()));
                editor.begin(&mut output).expect("text can be collected");
            }
            Event::Interrupt => editor.begin(&mut output).expect("text can be collected"),
        }
    }
    (lines, output)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    type_in(&mut Editor::new(PROMPT), bytes).0
}

#[test]
fn what_is_typed_is_the_line() {
    assert_eq!(lines(b"help\r"), ["help"]);
    assert_eq!(lines(b"one\rtwo\nthree\r\nfour\r"), ["one", "two", "three", "four"]);
    assert_eq!(lines("größer\r".as_bytes()), ["größer"]);
}

#[test]
fn keys_change_the_line() {
    assert_eq!(lines(b"hepl\x08\x7flp\r"), ["help"]);
    assert_eq!(lines(b"elp\x01h\r"), ["help"]);
    assert_eq!(lines(b"elp\x1b[Hh\x1b[F!\r"), ["help!"]);
    assert_eq!(lines(b"hlp\x1b[D\x1b[De\x1b[C\x1b[C?\r"), ["help?"]);
    assert_eq!(lines(b"hxelp\x1b[D\x1b[D\x1b[D\x1b[D\x1b[3~\r"), ["help"]);
    assert_eq!(lines(b"run spin\x17call\r"), ["run call"]);
    assert_eq!(lines(b"nonsense\x15help\r"), ["help"]);
    assert_eq!(lines(b"help me\x02\x02\x02\x0b\r"), ["help"]);
    assert_eq!(lines(b"nonsense\x03help\r"), ["help"]);
    assert_eq!(lines("ää\x1b[D\x08ö\r".as_bytes()), ["öä"]);
}

#[test]
fn lines_come_back() {
    assert_eq!(lines(b"first\rsecond\r\x1b[A\x1b[A\r"), ["first", "second", "first"]);
    assert_eq!(lines(b"first\rsecond\r\x1b[A\x1b[A\x1b[B!\r"), ["first", "second", "second!"]);
    assert_eq!(lines(b"first\r\x1b[A\x1b[Bsecond\r"), ["first", "second"]);
    assert_eq!(lines(b"\x1b[A\x1b[Bx\r"), ["x"]);
    // One that is given twice, or is empty, is not remembered.
    assert_eq!(lines(b"a\rb\rb\r\r\x1b[A\x1b[A\r"), ["a", "b", "b", "", "a"]);
}

#[test]
fn many_lines_are_forgotten_from_the_first() {
    let mut editor = Editor::new(PROMPT);
    for number in 0..40 {
        type_in(&mut editor, std::format!("{number}\r").as_bytes());
    }
    let up = "\x1b[A".repeat(50);
    assert_eq!(type_in(&mut editor, std::format!("{up}\r").as_bytes()).0, ["24"]);
}

#[test]
fn a_line_that_is_too_long_can_be_told_from_one_that_is_not() {
    let long = "x".repeat(1000);
    assert_eq!(lines(std::format!("{long}\r").as_bytes()), ["x".repeat(LONGEST_LINE + 1)]);
}

#[test]
fn a_sequence_that_does_not_end_swallows_no_line() {
    for start in ["\x1b", "\x1b[", "\x1b[12;", "\x1b]0;title", "\x1bPdata", "\x1b_"] {
        let found = lines(std::format!("{start}\rhelp\r").as_bytes());
        assert_eq!(found.last().map(String::as_str), Some("help"), "{start:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_and_the_line_is_shown(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut editor = Editor::new(PROMPT);
        let (_, output) = type_in(&mut editor, &bytes);
        let (row, column) = shown(&output);
        let line = editor.line();
        prop_assert!(line.len() <= LONGEST_LINE + 1);
        let before = line[..editor.cursor].chars().count();
        let skipped = (before + 1).saturating_sub(VISIBLE);
        let visible: String = line.chars().skip(skipped).take(VISIBLE).collect();
        prop_assert_eq!(row, std::format!("{PROMPT}{visible}"));
        prop_assert_eq!(column, PROMPT.len() + before - skipped);
        type_in(&mut editor, b"\r");
        prop_assert_eq!(type_in(&mut editor, b"help\r").0, ["help"]);
    }

    #[test]
    fn keys_in_any_order_leave_line_and_screen_the_same(keys in proptest::collection::vec(0..14_usize, 0..300)) {
        const KEYS: [&str; 14] = [
            "a", "b c", "ü", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F", "\x08", "\x1b[3~", "\x17", "\r", "\x0c",
        ];
        let typed: String = keys.iter().map(|&key| KEYS[key]).collect();
        let mut editor = Editor::new(PROMPT);
        let (_, output) = type_in(&mut editor, typed.as_bytes());
        let before = editor.line()[..editor.cursor].chars().count();
        let skipped = (before + 1).saturating_sub(VISIBLE);
        let visible: String = editor.line().chars().skip(skipped).take(VISIBLE).collect();
        prop_assert_eq!(shown(&output), (std::format!("{PROMPT}{visible}"), PROMPT.len() + before - skipped));
    }
}
