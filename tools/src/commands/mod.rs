//! One module a subcommand.

pub(crate) mod bench;
pub(crate) mod book;
pub(crate) mod boot;
pub(crate) mod check;
pub(crate) mod debug;
pub(crate) mod diff;
pub(crate) mod image;
pub(crate) mod learn;
pub(crate) mod pipes;
pub(crate) mod preprocess;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod softuser;
pub(crate) mod test;
pub(crate) mod trace;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flatmk_tools::machine::Outcome;
use flatmk_tools::{CHAPTERS, LAST_CHAPTER};
use flatmk_tools::{report, session};

/// A path as the caller means it: `./x` goes to the checkout's folder, and says where it was called.
fn in_callers_folder(path: &Path) -> PathBuf {
    let folder = std::env::var_os("FLATMK_CWD").map_or_else(|| PathBuf::from("."), PathBuf::from);
    folder.join(path)
}

/// Reads the value of `--chapter`.
fn chapter(text: &str) -> Result<u8, String> {
    text.parse()
        .ok()
        .filter(|chapter| CHAPTERS.contains(chapter))
        .ok_or_else(|| format!("there are chapters 1 to {LAST_CHAPTER}"))
}

/// Reports on a run unless it ended well, and turns it into this program's exit code.
fn finish(outcome: &Outcome) -> ExitCode {
    if let Some(report) = report::on(outcome) {
        eprintln!("\n{report}");
    }
    session::exit_code(outcome).into()
}

/// Prints a long text. Whoever stops reading has seen enough.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
