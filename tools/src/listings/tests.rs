//! Every kind of finding, each in a small book that is good but for this; and a book without any.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Finding, ListingsError, Problem, check};

/// A repository to be checked.
struct Repository(TempDir);

const SOURCE: &str = "// ANCHOR: first\nfn first() {}\n// ANCHOR_END: first\n";
const BLOCK: &str = "```rust\n{{#include ../../kernel/src/lib.rs:first}}\n```\n";

impl Repository {
    /// A good book of one page that shows one anchor.
    fn good() -> Self {
        let repository = Self(TempDir::new().expect("a temporary folder"));
        repository
            .with("book/src/SUMMARY.md", "# Summary\n\n- [One](one.md)\n- [Later]()\n")
            .with("book/src/one.md", &format!("# One\n\n{BLOCK}"))
            .with("kernel/src/lib.rs", SOURCE)
    }

    /// The same repository with another file, or with another content of a file.
    fn with(self, path: &str, content: &str) -> Self {
        let path = self.0.path().join(path);
        let folder = path.parent().expect("a path in the folder");
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, content)).expect("a writable folder");
        self
    }

    /// The good book with this text on its page, from line 5 on.
    fn with_text(text: &str) -> Self {
        let page = format!("{{{{#include ../../kernel/src/lib.rs:first}}}}\n\n# One\n\n{text}");
        Self::good().with("book/src/one.md", &page)
    }

    fn check(&self) -> Result<Vec<Finding>, ListingsError> {
        check(self.0.path())
    }

    fn findings(&self) -> Vec<Finding> {
        self.check().expect("a book that can be checked")
    }

    #[track_caller]
    fn assert_good(&self) {
        assert_eq!(self.findings(), []);
    }

    #[track_caller]
    fn assert_finding(&self, file: &str, line: usize, problem: Problem) {
        assert_eq!(self.findings(), [Finding { file: file.into(), line, problem }]);
    }
}

#[test]
fn a_good_book_has_no_findings() {
    Repository::good().assert_good();
}

#[test]
fn a_repository_without_a_book_is_an_error() {
    let folder = TempDir::new().expect("a temporary folder");
    let error = check(folder.path()).expect_err("there is no book");
    assert!(matches!(&error, ListingsError::NoBook(path) if path == Path::new("book/src/SUMMARY.md")));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let repository = Repository::good();
    fs::write(repository.0.path().join("kernel/src/bad.rs"), [0xff]).expect("a writable folder");
    assert!(
        matches!(repository.check(), Err(ListingsError::Read { path, .. }) if path == Path::new("kernel/src/bad.rs"))
    );
}

#[test]
fn an_include_of_a_missing_file_is_found() {
    for path in ["../../kernel/src/gone.rs", "../../kernel/src", "/etc/passwd", "../../../kernel/src/lib.rs"] {
        let problem = Problem::MissingFile { path: path.into() };
        Repository::with_text(&format!("```rust\n{{{{#include {path}:first}}}}\n```\n"))
            .findings()
            .iter()
            .find(|finding| finding.problem == problem && finding.line == 6)
            .unwrap_or_else(|| panic!("{path} was not found to be missing"));
    }
    let path = "gone.md".to_owned();
    Repository::with_text("{{#include gone.md}}\n").assert_finding("book/src/one.md", 5, Problem::MissingFile { path });
}

#[test]
fn an_include_of_a_missing_anchor_is_found() {
    for directive in ["include", "rustdoc_include"] {
        let text = format!("```rust\n{{{{#{directive} ../../kernel/src/lib.rs:second}}}}\n```\n");
        let problem = Problem::MissingAnchor { path: "../../kernel/src/lib.rs".into(), anchor: "second".into() };
        Repository::with_text(&text).assert_finding("book/src/one.md", 6, problem);
    }
}

#[test]
fn an_anchor_must_be_a_comment_on_its_own_line() {
    let problem = Problem::MissingAnchor { path: "../../kernel/src/lib.rs".into(), anchor: "first".into() };
    for line in ["let x = 1; // ANCHOR: first\n", "// ANCHOR: first and more\n", "// An ANCHOR: first\n"] {
        Repository::good().with("kernel/src/lib.rs", line).assert_finding("book/src/one.md", 4, problem.clone());
    }
}

