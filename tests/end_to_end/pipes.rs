//! `./x pipes`: what it says is what it has measured; what is wrong is said before anybody waits; Ctrl-C ends it and its other process.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flatmk_tests::built;
use flatmk_tests::program::{Finished, Program};
use serde_json::Value;
use tempfile::TempDir;
use test_case::test_case;

/// Few rounds take some seconds, and more on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

fn flatmk(arguments: &[&str]) -> Finished {
    Program::new(built::host_program()).argument("pipes").arguments(arguments).run(LIMIT)
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn samples(value: &Value, pointer: &str) -> Vec<f64> {
    let samples = value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer}: {value}"));
    samples.iter().map(|sample| sample.as_f64().expect("a number")).collect()
}

fn median_of_three(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let [_, median, _] = samples[..] else { panic!("a sample a round: {samples:?}") };
    median
}

fn assert_near(one: f64, other: f64, what: &str) {
    assert!((one - other).abs() <= 1e-9 * one.abs().max(1.0), "{what}: {one} is not {other}");
}

#[test]
fn figures_follow_from_the_samples() {
    let folder = TempDir::new().expect("there is a folder for temporary files");
    let file = folder.path().join("rows.json");
    let run = flatmk(&["--rounds", "3", "--json", &file.display().to_string()]);
    run.assert_code(0);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}\n{run}"));
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json.pointer("/rounds"), Some(&3.into()));
    for limit in ["system_call", "switch", "copy_kib"] {
        assert!(number(&json, &format!("/limits_ns/{limit}")) > 0.0, "{limit}");
    }
    let rows = json.pointer("/rows").and_then(Value::as_array).expect("there are rows");
    let has_two_cores = json.pointer("/machine/second_core").is_some_and(Value::is_u64);
    // Four sizes, two ways each; batches beside single items; `rtrb` in two ways.
    assert_eq!(rows.len(), if has_two_cores { 22 } else { 11 });
    for row in rows {
        let id = row.pointer("/id").and_then(Value::as_str).expect("a name");
        let [ours, theirs] = ["/ours", "/theirs"].map(|who| samples(row, &format!("{who}/samples")));
        let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| theirs / ours).collect();
        assert_near(number(row, "/ratio/median"), median_of_three(ratios), id);
        assert!(number(row, "/ratio/first_quartile") <= number(row, "/ratio/median"), "{row}");
        assert!(number(row, "/ratio/median") <= number(row, "/ratio/third_quartile"), "{row}");
        for (who, samples) in [("/ours", ours), ("/theirs", theirs)] {
            assert!(samples.iter().all(|&sample| sample > 0.0), "{row}");
            let median = number(row, &format!("{who}/ns/median"));
            assert_near(median, median_of_three(samples), id);
            let parts = row.pointer(&format!("{who}/parts_ns")).and_then(Value::as_object).expect("there are parts");
            assert_near(parts.values().filter_map(Value::as_f64).sum(), median, id);
        }
        // An item through a Unix pipe takes a system call at each end, unless there are many at once.
        if row.pointer("/theirs/channel") == Some(&"Unix pipe".into())
            && row.pointer("/theirs/batch") == Some(&1.into())
        {
            assert!(number(row, "/theirs/system_calls") >= 2.0, "{row}");
            // Thousands of small ones go through a pipe in shared memory for each.
            let is_small = row.pointer("/item_bytes") == Some(&8.into());
            assert!(!is_small || number(row, "/ours/system_calls") < 0.1, "{row}");
        }
    }
    assert_is_picture(&folder.path().join("rows.svg"), if has_two_cores { 2 } else { 1 });
    run.assert_printed("items of 64 KiB, one by one");
    run.assert_printed("so it is limited by");
    run.assert_printed(&format!("written: {}", file.display()));
}

