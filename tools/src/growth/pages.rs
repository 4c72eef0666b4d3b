//! The book's pages of whole kernels and of what chapters add. The pages themselves are a few lines: `{{#show N}}` and `{{#diff N}}` in them become
//! the files, folded, when the book is built.

use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::errors::Error;
use regex::{Captures, Regex};

use super::{Difference, File, Growth, GrowthError, Kernel};

/// What is replaced.
static DIRECTIVE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{#(show|diff) ([0-9]+)\}\}").expect("a constant expression"));

/// Why the pages cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// The book tool has said something else.
    #[error("cannot read the book from mdbook ({0}): run it as `mdbook build book`, which runs this")]
    Input(Error),
    /// The sources are not to be read.
    #[error(transparent)]
    Growth(#[from] GrowthError),
    /// A page wants a chapter that there is not.
    #[error("{page} wants the kernel of chapter {chapter}: there are chapters 1 to {}", crate::LAST_CHAPTER)]
    NoChapter {
        /// The page.
        page: String,
        /// What it says.
        chapter: String,
    },
}

/// Reads a book as mdBook hands it to its preprocessors, and returns it with all pages in it.
///
/// # Errors
///
/// If it is not such a book, the sources are not to be read, or a page names a chapter that there is not.
pub fn preprocess(repository: &Path, input: impl Read) -> Result<Book, PagesError> {
    let (_, mut book) = mdbook_preprocessor::parse_input(input).map_err(PagesError::Input)?;
    if !book.chapters().any(|chapter| DIRECTIVE.is_match(&chapter.content)) {
        return Ok(book);
    }
    let pages = Pages::read(repository)?;
    let mut result = Ok(());
    book.for_each_chapter_mut(|chapter| {
        let wrong = DIRECTIVE.captures_iter(&chapter.content).find(|parts| pages.replacement(parts).is_none());
        if let Some(parts) = wrong {
            let number = parts.get(2).map(|number| number.as_str().to_owned()).unwrap_or_default();
            result = Err(PagesError::NoChapter { page: chapter.name.clone(), chapter: number });
        }
        let replace = |parts: &Captures<'_>| pages.replacement(parts).unwrap_or_default();
        chapter.content = DIRECTIVE.replace_all(&chapter.content, replace).into_owned();
    });
    result.map(|()| book)
}

/// What is shown of each chapter.
pub(super) struct Pages {
    growth: Growth,
    kernels: Vec<Kernel>,
}

impl Pages {
    pub(super) fn read(repository: &Path) -> Result<Self, GrowthError> {
        let growth = Growth::read(repository)?;
        let kernels = growth.all_kernels()?;
        Ok(Self { growth, kernels })
    }

    fn replacement(&self, parts: &Captures<'_>) -> Option<String> {
        let chapter: u8 = parts.get(2)?.as_str().parse().ok()?;
        let kernel = self.kernel(chapter)?;
        Some(if parts.get(1)?.as_str() == "show" { show(kernel) } else { diff(&self.difference(kernel)) })
    }

    pub(super) fn kernel(&self, chapter: u8) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.chapter == chapter)
    }

    pub(super) fn difference(&self, kernel: &Kernel) -> Difference {
        let before = self.kernels.iter().find(|before| before.chapter + 1 == kernel.chapter);
        self.growth.compare(before.map_or(&[], |before| &before.files), kernel)
    }
}

/// All files of a kernel, below a heading for each module.
pub(super) fn show(kernel: &Kernel) -> String {
    let mut text = String::new();
    let mut above = None;
    for file in &kernel.files {
        let module = file.module();
        if above != Some(module) {
            let _ = writeln!(text, "\n## {}", title(module));
            above = Some(module);
        }
        let lines = file.text.lines().count();
        // As the language is called here, the book tool hides no line of it.
        let language = if file.is_source() { "rs" } else { "toml" };
        folded(&mut text, file, &format!("{lines} lines"), language, &file.text);
    }
    text
}

/// What a chapter adds: a table, and the files below a heading for each module.
pub(super) fn diff(difference: &Difference) -> String {
    let mut text = String::from("| module | files and lines |\n|---|---|\n");
    for module in &difference.modules {
        let _ = writeln!(text, "| {} | {} |", title(module.name.as_deref()), module.counts());
    }
    let _ = writeln!(text, "| all | {} |", difference.counts());
    for module in &difference.modules {
        let _ = writeln!(text, "\n## {}", title(module.name.as_deref()));
        for change in &module.changes {
            let file = File { path: change.path.clone(), text: String::new() };
            let counts = format!("{}, +{} -{}", change.kind, change.added_lines, change.removed_lines);
            folded(&mut text, &file, &counts, "diff", &change.text);
        }
    }
    text
}

fn title(module: Option<&str>) -> String {
    module.map_or_else(|| "The crate".to_owned(), |module| format!("`{module}`"))
}

fn folded(text: &mut String, file: &File, note: &str, language: &str, code: &str) {
    let fence = fence(code);
    let path = file.path.display();
    let newline = if code.is_empty() || code.ends_with('\n') { "" } else { "\n" };
    let _ = writeln!(
        text,
        "\n<details class=\"source\">\n<summary><code>{path}</code> ({note})</summary>\n\n{fence}{language}\n{code}{newline}{fence}\n\n</details>"
    );
}

/// More backticks than there are in a row in the code.
fn fence(code: &str) -> String {
    let longest = code.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_ends_its_fence() {
        assert_eq!(fence("no backticks"), "```");
        assert_eq!(fence("/// ```\n/// `a`\n/// ````"), "`````");
    }

    #[test]
    fn files_are_folded_below_their_modules() {
        let file = |path: &str| File { path: path.into(), text: "fn f<T>() {}\n".into() };
        let files = ["kernel/src/lib.rs", "kernel/src/a/mod.rs", "kernel/src/a/b.rs", "kernel/src/c.rs"].map(file);
        let text = show(&Kernel { chapter: 3, files: files.into() });
        let headings: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(headings, ["## The crate", "## `a`", "## `c`"]);
        assert!(
            text.contains(
                "<summary><code>kernel/src/a/b.rs</code> (1 lines)</summary>\n\n```rs\nfn f<T>() {}\n```\n\n</details>"
            ),
            "{text}"
        );
    }
}
