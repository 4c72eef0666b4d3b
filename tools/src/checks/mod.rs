//! All checks of the project, for `flatmk test`: what is checked is the list in [`plan`], how, in the modules below.

mod count;
mod emulator;
mod growth;
mod shown;
mod side_by_side;
mod step;
mod weight;

use std::fmt::Display;
use std::thread;
use std::time::Instant;

use crate::machine::{Emulator, Machine};
use crate::workspace::{BARE_TARGET, BROWSER_TARGET, Executable, RISCV_TARGET};
use crate::{CHAPTERS, LAST_CHAPTER, cache, listings, spelling, workspace};

pub use count::Count;
use step::{Step, When};

/// Crates with tests that run on this machine.
const HOST_TESTS: [&str; 7] =
    [FIGURES, "flatmk-abi", "flatmk-console", "flatmk-counter", "flatmk-image", HOST_PIPES, "flatmk-softuser"];

/// The crate of the book's interactive figures, whose tests run here and which else runs in a browser.
const FIGURES: &str = "book-figures";

/// The crate of pipes on this machine.
const HOST_PIPES: &str = "flatmk-pipes";

/// User programs whose decisions are made in libraries, with tests that run on this machine. The programs themselves do not.
const LIBRARIES: [&str; 12] = [
    "clock",
    "flatmk-supervisor",
    "flatmk-system",
    "forth",
    "key-decoder",
    "keyboard",
    "packet-filter",
    "power",
    "screen",
    "serial",
    "shell",
    "small-programs",
];

/// The crate of this program.
const HOST_PROGRAM: &str = "flatmk-tools";

/// The crate of the end-to-end tests, which boot machines themselves.
const END_TO_END: &str = "flatmk-tests";

/// What their step is called.
/// The crate that compares the kernel's capabilities and queues with models of them.
const MODEL: &str = "flatmk-model";

/// The crate that runs the protocol of pipes in all orders, and compares pipes with queues.
const PIPE_MODEL: &str = "flatmk-pipe-model";

/// The chapter of which much is checked on this machine.
const PIPES: u8 = 8;

/// What the names of its features begin with that plant a mistake in the protocol, one each.
const PLANTED: &str = "bug-";

/// Which checks to run: all, without a choice.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Only those of this chapter.
    pub chapter: Option<u8>,
    /// Only those that boot the chapters' tests and demonstrations in this emulator.
    pub emulator: Option<Emulator>,
}

/// Tests that take minutes. Among all checks they run with the features of the last chapter only.
const LONG: [&str; 2] = ["chapter05_random", "chapter07_stress"];

/// Tests of what later chapters exchange below them: interrupts, the timer, the ways into the kernel and between tasks. QEMU boots them with the features of the last
/// chapter, too. Bochs boots all tests so, and each boots in QEMU with the features of its own.
const EXCHANGED: [&str; 5] =
    ["chapter02_interrupts", "chapter05_user_mode", "chapter06_calls", "chapter07_scheduling", "chapter11_trace"];

/// Tests that begin before the others, as they take longest: what ends last ends alone.
const FIRST: [&str; 4] = ["chapter05_random", "chapter07_stress", "chapter07_scheduling", "chapter12_pit"];

/// Tests that look thousands of times at every page of the machine, whether or not it was ever used.
const LOOKING_AT_ALL_MEMORY: [&str; 2] = ["chapter04_capabilities", "chapter05_random"];

/// The memory of the machine for them.
const LITTLE_MEMORY_MIB: u32 = 64;

const EMULATORS: [Emulator; 2] = [Emulator::Qemu, Emulator::Bochs];

/// Runs the checks, shows how they go, and counts them.
pub fn run(scope: Scope) -> Count {
    // Without it there would be no tests to plan, and nobody would miss them.
    if let Err(error) = workspace::metadata() {
        println!("{error}");
        return Count::failed(1);
    }
    let steps = plan(scope);
    let number = steps.len();
    let (beside, others): (Vec<_>, Vec<_>) = (1..)
        .map(|index: usize| format!("[{index}/{number}] "))
        .zip(steps)
        .partition(|(_, step)| step.when == When::Beside);
    let mut ended = Vec::new();
    thread::scope(|scope| {
        let work = scope.spawn(move || {
            let run = |(number, step): (String, Step)| {
                let mut said = String::new();
                let ended = Ended::of(&number, step, &mut |line| said.extend([line, "\n"]));
                (said, ended)
            };
            beside.into_iter().map(run).collect::<Vec<_>>()
        });
        let mut work = Some(work);
        for (number, step) in others {
            if step.when == When::Alone {
                ended.extend(work.take().map(hear).unwrap_or_default());
            }
            println!("==> {number}{}", step.title);
            let step = Ended::of(&number, step, &mut |line| println!("{line}"));
            println!("{}", step.summary);
            ended.push(step);
        }
        ended.extend(work.take().map(hear).unwrap_or_default());
    });
    for failure in ended.iter().flat_map(|step| &step.failures) {
        println!("{failure}");
    }
    ended.into_iter().fold(Count::default(), |sum, step| sum + step.count)
}

