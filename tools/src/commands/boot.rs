//! `flatmk boot`: what cargo runs in place of a kernel.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use flatmk_tools::kernel_file::{KernelFile, Kind};
use flatmk_tools::session::{self, MachineOptions};

/// Boot a kernel: what `cargo run` and `cargo test` do
///
/// The machine is chosen by the environment, as cargo passes everything after `--` to the kernel.
#[derive(clap::Args)]
#[command(hide = true)]
pub(crate) struct Arguments {
    /// The kernel or the test
    kernel: PathBuf,
    #[command(flatten)]
    machine: MachineOptions,
    /// What cargo was told to pass to the kernel
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed: Vec<String>,
}

/// Options of the usual test programs that make no difference here: output is always shown, one test runs at a time.
const IGNORED: [&str; 6] = ["--nocapture", "--no-capture", "--show-output", "--quiet", "-q", "--include-ignored"];
const IGNORED_WITH_VALUE: [&str; 3] = ["--test-threads", "--color", "--format"];

pub(crate) fn boot(arguments: &Arguments) -> Result<ExitCode> {
    refuse_unknown(&arguments.passed)?;
    let kernel = KernelFile::read(&arguments.kernel)?;
    let machine = arguments.machine.machine(&kernel);
    let limits = arguments.machine.limits(kernel.kind);
    let outcome = match kernel.kind {
        Kind::Kernel => session::run(machine, limits),
        Kind::Test => session::watch(&machine, limits),
    }?;
    Ok(super::finish(&outcome))
}

fn refuse_unknown(passed: &[String]) -> Result<()> {
    let mut passed = passed.iter();
    while let Some(argument) = passed.next() {
        if IGNORED.contains(&argument.as_str()) {
            continue;
        }
        match IGNORED_WITH_VALUE.iter().find_map(|option| argument.strip_prefix(option)) {
            Some("") => drop(passed.next()),
            Some(value) if value.starts_with('=') => {}
            _ => bail!(
                "a kernel takes no argument, and this is one: `{argument}` (all tests of a binary run; `cargo test --test NAME` chooses the binary)"
            ),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(arguments: &[&str]) -> bool {
        refuse_unknown(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>()).is_ok()
    }

    #[test]
    fn only_options_without_effect_are_accepted() {
        assert!(passes(&[]));
        assert!(passes(&["--nocapture", "-q", "--test-threads", "1", "--color=never"]));
        for arguments in [["a_test"], ["--ignored"], ["--test-threadsx"], ["--exact"]] {
            assert!(!passes(&arguments), "{arguments:?}");
        }
    }
}
