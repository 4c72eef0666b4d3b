//! The spelling of the book: every word of its prose is in the dictionary of `hunspell`, or in a list of the book's own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use walkdir::WalkDir;

/// The book's own words, one a line: names, and terms of the field.
const OWN_WORDS: &str = "book/words.txt";

/// Why the spelling could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum SpellingError {
    /// The program with the dictionary does not run.
    #[error("cannot run hunspell ({0}), which checks the spelling: run ./x doctor")]
    NoDictionary(io::Error),
    /// It runs, and says no.
    #[error("hunspell has failed: {0}")]
    Dictionary(String),
    /// A page cannot be read.
    #[error("cannot read {}: {cause}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// Words of the README and of the book's pages that are nowhere, each with the first file in which it is; and words of the own list that are in none.
///
/// # Errors
///
/// If there is no dictionary, or a page cannot be read.
pub fn check(checkout: &Path) -> Result<Vec<String>, SpellingError> {
    let read =
        |path: &Path| fs::read_to_string(path).map_err(|cause| SpellingError::Read { path: path.to_owned(), cause });
    let own = read(&checkout.join(OWN_WORDS))?;
    let mut own: BTreeSet<&str> = own.lines().map(str::trim).filter(|word| !word.is_empty()).collect();
    let mut used: BTreeMap<String, PathBuf> = BTreeMap::new();
    let pages = WalkDir::new(checkout.join("book/src")).sort_by_file_name().into_iter().flatten();
    let pages =
        pages.map(walkdir::DirEntry::into_path).filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    for path in std::iter::once(checkout.join("README.md")).chain(pages) {
        let file = path.strip_prefix(checkout).unwrap_or(&path).to_owned();
        for word in words(&read(&path)?) {
            used.entry(word).or_insert_with(|| file.clone());
        }
    }
    let unknown = unknown(used.keys())?;
    let strange = unknown.iter().filter(|word| !own.remove(word.as_str()));
    let strange = strange.filter_map(|word| Some(format!("{}: {word}", used.get(word)?.display())));
    let mut findings: Vec<String> = strange.collect();
    findings.extend(own.iter().map(|word| format!("{OWN_WORDS}: {word} is on no page, or in the dictionary")));
    Ok(findings)
}

/// The words of a page's prose of three letters and more, without code.
fn words(page: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut is_code = false;
    for event in new_cmark_parser(page, &MarkdownOptions::default()) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => is_code = true,
            Event::End(TagEnd::CodeBlock) => is_code = false,
            Event::Text(text) if !is_code && !text.contains("{{#") => {
                let text = text.replace('’', "'");
                let is_part = |letter: char| letter.is_alphabetic() || letter == '\'';
                // Beside a digit or an underscore it is a name of code, or a number.
                let pieces = text.split(|letter: char| !is_part(letter) && !letter.is_ascii_digit() && letter != '_');
                let bare = |piece: &'_ str| piece.trim_matches('\'').trim_end_matches("'s").to_owned();
                let plain = pieces.map(bare).filter(|piece| piece.chars().all(is_part));
                words.extend(plain.filter(|piece| piece.chars().count() > 2));
            }
            _ => {}
        }
    }
    words
}

/// Those that the dictionary does not have.
fn unknown<'a>(words: impl Iterator<Item = &'a String>) -> Result<Vec<String>, SpellingError> {
    let mut command = Command::new("hunspell");
    command
        .args(["-d", "en_US", "-i", "UTF-8", "-l"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(SpellingError::NoDictionary)?;
    let text: String = words.flat_map(|word| [word.as_str(), "\n"]).collect();
    let stdin = child.stdin.take();
    // It answers while it reads, and neither may wait for the other.
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(text.as_bytes())));
    let output = child.wait_with_output().map_err(SpellingError::NoDictionary)?;
    let _ = writer.join();
    if !output.status.success() {
        return Err(SpellingError::Dictionary(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_words_and_code_is_none() {
        let page = "# A *heading*\n\nThe kernel's `invlpg`, a [link](to/nowhre.md) and 0xff00 or rax2.\n\n```rust\nlet nothng = 1;\n```\n\n| cell | x |\n|---|---|\n| other | y |\n";
        let expected = ["The", "and", "cell", "heading", "kernel", "link", "other"];
        assert_eq!(words(page).into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_word_that_is_wrong_is_found_and_one_that_is_needless() {
        let checkout = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| fs::write(checkout.path().join(path), text).unwrap();
        fs::create_dir_all(checkout.path().join("book/src")).unwrap();
        write("README.md", "A kernel with softuser.");
        write("book/src/page.md", "It is misspeled here.");
        write("book/words.txt", "softuser\nnowhere\n");
        assert_eq!(
            check(checkout.path()).unwrap(),
            ["book/src/page.md: misspeled", "book/words.txt: nowhere is on no page, or in the dictionary"]
        );
    }
}