/// A step that has been run.
struct Ended {
    title: String,
    count: Count,
    summary: String,
    failures: Vec<String>,
}

impl Ended {
    fn of(number: &str, step: Step, show: &mut dyn FnMut(&str)) -> Self {
        let start = Instant::now();
        let count = (step.run)(show);
        let summary = format!("    {} passed, {} failed, {} s", count.passed, count.failed, start.elapsed().as_secs());
        let mut failures = Vec::new();
        if count.failed > 0 {
            failures.push(format!("FAILED {}: {} failed", step.title, count.failed));
            failures.extend(count.said.iter().map(|line| format!("    {line}")));
        }
        Self { title: format!("==> {number}{} (beside others)", step.title), count, summary, failures }
    }
}

/// Waits for the steps beside the others, and shows what they had to show.
fn hear(work: thread::ScopedJoinHandle<'_, Vec<(String, Ended)>>) -> Vec<Ended> {
    let heard = work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let show = |(said, step): (String, Ended)| {
        println!("{}\n{said}{}", step.title, step.summary);
        step
    };
    heard.into_iter().map(show).collect()
}

fn plan(scope: Scope) -> Vec<Step> {
    let mut steps = match scope.chapter {
        Some(chapter) => {
            let mut steps = vec![format(), clippy_of_chapter(chapter)];
            if chapter == PIPES {
                steps.extend([pipe_tests(), instructions_of_pipes(), pipe_model()]);
                steps.extend(mistakes_in_pipes().into_iter().map(pipe_model_with));
            }
            let tests = |emulator| emulator_tests_of(chapter, emulator);
            steps.extend(EMULATORS.into_iter().filter_map(tests));
            steps.extend(EMULATORS.map(|emulator| demonstration(chapter, emulator)));
            steps
        }
        None => {
            let mut steps = vec![format(), format_of_loader()];
            steps.extend(CHAPTERS.map(clippy_of_chapter));
            steps.push(kernels_that_are_shown());
            steps.extend([clippy_of_programs(), clippy_of_riscv(), clippy_of_figures(), clippy_of_libraries()]);
            steps.push(clippy_of_host());
            steps.extend([host_program_tests(), host_tests(), instructions_of_pipes()]);
            // What takes one processor, and not two.
            steps.extend([set_up(), model(), pipe_model()].map(Step::beside));
            steps.extend(mistakes_in_pipes().into_iter().map(pipe_model_with).map(Step::beside));
            steps.push(exercises().beside());
            // The slower emulator boots each test once only, below.
            steps.push(tests_by_chapter(Emulator::Qemu));
            steps.extend(EMULATORS.map(tests_with_all_features));
            steps.extend(EMULATORS.map(isolated_tests));
            steps.extend(EMULATORS.map(demonstrations));
            steps.push(commands_shown(&steps));
            steps.extend([end_to_end(), book(), book_listings(), book_spelling(), book_weight()]);
            steps
        }
    };
    steps.retain(|step| scope.emulator.is_none() || step.emulator == scope.emulator);
    steps
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

fn kernels_that_are_shown() -> Step {
    Step::new("the kernel of each chapter, as it is shown", growth::check)
}

fn clippy_of_programs() -> Step {
    let bare = ["clippy", "--quiet", "--workspace", "--target", BARE_TARGET, "--exclude", "kernel"];
    let host = [
        "--exclude",
        FIGURES,
        "--exclude",
        "flatmk-counter",
        "--exclude",
        HOST_PIPES,
        "--exclude",
        HOST_PROGRAM,
        "--exclude",
        END_TO_END,
        "--exclude",
        MODEL,
        "--exclude",
        PIPE_MODEL,
        "--",
        "--deny",
        "warnings",
    ];
    Step::command("lints of the user programs", "cargo", &[&bare[..], &host].concat())
}

/// What is said in the words of this processor, and the programs.
fn clippy_of_riscv() -> Step {
    let mut arguments = vec!["clippy", "--quiet", "--target", RISCV_TARGET, "--package", "flatmk-runtime"];
    // Without the list the step before has failed already.
    let programs = workspace::softuser_packages().unwrap_or_default();
    arguments.extend(programs.into_iter().flat_map(|program| ["--package", program]));
    arguments.extend(["--", "--deny", "warnings"]);
    Step::command("lints of the programs for RISC-V", "cargo", &arguments)
}

/// What is said in the words of a browser.
fn clippy_of_figures() -> Step {
    let packages = ["--package", FIGURES, "--package", "flatmk-softuser"];
    let arguments =
        [&["clippy", "--quiet", "--lib", "--target", BROWSER_TARGET], &packages[..], &["--", "--deny", "warnings"]];
    Step::command("lints of the figures of the book", "cargo", &arguments.concat())
}

fn clippy_of_libraries() -> Step {
    let mut arguments = vec!["clippy", "--quiet", "--tests", "--target", "host-tuple"];
    arguments.extend(LIBRARIES.iter().flat_map(|package| ["--package", package]));
    arguments.extend(["--", "--deny", "warnings"]);
    Step::command("lints of the libraries of user programs", "cargo", &arguments)
}

fn clippy_of_host() -> Step {
    let mut arguments = vec!["clippy", "--quiet", "--all-targets", "--target", "host-tuple"];
    arguments.extend(
        HOST_TESTS
            .iter()
            .chain([&HOST_PROGRAM, &END_TO_END, &MODEL, &PIPE_MODEL])
            .flat_map(|package| ["--package", package]),
    );
    arguments.extend(["--", "--deny", "warnings"]);
    Step::command("lints of the host programs", "cargo", &arguments)
}

/// By themselves: with other packages, cargo would build what they have in common once more, with the features that all of them want.
fn host_program_tests() -> Step {
    let arguments = ["test", "--no-fail-fast", "--target", "host-tuple", "--package", HOST_PROGRAM];
    Step::tests("tests of the host program", "cargo", &arguments)
}

fn host_tests() -> Step {
    let mut arguments = vec!["test", "--no-fail-fast", "--target", "host-tuple"];
    arguments.extend(HOST_TESTS.iter().chain(&LIBRARIES).flat_map(|package| ["--package", package]));
    Step::tests("tests on this machine", "cargo", &arguments)
}

/// They are among the tests above, too.
fn pipe_tests() -> Step {
    let arguments = ["test", "--no-fail-fast", "--target", "host-tuple", "--package", HOST_PIPES];
    Step::tests("tests of the pipes on this machine", "cargo", &arguments)
}

/// As callgrind counts them: none may take more than its target, nor otherwise than the book shows.
fn instructions_of_pipes() -> Step {
    let arguments =
        ["run", "--release", "--quiet", "--target", "host-tuple", "--package", HOST_PIPES, "--example", "measure"];
    Step::command("instructions of the pipes' operations", "cargo", &arguments)
}

/// With bugs that can be planted: the same comparisons must find each.
fn model() -> Step {
    let arguments =
        ["test", "--no-fail-fast", "--target", "host-tuple", "--package", MODEL, "--features", "planted-bugs"];
    Step::tests("the kernel's capabilities and queues against their models", "cargo", &arguments)
}

fn pipe_model() -> Step {
    let arguments = ["test", "--no-fail-fast", "--target", "host-tuple", "--package", PIPE_MODEL];
    Step::tests("the pipes against their models", "cargo", &arguments)
}

/// Without the list the run has failed already.
fn mistakes_in_pipes() -> Vec<&'static str> {
    workspace::features_of(PIPE_MODEL, PLANTED).unwrap_or_default()
}

