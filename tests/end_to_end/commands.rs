//! The commands that boot a kernel do it in either emulator.

use std::fs;
use std::path::Path;
use std::time::Duration;

use flatmk_tests::machines::{Seat, assert_says, assert_status, boot, boot_for};
use flatmk_tests::program::{Finished, Program};
use flatmk_tests::{built, figures, shown};
use flatmk_tools::machine::{Clock, Machine};
use flatmk_tools::workspace;
use serde_json::Value;
use test_case::test_case;

/// A kernel may have to be built, and others build at the same time.
const LIMIT: Duration = Duration::from_secs(600);

fn flatmk(arguments: &[&str]) -> Finished {
    let program = Program::new(built::host_program()).arguments(arguments);
    let _seat = Seat::take();
    program.run(LIMIT)
}

#[test]
fn run_boots_the_machine_that_was_described_in_bochs() {
    let machine = ["--emulator", "bochs", "--cpu", "athlon64_clawhammer", "--memory", "64", "--pcid", "off"];
    let run = flatmk(&[&["run", "--chapter", "3"], &machine[..]].concat());
    run.assert_code(0);
    run.assert_printed("FlatMk 0.1.0, chapter 3\n");
    run.assert_printed("processor: AMD Athlon(tm) 64 Processor");
    run.assert_printed("memory: 63 MiB usable");
}

#[test]
fn the_tests_of_a_chapter_and_its_demonstration_run_in_bochs_alone() {
    let run = flatmk(&["test", "--chapter", "1", "--emulator", "bochs"]);
    run.assert_code(0);
    run.assert_printed("==> [1/2] tests of chapter 1, with its own feature, in Bochs\n");
    run.assert_printed("test chapter01_boot::a_serial_port_is_found ... ok");
    run.assert_printed("==> [2/2] demonstration of chapter 1 in Bochs\n");
    let verdict = run.output().lines().last().unwrap_or_default();
    assert!(verdict.ends_with(" passed, 0 failed") && !verdict.starts_with("0 "), "{run}");
    assert!(!run.output().contains("processor: QEMU"), "{run}");
}

/// No command of the host writes such a line.
#[test]
fn an_unknown_boot_option_is_named_and_changes_nothing() {
    let outcome = boot(&Machine::new(built::chapter(1)).boot_option("colour", "red"));
    assert_status(&outcome, 0);
    let serial = outcome.serial();
    let warning: String = serial.lines().filter(|line| line.starts_with("warning: ")).collect();
    shown::assert_agrees(&shown::text("reference/boot-options.md", "unknown boot option"), &warning);
}

/// The names of rows and kinds are those that other kernels' results are compared by. By `--check` no row may cost anything but what is
/// committed in `tools/benchmarks`.
#[test_case("qemu", "max")]
#[test_case("bochs", "corei7_skylake_x")]
fn bench_measures_every_row_and_each_is_as_committed(emulator: &str, cpu: &str) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let file = folder.path().join("rows.json");
    let run = flatmk(&["bench", "--check", "--emulator", emulator, "--json", &file.display().to_string()]);
    run.assert_code(0);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}\n{run}"));
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    let machine = |key: &str| json.pointer(&format!("/machine/{key}"));
    assert_eq!((machine("emulator"), machine("cpu")), (Some(&emulator.into()), Some(&cpu.into())));
    let rows = json.pointer("/rows").and_then(Value::as_array).expect("there are rows");
    let workloads = figures::WORKLOADS.iter().map(|name| (name, "instructions per 100 guest instructions"));
    let comparisons = figures::COMPARISONS.iter().map(|(name, unit)| (name, unit.name()));
    let counted = figures::ROWS.iter().chain(figures::OPERATIONS).map(|name| (name, "instructions"));
    for (&name, unit) in counted.chain(workloads).chain(comparisons) {
        let found: Vec<&Value> = rows.iter().filter(|row| row.get("id").is_some_and(|id| id == name)).collect();
        assert_settings(name, emulator, &found);
        for row in found {
            assert_eq!(row.get("unit"), Some(&unit.into()), "{name}");
            assert_row(row, emulator == "qemu" && unit == "instructions");
        }
        // A line a row, for the reader.
        run.assert_printed(&format!("\n{name:<24} "));
    }
    if emulator == "bochs" {
        run.assert_printed("  not counted\n");
    }
}

/// As on a real machine, where nobody says that a tick is an instruction. What it prints can be read back.
#[test]
fn where_time_is_the_hosts_the_unit_is_cycles() {
    let outcome = boot_for(&Machine::new(built::chapter(12)).clock(Clock::Host), LIMIT);
    assert_status(&outcome, 0);
    assert_says(&outcome, "\ncycles of the time stamp counter of QEMU TCG CPU");
    assert_says(&outcome, " batches were measured anew, as the timer ticked in them\n");
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let [serial, json] = ["serial", "json"].map(|name| folder.path().join(name).display().to_string());
    fs::write(&serial, outcome.serial()).expect("temporary files can be written");
    let report = folder.path().join("report");
    let run = flatmk(&["bench", "--from", &serial, "--json", &json, "--report", &report.display().to_string()]);
    run.assert_code(0);
    run.assert_printed("cycles, of 200 samples\n");
    run.assert_printed("1116/1112");
    let text = fs::read_to_string(json).expect("the file was written");
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    let rows = json.pointer("/rows").and_then(Value::as_array).expect("there are rows");
    let call =
        rows.iter().find(|row| row.get("id").is_some_and(|id| id == "call_same_space")).expect("calls are measured");
    assert_eq!((call.get("unit"), call.get("samples")), (Some(&"cycles".into()), Some(&200.into())));
    let page = fs::read_to_string(report.join("index.html")).expect("the report was written");
    assert!(page.contains("<svg ") && page.contains("call_same_space"), "{page}");
}

