//! A kernel as a folder in which it can be built.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use walkdir::WalkDir;

use super::{GrowthError, KERNEL, Kernel, MANIFEST, manifest, read};

/// The packages of the repository that a kernel may depend on, each with its folder.
const OTHERS: [(&str, &str); 3] =
    [("flatmk-abi", "kernel/abi"), ("flatmk-image", "kernel/image"), ("flatmk-softuser", "kernel/softuser")];

/// What is there as it is in the repository.
const COPIED: [&str; 3] = ["Cargo.lock", "clippy.toml", "rustfmt.toml"];

/// Finds out whether a kernel may be written here: the folder is empty, or not there.
///
/// # Errors
///
/// If it is not.
pub fn check_empty(folder: &Path) -> Result<(), GrowthError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(GrowthError::NotEmpty(folder.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(GrowthError::Write { path: folder.to_owned(), cause }),
    }
}

/// Writes a kernel into a folder with all that it takes to build it. Files that are right already stay as they are, and others that are
/// there are left alone but for those that belong to the kernel of another chapter.
///
/// # Errors
///
/// If the repository cannot be read or the folder not be written.
pub fn write(repository: &Path, kernel: &Kernel, folder: &Path) -> Result<(), GrowthError> {
    let mut files: Vec<(PathBuf, String)> =
        kernel.files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    let others = others(repository, kernel)?;
    for (_, other) in &others {
        files.push((Path::new(other).join("Cargo.toml"), read(repository, Path::new(other).join("Cargo.toml"))?));
        for path in below(repository, &Path::new(other).join("src"))? {
            let text = read(repository, &path)?;
            files.push((path, text));
        }
    }
    for path in COPIED {
        files.push((path.into(), read(repository, path)?));
    }
    files.push(("Cargo.toml".into(), manifest::workspace(&read(repository, "Cargo.toml")?, &others)?));
    files.push((".cargo/config.toml".into(), manifest::settings(&read(repository, ".cargo/config.toml")?)?));
    files.push(("rust-toolchain.toml".into(), toolchain(read(repository, "rust-toolchain.toml")?)));

    let mut known = BTreeSet::new();
    for (path, text) in files {
        let at = folder.join(&path);
        crate::generated::update(&at, &text).map_err(|cause| GrowthError::Write { path: at, cause })?;
        known.insert(path);
    }
    if folder.join(KERNEL).is_dir() {
        for path in below(folder, Path::new(KERNEL))?.into_iter().filter(|path| !known.contains(path)) {
            let at = folder.join(path);
            fs::remove_file(&at).map_err(|cause| GrowthError::Write { path: at, cause })?;
        }
    }
    Ok(())
}

/// Those of the other packages that the kernel depends on, by itself or by another.
fn others(repository: &Path, kernel: &Kernel) -> Result<Vec<(&'static str, &'static str)>, GrowthError> {
    let own = kernel.files.iter().find(|file| file.path == Path::new(MANIFEST)).map(|file| file.text.as_str());
    let mut names = manifest::dependencies(MANIFEST, own.unwrap_or_default())?;
    for (name, folder) in OTHERS {
        if names.contains(name) {
            names.extend(manifest::dependencies(name, &read(repository, Path::new(folder).join("Cargo.toml"))?)?);
        }
    }
    Ok(OTHERS.into_iter().filter(|(name, _)| names.contains(*name)).collect())
}

/// The files below a folder, from the root.
fn below(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, GrowthError> {
    let mut paths = Vec::new();
    for entry in WalkDir::new(root.join(folder)).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            paths.push(entry.path().strip_prefix(root).unwrap_or(entry.path()).to_owned());
        }
    }
    Ok(paths)
}

/// Where rustup has the compiler under another name than its own, as `./x` does where nothing can be downloaded, that is the name to give.
fn toolchain(usual: String) -> String {
    match env::var("RUSTUP_TOOLCHAIN") {
        Ok(name) if name.starts_with("flatmk-") => format!("[toolchain]\nchannel = \"{name}\"\n"),
        _ => usual,
    }
}
