//! The manifests of a kernel without features.

use std::collections::BTreeSet;

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::{GrowthError, MANIFEST};

/// The manifest of the kernel, with all chapters in it.
#[derive(Debug)]
pub(super) struct Manifest(DocumentMut);

impl Manifest {
    pub(super) fn read(text: &str) -> Result<Self, GrowthError> {
        parse(MANIFEST, text).map(Self)
    }

    /// At a chapter: without features and tests, and with what the chapter depends on.
    pub(super) fn at(&self, chapter: u8) -> String {
        let mut document = self.0.clone();
        let active = self.active(chapter);
        for table in ["features", "test"] {
            document.remove(table);
        }
        if let Some(dependencies) = document.get_mut("dependencies").and_then(Item::as_table_like_mut) {
            let is_optional = |item: &Item| item.get("optional").and_then(Item::as_bool) == Some(true);
            retain(dependencies, |name, item| !is_optional(item) || active.contains(name));
            for (_, item) in dependencies.iter_mut() {
                let Some(options) = item.as_inline_table_mut() else { continue };
                if options.remove("optional").is_some() {
                    options.fmt();
                }
            }
        }
        document.to_string()
    }

    /// The packages that the features of a chapter turn on.
    fn active(&self, chapter: u8) -> BTreeSet<String> {
        let mut active = BTreeSet::new();
        let mut features = vec![format!("chapter{chapter}")];
        while let Some(feature) = features.pop() {
            let parts = self.0.get("features").and_then(|features| features.get(&feature)).and_then(Item::as_array);
            for part in parts.into_iter().flatten().filter_map(Value::as_str) {
                match part.strip_prefix("dep:") {
                    Some(package) => drop(active.insert(package.to_owned())),
                    None => features.push(part.to_owned()),
                }
            }
        }
        active
    }
}

/// The names of the packages that a manifest depends on.
pub(super) fn dependencies(path: &'static str, text: &str) -> Result<BTreeSet<String>, GrowthError> {
    let document = parse(path, text)?;
    let names = document.get("dependencies").and_then(Item::as_table_like);
    Ok(names.into_iter().flat_map(|table| table.iter().map(|(name, _)| name.to_owned())).collect())
}

/// The workspace with the kernel and these other packages, each a name and a folder.
pub(super) fn workspace(text: &str, others: &[(&str, &str)]) -> Result<String, GrowthError> {
    let mut document = parse("Cargo.toml", text)?;
    let is_there = |name: &str| name == "kernel" || others.iter().any(|(other, _)| *other == name);
    if let Some(workspace) = document.get_mut("workspace").and_then(Item::as_table_mut) {
        workspace.remove("exclude");
        let members = std::iter::once("kernel").chain(others.iter().map(|&(_, folder)| folder));
        workspace.insert("members", members.collect::<Array>().into());
        if let Some(dependencies) = workspace.get_mut("dependencies").and_then(Item::as_table_like_mut) {
            retain(dependencies, |name, _| is_there(name));
        }
    }
    for profile in ["dev", "release"] {
        let profile =
            document.get_mut("profile").and_then(|profiles| profiles.get_mut(profile)).and_then(Item::as_table_mut);
        if let Some(packages) = profile.and_then(|profile| profile.get_mut("package")).and_then(Item::as_table_like_mut)
        {
            retain(packages, |name, _| is_there(name));
        }
    }
    Ok(document.to_string())
}

/// Cargo's settings without what needs the rest of the repository.
pub(super) fn settings(text: &str) -> Result<String, GrowthError> {
    let mut document = parse(".cargo/config.toml", text)?;
    document.remove("alias");
    // The comment above tells of the rest.
    if let Some(build) = document.get_mut("build").and_then(Item::as_table_mut) {
        build.decor_mut().clear();
    }
    let targets = document.get_mut("target").and_then(Item::as_table_mut);
    for (_, target) in targets.into_iter().flat_map(Table::iter_mut) {
        target.as_table_like_mut().and_then(|target| target.remove("runner"));
    }
    Ok(document.to_string())
}

fn parse(path: &'static str, text: &str) -> Result<DocumentMut, GrowthError> {
    text.parse().map_err(|cause| GrowthError::Manifest { path, cause: Box::new(cause) })
}

fn retain(table: &mut dyn TableLike, is_kept: impl Fn(&str, &Item) -> bool) {
    let gone: Vec<String> =
        table.iter().filter(|(name, item)| !is_kept(name, item)).map(|(name, _)| name.to_owned()).collect();
    for name in gone {
        table.remove(&name);
    }
}
