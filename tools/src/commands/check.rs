//! `flatmk check`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use flatmk_tools::cleanup::TemporaryFolder;
use flatmk_tools::exercises::copy::{self, WorkingCopy};
use flatmk_tools::exercises::grade::{self, Verdict};
use flatmk_tools::exercises::progress::Progress;
use flatmk_tools::exercises::watch::Watch;
use flatmk_tools::exercises::{self, Step, proof, text};
use flatmk_tools::workspace;

/// Check the exercises that you do, step by step
///
/// Runs the tests of one step after the other, in the working copy that ./x learn has made, and says of the first that fails what was expected, what
/// happened, and a hint; each time one more. The exit code is 0 if all steps pass.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The chapter [default: the one of this folder, or the one that was checked last]
    #[arg(value_name = "N", value_parser = super::chapter)]
    chapter: Option<u8>,
    /// Wait for changes, and check again after each
    #[arg(long)]
    watch: bool,
    /// Prove that the exercises of these chapters are sound: without its body a step fails, with it it passes. Takes about half a minute for each
    #[arg(long, value_name = "N", value_parser = super::chapter, num_args = 1.., conflicts_with_all = ["chapter", "watch"])]
    prove: Vec<u8>,
}

pub(crate) fn check(arguments: &Arguments) -> Result<ExitCode> {
    if !arguments.prove.is_empty() {
        return prove(&arguments.prove);
    }
    let copy = copy::find(workspace::root(), arguments.chapter)?;
    if !arguments.watch {
        let has_passed = check_once(&copy)?;
        return Ok(if has_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let watch = Watch::new(&copy.folder, &["kernel", "userland", "chapters", "tests", "tools"])
        .context("cannot watch the working copy")?;
    while !check_once(&copy)? {
        println!("\nwaiting for a change in {} (Ctrl-C ends this)", copy.folder.display());
        watch.wait(None).context("cannot watch the working copy")?;
        println!();
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether all steps pass.
fn check_once(copy: &WorkingCopy) -> Result<bool> {
    let steps = exercises::steps(&copy.folder, copy.chapter)?;
    println!("chapter {}, in {}", copy.chapter, copy.folder.display());
    eprintln!("building and testing (the first time this takes about a minute)");
    let verdicts = grade::run(&copy.folder, &steps, &[])?;
    let mut progress = Progress::read(&copy.git_folder);
    for (step, verdict) in steps.iter().zip(&verdicts) {
        if *verdict == Verdict::Passed {
            println!("  {}  {}: passed", step.name(), step.title);
            continue;
        }
        let passed = step.number - 1;
        let hints = progress.fail(passed);
        progress.write(&copy.git_folder)?;
        explain(copy, step, verdict, hints);
        println!("{passed} of {} steps have passed.", steps.len());
        return Ok(false);
    }
    Progress { passed: steps.len(), hints: 0, ..progress }.write(&copy.git_folder)?;
    println!("All {} steps of chapter {} have passed.", steps.len(), copy.chapter);
    Ok(true)
}

fn explain(copy: &WorkingCopy, step: &Step, verdict: &Verdict, hints: usize) {
    let path = copy.folder.join(&step.file);
    let line = std::fs::read_to_string(&path).ok().and_then(|source| text::line(&source, step));
    println!("  {}  {}: not yet", step.name(), step.title);
    println!("      {}{}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default());
    match verdict {
        Verdict::Passed => {}
        Verdict::DoesNotBuild(said) => println!("\nIt does not build:\n{}", indented(said)),
        Verdict::Failed { test, said } => {
            println!("\nExpected: {}\n          (the test {test})", sentence(test));
            println!("Happened:\n{}", indented(said));
        }
    }
    if let Some(hint) = step.hints.get(hints.min(step.hints.len()).saturating_sub(1)) {
        println!("\nHint {} of {}: {hint}", hints.min(step.hints.len()), step.hints.len());
    }
    if hints > step.hints.len() {
        println!("(That was the last; ./x learn {} --solution {} shows the solution.)", step.chapter, step.number);
    }
    println!();
}

/// The name of a test as the sentence that it is.
fn sentence(test: &str) -> String {
    test.rsplit("::").next().unwrap_or(test).replace('_', " ")
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn prove(chapters: &[u8]) -> Result<ExitCode> {
    // Outside of the checkout, whose settings of cargo would be added to its own.
    let folder = TemporaryFolder::new().context("cannot make a folder for the copy")?;
    let mut is_sound = true;
    for &chapter in chapters {
        proof::prove(workspace::root(), chapter, folder.path(), |step, finding| {
            is_sound &= finding.is_none();
            match finding {
                None => println!("test exercise_{}_{} ... ok", step.chapter, step.number),
                Some(finding) => {
                    println!("test exercise_{}_{} ... FAILED\n{}", step.chapter, step.number, indented(&finding));
                }
            }
        })?;
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
