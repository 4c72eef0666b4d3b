//! `flatmk preprocess`, which mdBook runs when it builds the book.

use std::io;
use std::process::ExitCode;

use anyhow::{Context, Result};
use flatmk_tools::{growth, workspace};

/// Put the kernels of the chapters into the book, which mdBook hands over
#[derive(clap::Args)]
#[command(hide = true)]
pub(crate) struct Arguments;

pub(crate) fn preprocess() -> Result<ExitCode> {
    let book = growth::preprocess(workspace::root(), io::stdin().lock())?;
    serde_json::to_writer(io::stdout().lock(), &book).context("cannot hand the book back to mdbook")?;
    Ok(ExitCode::SUCCESS)
}
