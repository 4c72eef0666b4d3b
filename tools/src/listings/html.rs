//! What a page says in HTML.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A comment, or an opening tag with its name and its attributes.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?s)<!--.*?-->|<([a-zA-Z][a-zA-Z0-9]*)((?:[^>"']|"[^"]*"|'[^']*')*)>"#)
        .expect("a constant expression")
});

static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')"#).expect("a constant expression"));

/// An opening tag.
pub(super) struct HtmlTag<'text> {
    pub(super) offset: usize,
    name: &'text str,
    attributes: &'text str,
}

/// All opening tags of a piece of HTML.
pub(super) fn tags(html: &str) -> impl Iterator<Item = HtmlTag<'_>> {
    TAG.captures_iter(html).filter_map(|parts| {
        let (name, attributes) = (parts.get(1)?, parts.get(2)?.as_str());
        Some(HtmlTag { offset: name.start(), name: name.as_str(), attributes })
    })
}

impl<'text> HtmlTag<'text> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&'text str> {
        let is_named =
            |parts: &Captures<'_>| parts.get(1).is_some_and(|found| found.as_str().eq_ignore_ascii_case(name));
        let parts = ATTRIBUTE.captures_iter(self.attributes).find(is_named)?;
        parts.get(2).or(parts.get(3)).map(|value| value.as_str())
    }
}
