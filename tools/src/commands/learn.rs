//! `flatmk learn`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use flatmk_tools::exercises::copy::{self, Begun};
use flatmk_tools::exercises::progress::Progress;
use flatmk_tools::exercises::{self, text};
use flatmk_tools::workspace;

/// Begin the exercises of a chapter, in a working copy of your own
///
/// The copy is a worktree of git beside the checkout, on the branch learn/chapterN. In it the bodies of some functions are missing. Write them, and let
/// ./x check run the tests of each. Without a chapter: shows which exercises have begun, and how far they are.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The chapter
    #[arg(value_name = "N", value_parser = super::chapter)]
    chapter: Option<u8>,
    /// Where to make the copy [default: beside the checkout]
    #[arg(long, value_name = "FOLDER", requires = "chapter")]
    folder: Option<PathBuf>,
    /// Begin once more; what is committed in the copy is kept on a branch of another name
    #[arg(long, requires = "chapter")]
    anew: bool,
    /// Show the solution of this step, and change nothing
    #[arg(long, value_name = "STEP", requires = "chapter", conflicts_with_all = ["anew", "folder"])]
    solution: Option<usize>,
}

pub(crate) fn learn(arguments: &Arguments) -> Result<ExitCode> {
    let Some(chapter) = arguments.chapter else { return list() };
    if let Some(number) = arguments.solution {
        return show_solution(chapter, number);
    }
    let folder = arguments.folder.as_deref().map(super::in_callers_folder);
    let begun = copy::begin(workspace::root(), chapter, folder.as_deref(), arguments.anew)?;
    let Begun { copy, was_there, without_changes, kept } = begun;
    let steps = exercises::steps(&copy.folder, chapter)?;
    let passed = Progress::read(&copy.git_folder).passed;
    if was_there {
        println!(
            "The exercises of chapter {chapter} have begun in {}: {passed} of {} steps have passed.",
            copy.folder.display(),
            steps.len()
        );
    } else {
        println!("The exercises of chapter {chapter} are in {}, {} steps:", copy.folder.display(), steps.len());
        for step in &steps {
            println!("  {}  {} ({})", step.name(), step.title, step.file.display());
        }
    }
    if let Some(branch) = kept {
        println!("What you had written is on the branch {branch}.");
    }
    if without_changes && !was_there {
        println!("Your checkout has changes that are not committed: the copy is without them.");
    }
    println!(
        "Look for `todo!` there, write what is missing, and call ./x check; ./x check --watch waits for each change."
    );
    Ok(ExitCode::SUCCESS)
}

fn list() -> Result<ExitCode> {
    let copies = copy::all(workspace::root())?;
    if copies.is_empty() {
        println!("No exercises have begun. ./x learn N makes a working copy of those of chapter N.");
    }
    for copy in copies {
        let count = exercises::steps(&copy.folder, copy.chapter)?.len();
        let passed = Progress::read(&copy.git_folder).passed;
        println!("chapter {}: {passed} of {count} steps have passed, in {}", copy.chapter, copy.folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn show_solution(chapter: u8, number: usize) -> Result<ExitCode> {
    // In a working copy the body is not there any more; before one is made it is in the checkout.
    let copy = copy::find(workspace::root(), Some(chapter)).ok();
    let folder = copy.as_ref().map_or(workspace::root(), |copy| &copy.folder);
    let steps = exercises::steps(folder, chapter)?;
    let Some(step) = number.checked_sub(1).and_then(|index| steps.get(index)) else {
        bail!("chapter {chapter} has steps 1 to {}, and none with number {number}", steps.len());
    };
    let source = match &copy {
        Some(copy) => copy::original(copy, &step.file)?,
        None => std::fs::read_to_string(folder.join(&step.file))?,
    };
    println!("Step {}: {}. In {}:\n", step.name(), step.title, step.file.display());
    print!("{}", text::body(&source, step)?);
    Ok(ExitCode::SUCCESS)
}
