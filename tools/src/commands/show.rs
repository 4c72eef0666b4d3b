//! `flatmk show`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use flatmk_tools::growth::{self, Growth};
use flatmk_tools::workspace;

/// Show the kernel as it stands at a chapter
///
/// It is the kernel that boots: every condition is decided, what later chapters add is not there, and neither is what only this host or a test needs. All files are
/// printed, each below its path, or written as a crate that builds.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The chapter, 1 to 12
    #[arg(value_name = "N", value_parser = super::chapter)]
    chapter: u8,
    /// Write it into this folder, which is empty or not there yet, with all that it takes to build it
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(crate) fn show(arguments: &Arguments) -> Result<ExitCode> {
    let folder = arguments.output.as_deref().map(super::in_callers_folder);
    // All that can be wrong is found before anybody waits.
    folder.as_deref().map_or(Ok(()), growth::check_empty)?;
    let kernel = Growth::read(workspace::root())?.kernel(arguments.chapter)?;
    match folder {
        Some(folder) => {
            growth::write(workspace::root(), &kernel, &folder)?;
            println!("written: {} (`cargo build` there builds it)", folder.display());
        }
        None => {
            let mut text = String::new();
            for file in &kernel.files {
                writeln!(text, "==> {} <==\n{}", file.path.display(), file.text)?;
            }
            super::print(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