/// With a mistake in the protocol: the models that find it are known.
fn pipe_model_with(mistake: &str) -> Step {
    let arguments = ["test", "--no-fail-fast", "--target", "host-tuple", "--package", PIPE_MODEL];
    let arguments = [&arguments[..], &["--test", "protocol", "--features", mistake]].concat();
    Step::tests(format!("the protocol of pipes with {mistake}"), "cargo", &arguments)
}

fn end_to_end() -> Step {
    let arguments = ["test", "--no-fail-fast", "--target", "host-tuple", "--package", END_TO_END];
    Step::tests("end-to-end tests", "cargo", &arguments).alone()
}

/// The machine that a test has unless it wants another.
fn machine(emulator: Emulator, test: &Executable) -> Machine {
    let machine = Machine::new(&test.path).emulator(emulator);
    if LOOKING_AT_ALL_MEMORY.contains(&test.name.as_str()) { machine.memory_mib(LITTLE_MEMORY_MIB) } else { machine }
}

/// The tests of a chapter with exactly its own feature. Chapters without tests have no such step.
fn emulator_tests_of(chapter: u8, emulator: Emulator) -> Option<Step> {
    let tests = emulator::tests_of(Some(chapter));
    let title = format!("tests of chapter {chapter}, with its own feature,");
    let machine = move |test: &Executable| machine(emulator, test);
    (!tests.is_empty()).then(|| Step::booting(&title, emulator, move || emulator::run(&tests, chapter, machine)))
}

