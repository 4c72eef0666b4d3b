//! The anchors of one file: `ANCHOR: name` and `ANCHOR_END: name`, each in a comment on a line of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::finding::{Finding, Problem};

/// The book tool would take an anchor in any place; a line of its own is what it hides.
static ANCHOR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?://|#|<!--)\s*ANCHOR(_END)?:\s*([\w-]+)\s*(?:-->)?\s*$").expect("a constant expression")
});

/// The anchors of one file.
#[derive(Default)]
pub(super) struct Anchors {
    by_name: BTreeMap<String, Anchor>,
    /// What is wrong with them, by line.
    problems: Vec<(usize, Problem)>,
}

struct Anchor {
    first_line: usize,
    last_line: Option<usize>,
}

impl Anchors {
    /// Finds them in the text of a file.
    pub(super) fn find(text: &str) -> Self {
        let mut anchors = Self::default();
        for (line, content) in (1..).zip(text.lines()) {
            if let Some(parts) = ANCHOR.captures(content) {
                let name = parts.get(2).map_or("", |name| name.as_str()).to_owned();
                match parts.get(1) {
                    None => anchors.open(name, line),
                    Some(_) => anchors.close(name, line),
                }
            }
        }
        anchors
    }

    /// Whether there is such an anchor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether a line is between an anchor and its end.
    pub(super) fn is_within(&self, name: &str, line: usize) -> bool {
        let is_in =
            |anchor: &Anchor| anchor.first_line < line && anchor.last_line.is_none_or(|last_line| line < last_line);
        self.by_name.get(name).is_some_and(is_in)
    }

    /// What is wrong with the anchors of this file, given which ones are shown.
    pub(super) fn check(&self, file: &Path, is_shown: impl Fn(&str) -> bool) -> Vec<Finding> {
        let mut problems = self.problems.clone();
        for (name, anchor) in &self.by_name {
            if !is_shown(name) {
                problems.push((anchor.first_line, Problem::UnusedAnchor { anchor: name.clone() }));
            }
            if anchor.last_line.is_none() {
                problems.push((anchor.first_line, Problem::OpenAnchor { anchor: name.clone() }));
            }
        }
        let finding = |(line, problem)| Finding { file: file.to_owned(), line, problem };
        problems.into_iter().map(finding).collect()
    }

    fn open(&mut self, name: String, line: usize) {
        if self.has(&name) {
            self.problems.push((line, Problem::RepeatedAnchor { anchor: name }));
        } else {
            self.by_name.insert(name, Anchor { first_line: line, last_line: None });
        }
    }

    fn close(&mut self, name: String, line: usize) {
        match self.by_name.get_mut(&name) {
            Some(anchor @ Anchor { last_line: None, .. }) => anchor.last_line = Some(line),
            _ => self.problems.push((line, Problem::StrayAnchorEnd { anchor: name })),
        }
    }
}
