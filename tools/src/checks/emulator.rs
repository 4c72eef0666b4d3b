//! Checks that boot kernels: the chapters' tests and demonstrations.

use std::num::NonZero;
use std::time::{Duration, Instant};

use super::{Count, side_by_side};
use crate::kernel_file::Kind;
use crate::machine::{Emulator, Limits, Machine};
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
    let feature = format!("chapter{chapter}");
    let mut arguments =
        vec!["test", "--no-run", "--package", "kernel", "--target", BARE_TARGET, "--features", &feature];
    arguments.extend(tests.iter().flat_map(|test| ["--test", test.as_str()]));
    let built = match workspace::executables(&arguments, "the tests") {
        Ok(built) => built,
        Err(error) => {
            println!("    {error}");
            return Count::failed(tests.len().max(1));
        }
    };
    // Cargo builds the kernel itself, too, when it builds the tests, and says in any order what is done.
    let executable = |test: &String| built.iter().find(|executable| executable.name == *test);
    let machines: Vec<_> = tests.iter().filter_map(|test| Some((test.as_str(), machine(executable(test)?)))).collect();
    let counts = side_by_side::run(&machines, most_machines(), show, |(test, machine), show| {
        show(format!("--- {test}\n").as_bytes());
        let start = Instant::now();
        let count = count(machine, Kind::Test, show);
        show(format!("    {test} took {} s\n", start.elapsed().as_secs()).as_bytes());
        count
    });
    let count = counts.into_iter().fold(Count::default(), |sum, count| sum + count);
    // A test that was asked for and not built must not go unnoticed.
    count + Count::failed(tests.len() - machines.len())
}

/// How many machines run side by side: as many as there are processors, as each keeps one busy. What a test counts does not depend
/// on it, as in the machines time is counted in instructions.
fn most_machines() -> NonZero<usize> {
    const MOST: NonZero<usize> = NonZero::new(4).unwrap();
    std::thread::available_parallelism().map_or(NonZero::<usize>::MIN, |processors| processors.min(MOST))
}

/// Boots the kernel of a chapter, which must end by itself and well.
pub(super) fn demonstrate(chapter: u8, emulator: Emulator) -> Count {
    match workspace::build_kernel(chapter) {
        Ok(kernel) => count(&Machine::new(kernel).emulator(emulator), Kind::Kernel, &mut show),
        Err(error) => {
            println!("    {error}");
            Count::failed(1)
        }
    }
}

/// Boots a machine and counts what it reports. What it writes is shown as it comes.
fn count(machine: &Machine, kind: Kind, show: &mut dyn FnMut(&[u8])) -> Count {
    let limits = match kind {
        Kind::Test => Limits::EachTest(LIMIT),
        Kind::Kernel => Limits::Silence(LIMIT),
    };
    let outcome = match machine.start() {
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