/// The same for each chapter, without those that take minutes. Those of the last chapter run with those of all.
fn tests_by_chapter(emulator: Emulator) -> Step {
    let tests = |chapter| {
        let tests = emulator::tests_of(Some(chapter));
        (chapter, tests.into_iter().filter(|test| !LONG.contains(&test.as_str())).collect::<Vec<_>>())
    };
    let own = CHAPTERS.filter(|chapter| *chapter != LAST_CHAPTER);
    let chapters: Vec<_> = own.map(tests).filter(|(_, tests)| !tests.is_empty()).collect();
    let commands = chapters.iter().map(|(chapter, tests)| cargo_test(emulator, *chapter, tests)).collect();
    let machine = move |test: &Executable| machine(emulator, test);
    let step = Step::booting("tests of each chapter, with its own feature,", emulator, move || {
        emulator::run_by_chapter(&chapters, machine)
    });
    step.typed_as(commands)
}

/// What one would type to boot these tests.
fn cargo_test(emulator: Emulator, chapter: u8, tests: &[String]) -> String {
    let variable = if emulator == Emulator::Bochs { "FLATMK_EMULATOR=bochs " } else { "" };
    let tests: String = tests.iter().map(|test| format!(" --test {test}")).collect();
    format!("{variable}cargo test --package kernel --features chapter{chapter}{tests}")
}

fn tests_with_all_features(emulator: Emulator) -> Step {
    let mut tests = emulator::tests_of(None);
    let which = match emulator {
        Emulator::Bochs => "all chapters' tests",
        Emulator::Qemu => {
            let own = emulator::tests_of(Some(LAST_CHAPTER));
            tests.retain(|test| own.contains(test) || EXCHANGED.iter().chain(&LONG).any(|name| name == test));
            "tests of what later chapters exchange"
        }
    };
    let title = format!("{which}, with the features of chapter {LAST_CHAPTER},");
    let machine = move |test: &Executable| machine(emulator, test);
    tests.sort_by_key(|test| FIRST.iter().position(|first| first == test).unwrap_or(FIRST.len()));
    let command = cargo_test(emulator, LAST_CHAPTER, &tests);
    let step = Step::booting(&title, emulator, move || emulator::run(&tests, LAST_CHAPTER, machine));
    step.typed_as(vec![command])
}

/// Tests from user mode once more, without the kernel in its page tables: some in the one emulator, some in the other.
fn isolated_tests(emulator: Emulator) -> Step {
    let tests: &[&str] = match emulator {
        Emulator::Qemu => &["chapter06_calls", "chapter10_softuser"],
        Emulator::Bochs => &["chapter05_user_mode", "chapter07_scheduling"],
    };
    let tests: Vec<_> = tests.iter().map(|&test| test.to_owned()).collect();
    let machine = move |test: &Executable| machine(emulator, test).boot_option("meltdown", "on");
    Step::booting("tests of user mode, with the kernel isolated,", emulator, move || {
        emulator::run(&tests, LAST_CHAPTER, machine)
    })
}

fn demonstration(chapter: u8, emulator: Emulator) -> Step {
    let title = format!("demonstration of chapter {chapter}");
    Step::booting(&title, emulator, move || emulator::demonstrate(&[chapter], emulator))
}

fn demonstrations(emulator: Emulator) -> Step {
    let chapters: Vec<_> = CHAPTERS.collect();
    let option = if emulator == Emulator::Bochs { " --emulator bochs" } else { "" };
    let commands = chapters.iter().map(|chapter| format!("./x run --chapter {chapter}{option}")).collect();
    Step::booting("demonstration of each chapter", emulator, move || emulator::demonstrate(&chapters, emulator))
        .typed_as(commands)
}

/// What a learner begins with, and ends with.
fn exercises() -> Step {
    let arguments =
        ["check", "--prove"].map(str::to_owned).into_iter().chain(CHAPTERS.map(|chapter| chapter.to_string()));
    Step::own_tests("the exercises: each start fails, each solution passes", arguments)
}