#[test]
fn an_include_by_line_numbers_is_found() {
    for lines in ["2", "2:3", ":3", "2:"] {
        let path = "../../kernel/src/lib.rs";
        let text = format!("```rust\n{{{{#include {path}:{lines}}}}}\n```\n");
        let problem = Problem::IncludeByNumber { path: path.into() };
        Repository::with_text(&text).assert_finding("book/src/one.md", 6, problem);
    }
}

#[test]
fn an_unknown_directive_is_found() {
    for name in ["inculde", "playground"] {
        let text = format!("{{{{#{name} ../../kernel/src/lib.rs}}}}\n");
        Repository::with_text(&text).assert_finding(
            "book/src/one.md",
            5,
            Problem::UnknownDirective { name: name.into() },
        );
    }
    Repository::with_text("{{#title Another}}\n\n`\\{{#inculde lib.rs}}`\n").assert_good();
}

#[test]
fn a_loose_rust_block_is_found() {
    let blocks = [
        "```rust\nfn loose() {}\n```\n",
        "```rust,ignore\nfn loose() {}\n```\n",
        "```rs\nfn loose() {}\n```\n",
        "```no_run,rust\nfn loose() {}\n```\n",
        "``` Rust editable\nfn loose() {}\n```\n",
        "~~~~rust\nfn loose() {}\n~~~~\n",
        "```rust\n```\n",
        "```rust\nfn more() {}\n{{#include ../../kernel/src/lib.rs:first}}\n```\n",
        "```rust\n{{#include ../../kernel/src/lib.rs:first}}\n{{#include ../../kernel/src/lib.rs:first}}\n```\n",
        "```rust\n\\{{#include ../../kernel/src/lib.rs:first}}\n```\n",
        "```c\nint loose;\n```\n",
        "```rust\nfn never_closed() {}\n",
        "> ```rust\n> fn in_a_quotation() {}\n> ```\n",
        "- ```rust\n  fn in_a_list() {}\n  ```\n",
    ];
    for block in blocks {
        Repository::with_text(block).assert_finding("book/src/one.md", 5, Problem::LooseBlock);
    }
}

#[test]
fn blocks_of_other_languages_are_free() {
    Repository::with_text(
        "```text\nfn x() {}\n```\n\n```toml\nx = 1\n```\n\n    fn indented() {}\n\n```\nplain\n```\n",
    )
    .assert_good();
}

#[test]
fn a_rust_block_of_a_whole_file_is_found() {
    let path = "../../kernel/src/lib.rs";
    let problem = Problem::BlockWithoutAnchor { path: path.into() };
    Repository::with_text(&format!("```rust\n{{{{#include {path}}}}}\n```\n")).assert_finding(
        "book/src/one.md",
        5,
        problem,
    );
    // In another block a whole file is welcome.
    Repository::with_text("```toml\n{{#include ../../kernel/Cargo.toml}}\n```\n")
        .with("kernel/Cargo.toml", "[package]\n")
        .assert_good();
}

#[test]
fn a_rust_block_from_a_file_that_is_not_compiled_is_found() {
    for (path, file) in [
        ("listing.rs", "book/src/listing.rs"),
        ("../../kernel/notes.txt", "kernel/notes.txt"),
        ("../../kernel/x.s", "kernel/x.s"),
        ("../../kernel/x.c", "kernel/x.c"),
    ] {
        let problem = Problem::BlockNotCompiled { path: path.into() };
        Repository::with_text(&format!("```rust\n{{{{#include {path}:first}}}}\n```\n"))
            .with(file, SOURCE)
            .assert_finding("book/src/one.md", 5, problem);
    }
}

#[test]
fn a_block_of_c_is_from_a_source_in_c() {
    let block = |path: &str| Repository::with_text(&format!("```c\n{{{{#include ../../{path}:in_c}}}}\n```\n"));
    let source = "// ANCHOR: in_c\nint first;\n// ANCHOR_END: in_c\n";
    block("userland/hello/main.c").with("userland/hello/main.c", source).assert_good();
    let problem = Problem::BlockNotCompiled { path: "../../kernel/src/other.rs".into() };
    let other = block("kernel/src/other.rs").with("kernel/src/other.rs", source);
    other.assert_finding("book/src/one.md", 5, problem);
}

