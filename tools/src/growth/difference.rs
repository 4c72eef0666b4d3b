//! What a chapter adds to the one before.

use std::fmt;
use std::path::{Path, PathBuf};

use similar::{ChangeTag, TextDiff};

use super::{File, Growth, GrowthError, Kernel};

/// How many lines around a change are shown.
const AROUND: usize = 3;

/// What a chapter adds.
#[derive(Debug)]
pub struct Difference {
    /// The chapter.
    pub chapter: u8,
    /// The modules in which something is different, in the order of the crate.
    pub modules: Vec<ModuleDifference>,
}

/// What is different in a module.
#[derive(Debug)]
pub struct ModuleDifference {
    /// The name of the module; none for the crate's own files.
    pub name: Option<String>,
    /// The files that are not as they were, in the order of the modules.
    pub changes: Vec<Change>,
}

/// What is different in a file.
#[derive(Debug)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// What became of it.
    pub kind: ChangeKind,
    /// Lines that there were not before.
    pub added_lines: usize,
    /// Lines that there are no more.
    pub removed_lines: usize,
    /// The difference, as `patch` takes it.
    pub text: String,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// It was there.
    Changed,
    /// It is not there any more.
    Removed,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        })
    }
}

impl Growth {
    /// What a chapter adds to the one before; the first, to nothing.
    ///
    /// # Errors
    ///
    /// If one of the two kernels cannot be had.
    pub fn difference(&self, chapter: u8) -> Result<Difference, GrowthError> {
        let kernels = self.kernels(chapter.saturating_sub(1).max(1)..=chapter)?;
        Ok(match kernels.as_slice() {
            [before, kernel] => self.compare(&before.files, kernel),
            [kernel] => self.compare(&[], kernel),
            _ => Difference { chapter, modules: vec![] },
        })
    }

    /// What a kernel adds to the files of another.
    pub(super) fn compare(&self, before: &[File], kernel: &Kernel) -> Difference {
        let crate_files = [super::MANIFEST, super::BUILD_SCRIPT].map(PathBuf::from);
        let mut changes: Vec<(Option<String>, Change)> = Vec::new();
        for path in crate_files.iter().chain(&self.order) {
            let file = |files: &'_ [File]| files.iter().find(|file| file.path == *path).cloned();
            let (old, new) = (file(before), file(&kernel.files));
            let module = old.as_ref().or(new.as_ref()).and_then(File::module).map(str::to_owned);
            let change = Change::between(path, old.as_ref(), new.as_ref());
            changes.extend(change.map(|change| (module, change)));
        }
        let mut modules: Vec<ModuleDifference> = Vec::new();
        for (name, change) in changes {
            match modules.iter_mut().find(|module| module.name == name) {
                Some(module) => module.changes.push(change),
                None => modules.push(ModuleDifference { name, changes: vec![change] }),
            }
        }
        Difference { chapter: kernel.chapter, modules }
    }
}

impl Change {
    fn between(path: &Path, old: Option<&File>, new: Option<&File>) -> Option<Self> {
        let kind = match (old, new) {
            (None, Some(_)) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
            (Some(old), Some(new)) if old.text != new.text => ChangeKind::Changed,
            _ => return None,
        };
        let text = |file: Option<&File>| file.map_or("", |file| &file.text).to_owned();
        let (old_text, new_text) = (text(old), text(new));
        let difference = TextDiff::from_lines(&old_text, &new_text);
        let count = |tag| difference.iter_all_changes().filter(|change| change.tag() == tag).count();
        let name = |file: Option<&File>, side| match file {
            Some(_) => format!("{side}/{}", path.display()),
            None => "/dev/null".to_owned(),
        };
        Some(Self {
            path: path.to_owned(),
            kind,
            added_lines: count(ChangeTag::Insert),
            removed_lines: count(ChangeTag::Delete),
            text: difference.unified_diff().context_radius(AROUND).header(&name(old, "a"), &name(new, "b")).to_string(),
        })
    }
}

/// How many files and lines.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    files: [usize; 3],
    lines: [usize; 2],
}

impl Counts {
    fn of<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let mut counts = Self::default();
        let Self { files: [added, changed, removed], lines: [plus, minus] } = &mut counts;
        for change in changes {
            *match change.kind {
                ChangeKind::Added => &mut *added,
                ChangeKind::Changed => &mut *changed,
                ChangeKind::Removed => &mut *removed,
            } += 1;
            *plus += change.added_lines;
            *minus += change.removed_lines;
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.iter().zip(["added", "changed", "removed"]).filter(|(count, _)| **count > 0);
        let mut files: Vec<String> = files.map(|(count, what)| format!("{count} {what}")).collect();
        if files.is_empty() {
            files.push("no file".to_owned());
        }
        let [added, removed] = self.lines;
        write!(formatter, "{}; lines +{added} -{removed}", files.join(", "))
    }
}

impl ModuleDifference {
    /// What it is called in a heading.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or("the crate")
    }

    pub(super) fn counts(&self) -> Counts {
        Counts::of(&self.changes)
    }
}

impl Difference {
    pub(super) fn counts(&self) -> Counts {
        Counts::of(self.modules.iter().flat_map(|module| &module.changes))
    }

    /// A line for each module, and one for all.
    #[must_use]
    pub fn summary(&self) -> String {
        let lines = self.modules.iter().map(|module| format!("{:<12}  {}\n", module.title(), module.counts()));
        format!("{}{:<12}  {}\n", lines.collect::<String>(), "all", self.counts())
    }
}

impl fmt::Display for Difference {
    /// All of it, module by module, and the summary.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for module in &self.modules {
            writeln!(formatter, "==> {} ({}) <==", module.title(), module.counts())?;
            for change in &module.changes {
                formatter.write_str(&change.text)?;
            }
            writeln!(formatter)?;
        }
        writeln!(formatter, "==> chapter {} <==", self.chapter)?;
        formatter.write_str(&self.summary())
    }
}
