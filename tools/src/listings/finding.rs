//! What the check finds.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong, and where. Findings are ordered by file and line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, from the root of the repository.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

impl Finding {
    /// What is wrong, and what to do about it.
    pub fn sentence(&self) -> String {
        self.problem.to_string()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.problem)
    }
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// An include names a file that does not exist.
    #[error("the included file {path} does not exist")]
    MissingFile {
        /// The file as the page names it.
        path: String,
    },
    /// An include names an anchor that its file does not have.
    #[error("the included file {path} has no line with the comment `ANCHOR: {anchor}`")]
    MissingAnchor {
        /// The file as the page names it.
        path: String,
        /// The anchor.
        anchor: String,
    },
    /// An include names lines by their numbers.
    #[error("lines of {path} are included by number, which goes wrong at the next change: set an anchor there")]
    IncludeByNumber {
        /// The file as the page names it.
        path: String,
    },
    /// A directive that this book has no use for, or is misspelt.
    #[error("the directive `#{name}` is not known: `#include`, `#rustdoc_include`, `#title`, `#show` and `#diff` are")]
    UnknownDirective {
        /// Its name.
        name: String,
    },
    /// A block of Rust or C is not one include.
    #[error("the block of code is not a single include: show code from a file that is compiled")]
    LooseBlock,
    /// Such a block includes a whole file.
    #[error("the block of code includes all of {path}: name an anchor")]
    BlockWithoutAnchor {
        /// The file as the page names it.
        path: String,
    },
    /// Such a block includes something that no build compiles.
    #[error(
        "the block of code includes {path}, which is not one of the sources of its language and so is not compiled"
    )]
    BlockNotCompiled {
        /// The file as the page names it.
        path: String,
    },
    /// An anchor in the sources that no page includes.
    #[error("no page includes the anchor `{anchor}`: remove it or show it")]
    UnusedAnchor {
        /// The anchor.
        anchor: String,
    },
    /// An anchor without an end.
    #[error("the anchor `{anchor}` has no end: `ANCHOR_END: {anchor}` is missing")]
    OpenAnchor {
        /// The anchor.
        anchor: String,
    },
    /// An anchor that its file has twice.
    #[error("the file already has an anchor `{anchor}`, and only the first one would be shown")]
    RepeatedAnchor {
        /// The anchor.
        anchor: String,
    },
    /// The end of an anchor that is not open.
    #[error("the anchor `{anchor}` ends here, but was not open")]
    StrayAnchorEnd {
        /// The anchor.
        anchor: String,
    },
    /// A link to a page, or another file of the book, that does not exist.
    #[error("the link to {target} leads nowhere: there is no such file")]
    MissingTarget {
        /// Where the link leads.
        target: String,
    },
    /// A link to a heading that the page does not have.
    #[error("the link to {target} leads nowhere: the page has no such heading")]
    MissingHeading {
        /// Where the link leads.
        target: String,
    },
    /// A link to a file that is not part of the book once it is published.
    #[error("the link to {target} leads out of the book")]
    OutOfBook {
        /// Where the link leads.
        target: String,
    },
    /// A page that the table of contents does not have.
    #[error("the page is not in SUMMARY.md, so no reader ever sees it")]
    NotInSummary,
    /// An image that says nothing to those who cannot see it.
    #[error("the image {image} has no alternative text")]
    ImageWithoutText {
        /// The image as the page names it.
        image: String,
    },
}
