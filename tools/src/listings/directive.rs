//! The directives of the book tool, such as `{{#include file:anchor}}`.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// The book tool's own expression: an escaped directive, or a directive and its argument.
static DIRECTIVE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\\\{\{#.*\}\}|\{\{\s*#([a-zA-Z0-9_]+)\s+([^}]+)\}\}").expect("a constant expression")
});

/// A directive in a text.
pub(super) struct Directive {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

/// What a directive asks for.
pub(super) enum Kind {
    /// The text of a file, named relative to the file with the directive.
    Include { path: String, part: Part },
    /// Another title for the page.
    Title,
    /// What the host program puts into the book: a kernel, or what a chapter adds.
    Growth,
    /// Anything else, by its name.
    Unknown(String),
}

/// Which part of a file an include asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Anchor(String),
    Lines,
}

/// All directives of a text, without the escaped ones.
pub(super) fn find(text: &str) -> impl Iterator<Item = Directive> {
    DIRECTIVE.captures_iter(text).filter_map(|parts| {
        let (name, argument) = (parts.get(1)?.as_str(), parts.get(2)?.as_str());
        let kind = match (name, argument.split_whitespace().next()) {
            ("include" | "rustdoc_include", Some(target)) => {
                let (path, part) = target.split_once(':').unwrap_or((target, ""));
                Kind::Include { path: path.to_owned(), part: Part::parse(part) }
            }
            ("title", _) => Kind::Title,
            ("show" | "diff", _) => Kind::Growth,
            _ => Kind::Unknown(name.to_owned()),
        };
        Some(Directive { range: parts.get(0)?.range(), kind })
    })
}

impl Part {
    fn parse(text: &str) -> Self {
        match text.split_once(':').unwrap_or((text, "")) {
            ("", "") => Self::All,
            ("", _) => Self::Lines,
            (first, _) if first.parse::<usize>().is_ok() => Self::Lines,
            (first, _) => Self::Anchor(first.to_owned()),
        }
    }
}
