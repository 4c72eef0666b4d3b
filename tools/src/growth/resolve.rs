//! The text of a source file at a chapter: what does not belong to it is cut out, and all else stays as it was written.

use std::ops::Range;

pub(super) use super::conditionals::Module;
use super::conditionals::{Conditional, Decides, Found};

/// A source file, and what conditions decide about in it.
#[derive(Debug)]
pub(super) struct Source {
    text: String,
    conditionals: Vec<Conditional>,
    pub(super) modules: Vec<Module>,
}

/// Such a file at a chapter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The text, which is not formatted.
    pub(super) text: String,
    /// The names of its modules in files of their own.
    pub(super) modules: Vec<String>,
}

/// Why a file cannot be read as one of a chapter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    /// It is not understood.
    #[error("line {line}: {message}")]
    Syntax {
        /// Where.
        line: usize,
        /// Why.
        message: String,
    },
    /// A condition has a feature in it and still is not decided.
    #[error(
        "line {line}: a chapter does not decide this condition: set an attribute of its own for what has nothing to do with features"
    )]
    Undecided {
        /// Where.
        line: usize,
    },
}

impl From<syn::Error> for ResolveError {
    fn from(error: syn::Error) -> Self {
        Self::Syntax { line: error.span().start().line, message: error.to_string() }
    }
}

/// A piece of the text and what stands there instead.
struct Edit {
    range: Range<usize>,
    new: String,
}

impl Source {
    /// Reads a file. The marks of the book's listings are left out.
    pub(super) fn read(text: &str) -> Result<Self, ResolveError> {
        let is_mark = |line: &&str| {
            let line = line.trim();
            line.starts_with("// ANCHOR: ") || line.starts_with("// ANCHOR_END: ")
        };
        let text: String = text.split_inclusive('\n').filter(|line| !is_mark(line)).collect();
        let Found { conditionals, modules } = super::conditionals::find(&text)?;
        Ok(Self { text, conditionals, modules })
    }

    /// The file at a chapter.
    pub(super) fn at(&self, chapter: u8) -> Result<Resolved, ResolveError> {
        let (mut edits, mut cuts) = (Vec::new(), Vec::new());
        for conditional in &self.conditionals {
            let Some(holds) = conditional.condition.holds(chapter) else {
                if conditional.condition.names_feature() {
                    return Err(ResolveError::Undecided { line: conditional.line });
                }
                continue;
            };
            match (&conditional.decides, holds) {
                (Decides::Owner { attribute, braces, .. }, true) => {
                    edits.push(self.without(attribute));
                    edits.extend(braces.iter().flatten().map(|brace| self.without(brace)));
                }
                (Decides::Owner { owner, .. }, false) => {
                    let edit = self.without(&self.with_surroundings(owner));
                    cuts.push(edit.range.clone());
                    edits.push(edit);
                }
                (Decides::Attributes { attribute, .. }, false) => edits.push(self.without(attribute)),
                (Decides::Attributes { attribute, attributes }, true) => {
                    edits.push(Edit { range: attribute.clone(), new: attributes.clone() });
                }
                (Decides::Value { expression }, _) => {
                    edits.push(Edit { range: expression.clone(), new: holds.to_string() });
                }
            }
        }
        let is_left = |module: &&Module| !cuts.iter().any(|cut| cut.contains(&module.range.start));
        let modules = self.modules.iter().filter(is_left).map(|module| module.name.clone()).collect();
        Ok(Resolved { text: self.edited(edits), modules })
    }

    /// What is inside of another edit has gone with it.
    fn edited(&self, mut edits: Vec<Edit>) -> String {
        edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
        let (mut text, mut done) = (String::new(), 0);
        for Edit { range, new } in edits.into_iter() {
            if range.start >= done {
                text.push_str(self.part(done..range.start));
                text.push_str(&new);
            }
            done = done.max(range.end);
        }
        text + self.part(done..self.text.len())
    }

    fn part(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// Takes out a piece; its whole line, if nothing else stands there.
    fn without(&self, piece: &Range<usize>) -> Edit {
        let (before, after) = (self.part(0..piece.start), self.part(piece.end..self.text.len()));
        let line_start = before.trim_end_matches(' ').len();
        let stands_alone = line_start == 0 || before[..line_start].ends_with('\n');
        let blanks = after.len() - after.trim_start_matches(' ').len();
        let range = match after[blanks..].starts_with('\n') {
            true if stands_alone => line_start..piece.end + blanks + 1,
            true => piece.clone(),
            false => piece.start..piece.end + blanks,
        };
        Edit { range, new: String::new() }
    }

    /// The owner of an attribute with what belongs to it: the sign behind it, a comment behind that, and comments on the lines above.
    fn with_surroundings(&self, owner: &Range<usize>) -> Range<usize> {
        let before = self.part(0..owner.start);
        let line_start = before.trim_end_matches(' ').len();
        let mut start = owner.start;
        if before[..line_start].ends_with('\n') {
            let is_comment = |line: &str| {
                let line = line.trim_start();
                line.starts_with("//") && !line.starts_with("///") && !line.starts_with("//!")
            };
            let above = before[..line_start].split_inclusive('\n').rev().take_while(|line| is_comment(line));
            start = line_start - above.map(str::len).sum::<usize>();
        }
        let mut end = owner.end;
        let after = self.part(end..self.text.len());
        end += usize::from(after.starts_with([',', ';']));
        let line = self.part(end..self.text.len()).split('\n').next().unwrap_or_default();
        if line.trim_start().starts_with("//") {
            end += line.len();
        }
        start..end
    }
}

#[cfg(test)]
mod tests;
