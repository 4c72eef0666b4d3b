//! `flatmk test`.

use std::process::ExitCode;

use anyhow::Result;
use flatmk_tools::checks::{self, Scope};

/// Run every check there is, or those of one chapter
///
/// Format, lints, tests on this machine and in the emulators, end-to-end tests and the book. The last line says how many
/// checks passed and how many failed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the checks of this chapter
    #[arg(long, value_name = "N", value_parser = super::chapter)]
    chapter: Option<u8>,
}

pub(crate) fn test(arguments: &Arguments) -> Result<ExitCode> {
    let count = checks::run(arguments.chapter.map_or(Scope::Everything, Scope::Chapter));
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(if count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
