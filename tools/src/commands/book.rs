//! `flatmk book`.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::ValueEnum;
use flatmk_tools::{
    LAST_CHAPTER, bench, book_figures, c_header, cache, exercises, fast_path, reference, rust_wrappers, workspace,
};

/// Build the book, or show it in a browser
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to do with it
    #[arg(value_enum, default_value_t = Action::Build)]
    action: Action,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Build it into book/output
    Build,
    /// Serve it on this machine, and build it anew when a page changes
    Serve,
    /// Make only the program of its interactive figures, for another mdbook
    Figures,
}

pub(crate) fn book(arguments: &Arguments) -> Result<ExitCode> {
    book_figures::update(workspace::root())?;
    let action = match arguments.action {
        Action::Build => "build",
        Action::Serve => "serve",
        Action::Figures => return Ok(ExitCode::SUCCESS),
    };
    reference::update(workspace::root()).context("cannot write the reference of system calls")?;
    c_header::update(workspace::root())?;
    rust_wrappers::update(workspace::root()).context("cannot write the wrappers of system calls")?;
    bench::book::update(workspace::root())?;
    exercises::page::update(workspace::root())?;
    fast_path::update(workspace::root(), &workspace::build_kernel(LAST_CHAPTER)?)
        .context("cannot write the listing of the fast path")?;
    let status = Command::new(cache::mdbook()).arg(action).arg("book").current_dir(workspace::root()).status();
    let status = status.context("cannot run mdbook: ./x doctor says what is missing")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
