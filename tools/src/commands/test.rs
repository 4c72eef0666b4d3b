//! `flatmk test`.

use std::process::ExitCode;

use anyhow::Result;
use flatmk_tools::checks::{self, Scope};
use flatmk_tools::machine::Emulator;

/// Run every check there is, or those of one chapter, or what boots in one emulator
///
/// Format, lints, tests on this machine and in the emulators, end-to-end tests and the book. The tests and the demonstration
/// of one chapter run in both emulators. The last line says how many checks passed and how many failed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the checks of this chapter
    #[arg(long, value_name = "N", value_parser = super::chapter)]
    chapter: Option<u8>,
    /// Only the chapters' tests and demonstrations, and only in this emulator
    #[arg(long)]
    emulator: Option<Emulator>,
}

pub(crate) fn test(arguments: &Arguments) -> Result<ExitCode> {
    let count = checks::run(Scope { chapter: arguments.chapter, emulator: arguments.emulator });
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(if count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
