//! Commands that the README and the book show with what they print, and what they show of other outputs, to be compared with what is printed.

use std::path::{Path, PathBuf};
use std::{fs, io};

use regex::Regex;
use walkdir::WalkDir;

/// What stands before a command for the reader's shell.
pub const SHELL: &str = "$ ";

/// Why a page cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {cause}", .path.display())]
pub struct ReadError {
    path: PathBuf,
    cause: io::Error,
}

/// What a page shows of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The page, from the root of the checkout.
    pub page: PathBuf,
    /// The line, from 1 on.
    pub line: usize,
    /// What is typed for it; nothing if the page shows no command.
    pub command: String,
    /// What the page shows below it, up to the next command or the end of the block; often nothing.
    pub output: Vec<String>,
}

/// All commands for the reader's shell: those of the README, and those of the book, page by page.
///
/// # Errors
///
/// If a page cannot be read.
pub fn commands(checkout: &Path) -> Result<Vec<Shown>, ReadError> {
    let pages = WalkDir::new(checkout.join("book/src")).sort_by_file_name().into_iter().flatten();
    let pages = pages.map(walkdir::DirEntry::into_path);
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut commands = Vec::new();
    for path in std::iter::once(checkout.join("README.md")).chain(pages) {
        commands.extend(on_page(checkout, path.strip_prefix(checkout).unwrap_or(&path), SHELL)?);
    }
    Ok(commands)
}

/// The commands on a page behind such a prompt.
///
/// # Errors
///
/// If the page cannot be read.
pub fn on_page(checkout: &Path, page: &Path, prompt: &str) -> Result<Vec<Shown>, ReadError> {
    read(checkout, page).map(|text| commands_in(&text, page, prompt))
}

/// What a page shows without a command, as a block of text.
///
/// # Errors
///
/// If the page cannot be read.
pub fn texts_on_page(checkout: &Path, page: &Path) -> Result<Vec<Shown>, ReadError> {
    read(checkout, page).map(|text| texts_in(&text, page))
}

fn read(checkout: &Path, page: &Path) -> Result<String, ReadError> {
    let path = checkout.join(page);
    fs::read_to_string(&path).map_err(|cause| ReadError { path, cause })
}

fn commands_in(text: &str, page: &Path, prompt: &str) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    let mut is_output = false;
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(command) = text.strip_prefix(prompt) {
            commands.push(Shown { page: page.into(), line, command: command.trim().to_owned(), output: Vec::new() });
            is_output = true;
        } else if text.starts_with("```") {
            is_output = false;
        } else if is_output && let Some(last) = commands.last_mut() {
            last.output.push(text.to_owned());
        }
    }
    commands
}

fn texts_in(text: &str, page: &Path) -> Vec<Shown> {
    let mut texts = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, text)) = lines.next() {
        if text == "```text" {
            let output = lines.by_ref().map(|(_, text)| text.to_owned()).take_while(|text| text != "```").collect();
            texts.push(Shown { page: page.into(), line, command: String::new(), output });
        }
    }
    texts
}

impl Shown {
    /// Whether this was printed. Figures may differ, and how many blanks there are between words; `…` is whatever is left out of a line, or, alone in
    /// one, any lines.
    #[must_use]
    pub fn agrees_with(&self, printed: &str) -> bool {
        let lines: String = self.output.iter().map(|line| pattern(line.trim_end())).collect();
        let printed: String = printed.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        Regex::new(&format!("^{lines}\n*$")).is_ok_and(|pattern| pattern.is_match(&printed))
    }
}

/// Figures of so many digits are hexadecimal, with or without `0x`: nothing is counted so far.
const REGISTER: usize = 8;

/// The lines for which such a line stands.
fn pattern(line: &str) -> String {
    if line.trim() == "…" {
        return "(?:.*\n)*?".to_owned();
    }
    let figures = Regex::new(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|[0-9]+| +|…").map(|figures| {
        let mut pattern = String::new();
        let mut end = 0;
        for found in figures.find_iter(line) {
            pattern += &regex::escape(line.get(end..found.start()).unwrap_or_default());
            pattern += match found.as_str() {
                "…" => ".*",
                blanks if blanks.starts_with(' ') => " +",
                hexadecimal if hexadecimal.starts_with("0x") => "0x[0-9a-f]+",
                register if register.len() >= REGISTER => "[0-9a-f]{8,}",
                _ => "[0-9]+",
            };
            end = found.end();
        }
        pattern + &regex::escape(line.get(end..).unwrap_or_default())
    });
    figures.unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "Text:\n```console\n$ ./x run\n$ ./x ps  \nnumber name\n\n1  root\n…\n```\n$ later\n";

    fn all() -> Vec<Shown> {
        commands_in(PAGE, Path::new("page.md"), SHELL)
    }

    #[test]
    fn commands_are_found_with_what_is_below_them() {
        let found: Vec<_> =
            all().into_iter().map(|shown| (shown.line, shown.command, shown.output.join("|"))).collect();
        let expected = [(3, "./x run", ""), (4, "./x ps", "number name||1  root|…"), (10, "later", "")];
        assert_eq!(found, expected.map(|(line, command, output)| (line, command.to_owned(), output.to_owned())));
    }

    #[test]
    fn blocks_of_text_are_found() {
        let page = "```console\n$ a\n```\n```text\none\n\ntwo\n```\nBetween.\n```text\n```\n";
        let found: Vec<_> =
            texts_in(page, Path::new("p.md")).into_iter().map(|shown| (shown.line, shown.output)).collect();
        assert_eq!(found, [(4, vec!["one".to_owned(), String::new(), "two".to_owned()]), (10, vec![])]);
    }

    #[test]
    fn figures_may_differ_and_words_may_not() {
        let shown = all().remove(1);
        assert!(shown.agrees_with("number name\n\n12 root\n"));
        assert!(shown.agrees_with("number name  \n\n7   root\n9 a.b\n\n8 c\n"), "what is left out");
        for other in [
            "",
            "number name\n\n12 boot\n",
            "number name\n12 root\n",
            "x\nnumber name\n\n1 root\n",
            "number name\n\n root\n",
        ] {
            assert!(!shown.agrees_with(other), "{other}");
        }
    }

    #[test]
    fn a_part_of_a_line_is_left_out() {
        let shown = Shown { output: vec!["at …/kernel (0x12 of 3)".to_owned()], ..all().remove(0) };
        assert!(shown.agrees_with("at /tmp/a b/kernel (0xff of 10)"));
        assert!(
            !shown.agrees_with("at /tmp/kernel (12 of 10)") && !shown.agrees_with("at /tmp/kernel (0xff of 10) more")
        );
    }

    #[test]
    fn registers_are_hexadecimal() {
        let shown = Shown { output: vec!["RIP=ffffffff80007010 deadbeef".to_owned()], ..all().remove(0) };
        assert!(shown.agrees_with("RIP=ffffffff8000abcd 00000000"));
        assert!(!shown.agrees_with("RIP=ffffffff8000abcd dead"), "a short word is a word");
    }

    #[test]
    fn where_nothing_is_shown_nothing_is_printed() {
        let shown = all().remove(0);
        assert!(shown.agrees_with("") && !shown.agrees_with("something"));
    }
}
