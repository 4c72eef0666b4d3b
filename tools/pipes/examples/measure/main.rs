//! What pipes cost: how many instructions each operation takes, as callgrind counts them, beside those of `rtrb`.
//!
//! `cargo run --release -p flatmk-pipes --target host-tuple --example measure`. It takes some seconds, and Debian's package `valgrind`. An operation that takes
//! more than its target is an error, and so is a count that is not the one in the book's table.
#![expect(clippy::indexing_slicing, reason = "a program that is not as expected ends the measurement")]

mod work;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// An operation: its name, as in the table of the book; the program that uses it, and its function there; how many instructions it may take.
struct Operation(&'static str, &'static str, &'static str, Option<u64>);

const OPERATIONS: [Operation; 14] = [
    Operation("push", "items", "push", Some(18)),
    Operation("pop", "items", "pop", Some(15)),
    Operation("pop that looks at the producer's position", "refreshing", "pop", Some(25)),
    Operation("push, with waking", "waking", "waking_push", Some(24)),
    Operation("pop, with waking", "waking", "waking_pop", Some(21)),
    Operation("push a slice of 64", "slices", "push_slice", Some(130)),
    Operation("pop a slice of 64", "slices", "pop_slice", Some(142)),
    Operation("push a frame of 8 to 64 bytes, at most", "frames", "push_frame", Some(56)),
    Operation("pop such a frame, at most", "frames", "pop_frame", Some(67)),
    Operation("rtrb: push", "rtrb", "rtrb_push", None),
    Operation("rtrb: pop", "rtrb", "rtrb_pop", None),
    Operation("rtrb: push a slice of 64", "rtrb-slices", "rtrb_push_slice", None),
    Operation("rtrb: pop a slice of 64", "rtrb-slices", "rtrb_pop_slice", None),
    Operation("rtrb: pop that looks at the producer's position", "rtrb-refreshing", "rtrb_pop", None),
];

/// What the names of operations begin with that have a column of their own in the table.
const RTRB: &str = "rtrb: ";

/// The page with the table, and the table's head.
const PAGE: &str = "book/src/chapters/pipes.md";
const HEAD: &str = "| operation | here | `rtrb` |";

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
    println!("{:50} {:>12} {:>8}", "", "instructions", "at most");
    let mut errors = Vec::new();
    let mut counted = BTreeMap::new();
    for Operation(name, program, function, target) in &OPERATIONS {
        let sizes: &[usize] = if *program == "frames" { &FRAME_BYTES } else { &[0] };
        let counts = sizes.iter().map(|&bytes| instructions(program, function, bytes));
        // Rounded up: what is done once only is in there, too.
        let count = counts.max().unwrap_or(0).div_ceil(work::CALLS as u64);
        println!("{name:50} {count:12} {:>8}", target.map_or("-".to_owned(), |target| target.to_string()));
        if let Some(target) = target.filter(|&target| count > target) {
            errors.push(format!("{name} takes {count} instructions, and may take {target}"));
        }
        counted.insert((*name).to_owned(), count);
    }
    errors.extend(differences(&shown(), &counted));
    errors.iter().for_each(|error| eprintln!("error: {error}"));
    if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the book's table shows of each operation.
fn shown() -> BTreeMap<String, u64> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("cannot read {}: {error}", page.display()));
    let rows = text.lines().skip_while(|line| *line != HEAD).skip(2).map_while(|line| line.strip_prefix("| "));
    let mut shown = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for (prefix, cell) in ["", RTRB].into_iter().zip(cells.iter().skip(1)) {
            shown.extend(cell.parse().ok().map(|count| (format!("{prefix}{}", cells[0]), count)));
        }
    }
    shown
}

/// What the table shows otherwise than it was counted, a sentence each. The compiler is always the same one, and so are its instructions. But the C library copies
/// slices and frames, in a way that depends on the processor and on where the memory begins, so for them a tenth more or less is the same.
fn differences(shown: &BTreeMap<String, u64>, counted: &BTreeMap<String, u64>) -> Vec<String> {
    let mut names: Vec<&String> = shown.keys().chain(counted.keys()).collect();
    names.sort();
    names.dedup();
    let said = |count: Option<&u64>| count.map_or("nothing".to_owned(), u64::to_string);
    let agrees = |name: &String| match (shown.get(name), counted.get(name)) {
        (Some(&shown), Some(&counted)) if name.contains("slice") || name.contains("frame") => {
            shown.abs_diff(counted) <= counted / 10
        }
        (shown, counted) => shown == counted,
    };
    let differing = names.into_iter().filter(|&name| !agrees(name));
    let line = |name: &String| {
        format!("{PAGE} shows {} for `{name}`, and {} is counted", said(shown.get(name)), said(counted.get(name)))
    };
    differing.map(line).collect()
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
