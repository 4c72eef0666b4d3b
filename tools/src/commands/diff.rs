//! `flatmk diff`.

use std::process::ExitCode;

use anyhow::Result;
use flatmk_tools::growth::Growth;
use flatmk_tools::workspace;

/// Show what a chapter adds to the kernel of the one before, module by module
///
/// The first chapter adds everything. The text is one that `patch -p1` takes: it makes the kernel of a chapter out of that of the one before.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The chapter, 1 to 12
    #[arg(value_name = "N", value_parser = super::chapter)]
    chapter: u8,
    /// Only how many files and lines of each module are different
    #[arg(long)]
    summary: bool,
}

pub(crate) fn diff(arguments: &Arguments) -> Result<ExitCode> {
    let difference = Growth::read(workspace::root())?.difference(arguments.chapter)?;
    super::print(&if arguments.summary { difference.summary() } else { difference.to_string() })?;
    Ok(ExitCode::SUCCESS)
}
