//! What pipes cost: how many instructions each operation takes, as callgrind counts them, beside those of `rtrb`.
//!
//! `cargo run --release -p flatmk-pipes --target host-tuple --example measure`. It takes some seconds, and Debian's package `valgrind`. An operation that takes
//! more than its target is an error.
#![expect(clippy::indexing_slicing, reason = "a program that is not as expected ends the measurement")]

mod work;

use std::process::{Command, ExitCode};

/// An operation: its name; the program that uses it, and its function there; how many instructions it may take.
struct Operation(&'static str, &'static str, &'static str, Option<u64>);

const OPERATIONS: [Operation; 14] = [
    Operation("push", "items", "push", Some(18)),
    Operation("pop", "items", "pop", Some(15)),
    Operation("pop that looks for more", "refreshing", "pop", Some(25)),
    Operation("push with waking", "waking", "waking_push", Some(24)),
    Operation("pop with waking", "waking", "waking_pop", Some(21)),
    Operation("push a slice of 64", "slices", "push_slice", Some(130)),
    Operation("pop a slice of 64", "slices", "pop_slice", Some(142)),
    Operation("push a frame", "frames", "push_frame", Some(56)),
    Operation("pop a frame", "frames", "pop_frame", Some(67)),
    Operation("rtrb: push", "rtrb", "rtrb_push", None),
    Operation("rtrb: pop", "rtrb", "rtrb_pop", None),
    Operation("rtrb: push a slice of 64", "rtrb-slices", "rtrb_push_slice", None),
    Operation("rtrb: pop a slice of 64", "rtrb-slices", "rtrb_pop_slice", None),
    Operation("rtrb: pop that looks for more", "rtrb-refreshing", "rtrb_pop", None),
];

/// The sizes of frames: of each operation with them, the most expensive counts.
const FRAME_BYTES: [usize; 8] = [8, 9, 15, 24, 33, 40, 63, 64];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => measure(),
        ["run", program, frame_bytes] => {
            work::run(program, frame_bytes.parse().expect("a number of bytes"));
            ExitCode::SUCCESS
        }
        _ => panic!("usage: measure [run PROGRAM FRAME_BYTES]"),
    }
}

fn measure() -> ExitCode {
    println!("{:30} {:>12} {:>8}", "", "instructions", "at most");
    let mut missed = Vec::new();
    for Operation(name, program, function, target) in &OPERATIONS {
        let sizes: &[usize] = if *program == "frames" { &FRAME_BYTES } else { &[0] };
        let counts = sizes.iter().map(|&bytes| instructions(program, function, bytes));
        // Rounded up: what is done once only is in there, too.
        let count = counts.max().unwrap_or(0).div_ceil(work::CALLS as u64);
        println!("{name:30} {count:12} {:>8}", target.map_or("-".to_owned(), |target| target.to_string()));
        if target.is_some_and(|target| count > target) {
            missed.push(*name);
        }
    }
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: more instructions than there may be: {}", missed.join(", "));
    ExitCode::FAILURE
}

/// How many instructions the function takes, with all that it calls, in all calls.
fn instructions(program: &str, function: &str, frame_bytes: usize) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(format!("--toggle-collect=measure::work::{function}"));
    command.arg(std::env::current_exe().expect("this program is there"));
    let output = command.args(["run", program, &frame_bytes.to_string()]).output();
    let output = output.unwrap_or_else(|error| panic!("Debian's package valgrind is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    let counted = said.split_once("Collected : ").expect("what callgrind has counted").1;
    counted.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
