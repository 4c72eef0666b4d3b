//! The kernel of each chapter as `./x show` writes it: it compiles like the kernel that it is made from.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Count;
use crate::growth::{self, Growth, GrowthError};
use crate::workspace;

/// What is no mistake where a condition has been: a statement that has become the last one.
const OF_STYLE: [&str; 4] = ["--allow", "clippy::needless_return", "--allow", "clippy::let_and_return"];

/// One after another in one folder, so that what they depend on is built once.
pub(super) fn check() -> Count {
    match kernels() {
        Ok(count) => count,
        Err(error) => {
            println!("    {error}");
            Count::failed(1)
        }
    }
}

fn kernels() -> anyhow::Result<Count> {
    let folder = workspace::metadata()?.target_directory.join("growth").into_std_path_buf();
    let mut count = Count::default();
    for kernel in Growth::read(workspace::root())?.all_kernels()? {
        let result = growth::write(workspace::root(), &kernel, &folder.join("checkout"));
        let compiles = result.map(|()| compiles(&folder)).unwrap_or_else(|error: GrowthError| {
            println!("    {error}");
            false
        });
        if !compiles {
            println!("    this is the kernel that `./x show {}` writes", kernel.chapter);
        }
        count = count + Count::of(compiles);
    }
    Ok(count)
}

fn compiles(folder: &Path) -> bool {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(workspace::cargo());
        command.args(arguments).current_dir(folder.join("checkout")).env("CARGO_TARGET_DIR", folder.join("target"));
        command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    run(&["fmt", "--check"]) && run(&[&["clippy", "--quiet", "--", "--deny", "warnings"][..], &OF_STYLE].concat())
}
