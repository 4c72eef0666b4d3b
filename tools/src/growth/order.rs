//! Which files a crate is made of: those that its modules lead to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::resolve::{Module, Resolved, Source};
use super::{GrowthError, ROOTS, of_source};

/// All files in the order of the modules, whatever the chapter.
pub(super) fn of_all(sources: &BTreeMap<PathBuf, Source>) -> Result<Vec<PathBuf>, GrowthError> {
    let mut order = Vec::new();
    walk(sources, &mut |path, source| {
        order.push(path.to_owned());
        Ok(source.modules.iter().map(|Module { name, .. }| name.clone()).collect())
    })?;
    Ok(order)
}

/// The files of a chapter with their text, which is not formatted, and their modules.
pub(super) fn reached(
    sources: &BTreeMap<PathBuf, Source>,
    chapter: u8,
) -> Result<BTreeMap<PathBuf, Resolved>, GrowthError> {
    let mut files = BTreeMap::new();
    walk(sources, &mut |path, source| {
        let resolved = source.at(chapter).map_err(|problem| of_source(path, &problem))?;
        let modules = resolved.modules.clone();
        files.insert(path.to_owned(), resolved);
        Ok(modules)
    })?;
    Ok(files)
}

/// Goes from file to file: `visit` answers which modules to go on with.
fn walk(
    sources: &BTreeMap<PathBuf, Source>,
    visit: &mut impl FnMut(&Path, &Source) -> Result<Vec<String>, GrowthError>,
) -> Result<(), GrowthError> {
    // The next one is the last.
    let mut paths: Vec<PathBuf> = ROOTS.iter().rev().map(PathBuf::from).collect();
    while let Some(path) = paths.pop() {
        let Some(source) = sources.get(&path) else {
            return Err(GrowthError::Read { path, cause: std::io::ErrorKind::NotFound.into() });
        };
        let modules = visit(&path, source)?;
        for module in modules.into_iter().rev() {
            let found = places(&path, &module).into_iter().find(|place| sources.contains_key(place));
            paths.push(found.ok_or_else(|| GrowthError::NoModule { path: path.clone(), module })?);
        }
    }
    Ok(())
}

/// Where the file of a module may be.
fn places(path: &Path, module: &str) -> [PathBuf; 2] {
    let folder = path.parent().unwrap_or(Path::new(""));
    let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") | None => folder.to_owned(),
        Some(stem) => folder.join(stem),
    };
    [folder.join(module).with_extension("rs"), folder.join(module).join("mod.rs")]
}
