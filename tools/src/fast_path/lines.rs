//! From which line of the source an instruction was compiled.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use addr2line::Loader;

use super::{ListingError, code, file_error, kernel_error};

/// The line tables of a kernel, and the sources.
pub(super) struct Lines<'a> {
    loader: Loader,
    repository: &'a Path,
    sources: RefCell<BTreeMap<PathBuf, String>>,
}

/// What an instruction comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The innermost function of the repository: what is inlined there from the standard library serves its purpose.
    pub(super) function: String,
    /// Its line.
    pub(super) text: String,
    /// The file of the function into which all is inlined.
    pub(super) outermost_file: String,
}

impl<'a> Lines<'a> {
    pub(super) fn of(repository: &'a Path, kernel: &Path) -> Result<Self, ListingError> {
        let loader = Loader::new(kernel).map_err(kernel_error)?;
        Ok(Self { loader, repository, sources: RefCell::default() })
    }

    /// Nothing for an instruction that the compiler shares between several lines.
    pub(super) fn origin(&self, address: u64) -> Result<Option<Origin>, ListingError> {
        let mut frames = self.loader.find_frames(address).map_err(kernel_error)?;
        let mut origin: Option<Origin> = None;
        while let Some(frame) = frames.next().map_err(kernel_error)? {
            let Some((file, line)) = frame.location.and_then(|location| Some((location.file?, location.line?))) else {
                continue;
            };
            let Ok(path) = Path::new(file).strip_prefix(self.repository) else { continue };
            let outermost_file = path.display().to_string();
            let function = frame.function.and_then(|function| Some(function.demangle().ok()?.into_owned()));
            let function = function_name(function.as_deref().unwrap_or_default());
            if let Some(origin) = &mut origin {
                origin.outermost_file = outermost_file;
                if origin.function.is_empty() {
                    origin.function = function;
                }
                continue;
            }
            let text = self.line(path, line)?;
            // What a macro wrote has the line of the macro, which says nothing; who uses it says more.
            if text.ends_with("! {") {
                continue;
            }
            origin = Some(Origin { function, text, outermost_file });
        }
        Ok(origin)
    }

    fn line(&self, path: &Path, number: u32) -> Result<String, ListingError> {
        let path = self.repository.join(path);
        let mut sources = self.sources.borrow_mut();
        if !sources.contains_key(&path) {
            sources.insert(path.clone(), std::fs::read_to_string(&path).map_err(file_error(&path))?);
        }
        let line = sources.get(&path).and_then(|source| source.lines().nth((number as usize).checked_sub(1)?));
        line.map(|line| line.trim().to_owned())
            .ok_or_else(|| ListingError::Kernel(format!("{} has no line {number}", path.display())))
    }
}

/// Without its path and the types of a generic function. A closure has no name; the function around it stands for it.
fn function_name(name: &str) -> String {
    let name = code::short(name.split('<').next().unwrap_or_default());
    if name.starts_with('{') { String::new() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_without_path_types_and_closures() {
        assert_eq!(function_name("new<kernel::task::object::Task>"), "new");
        assert_eq!(function_name("kernel::ipc::call"), "call");
        assert_eq!(function_name("kernel::ipc::call::{closure#0}"), "");
    }
}