/// Those that none of these steps runs anyhow.
fn commands_shown(steps: &[Step]) -> Step {
    let commands: Vec<String> = steps.iter().flat_map(|step| step.commands.clone()).collect();
    Step::new("the commands that the README and the book show", move || shown::run(&commands))
}

fn book() -> Step {
    Step::command("the book", &cache::mdbook().to_string_lossy(), &["build", "book"])
}

fn book_listings() -> Step {
    Step::new("the listings and links of the book", || count_findings(listings::check(workspace::root())))
}

fn book_spelling() -> Step {
    Step::new("the spelling of the book", || count_findings(spelling::check(workspace::root())))
}

fn book_weight() -> Step {
    Step::new("the weight of the book's pages", || {
        count_findings(weight::check(&workspace::root().join("book/output")))
    })
}

/// What was found is wrong; nothing found is one check that has passed.
fn count_findings<F: Display, E: Display>(findings: Result<Vec<F>, E>) -> Count {
    let said: Vec<String> = match findings {
        Ok(findings) => findings.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    said.iter().for_each(|finding| println!("    {finding}"));
    if said.is_empty() { Count::passed(1) } else { Count::failed(said.len()).saying(&said.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(chapter: Option<u8>, emulator: Option<Emulator>) -> Vec<String> {
        plan(Scope { chapter, emulator }).into_iter().map(|step| step.title).collect()
    }

    #[test]
    fn a_chapter_is_tested_and_shown_in_both_emulators() {
        let expected = [
            "format",
            "lints of the kernel of chapter 1",
            "tests of chapter 1, with its own feature, in QEMU",
            "tests of chapter 1, with its own feature, in Bochs",
            "demonstration of chapter 1 in QEMU",
            "demonstration of chapter 1 in Bochs",
        ];
        assert_eq!(titles(Some(1), None), expected);
    }

    #[test]
    fn the_chapter_of_pipes_is_tested_on_this_machine_too() {
        let steps = titles(Some(PIPES), None);
        for title in [
            "tests of the pipes on this machine",
            "instructions of the pipes' operations",
            "the pipes against their models",
            "the protocol of pipes with bug-missing-fence",
            "demonstration of chapter 8 in QEMU",
        ] {
            assert!(steps.iter().any(|found| found == title), "{title} is not among {steps:?}");
        }
        let in_bochs = titles(Some(PIPES), Some(Emulator::Bochs));
        assert!(in_bochs.iter().all(|title| title.ends_with(" in Bochs")), "{in_bochs:?}");
    }

    #[test]
    fn with_an_emulator_only_its_steps_are_left() {
        let expected = ["tests of chapter 1, with its own feature, in Bochs", "demonstration of chapter 1 in Bochs"];
        assert_eq!(titles(Some(1), Some(Emulator::Bochs)), expected);
        let bochs = titles(None, Some(Emulator::Bochs));
        assert_eq!(bochs.len(), 3, "all tests at once, some once more, the demonstrations: {bochs:?}");
        assert!(bochs.iter().all(|title| title.ends_with(" in Bochs")), "{bochs:?}");
    }

    #[test]
    fn each_test_boots_in_both_emulators() {
        for emulator in EMULATORS {
            let steps = plan(Scope { chapter: None, emulator: Some(emulator) });
            let commands: Vec<String> = steps.into_iter().flat_map(|step| step.commands).collect();
            for test in emulator::tests_of(None) {
                let name = format!("--test {test}");
                assert!(commands.iter().any(|command| command.contains(&name)), "{test} in {emulator}: {commands:?}");
            }
        }
    }

    #[test]
    fn tests_that_are_treated_apart_are_there() {
        let tests = emulator::tests_of(None);
        for name in LOOKING_AT_ALL_MEMORY.iter().chain(&LONG).chain(&FIRST).chain(&EXCHANGED) {
            assert!(tests.iter().any(|test| test == name), "{name}");
        }
    }

    #[test]
    fn each_mistake_in_the_protocol_of_pipes_is_planted() {
        let everything = titles(None, None);
        let planted = everything.iter().filter(|title| title.starts_with("the protocol of pipes with bug-"));
        assert_eq!(planted.count(), 9, "{everything:?}");
    }

    #[test]
    fn without_a_choice_nothing_is_left_out() {
        let everything = titles(None, None);
        for emulator in EMULATORS {
            for title in titles(None, Some(emulator)) {
                assert!(everything.contains(&title), "{title}");
            }
        }
        for title in ["end-to-end tests", "the exercises: each start fails, each solution passes"] {
            assert!(everything.iter().any(|found| found == title), "{everything:?}");
        }
    }
}
