//! Includes, and the blocks of code made of them.

use std::path::{Path, PathBuf};

use super::anchors::Anchors;
use super::directive::{self, Kind, Part};
use super::finding::Problem;
use super::text::Place;
use super::{ListingsError, SOURCES, read, resolve};

/// An include on a page.
pub(super) struct Include {
    pub(super) place: Place,
    /// As the page names it.
    pub(super) path: String,
    pub(super) part: Part,
}

impl Include {
    /// The anchor that the include shows, with its file.
    pub(super) fn anchor(&self) -> Option<(PathBuf, String)> {
        match &self.part {
            Part::Anchor(name) => Some((resolve(&self.place.file, &self.path)?, name.clone())),
            Part::All | Part::Lines => None,
        }
    }

    /// What is wrong with the include, wherever on the page it is.
    pub(super) fn problem(&self, repository: &Path) -> Result<Option<Problem>, ListingsError> {
        let path = self.path.clone();
        let file = resolve(&self.place.file, &self.path).filter(|file| repository.join(file).is_file());
        Ok(match (file, &self.part) {
            (None, _) => Some(Problem::MissingFile { path }),
            (Some(_), Part::Lines) => Some(Problem::IncludeByNumber { path }),
            (Some(file), Part::Anchor(name)) if !Anchors::find(&read(repository, &file)?).has(name) => {
                Some(Problem::MissingAnchor { path, anchor: name.clone() })
            }
            (Some(_), Part::Anchor(_) | Part::All) => None,
        })
    }
}

/// What is wrong with a block of code: it must be one include, by anchor, of a source with one of its language's extensions.
pub(super) fn block_problem(place: &Place, extensions: &[&str], content: &str) -> Option<Problem> {
    let content = content.trim();
    let directive = directive::find(content).next().filter(|directive| directive.range == (0..content.len()));
    let Some(Kind::Include { path, part }) = directive.map(|directive| directive.kind) else {
        return Some(Problem::LooseBlock);
    };
    let is_source = |file: &PathBuf| {
        file.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known))
            && SOURCES.iter().any(|folder| file.starts_with(folder))
    };
    if resolve(&place.file, &path).filter(is_source).is_none() {
        return Some(Problem::BlockNotCompiled { path });
    }
    match part {
        Part::All => Some(Problem::BlockWithoutAnchor { path }),
        // Lines by number are refused wherever they are included.
        Part::Lines | Part::Anchor(_) => None,
    }
}
