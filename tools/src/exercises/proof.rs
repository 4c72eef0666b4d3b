//! The proof that the exercises are as they should be: each start fails at its step and says so, and the solution passes.
//!
//! For a chapter of n steps there are n states of the source: in the first all bodies are missing, in each further one there is one more of the real
//! ones, from the first on. In each of them the steps whose bodies are there pass, and the next one fails by the missing body and by nothing else. That
//! the last one passes with its body is what the chapter's own tests show, of which these are some.

use std::fs;
use std::path::Path;

use super::copy::{CopyError, git};
use super::grade::{self, GradeError, Verdict};
use super::{ExerciseError, Step, file_error, steps, text};

/// Why the proof could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// A step could not be graded.
    #[error(transparent)]
    Grade(#[from] GradeError),
    /// A file or list cannot be used.
    #[error(transparent)]
    Exercise(#[from] ExerciseError),
    /// Git does not say which files there are.
    #[error(transparent)]
    Files(#[from] CopyError),
}

/// All is built so often that building takes longer than running.
const QUICK: [&str; 12] = [
    "--config",
    "profile.dev.package.kernel.debug=false",
    "--config",
    "profile.dev.package.kernel.opt-level=1",
    "--config",
    "profile.dev.package.flatmk-model.opt-level=0",
    "--config",
    "profile.dev.package.flatmk-pipe-model.opt-level=0",
    "--config",
    "profile.dev.package.flatmk-pipe.opt-level=0",
    "--config",
    "profile.dev.package.flatmk-softuser.opt-level=1",
];

/// What is wrong with a step; nothing where it is as it should be.
pub type Finding = Option<String>;

/// Tries all states of a chapter in a folder, which gets a copy of the checkout; calls `tell` with each step and what is wrong with it.
///
/// # Errors
///
/// If it cannot be tried.
pub fn prove(
    checkout: &Path,
    chapter: u8,
    folder: &Path,
    mut tell: impl FnMut(&Step, Finding),
) -> Result<(), ProofError> {
    let steps = steps(checkout, chapter)?;
    let mut findings: Vec<Finding> = vec![None; steps.len()];
    for state in 0..steps.len() {
        mirror(checkout, folder, steps.get(state..).unwrap_or_default())?;
        // What comes behind the first that is missing is not looked at.
        for ((step, verdict), place) in
            steps.iter().zip(grade::run(folder, &steps, &QUICK)?).zip(&mut findings).take(state + 1)
        {
            let finding = if step.number <= state { must_pass(&verdict) } else { must_miss(step, &verdict) };
            if let Some(finding) = finding {
                place.get_or_insert(format!("with the bodies of {state} steps: {finding}"));
            }
        }
    }
    steps.iter().zip(findings).for_each(|(step, finding)| tell(step, finding));
    Ok(())
}

fn must_pass(verdict: &Verdict) -> Finding {
    match verdict {
        Verdict::Passed => None,
        Verdict::DoesNotBuild(said) => Some(format!("does not build:\n{said}")),
        Verdict::Failed { test, said } => Some(format!("{test} fails, and should pass:\n{said}")),
    }
}

fn must_miss(step: &Step, verdict: &Verdict) -> Finding {
    match verdict {
        Verdict::Passed => Some("passes without its body".to_owned()),
        Verdict::DoesNotBuild(said) => Some(format!("does not build without its body:\n{said}")),
        Verdict::Failed { said, .. } if said.contains(&step.marker()) => None,
        Verdict::Failed { test, said } => {
            Some(format!("{test} fails for another reason than the missing body:\n{said}"))
        }
    }
}

/// Makes the folder a copy of the checkout, but for the bodies of these steps. What is the same already is not written, for cargo's sake.
fn mirror(checkout: &Path, folder: &Path, missing: &[Step]) -> Result<(), ProofError> {
    let list = git(checkout, &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])?;
    for file in list.split('\0').map(Path::new).filter(|file| checkout.join(file).is_file()) {
        let (from, to) = (checkout.join(file), folder.join(file));
        let mut content = fs::read(&from).map_err(file_error(&from))?;
        for step in missing.iter().filter(|step| step.file == file) {
            let text = String::from_utf8_lossy(&content);
            let no_body = || ExerciseError::NoBody { path: step.file.clone(), anchor: step.anchor() };
            content = text::start(&text, step).ok_or_else(no_body)?.into_bytes();
        }
        if fs::read(&to).is_ok_and(|present| present == content) {
            continue;
        }
        let parent = to.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(file_error(parent))?;
        fs::write(&to, &content).map_err(file_error(&to))?;
    }
    Ok(())
}