#[test]
fn an_unused_anchor_is_found_in_every_kind_of_source() {
    let anchor = "unused".to_owned();
    let problem = Problem::UnusedAnchor { anchor };
    for (path, comment) in [
        ("kernel/src/deep/er.rs", "//"),
        ("userland/echo/src/main.rs", "    //"),
        ("chapters/01-boot/tests/boot.rs", "//"),
        ("tests/boot.rs", "//"),
        ("tools/src/main.rs", "//"),
        ("userland/hello/main.c", "//"),
        ("kernel/src/entry.s", "#"),
        ("kernel/src/entry.s", "//"),
        ("kernel/Cargo.toml", "#"),
    ] {
        let source = format!("\n{comment} ANCHOR: unused\n{comment} ANCHOR_END: unused\n");
        Repository::good().with(path, &source).assert_finding(path, 2, problem.clone());
    }
}

#[test]
fn what_was_built_is_not_a_source() {
    let source = "// ANCHOR: unused\n// ANCHOR_END: unused\n";
    Repository::good().with("tools/loader/target/out.rs", source).with("target/out.rs", source).assert_good();
}

#[test]
fn an_anchor_is_used_only_in_its_own_file() {
    let problem = Problem::UnusedAnchor { anchor: "first".into() };
    Repository::good().with("kernel/src/other.rs", SOURCE).assert_finding("kernel/src/other.rs", 1, problem);
}

#[test]
fn an_anchor_without_an_end_is_found() {
    let problem = Problem::OpenAnchor { anchor: "first".into() };
    Repository::good().with("kernel/src/lib.rs", "// ANCHOR: first\nfn first() {}\n").assert_finding(
        "kernel/src/lib.rs",
        1,
        problem,
    );
}

#[test]
fn a_repeated_anchor_is_found() {
    let source = format!("{SOURCE}{SOURCE}");
    let (file, anchor) = ("kernel/src/lib.rs", "first".to_owned());
    let findings = [
        Finding { file: file.into(), line: 4, problem: Problem::RepeatedAnchor { anchor: anchor.clone() } },
        Finding { file: file.into(), line: 6, problem: Problem::StrayAnchorEnd { anchor } },
    ];
    assert_eq!(Repository::good().with(file, &source).findings(), findings);
}

#[test]
fn the_end_of_an_anchor_that_is_not_open_is_found() {
    let source = format!("// ANCHOR_END: stray\n{SOURCE}");
    let problem = Problem::StrayAnchorEnd { anchor: "stray".into() };
    Repository::good().with("kernel/src/lib.rs", &source).assert_finding("kernel/src/lib.rs", 1, problem);
}

#[test]
fn a_link_to_a_missing_page_is_found() {
    let texts = [
        ("[x](gone.md)", "gone.md"),
        ("[x](gone.md#one)", "gone.md#one"),
        ("[x](gone.html)", "gone.html"),
        ("[x][label]\n\n[label]: gone.md", "gone.md"),
        ("![x](gone.svg)", "gone.svg"),
        ("<a href=\"gone.md\">x</a>", "gone.md"),
        ("text <img alt='x' src='gone.svg'> text", "gone.svg"),
        ("[x]()", ""),
    ];
    for (text, target) in texts {
        let problem = Problem::MissingTarget { target: target.into() };
        Repository::with_text(&format!("{text}\n")).assert_finding("book/src/one.md", 5, problem);
    }
}

#[test]
fn a_chapter_without_its_page_is_found() {
    let summary = "# Summary\n\n- [One](one.md)\n- [Two](two.md)\n";
    let problem = Problem::MissingTarget { target: "two.md".into() };
    Repository::good().with("book/src/SUMMARY.md", summary).assert_finding("book/src/SUMMARY.md", 4, problem);
}

#[test]
fn a_link_out_of_the_book_is_found() {
    for target in ["../../kernel/src/lib.rs", "../../../x.md", "/one.md"] {
        let problem = Problem::OutOfBook { target: target.into() };
        Repository::with_text(&format!("[x]({target})\n")).assert_finding("book/src/one.md", 5, problem);
    }
}

#[test]
fn a_link_to_a_missing_heading_is_found() {
    for target in ["#two", "one.md#two", "one.html#two", "#One"] {
        let problem = Problem::MissingHeading { target: target.into() };
        Repository::with_text(&format!("[x]({target})\n")).assert_finding("book/src/one.md", 5, problem);
    }
}

