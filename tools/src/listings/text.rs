//! The text of a page together with the Markdown files it includes.
//!
//! The book tool replaces every directive first and reads Markdown then. Here Markdown files alone are put in: their
//! headings, links and blocks are part of the page. A listing stays a directive, to be checked as one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::anchors::Anchors;
use super::directive::{self, Kind, Part};
use super::finding::{Finding, Problem};
use super::{ListingsError, read, resolve};

/// As deep as the book tool follows includes.
const MOST_LEVELS: usize = 10;

/// A line of a file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    pub(super) line: usize,
}

impl Place {
    pub(super) fn finding(&self, problem: Problem) -> Finding {
        Finding { file: self.file.to_path_buf(), line: self.line, problem }
    }
}

/// The text of a page, and where each of its lines is from.
pub(super) struct Text {
    text: String,
    /// The offset at which each line begins, and its place.
    lines: Vec<(usize, Place)>,
    /// The files that were put in.
    pub(super) fragments: BTreeSet<PathBuf>,
}

impl Text {
    /// Reads a page and the Markdown files it includes.
    pub(super) fn of_page(repository: &Path, path: &Path) -> Result<Self, ListingsError> {
        let mut text = Self { text: String::new(), lines: vec![], fragments: BTreeSet::new() };
        text.add(repository, path, &Part::All, 0)?;
        Ok(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The line of a file that is at an offset of this text; `None` if there is no text at all.
    pub(super) fn place(&self, offset: usize) -> Option<&Place> {
        let line = self.lines.partition_point(|(start, _)| *start <= offset);
        self.lines.get(line.checked_sub(1)?).map(|(_, place)| place)
    }

    fn add(&mut self, repository: &Path, path: &Path, part: &Part, level: usize) -> Result<(), ListingsError> {
        let file: Arc<Path> = path.into();
        let content = read(repository, path)?;
        let anchors = Anchors::find(&content);
        for (line, with_end) in (1..).zip(content.split_inclusive('\n')) {
            if let Part::Anchor(name) = part
                && !anchors.is_within(name, line)
            {
                continue;
            }
            match included_page(repository, path, with_end) {
                Some((included, part)) if level < MOST_LEVELS => {
                    self.add(repository, &included, &part, level + 1)?;
                    self.fragments.insert(included);
                }
                _ => {
                    self.lines.push((self.text.len(), Place { file: Arc::clone(&file), line }));
                    self.text.push_str(with_end.trim_end_matches(['\r', '\n']));
                    self.text.push('\n');
                }
            }
        }
        Ok(())
    }
}

/// The Markdown file that a line includes, if that is all the line does, and the file and its anchor exist.
fn included_page(repository: &Path, file: &Path, line: &str) -> Option<(PathBuf, Part)> {
    let directive = directive::find(line).next()?;
    if line.get(directive.range)? != line.trim() {
        return None;
    }
    let Kind::Include { path, part } = directive.kind else { return None };
    let included = resolve(file, &path)?;
    if included.extension()? != "md" {
        return None;
    }
    let exists = match &part {
        Part::All => repository.join(&included).is_file(),
        Part::Anchor(name) => read(repository, &included).is_ok_and(|text| Anchors::find(&text).has(name)),
        Part::Lines => false,
    };
    exists.then_some((included, part))
}
