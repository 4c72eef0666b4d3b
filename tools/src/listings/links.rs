//! Where links lead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::finding::Problem;
use super::page::{Link, Page};
use super::{PAGES, resolve};

/// A link to another site: it has a scheme, such as `https:`, or begins with the name of a host.
static EXTERNAL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:[a-zA-Z][a-zA-Z0-9+.-]*:|//)").expect("a constant expression"));

/// What is wrong with a link. Links to other sites are not followed.
pub(super) fn problem(repository: &Path, pages: &BTreeMap<PathBuf, Page>, file: &Path, link: &Link) -> Option<Problem> {
    let target = link.target.clone();
    if EXTERNAL.is_match(&target) {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
    if path.is_empty() && heading.is_empty() {
        return Some(Problem::MissingTarget { target });
    }
    let Some(path) = target_file(file, path) else { return Some(Problem::OutOfBook { target }) };
    match pages.get(&path) {
        Some(page) if heading.is_empty() || page.names.contains(heading) => None,
        Some(_) => Some(Problem::MissingHeading { target }),
        None if repository.join(&path).is_file() => None,
        None => Some(Problem::MissingTarget { target }),
    }
}

/// The file that a link from a page leads to, from the root of the repository; `None` if that is not in the book.
pub(super) fn target_file(file: &Path, path: &str) -> Option<PathBuf> {
    if path.is_empty() {
        return Some(file.to_owned());
    }
    let path = resolve(file, path).filter(|path| path.starts_with(PAGES))?;
    // Pages are published as HTML, and may be linked to as such.
    let is_published = path.extension().is_some_and(|extension| extension == "html");
    Some(if is_published { path.with_extension("md") } else { path })
}
