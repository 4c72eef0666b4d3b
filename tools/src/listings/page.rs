//! What is on a page.

use std::collections::HashSet;

use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

use super::directive::{self, Kind};
use super::finding::{Finding, Problem};
use super::html;
use super::include::{Include, block_problem};
use super::markdown::{self, HeadingNames};
use super::text::{Place, Text};

/// What is on a page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) includes: Vec<Include>,
    pub(super) links: Vec<Link>,
    /// What links can lead to: the names of headings and of HTML elements.
    pub(super) names: HashSet<String>,
    /// What is wrong with the page by itself.
    pub(super) findings: Vec<Finding>,
}

/// A link, or the address of an image.
pub(super) struct Link {
    pub(super) place: Place,
    pub(super) target: String,
}

impl Page {
    /// Reads a page.
    pub(super) fn parse(text: &Text) -> Self {
        let mut reader = Reader { text, page: Self::default(), headings: HeadingNames::default(), open: vec![] };
        for (event, range) in markdown::parser(text.as_str()).into_offset_iter() {
            if let Some(place) = text.place(range.start) {
                let source = text.as_str().get(range.clone()).unwrap_or_default();
                reader.read(event, source, range.start, place);
            }
        }
        reader.find_directives();
        reader.page
    }
}

struct Reader<'text> {
    text: &'text Text,
    page: Page,
    headings: HeadingNames,
    /// The elements around this point of which the text matters.
    open: Vec<Element>,
}

/// An element of which the text matters, and the text so far.
struct Element {
    place: Place,
    kind: ElementKind,
    text: String,
}

enum ElementKind {
    /// A heading, with the name the author gave it.
    Heading(Option<String>),
    Image(String),
    /// A block of a language that is compiled, with the extensions of its sources.
    Code(&'static [&'static str]),
}

impl Reader<'_> {
    fn read(&mut self, event: Event<'_>, source: &str, offset: usize, place: &Place) {
        match event {
            Event::Start(Tag::Heading { id, .. }) => {
                self.open(place, ElementKind::Heading(id.map(|id| id.to_string())));
            }
            Event::Start(Tag::DefinitionListTitle) => self.open(place, ElementKind::Heading(None)),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                if let Some(extensions) = compiled(&info) {
                    self.open(place, ElementKind::Code(extensions));
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => self.add_link(place, &dest_url),
            Event::Start(Tag::Image { dest_url, .. }) => {
                self.add_link(place, &dest_url);
                self.open(place, ElementKind::Image(dest_url.to_string()));
            }
            Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => self.read_html(source, offset),
            Event::Text(text) | Event::Code(text) => self.add_text(&text),
            Event::SoftBreak | Event::HardBreak => self.add_text("\n"),
            Event::End(TagEnd::Heading(_) | TagEnd::DefinitionListTitle | TagEnd::Image | TagEnd::CodeBlock) => {
                self.close();
            }
            _ => {}
        }
    }

    fn open(&mut self, place: &Place, kind: ElementKind) {
        self.open.push(Element { place: place.clone(), kind, text: String::new() });
    }

    /// Text belongs to the innermost element: that of an image in a heading is not part of the heading's name.
    fn add_text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }

    /// Blocks of other languages have opened nothing, and nothing can be open around a block.
    fn close(&mut self) {
        let Some(Element { place, kind, text }) = self.open.pop() else { return };
        let problem = match kind {
            ElementKind::Heading(name) => {
                self.page.names.insert(name.unwrap_or_else(|| self.headings.next(&text)));
                None
            }
            ElementKind::Image(image) => text.trim().is_empty().then_some(Problem::ImageWithoutText { image }),
            ElementKind::Code(extensions) => block_problem(&place, extensions, &text),
        };
        self.page.findings.extend(problem.map(|problem| place.finding(problem)));
    }

    fn add_link(&mut self, place: &Place, target: &str) {
        self.page.links.push(Link { place: place.clone(), target: target.to_owned() });
    }

    fn read_html(&mut self, source: &str, offset: usize) {
        for tag in html::tags(source) {
            let Some(place) = self.text.place(offset + tag.offset).cloned() else { continue };
            self.page.names.extend(tag.attribute("id").map(str::to_owned));
            if let Some(target) = tag.attribute("href") {
                self.add_link(&place, target);
            }
            if tag.is("img") {
                let image = tag.attribute("src").unwrap_or_default();
                self.add_link(&place, image);
                if tag.attribute("alt").is_none_or(|text| text.trim().is_empty()) {
                    let problem = Problem::ImageWithoutText { image: image.to_owned() };
                    self.page.findings.push(place.finding(problem));
                }
            }
        }
    }

    /// The book tool replaces directives wherever they are in the text, in code too.
    fn find_directives(&mut self) {
        for directive in directive::find(self.text.as_str()) {
            let Some(place) = self.text.place(directive.range.start).cloned() else { continue };
            match directive.kind {
                Kind::Include { path, part } => self.page.includes.push(Include { place, path, part }),
                Kind::Unknown(name) => self.page.findings.push(place.finding(Problem::UnknownDirective { name })),
                Kind::Title | Kind::Growth => {}
            }
        }
    }
}

/// The extensions of the sources of the language that the words behind the fence of a block name; none if it is not compiled here.
fn compiled(info: &str) -> Option<&'static [&'static str]> {
    let mut words = info.split(|letter: char| letter == ',' || letter.is_whitespace());
    words.find_map(|word| match word.to_ascii_lowercase().as_str() {
        "rust" | "rs" => Some(&["rs"][..]),
        "c" => Some(&["c", "h"][..]),
        _ => None,
    })
}
