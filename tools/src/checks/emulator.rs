//! Checks that boot kernels: the chapters' tests and demonstrations.

use std::path::Path;
use std::time::Duration;

use super::Count;
use crate::kernel_file::Kind;
use crate::machine::{Emulator, Limits, Machine};
use crate::report;
use crate::session;
use crate::workspace::{self, BARE_TARGET};

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

/// Builds these tests with the features of a chapter, boots each in such a machine, and counts what they report.
pub(super) fn run(tests: &[String], chapter: u8, machine: impl Fn(&Path) -> Machine) -> Count {
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
    // Cargo builds the kernel itself, too, when it builds the tests.
    let built: Vec<_> = built.into_iter().filter(|executable| tests.contains(&executable.name)).collect();
    let counts = built.iter().map(|test| {
        println!("--- {}", test.name);
        count(&machine(&test.path), Kind::Test)
    });
    let count = counts.fold(Count::default(), |sum, count| sum + count);
    // A test that was asked for and not built must not go unnoticed.
    count + Count::failed(tests.len().saturating_sub(built.len()))
}

/// Boots the kernel of a chapter, which must end by itself and well.
pub(super) fn demonstrate(chapter: u8, emulator: Emulator) -> Count {
    match workspace::build_kernel(chapter) {
        Ok(kernel) => count(&Machine::new(kernel).emulator(emulator), Kind::Kernel),
        Err(error) => {
            println!("    {error}");
            Count::failed(1)
        }
    }
}

fn count(machine: &Machine, kind: Kind) -> Count {
    let limits = match kind {
        Kind::Test => Limits::EachTest(LIMIT),
        Kind::Kernel => Limits::Silence(LIMIT),
    };
    let outcome = match session::watch(machine, limits) {
        Ok(outcome) => outcome,
        Err(error) => {
            println!("    {error}");
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
    println!("{report}");
    let verdict = report.lines().take(2).collect::<Vec<_>>().join("\n");
    count.saying(&outcome.serial()).saying(&verdict)
}
