//! The kernel at a chapter, and what a chapter adds. That each compiles is checked elsewhere.

use std::fs;
use std::path::Path;
use std::time::Duration;

use flatmk_tests::built;
use flatmk_tests::program::{Finished, Program};
use test_case::test_case;

const LIMIT: Duration = Duration::from_secs(120);

fn flatmk(arguments: &[&str]) -> Finished {
    Program::new(built::host_program()).arguments(arguments).run(LIMIT)
}

#[test]
fn a_kernel_is_printed_file_by_file() {
    let run = flatmk(&["show", "2"]);
    run.assert_code(0);
    run.assert_printed("==> kernel/Cargo.toml <==\n[package]\nname = \"kernel\"\n");
    run.assert_printed("\n==> kernel/src/lib.rs <==\n//! FlatMk is a small capability microkernel");
    run.assert_printed("\n// Chapter 2: interrupts.\n#[expect(unsafe_code, ");
    for later in ["feature = ", "ANCHOR", "\n// Chapter 3: paging.", "==> kernel/src/memory"] {
        assert!(!run.output().contains(later), "{later}: {run}");
    }
}

#[test]
fn a_kernel_is_written_as_a_crate() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let output = folder.path().join("new").join("kernel");
    let run = flatmk(&["show", "5", "--output", &output.display().to_string()]);
    run.assert_code(0);
    run.assert_printed("written: ");
    let read = |path: &str| fs::read_to_string(output.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(read("Cargo.toml").contains("members = [\"kernel\", \"kernel/abi\", \"kernel/image\"]"));
    assert!(read("kernel/src/task/mod.rs").starts_with("//! ") && !output.join("kernel/src/ipc").exists());
}

#[test]
fn what_a_chapter_adds_is_shown_module_by_module() {
    let run = flatmk(&["diff", "9"]);
    run.assert_code(0);
    run.assert_printed("==> pcid (5 added; lines +");
    run.assert_printed("--- /dev/null\n+++ b/kernel/src/pcid/mod.rs\n@@ -0,0 +1,");
    run.assert_printed("\n==> chapter 9 <==\nthe crate     1 changed; lines +5 -0\n");
}

#[test]
fn a_summary_is_the_end_of_the_difference() {
    let [all, summary] = [flatmk(&["diff", "6"]), flatmk(&["diff", "6", "--summary"])];
    summary.assert_code(0);
    summary.assert_printed("ipc           ");
    assert!(all.output().ends_with(&format!("==> chapter 6 <==\n{}", summary.output())), "{summary}");
}

#[test_case("show", "0"; "show 0")]
#[test_case("show", "13"; "show 13")]
#[test_case("show", "x"; "show x")]
#[test_case("diff", "0"; "diff 0")]
#[test_case("diff", "13"; "diff 13")]
#[test_case("diff", "x"; "diff x")]
fn a_chapter_that_there_is_not_is_named(command: &str, chapter: &str) {
    flatmk(&[command, chapter])
        .assert_one_sentence(&format!("invalid value '{chapter}' for '<N>': there are chapters 1 to 12"));
}

#[test_case("show")]
#[test_case("diff")]
fn a_chapter_must_be_named(command: &str) {
    flatmk(&[command]).assert_one_sentence("the following required arguments were not provided: <N>");
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    fs::write(folder.path().join("mine"), "").expect("temporary files can be written");
    let show = |folder: &Path| flatmk(&["show", "1", "--output", &folder.display().to_string()]);
    show(folder.path()).assert_one_sentence("is not empty: name one that is, or that is not there yet");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder is there").count(), 1);
    show(&folder.path().join("mine")).assert_one_sentence("mine: Not a directory");
    show(Path::new("/proc/flatmk")).assert_one_sentence("cannot write /proc/flatmk");
}