#[test]
fn links_reach_headings_by_the_names_of_the_book_tool() {
    let text = "[a](#one) [b](#a-call-is-a-jump) [c](#one-1) [d](#named) [e](#cr3--the-register) [f](#below) [g](#term)
[h](other/two.md#one) [i](other/two.md) [j](other/two.html) [k](https://example.org/x) [l](mailto:x@example.org) [m](x.pdf) [n](//example.org/x)

## A call is a jump!

## One

## Something {#named}

## `CR3` – the *register*

<h2 id=\"below\">x</h2>

term
: definition
";
    Repository::with_text(text)
        .with("book/src/SUMMARY.md", "- [One](one.md)\n  - [Two](./other/two.md)\n")
        .with("book/src/other/two.md", "One\n===\n\n[back](../one.md#named)\n")
        .with("book/src/x.pdf", "")
        .assert_good();
}

#[test]
fn a_page_that_is_not_in_the_table_of_contents_is_found() {
    Repository::good().with("book/src/lost.md", "# Lost\n").assert_finding(
        "book/src/lost.md",
        1,
        Problem::NotInSummary,
    );
}

#[test]
fn an_image_without_alternative_text_is_found() {
    let problem = Problem::ImageWithoutText { image: "x.svg".into() };
    for text in ["![](x.svg)", "![ ](x.svg)", "<img src=\"x.svg\">", "<p>\n<img src='x.svg' alt=\"\"/></p>"] {
        let line = if text.starts_with("<p>") { 6 } else { 5 };
        Repository::with_text(&format!("{text}\n")).with("book/src/x.svg", "").assert_finding(
            "book/src/one.md",
            line,
            problem.clone(),
        );
    }
    let text = "![A `page` table](x.svg)\n\n<img alt='A page' src='x.svg'>\n\n<!-- <img src='gone.svg'> -->\n";
    Repository::with_text(text).with("book/src/x.svg", "").assert_good();
}

#[test]
fn an_included_page_is_part_of_the_page() {
    // Its headings and its listings count, and it need not be in the table of contents.
    let included = "## Principles\n\n```rust\n{{#include ../../../kernel/src/lib.rs:first}}\n```\n";
    let page = "# One\n\n{{#include parts/principles.md}}\n\n[x](#principles)\n";
    Repository::good().with("book/src/one.md", page).with("book/src/parts/principles.md", included).assert_good();

    // A part of a page that is not in the book.
    let readme = "# No heading\n\n<!-- ANCHOR: map -->\n## Map\n\n```rust\nfn loose() {}\n```\n<!-- ANCHOR_END: map -->\n## No part\n";
    let text = "{{#include ../../README.md:map}}\n\n[x](#map)\n[y](#no-heading)\n[z](#no-part)\n";
    let missing = |line, target: &str| Finding {
        file: "book/src/one.md".into(),
        line,
        problem: Problem::MissingHeading { target: target.into() },
    };
    let findings = [
        Finding { file: "README.md".into(), line: 6, problem: Problem::LooseBlock },
        missing(8, "#no-heading"),
        missing(9, "#no-part"),
    ];
    assert_eq!(Repository::with_text(text).with("README.md", readme).findings(), findings);
}

#[test]
fn an_included_page_can_include_another() {
    Repository::with_text("{{#include a.md}}\n\n[x](#deep)\n")
        .with("book/src/a.md", "{{#include b.md}}\n")
        .with("book/src/b.md", "## Deep\n")
        .assert_good();
}

#[test]
fn a_page_included_twice_has_its_findings_once() {
    Repository::with_text("{{#include a.md}}\n\n{{#include a.md}}\n")
        .with("book/src/a.md", "```rust\n```\n")
        .assert_finding("book/src/a.md", 1, Problem::LooseBlock);
}

#[test]
fn markdown_shown_as_code_is_not_part_of_the_page() {
    Repository::with_text("```text\n{{#include ../../README.md}}\n```\n")
        .with("README.md", "[x](gone.md)\n")
        .assert_good();
}

#[test]
fn text_beside_an_include_is_still_checked() {
    let problem = Problem::MissingTarget { target: "gone.md".into() };
    Repository::with_text("[x](gone.md): {{#include ../../README.md}}\n").with("README.md", "words\n").assert_finding(
        "book/src/one.md",
        5,
        problem,
    );
}

#[test]
fn pages_that_include_each_other_are_no_endless_loop() {
    let repository = Repository::with_text("{{#include one.md}}\n");
    assert!(repository.check().is_ok());
}

#[test]
fn findings_are_sentences_with_a_place() {
    let findings = Repository::with_text("[x](gone.md)\n\n```rust\n```\n").findings();
    let sentences = findings.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        "book/src/one.md:5: the link to gone.md leads nowhere: there is no such file",
        "book/src/one.md:7: the block of code is not a single include: show code from a file that is compiled",
    ];
    assert_eq!(sentences, expected);
}
