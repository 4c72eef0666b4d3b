//! The Markdown parser, set up as the book tool does, and the names it gives to headings.

use std::collections::HashSet;

use mdbook_markdown::pulldown_cmark::Parser;
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};

pub(super) fn parser(text: &str) -> Parser<'_> {
    new_cmark_parser(text, &MarkdownOptions::default())
}

/// The names of the headings of one page, by which links reach them; as the book tool makes them.
#[derive(Default)]
pub(super) struct HeadingNames {
    used: HashSet<String>,
}

impl HeadingNames {
    /// The name of the next heading on the page: its letters and digits, with `-` for spaces, made unique.
    pub(super) fn next(&mut self, heading: &str) -> String {
        let letters = heading.trim().to_lowercase();
        let letters = letters.chars().filter(|letter| is_in_name(*letter));
        let name = letters.map(|letter| if letter.is_whitespace() { '-' } else { letter }).collect::<String>();
        let numbered = (1..).map(|number| format!("{name}-{number}"));
        let mut candidates = std::iter::once(name.clone()).chain(numbered);
        candidates.find(|candidate| self.used.insert(candidate.clone())).unwrap_or(name)
    }
}

fn is_in_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_whitespace() || letter == '_' || letter == '-'
}
