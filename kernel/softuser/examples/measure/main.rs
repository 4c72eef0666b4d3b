//! What the engine costs: host instructions per guest instruction, as callgrind counts them, and how fast it is beside `qemu-riscv32` in the same run.
//!
//! `cargo run --release -p flatmk-softuser --target host-tuple --example measure`. It takes about two minutes, the Rust compiler for RISC-V that
//! the tool chain has, and Debian's packages `valgrind` and `qemu-user`.
#![expect(clippy::indexing_slicing, reason = "a program that is not as expected ends the measurement")]

mod guest;
#[path = "../../tests/engine/reference.rs"]
mod reference;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// A way to keep a processor busy: its name; how often it is repeated to be counted, less and more; and to be timed.
struct Workload(&'static str, [u32; 2], u32);

const WORKLOADS: [Workload; 6] = [
    Workload("sieve", [1, 4], 300),
    Workload("matrices", [1, 3], 300),
    Workload("checksum", [1, 6], 500),
    Workload("fibonacci", [2, 20], 1500),
    Workload("sort", [1, 3], 150),
    Workload("machine", [10, 60], 6000),
];

const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => measure(&build()),
        ["engine", program, ref arguments @ ..] => guest::run_by_engine(Path::new(program), arguments),
        ["count", program, ref arguments @ ..] => println!("{}", guest::count(Path::new(program), arguments)),
        _ => panic!("usage: measure [engine|count PROGRAM ARGUMENT...]"),
    }
}

fn build() -> PathBuf {
    let program = std::env::temp_dir().join(format!("flatmk-workloads-{}", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/measure/workloads.rs");
    let options = ["-Copt-level=2", "-Cpanic=abort", "-Crelocation-model=static", "-Clink-arg=--image-base=0x10000000"];
    let mut compiler = Command::new("rustc");
    compiler.args(["--edition", "2024", "--target", "riscv32imc-unknown-none-elf"]).args(options);
    run(compiler.arg("-o").arg(&program).arg(source), "the Rust compiler with its target riscv32imc-unknown-none-elf");
    program
}

fn measure(program: &Path) {
    let mut products = [1.0; 4];
    println!("{:10} {:>11} {:>8} {:>8} {:>7}", "", "host/guest", "MIPS", "of QEMU", "ratio");
    for Workload(name, counts, many) in &WORKLOADS {
        let (guest, host) = (
            counts.map(|count| instructions(program, name, count)),
            counts.map(|count| host_instructions(program, name, count)),
        );
        let instructions = |values: [u64; 2]| (values[1] - values[0]) as f64;
        let cost = instructions(host) / instructions(guest);
        let million = instructions(guest) / f64::from(counts[1] - counts[0]) * f64::from(*many) / 1e6;
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
            .map(|_| (time(&mut engine(program, name, *many)), time(&mut qemu(program, name, *many))))
            .collect();
        rounds.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
        let (ours, theirs) = rounds[ROUNDS / 2];
        let figures = [cost, million / ours, million / theirs, theirs / ours];
        println!("{name:10} {:11.2} {:8.0} {:8.0} {:7.2}", figures[0], figures[1], figures[2], figures[3]);
        products.iter_mut().zip(figures).for_each(|(product, figure)| *product *= figure);
    }
    let [cost, ours, theirs, ratio] = products.map(|product: f64| product.powf(1.0 / WORKLOADS.len() as f64));
    println!("{:10} {cost:11.2} {ours:8.0} {theirs:8.0} {ratio:7.2}", "mean");
    std::fs::remove_file(program).expect("the program is there");
}

fn engine(program: &Path, name: &str, count: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program is there"));
    command.arg("engine").arg(program).args([name, &count.to_string()]);
    command
}

fn qemu(program: &Path, name: &str, count: u32) -> Command {
    let mut command = Command::new("qemu-riscv32");
    command.arg(program).args([name, &count.to_string()]);
    command
}

/// How many instructions the guest executes, by the plain reference. The results are the same as those of the others.
fn instructions(program: &Path, name: &str, count: u32) -> u64 {
    let mut counting = Command::new(std::env::current_exe().expect("this program is there"));
    counting.arg("count").arg(program).args([name, &count.to_string()]);
    let counted = run(&mut counting, "this program").stdout;
    let results = [engine(program, name, count), qemu(program, name, count)]
        .map(|mut command| run(&mut command, "Debian's package qemu-user").stdout);
    assert_eq!(results[0], results[1], "the result of {name}");
    String::from_utf8_lossy(&counted).trim().parse().expect("a number")
}

/// How many the host executes, with its own beginning and end.
fn host_instructions(program: &Path, name: &str, count: u32) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let engine = engine(program, name, count);
    let output = run(command.arg(engine.get_program()).args(engine.get_args()), "Debian's package valgrind");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let counted = text.split_once("Collected : ").expect("what callgrind has counted").1;
    counted.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

fn run(command: &mut Command, what: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{what} is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {:?} {said}", output.status.signal());
    output
}

/// The seconds of the processor that it takes.
fn time(command: &mut Command) -> f64 {
    let children = || {
        // SAFETY: it only writes there.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage), 0);
            usage
        };
        let seconds = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000).as_secs_f64();
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    };
    let before = children();
    run(command, "Debian's package qemu-user");
    children() - before
}
