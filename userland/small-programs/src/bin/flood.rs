//! Writes many lines, in all colours, and says how many characters a second that were.
#![no_std]
#![no_main]

use flatmk_abi::Words;
use flatmk_runtime::object::OWN_TASK;
use flatmk_runtime::supervisor::{self, ARGUMENT_BYTES};
use flatmk_runtime::{print, println};

flatmk_runtime::entry!(main);

/// How many lines without an argument.
const USUAL_LINES: u64 = 1000;

/// A line, without the escape sequence and the number in front. With the number, a space and the line feed it has 73 characters.
const TEXT: &str = "The quick brown fox jumps over the lazy dog. 0123456789 {}[]() <=>";
const LINE_CHARACTERS: u64 = 5 + 1 + TEXT.len() as u64 + 1;

fn main(_argument: u64, _words: Words) {
    let mut buffer = [0; ARGUMENT_BYTES];
    let lines = supervisor::arguments(&mut buffer).parse().unwrap_or(USUAL_LINES);
    let start_ns = now_ns();
    for line in 0..lines {
        print!("\x1b[{}m{line:>5} {TEXT}\n", 31 + line % 7);
    }
    let time_ns = (now_ns() - start_ns).max(1);
    let characters = lines * LINE_CHARACTERS;
    let a_second = u128::from(characters) * 1_000_000_000 / u128::from(time_ns);
    println!("\x1b[0mflood: {characters} characters in {} ms, {a_second} a second", time_ns / 1_000_000);
    supervisor::end(0);
}

fn now_ns() -> u64 {
    OWN_TASK.read_clock().map_or(0, |(now_ns, ..)| now_ns)
}
