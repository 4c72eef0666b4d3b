//! Checks the book against the sources it shows.
//!
//! Every block of Rust or C in the book is included, by anchor, from a file that is compiled and tested. So a listing cannot be
//! wrong without a build failing, as long as these hold, which is what [`check`] finds out:
//!
//! - every include names a file and an anchor that exist, and every anchor in the sources is shown on some page;
//! - every such block is one include from the sources and nothing else;
//! - links lead to pages and headings that exist, every page is in `SUMMARY.md`, every image has alternative text.
//!
//! Pages are read with the Markdown parser of the book tool itself.

mod anchors;
mod directive;
mod finding;
mod html;
mod include;
mod links;
mod markdown;
mod page;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use walkdir::{DirEntry, WalkDir};

pub use finding::{Finding, Problem};

use anchors::Anchors;
use include::Include;
use page::{Link, Page};
use text::Text;

/// Where the pages are, from the root of the repository.
const PAGES: &str = "book/src";

/// Where the sources are that the book shows.
const SOURCES: [&str; 5] = ["kernel", "userland", "chapters", "tests", "tools"];

/// Which files there may have anchors.
const SOURCE_EXTENSIONS: [&str; 5] = ["c", "h", "rs", "s", "toml"];

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ListingsError {
    /// There is no table of contents, so there is no book.
    #[error("there is no book here: {} is missing", .0.display())]
    NoBook(PathBuf),
    /// A file cannot be read, or is not UTF-8.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder cannot be listed.
    #[error("cannot list the files: {0}")]
    Walk(#[from] walkdir::Error),
}

/// Checks the book of a repository; no findings means that all is well. They are sorted by file and line.
///
/// # Errors
///
/// If there is no book, or a page or a source cannot be read.
pub fn check(repository: &Path) -> Result<Vec<Finding>, ListingsError> {
    let book = Book::read(repository)?;
    let mut findings = book.check_includes()?;
    findings.extend(book.pages.values().flat_map(|page| page.findings.iter().cloned()));
    findings.extend(book.check_links());
    findings.extend(book.check_summary());
    findings.extend(book.check_anchors());
    findings.sort();
    // What is wrong with a text that is part of several pages is found on each of them.
    findings.dedup();
    Ok(findings)
}

/// All that is looked at. Paths are from the root of the repository.
struct Book<'repository> {
    repository: &'repository Path,
    summary_path: PathBuf,
    summary: Page,
    pages: BTreeMap<PathBuf, Page>,
    /// Files whose text is part of a page.
    fragments: BTreeSet<PathBuf>,
    sources: BTreeMap<PathBuf, Anchors>,
}

impl<'repository> Book<'repository> {
    fn read(repository: &'repository Path) -> Result<Self, ListingsError> {
        let summary_path = Path::new(PAGES).join("SUMMARY.md");
        if !repository.join(&summary_path).is_file() {
            return Err(ListingsError::NoBook(summary_path));
        }
        let summary = Page::parse(&Text::of_page(repository, &summary_path)?);

        let (mut pages, mut fragments) = (BTreeMap::new(), BTreeSet::new());
        for path in files(repository, Path::new(PAGES), &["md"])?.into_iter().filter(|path| *path != summary_path) {
            let text = Text::of_page(repository, &path)?;
            pages.insert(path, Page::parse(&text));
            fragments.extend(text.fragments);
        }

        let mut sources = BTreeMap::new();
        for folder in SOURCES {
            for path in files(repository, Path::new(folder), &SOURCE_EXTENSIONS)? {
                let anchors = Anchors::find(&read(repository, &path)?);
                sources.insert(path, anchors);
            }
        }
        Ok(Self { repository, summary_path, summary, pages, fragments, sources })
    }

    fn check_includes(&self) -> Result<Vec<Finding>, ListingsError> {
        let mut findings = vec![];
        for include in self.pages.values().flat_map(|page| &page.includes) {
            let problem = include.problem(self.repository)?;
            findings.extend(problem.map(|problem| include.place.finding(problem)));
        }
        Ok(findings)
    }

    fn check_links(&self) -> impl Iterator<Item = Finding> {
        let of_pages = self.pages.iter().flat_map(|(path, page)| page.links.iter().map(move |link| (path, link)));
        let of_summary = self.chapters().map(|link| (&self.summary_path, link));
        of_pages.chain(of_summary).filter_map(|(path, link)| {
            let problem = links::problem(self.repository, &self.pages, path, link)?;
            Some(link.place.finding(problem))
        })
    }

    fn check_summary(&self) -> impl Iterator<Item = Finding> {
        let of_chapter = |link: &Link| links::target_file(&self.summary_path, &link.target);
        let listed = self.chapters().filter_map(of_chapter).collect::<BTreeSet<_>>();
        let missing = self.pages.keys().filter(move |path| !listed.contains(*path) && !self.fragments.contains(*path));
        missing.map(|path| Finding { file: path.clone(), line: 1, problem: Problem::NotInSummary })
    }

    /// The links of the table of contents, without the chapters that have no page yet.
    fn chapters(&self) -> impl Iterator<Item = &Link> {
        self.summary.links.iter().filter(|link| !link.target.is_empty())
    }

    fn check_anchors(&self) -> impl Iterator<Item = Finding> {
        let includes = self.pages.values().flat_map(|page| &page.includes);
        let shown = includes.filter_map(Include::anchor).collect::<BTreeSet<_>>();
        self.sources.iter().flat_map(move |(path, anchors)| {
            anchors.check(path, |name| shown.contains(&(path.clone(), name.to_owned())))
        })
    }
}

/// The files of a folder and its folders, with one of these extensions; none if there is no such folder.
fn files(repository: &Path, folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, ListingsError> {
    let root = repository.join(folder);
    if !root.is_dir() {
        return Ok(vec![]);
    }
    let is_source = |entry: &DirEntry| !(entry.file_type().is_dir() && entry.file_name() == "target");
    let mut paths = vec![];
    for entry in WalkDir::new(root).into_iter().filter_entry(is_source) {
        let entry = entry?;
        let extension = entry.path().extension().unwrap_or_default();
        if entry.file_type().is_file() && extensions.iter().any(|wanted| extension == *wanted) {
            let path = entry.path().strip_prefix(repository).unwrap_or(entry.path());
            paths.push(path.to_owned());
        }
    }
    Ok(paths)
}

fn read(repository: &Path, path: &Path) -> Result<String, ListingsError> {
    fs::read_to_string(repository.join(path)).map_err(|source| ListingsError::Read { path: path.to_owned(), source })
}

/// What a relative path in a file leads to, from the root of the repository; `None` if it leads out of it.
fn resolve(file: &Path, relative: &str) -> Option<PathBuf> {
    let mut path = file.parent()?.to_owned();
    for component in Path::new(relative).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}
