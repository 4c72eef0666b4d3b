//! Bodies in sources: what stands between the anchors of a step.

use std::fs;
use std::path::Path;

use super::{ExerciseError, Step, file_error};

/// The width of a line of a hint.
const WIDTH: usize = 100;

/// Takes the bodies of these steps out of the files of a checkout.
///
/// # Errors
///
/// If a file cannot be read or written, or has no such body; then nothing was changed in that file.
pub fn take_out(checkout: &Path, steps: &[Step]) -> Result<(), ExerciseError> {
    steps.iter().try_for_each(|step| {
        let path = checkout.join(&step.file);
        let text = fs::read_to_string(&path).map_err(file_error(&path))?;
        let started = start(&text, step).ok_or_else(|| no_body(step))?;
        fs::write(&path, started).map_err(file_error(&path))
    })
}

/// A source in which the body of this step is to be written. `None` where it has none.
#[must_use]
pub fn start(text: &str, step: &Step) -> Option<String> {
    let (before, body, after) = split(text, &step.anchor())?;
    let indent: String = body.chars().take_while(|character| *character == ' ').collect();
    let mut blank = String::new();
    let hint = step.hints.first().map_or("", String::as_str);
    for line in [format!("Exercise {}: {}.", step.name(), step.title), hint.to_owned()] {
        for part in textwrap::wrap(&line, WIDTH) {
            blank.push_str(format!("{indent}// {part}").trim_end());
            blank.push('\n');
        }
    }
    Some(format!("{before}{blank}{indent}todo!(\"{}\")\n{after}", step.marker()))
}

/// The body of a step in a source.
///
/// # Errors
///
/// If it has none.
pub fn body<'a>(text: &'a str, step: &Step) -> Result<&'a str, ExerciseError> {
    split(text, &step.anchor()).map(|(_, body, _)| body).ok_or_else(|| no_body(step))
}

/// The line on which it begins, from 1 on.
#[must_use]
pub fn line(text: &str, step: &Step) -> Option<usize> {
    split(text, &step.anchor()).map(|(before, ..)| before.lines().count() + 1)
}

fn no_body(step: &Step) -> ExerciseError {
    ExerciseError::NoBody { path: step.file.clone(), anchor: step.anchor() }
}

/// What stands before, between and behind the lines of an anchor; these belong to the outer two.
fn split<'a>(text: &'a str, anchor: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let first = line_after(text, &format!("// ANCHOR: {anchor}"))?;
    let (before, rest) = text.split_at(first);
    let end = rest.find(&format!("// ANCHOR_END: {anchor}\n"))?;
    let last = rest.get(..end)?.rfind('\n').map_or(0, |newline| newline + 1);
    let (body, after) = rest.split_at(last);
    Some((before, body, after))
}

/// Where the line after this one begins.
fn line_after(text: &str, line: &str) -> Option<usize> {
    let mut at = 0;
    for whole in text.split_inclusive('\n') {
        at += whole.len();
        if whole.trim() == line {
            return Some(at);
        }
    }
    None
}
