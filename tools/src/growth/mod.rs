//! The kernel as it stands at a chapter, and what a chapter adds.
//!
//! The sources have every chapter in them, each behind its feature. Here each condition is decided, as it is for the kernel that boots:
//! what does not belong to a chapter is cut out of the text, and comments stay. What is only for this host or for the tests' planted bugs is left
//! out, too.

mod condition;
mod conditionals;
mod difference;
mod folder;
mod format;
mod manifest;
mod order;
mod pages;
mod resolve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use toml_edit::TomlError;
use walkdir::WalkDir;

pub use difference::{Change, ChangeKind, Difference, ModuleDifference};
pub use folder::{check_empty, write};
pub use pages::{PagesError, preprocess};

use crate::CHAPTERS;
use manifest::Manifest;
use resolve::{ResolveError, Source};

/// The folder of the kernel in the repository.
const KERNEL: &str = "kernel";

/// The files that the others are modules of.
const ROOTS: [&str; 2] = ["kernel/src/main.rs", "kernel/src/lib.rs"];

/// What stands beside the sources.
const MANIFEST: &str = "kernel/Cargo.toml";
const BUILD_SCRIPT: &str = "kernel/build.rs";

/// Why there is no such kernel.
#[derive(Debug, thiserror::Error)]
pub enum GrowthError {
    /// A file cannot be read.
    #[error("cannot read {}: {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A folder cannot be listed.
    #[error("cannot list the kernel's files: {0}")]
    Walk(#[from] walkdir::Error),
    /// A source file is not to be decided.
    #[error("{}, {problem}", .path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Where and why.
        problem: String,
    },
    /// A module has no file.
    #[error("{} names the module `{module}`, which has no file", .path.display())]
    NoModule {
        /// Who names it.
        path: PathBuf,
        /// The module.
        module: String,
    },
    /// A manifest is not to be understood.
    #[error("cannot understand {path}: {cause}")]
    Manifest {
        /// The file.
        path: &'static str,
        /// Why not.
        cause: Box<TomlError>,
    },
    /// The sources cannot be formatted.
    #[error("cannot format the sources: {0} (./x doctor says whether rustfmt is there)")]
    Format(String),
    /// The folder for a kernel has something else in it.
    #[error("the folder {} is not empty: name one that is, or that is not there yet", .0.display())]
    NotEmpty(PathBuf),
    /// A file or folder cannot be written.
    #[error("cannot write {}: {cause}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// The sources of all chapters.
#[derive(Debug)]
pub struct Growth {
    repository: PathBuf,
    manifest: Manifest,
    build_script: String,
    sources: BTreeMap<PathBuf, Source>,
    /// Their order, whatever the chapter: each file before its modules, and these as they are declared.
    order: Vec<PathBuf>,
}

/// The kernel of a chapter.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The chapter.
    pub chapter: u8,
    /// Its files, in the order of the modules.
    pub files: Vec<File>,
}

/// A file of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it is, from the root of the repository.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

impl File {
    /// The module of the crate that it belongs to; none for the crate's own files.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("kernel/src").ok()?;
        let first = below.components().next()?.as_os_str().to_str()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (name != "lib" && name != "main").then_some(name)
    }
}

impl Growth {
    /// Reads the kernel's sources.
    ///
    /// # Errors
    ///
    /// If one cannot be read, or has a condition that no chapter decides.
    pub fn read(repository: &Path) -> Result<Self, GrowthError> {
        let mut sources = BTreeMap::new();
        for entry in WalkDir::new(repository.join(KERNEL).join("src")) {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                let path = entry.path().strip_prefix(repository).unwrap_or(entry.path()).to_owned();
                let source = Source::read(&read(repository, &path)?).map_err(|problem| of_source(&path, &problem))?;
                sources.insert(path, source);
            }
        }
        let mut growth = Self {
            repository: repository.to_owned(),
            manifest: Manifest::read(&read(repository, MANIFEST)?)?,
            build_script: read(repository, BUILD_SCRIPT)?,
            sources,
            order: vec![],
        };
        growth.order = order::of_all(&growth.sources)?;
        Ok(growth)
    }

    /// The kernel of a chapter.
    ///
    /// # Errors
    ///
    /// If a condition is not decided, a module has no file, or the compiler's formatter does not run.
    pub fn kernel(&self, chapter: u8) -> Result<Kernel, GrowthError> {
        let kernel = self.kernels([chapter])?.pop();
        Ok(kernel.unwrap_or(Kernel { chapter, files: vec![] }))
    }

    /// The kernels of all chapters.
    ///
    /// # Errors
    ///
    /// As for one.
    pub fn all_kernels(&self) -> Result<Vec<Kernel>, GrowthError> {
        self.kernels(CHAPTERS)
    }

    fn kernels(&self, chapters: impl IntoIterator<Item = u8>) -> Result<Vec<Kernel>, GrowthError> {
        // Most files are the same in most chapters.
        let mut texts = BTreeMap::new();
        let mut kernels = Vec::new();
        for chapter in chapters {
            let reached = order::reached(&self.sources, chapter)?;
            let present = self.order.iter().filter_map(|path| Some((path, reached.get(path)?)));
            let file = |path: &Path, text: &str| File { path: path.to_owned(), text: text.to_owned() };
            let mut files = vec![
                file(Path::new(MANIFEST), &self.manifest.at(chapter)),
                file(Path::new(BUILD_SCRIPT), &self.build_script),
            ];
            files.extend(present.map(|(path, resolved)| file(path, &resolved.text)));
            kernels.push(Kernel { chapter, files });
            texts.extend(reached.into_values().map(|resolved| (resolved.text, resolved.modules)));
        }
        let formatted = format::all(&self.repository, texts)?;
        for file in kernels.iter_mut().flat_map(|kernel| &mut kernel.files) {
            if let Some(text) = formatted.get(&file.text) {
                file.text.clone_from(text);
            }
        }
        Ok(kernels)
    }
}

impl File {
    fn is_source(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }
}

fn read(repository: &Path, path: impl AsRef<Path>) -> Result<String, GrowthError> {
    let path = repository.join(path);
    fs::read_to_string(&path).map_err(|cause| GrowthError::Read { path, cause })
}

fn of_source(path: &Path, problem: &ResolveError) -> GrowthError {
    GrowthError::Source { path: path.to_owned(), problem: problem.to_string() }
}
