//! All checks of the project, for `flatmk test`: what is checked is the list in [`plan`], how, in the modules below.

mod count;
mod emulator;
mod step;

use std::path::Path;

use crate::machine::Emulator;
use crate::workspace::BARE_TARGET;
use crate::{CHAPTERS, LAST_CHAPTER, cache, listings, workspace};

pub use count::Count;
use step::Step;

/// Crates with tests that run on this machine.
const HOST_TESTS: [&str; 4] = ["flatmk-abi", "flatmk-counter", "flatmk-image", "flatmk-tools"];

/// The crate of the end-to-end tests, which boot machines themselves.
const END_TO_END: &str = "flatmk-tests";

/// The crate that compares the kernel's capabilities and queues with models of them.
const MODEL: &str = "flatmk-model";

/// Which checks to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Everything,
    /// Those of one chapter.
    Chapter(u8),
}

/// Runs the checks, shows how they go, and counts them.
pub fn run(scope: Scope) -> Count {
    let mut total = Count::default();
    let mut failures = Vec::new();
    let steps = plan(scope);
    let number = steps.len();
    for (index, step) in steps.into_iter().enumerate() {
        println!("==> [{}/{number}] {}", index + 1, step.title);
        let count = (step.run)();
        println!("    {} passed, {} failed", count.passed, count.failed);
        if count.failed > 0 {
            failures.push(format!("{}: {} failed", step.title, count.failed));
        }
        total = total + count;
    }
    for failure in failures {
        println!("FAILED {failure}");
    }
    total
}

fn plan(scope: Scope) -> Vec<Step> {
    match scope {
        Scope::Chapter(chapter) => {
            let mut steps = vec![format(), clippy_of_chapter(chapter)];
            steps.extend(emulator_tests_of(chapter));
            steps.push(demonstration(chapter));
            steps
        }
        Scope::Everything => {
            let mut steps = vec![format(), format_of_loader(), set_up()];
            steps.extend(CHAPTERS.map(clippy_of_chapter));
            steps.extend([clippy_of_programs(), clippy_of_host(), host_tests(), model(), planted_bugs()]);
            steps.extend(CHAPTERS.flat_map(emulator_tests_of));
            steps.extend([Emulator::Qemu, Emulator::Bochs].map(all_emulator_tests));
            steps.extend(CHAPTERS.map(demonstration));
            steps.extend([end_to_end(), book(), book_listings()]);
            steps
        }
    }
}

fn format() -> Step {
    Step::command("format", "cargo", &["fmt", "--all", "--check"])
}

fn format_of_loader() -> Step {
    Step::command("format of the loader", "cargo", &["fmt", "--manifest-path", "tools/loader/Cargo.toml", "--check"])
}

fn set_up() -> Step {
    Step::tests("the set-up script", "tools/setup/test.sh", &[])
}

fn clippy_of_chapter(chapter: u8) -> Step {
    let feature = format!("chapter{chapter}");
    let title = format!("lints of the kernel of chapter {chapter}");
    let kernel = ["clippy", "--quiet", "--package", "kernel", "--lib", "--bins", "--tests", "--target", BARE_TARGET];
    Step::command(title, "cargo", &[&kernel[..], &["--features", &feature, "--", "--deny", "warnings"]].concat())
}

fn clippy_of_programs() -> Step {
    let bare = ["clippy", "--quiet", "--workspace", "--target", BARE_TARGET, "--exclude", "kernel"];
    let host = [
        "--exclude",
        "flatmk-counter",
        "--exclude",
        "flatmk-tools",
        "--exclude",
        END_TO_END,
        "--exclude",
        MODEL,
        "--",
        "--deny",
        "warnings",
    ];
    Step::command("lints of the user programs", "cargo", &[&bare[..], &host].concat())
}

fn clippy_of_host() -> Step {
    let mut arguments = vec!["clippy", "--quiet", "--all-targets", "--target", "host-tuple"];
    arguments.extend(HOST_TESTS.iter().chain([&END_TO_END, &MODEL]).flat_map(|package| ["--package", package]));
    arguments.extend(["--", "--deny", "warnings"]);
    Step::command("lints of the host programs", "cargo", &arguments)
}

fn host_tests() -> Step {
    let mut arguments = vec!["test", "--no-fail-fast", "--target", "host-tuple"];
    arguments.extend(HOST_TESTS.iter().flat_map(|package| ["--package", package]));
    Step::tests("tests on this machine", "cargo", &arguments)
}

fn model() -> Step {
    let arguments = ["test", "--target", "host-tuple", "--package", MODEL];
    Step::tests("the kernel's capabilities and queues against their models", "cargo", &arguments)
}

/// The same tests must fail for a kernel with a bug.
fn planted_bugs() -> Step {
    let arguments =
        ["test", "--target", "host-tuple", "--package", MODEL, "--features", "planted-bugs", "--test", "planted"];
    Step::tests("planted bugs are found", "cargo", &arguments)
}

fn end_to_end() -> Step {
    let arguments = ["test", "--no-fail-fast", "--target", "host-tuple", "--package", END_TO_END];
    Step::tests("end-to-end tests", "cargo", &arguments)
}

/// The tests of a chapter with exactly its own feature. Chapters without tests have no such step.
fn emulator_tests_of(chapter: u8) -> Option<Step> {
    let tests = emulator::tests_of(Some(chapter));
    let title = format!("tests of chapter {chapter} in QEMU, with its own feature");
    (!tests.is_empty()).then(|| Step::new(title, move || emulator::run(&tests, chapter, Emulator::Qemu)))
}

fn all_emulator_tests(emulator: Emulator) -> Step {
    let title = format!("all chapters' tests in {emulator:?}, with the features of chapter {LAST_CHAPTER}");
    Step::new(title, move || emulator::run(&emulator::tests_of(None), LAST_CHAPTER, emulator))
}

fn demonstration(chapter: u8) -> Step {
    Step::new(format!("demonstration of chapter {chapter}"), move || emulator::demonstrate(chapter))
}

fn book() -> Step {
    Step::command("the book", &cache::mdbook().to_string_lossy(), &["build", "book"])
}

fn book_listings() -> Step {
    Step::new("the listings and links of the book", || check_listings(workspace::root()))
}

fn check_listings(repository: &Path) -> Count {
    match listings::check(repository) {
        Ok(findings) if findings.is_empty() => Count::PASSED,
        Ok(findings) => {
            findings.iter().for_each(|finding| println!("    {finding}"));
            Count::failed(findings.len())
        }
        Err(error) => {
            println!("    {error}");
            Count::failed(1)
        }
    }
}