fn assert_is_picture(path: &Path, panels: usize) {
    let picture = fs::read_to_string(path).expect("the plot is beside the JSON");
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"), "{picture}");
    assert_eq!(picture.matches("bytes in an item").count(), panels, "a panel for each number of cores");
}

#[test]
fn with_one_core_the_rows_for_two_are_left_out() {
    let folder = TempDir::new().expect("there is a folder for temporary files");
    let [json, plot] = ["rows.json", "plot.svg"].map(|name| folder.path().join(name).display().to_string());
    let program = built::host_program().display().to_string();
    // The first that this program may use.
    let allowed = fs::read_to_string("/proc/self/status").expect("the kernel says which there are");
    let list = allowed.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a list of cores");
    let first: String = list.trim().chars().take_while(char::is_ascii_digit).collect();
    let run = Program::new("taskset")
        .arguments(["-c", &first, &program, "pipes", "--rounds", "1", "--json", &json, "--plot", &plot])
        .run(LIMIT);
    run.assert_code(0);
    run.assert_complained("there is one core only for this program: the rows for two are left out");
    assert!(!run.output().contains("each end on a core of its own"), "{run}");
    let json: Value = serde_json::from_str(&fs::read_to_string(json).expect("it is there")).expect("it is JSON");
    let rows = json.pointer("/rows").and_then(Value::as_array).expect("there are rows");
    assert!(rows.len() == 11 && rows.iter().all(|row| row.pointer("/cores") == Some(&1.into())), "{json}");
    assert_is_picture(Path::new(&plot), 1);
}

#[test_case(&["--json", "/nowhere/rows.json"], "cannot write /nowhere/rows.json: No such file"; "a folder that is not there")]
#[test_case(&["--json", "/tmp"], "cannot write /tmp: Is a directory"; "a folder")]
#[test_case(&["--plot", "/proc/plot.svg"], "cannot write /proc/plot.svg: "; "where nothing can be written")]
#[test_case(&["--json", "one", "--plot", "one"], "cannot both be"; "one file for both")]
#[test_case(&["--rounds", "0"], "0 is not in 1..=1000"; "no round")]
#[test_case(&["--rounds", "many"], "invalid value 'many'"; "no number")]
#[test_case(&["what"], "unexpected argument 'what'"; "an argument too many")]
fn what_is_wrong_is_said_at_once(arguments: &[&str], words: &str) {
    let start = Instant::now();
    flatmk(arguments).assert_one_sentence(words);
    assert!(start.elapsed() < Duration::from_secs(60), "it has measured first");
}

#[test]
fn nothing_is_written_before_there_are_results() {
    let folder = TempDir::new().expect("there is a folder for temporary files");
    let file = folder.path().join("rows.json");
    let mut child = start(&["--json", &file.display().to_string()]);
    let receiver = receiver_of(&mut child);
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.expect("there is such a command").success());
    ends(|| child.try_wait().expect("it is a child of this program").is_some(), "it");
    ends(|| !Path::new(&format!("/proc/{receiver}")).exists(), "its other process");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder is there").count(), 0, "something was left behind");
}

/// Whoever has started the tests in the background lets them, and all that they start, ignore Ctrl-C.
fn start(arguments: &[&str]) -> Child {
    let program = built::host_program();
    let mut command = Command::new("env");
    command.args(["--default-signal=INT".as_ref(), program.as_os_str(), "pipes".as_ref()]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

/// The process that it has started.
fn receiver_of(child: &mut Child) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let mut found = None;
    ends(
        || {
            assert!(child.try_wait().expect("it is a child of this program").is_none(), "it has ended by itself");
            let text = fs::read_to_string(&children).unwrap_or_default();
            found = text.split_whitespace().next().and_then(|id| id.parse().ok());
            found.is_some()
        },
        "the wait for its other process",
    );
    found.expect("there is one")
}

fn ends(mut is_over: impl FnMut() -> bool, what: &str) {
    let start = Instant::now();
    while !is_over() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}
