//! Checks that boot kernels: the chapters' tests and demonstrations.

use std::num::NonZero;
use std::time::{Duration, Instant};

use super::{Count, side_by_side};
use crate::kernel_file::Kind;
use crate::machine::{Emulator, Limits, Machine, MachineError, Running};
use crate::report;
use crate::session::{self, show};
use crate::workspace::{self, BARE_TARGET, Executable};

/// How long a test may take, or a demonstration be silent, before it counts as hung. The longest takes half a minute in Bochs on a machine
/// with nothing else to do.
const LIMIT: Duration = Duration::from_secs(300);

/// The test targets of the kernel, those of one chapter or all.
pub(super) fn tests_of(chapter: Option<u8>) -> Vec<String> {
    let prefix = chapter.map_or("chapter".to_owned(), |chapter| format!("chapter{chapter:02}_"));
    let kernel = workspace::metadata()
        .ok()
        .and_then(|metadata| metadata.packages.iter().find(|package| package.name == "kernel"));
    let targets = kernel.into_iter().flat_map(|kernel| &kernel.targets);
    targets
        .filter(|target| target.is_test() && target.name.starts_with(&prefix))
        .map(|target| target.name.clone())
        .collect()
}

/// Builds these tests with the features of a chapter, boots each in such a machine, some side by side, and counts what they report.
pub(super) fn run(tests: &[String], chapter: u8, machine: impl Fn(&Executable) -> Machine) -> Count {
    let machines = match build(tests, chapter, machine) {
        Ok(machines) => machines,
        Err(count) => {
            println!("    {}", count.said.join("\n    "));
            return count;
        }
    };
    sum(side_by_side::run(&machines, most_machines(), show, |(test, machine), show| boot(test, machine, show)))
}

/// The same with the tests of several chapters, each with its own features: while those of one chapter run, those of the next are built.
pub(super) fn run_by_chapter(chapters: &[(u8, Vec<String>)], machine: impl Fn(&Executable) -> Machine + Sync) -> Count {
    sum(side_by_side::run(chapters, most_machines(), show, |(chapter, tests), show| {
        show(format!("--- chapter {chapter}\n").as_bytes());
        match build(tests, *chapter, &machine) {
            Ok(machines) => sum(machines.into_iter().map(|(test, machine)| boot(test, &machine, show))),
            Err(count) => {
                show(format!("    {}\n", count.said.join("\n    ")).as_bytes());
                count
            }
        }
    }))
}

fn sum(counts: impl IntoIterator<Item = Count>) -> Count {
    counts.into_iter().fold(Count::default(), |sum, count| sum + count)
}

/// Builds these tests with the features of a chapter. All have failed where one cannot be built.
fn build(
    tests: &[String],
    chapter: u8,
    machine: impl Fn(&Executable) -> Machine,
) -> Result<Vec<(&str, Machine)>, Count> {
    let feature = format!("chapter{chapter}");
    let mut arguments =
        vec!["test", "--no-run", "--package", "kernel", "--target", BARE_TARGET, "--features", &feature];
    arguments.extend(tests.iter().flat_map(|test| ["--test", test.as_str()]));
    let failed = |why: &str| Count::failed(tests.len().max(1)).saying(why);
    let built = workspace::executables(&arguments, "the tests").map_err(|error| failed(&error.to_string()))?;
    // Cargo builds the kernel itself, too, when it builds the tests, and says in any order what is done.
    let executable = |test: &String| built.iter().find(|executable| executable.name == *test);
    let machines: Vec<_> = tests.iter().filter_map(|test| Some((test.as_str(), machine(executable(test)?)))).collect();
    // A test that was asked for and not built must not go unnoticed.
    if machines.len() == tests.len() { Ok(machines) } else { Err(failed("a test was not built")) }
}

fn boot(test: &str, machine: &Machine, show: &mut dyn FnMut(&[u8])) -> Count {
    show(format!("--- {test}\n").as_bytes());
    let start = Instant::now();
    let count = count(machine.start(), Kind::Test, show);
    show(format!("    {test} took {} s\n", start.elapsed().as_secs()).as_bytes());
    count
}

/// How many machines run side by side: as many as there are processors, as each keeps one busy. What a test counts does not depend
/// on it, as in the machines time is counted in instructions.
fn most_machines() -> NonZero<usize> {
    const MOST: NonZero<usize> = NonZero::new(4).unwrap();
    std::thread::available_parallelism().map_or(NonZero::<usize>::MIN, |processors| processors.min(MOST))
}

/// Boots the kernel of each of these chapters, some side by side, which must end by itself and well.
pub(super) fn demonstrate(chapters: &[u8], emulator: Emulator) -> Count {
    sum(side_by_side::run(chapters, most_machines(), show, |&chapter, show| match workspace::build_kernel(chapter) {
        Ok(kernel) => {
            show(format!("--- chapter {chapter}\n").as_bytes());
            count(Machine::new(kernel).emulator(emulator).start(), Kind::Kernel, show)
        }
        Err(error) => {
            show(format!("    {error}\n").as_bytes());
            Count::failed(1).saying(&error.to_string())
        }
    }))
}

/// Counts what a machine reports that was started. What it writes is shown as it comes.
fn count(running: Result<Running, MachineError>, kind: Kind, show: &mut dyn FnMut(&[u8])) -> Count {
    let limits = match kind {
        Kind::Test => Limits::EachTest(LIMIT),
        Kind::Kernel => Limits::Silence(LIMIT),
    };
    let outcome = match running {
        Ok(running) => running.watch(limits, &mut *show),
        Err(error) => {
            show(format!("    {error}\n").as_bytes());
            return Count::failed(1);
        }
    };
    let succeeded = session::exit_code(&outcome) == 0;
    let count = match kind {
        Kind::Kernel => Count::of(succeeded),
        Kind::Test => {
            let (passed, failed) = outcome.protocol.counts();
            // The run as a whole can fail where each test that reported has passed.
            Count::passed(passed) + Count::failed(failed.max(usize::from(!succeeded)))
        }
    };
    let Some(report) = report::on(&outcome) else { return count };
    show(format!("{report}\n").as_bytes());
    let verdict = report.lines().take(2).collect::<Vec<_>>().join("\n");
    count.saying(&outcome.serial()).saying(&verdict)
}