/// Without identifiers first. With them only where there are any.
fn assert_settings(name: &str, emulator: &str, rows: &[&Value]) {
    let settings: Vec<Option<bool>> = rows.iter().map(|row| row.get("pcid").and_then(Value::as_bool)).collect();
    let expected: &[Option<bool>] = if emulator == "qemu" { &[Some(false)] } else { &[Some(false), Some(true)] };
    assert_eq!(settings, expected, "{name}");
}

fn assert_row(row: &Value, counted: bool) {
    let number = |key: &str| row.get(key).and_then(Value::as_u64).unwrap_or_else(|| panic!("{key}: {row}"));
    assert!(number("value") == number("min") && number("min") > 0, "{row}");
    assert!(number("min") <= number("median") && number("median") <= number("p99"), "{row}");
    assert_eq!(number("samples"), 21, "{row}");
    for kind in ["cr_accesses", "msr_accesses", "segment_base_writes", "locked", "iretq", "tlb_flushes"] {
        let count = row.pointer(&format!("/expensive/{kind}"));
        assert_eq!(count.is_some_and(Value::is_number), counted, "{kind}: {row}");
    }
    if !counted {
        assert_eq!(row.get("expensive"), Some(&Value::Null), "{row}");
    }
}

/// Its picture is in the book. Ticks depend on where the timer's come.
#[test_case("qemu")]
#[test_case("bochs")]
fn a_trace_becomes_a_file_and_the_books_picture(emulator: &str) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let output = folder.path().join("new").join("folder");
    let run = flatmk(&["trace", "--emulator", emulator, "--output", &output.display().to_string()]);
    run.assert_code(0);
    for part in PARTS {
        assert!(run.output().lines().any(|line| line.starts_with(part) && line.ends_with(" events")), "{run}");
    }
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}\n{run}"));
    let json: Value = serde_json::from_str(&read(&output.join("trace.json"))).expect("it is JSON");
    let events = json.pointer("/traceEvents").and_then(Value::as_array).expect("there are events");
    let said = |event: &Value, pointer: &str, text: &str| event.pointer(pointer).is_some_and(|value| value == text);
    for name in ["root task", "echo", "sharing", "subject", "handler", "waiter", "softuser-echo"] {
        assert!(events.iter().any(|event| said(event, "/args/name", name)), "{name} is missing: {json:#}");
    }
    // Durations, as Chrome has them: each that begins ends.
    let count = |phase: &str| events.iter().filter(|event| said(event, "/ph", phase)).count();
    assert!(count("B") + count("X") > 10 && count("B") == count("E"), "{json:#}");
    let picture = read(&output.join("sequence.svg"));
    let committed = read(&workspace::root().join("book/src/pictures/trace.svg"));
    assert_eq!(texts(&picture), texts(&committed), "{picture}");
}

/// The parts of the trace.
const PARTS: [&str; 6] = ["call", "transfer", "fault", "notification", "interrupt", "softuser"];

/// The sentences and labels in a picture, without numbers, and without the timer's interrupts: where these come is not always the same.
fn texts(picture: &str) -> Vec<String> {
    let text = |part: &str| part.split_once('<').map(|(text, _)| text.to_owned());
    let without_numbers = |text: String| text.replace(|character: char| character.is_ascii_digit(), "");
    let parts = picture.split('>').filter_map(text).map(without_numbers);
    let mut texts: Vec<_> =
        parts.flat_map(|text| text.split([';', '.']).flat_map(sentence).collect::<Vec<_>>()).collect();
    texts.retain(|text| !text.is_empty() && !text.contains("interrupt"));
    texts
}

/// A sentence, and before it the name of the part that it begins, which stays if an interrupt is all that the sentence tells.
fn sentence(text: &str) -> Vec<String> {
    let text = text.trim();
    let begins = |part: &&str| text.strip_prefix(*part).is_some_and(|rest| rest.starts_with(": "));
    let Some(part) = PARTS.into_iter().find(begins) else { return vec![text.to_owned()] };
    vec![part.to_owned(), text[part.len() + 2..].to_owned()]
}

#[test]
fn pictures_are_the_same_wherever_the_timer_has_interrupted() {
    let [first, later] = [
        "call: a: interrupt 0; a to b: call, 7 in the kernel. ",
        "call: a to b: call, 9 in the kernel; b: interrupt 0. ",
    ]
    .map(|description| texts(&format!("<desc>{description}</desc>")));
    assert_eq!(first, later);
    assert_eq!(first, ["call", "a to b: call,  in the kernel"]);
}

#[test]
fn a_trace_that_cannot_be_written_is_not_begun() {
    let file = tempfile::NamedTempFile::new().expect("there is a folder for temporary files");
    let run = flatmk(&["trace", "--output", &file.path().join("folder").display().to_string()]);
    run.assert_code(1);
    assert!(run.to_string().contains("cannot make the folder") && !run.to_string().contains("booting"), "{run}");
}
