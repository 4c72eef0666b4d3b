//! The page of the book with all exercises, their hints and their solutions.

use std::fmt::Write;
use std::path::Path;

use super::{ExerciseError, Step, Tests, file_error, steps};
use crate::{CHAPTERS, generated};

/// The page, from the root of the checkout.
const PAGE: &str = "book/src/reference/exercises.md";

/// Writes the page where it is not up to date.
///
/// # Errors
///
/// If a list cannot be read, or the page not be written.
pub fn update(checkout: &Path) -> Result<(), ExerciseError> {
    let path = checkout.join(PAGE);
    generated::update(&path, &page(checkout)?).map_err(file_error(&path))
}

fn page(checkout: &Path) -> Result<String, ExerciseError> {
    let mut page = String::from(
        "# Exercises\n\n<!-- Made from chapters/*/exercises.toml by ./x book. -->\n\n\
        A step is the body of one function of the real kernel, or of a program that comes with it. `./x learn N` makes a working copy in which the bodies of chapter N's steps \
        are missing, and `./x check` runs the tests of one step after the other; see [Learning by doing](../learning.md). The hints and the solutions are folded: open them one by one.\n",
    );
    for chapter in CHAPTERS {
        let _ = write!(page, "\n## Chapter {chapter}\n");
        steps(checkout, chapter)?.iter().for_each(|step| section(&mut page, step));
    }
    Ok(page)
}

fn section(page: &mut String, step: &Step) {
    let file = step.file.display();
    let place = match &step.tests {
        Tests::Test(test) => format!("the test `{test}`"),
        Tests::Package(package) => format!("the package `{package}`"),
    };
    let names: Vec<String> = step.shows.iter().map(|name| format!("`{name}`")).collect();
    let _ = write!(
        page,
        "\n### {}: {}\n\nIn `{file}`. What shows it, in {place}: {}.\n",
        step.name(),
        step.title,
        names.join(", ")
    );
    for (number, hint) in (1..).zip(&step.hints) {
        let _ = write!(page, "\n<details><summary>Hint {number}</summary>\n\n{hint}\n\n</details>\n");
    }
    let _ = write!(
        page,
        "\n<details><summary>Solution</summary>\n\n```rust,ignore\n{{{{#include ../../../{file}:{}}}}}\n```\n\n</details>\n",
        step.anchor()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_page_is_that_of_the_lists() {
        let present = std::fs::read_to_string(workspace::root().join(PAGE)).unwrap_or_default();
        assert!(present == page(workspace::root()).unwrap(), "{PAGE} is not what the lists make: run ./x book");
    }
}
