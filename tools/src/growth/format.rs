//! The compiler's formatter.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use super::GrowthError;

/// Formats texts with the settings of a repository, and returns each with what it becomes. Each is given with the names of its modules in other
/// files.
pub(super) fn all(
    repository: &Path,
    texts: BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<String, String>, GrowthError> {
    let failed = |error: io::Error| GrowthError::Format(error.to_string());
    let folder = tempfile::tempdir().map_err(failed)?;
    let mut paths = Vec::new();
    for (index, (text, modules)) in texts.iter().enumerate() {
        let own = folder.path().join(index.to_string());
        fs::create_dir(&own).map_err(failed)?;
        // The formatter looks at modules, too: here is nothing in them.
        for module in modules {
            fs::write(own.join(module).with_extension("rs"), "").map_err(failed)?;
        }
        let path = own.join("mod.rs");
        fs::write(&path, text).map_err(failed)?;
        paths.push(path);
    }
    run(repository, &paths)?;
    let formatted = paths.iter().map(fs::read_to_string).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    Ok(texts.into_keys().zip(formatted).collect())
}

fn run(repository: &Path, paths: &[impl AsRef<Path>]) -> Result<(), GrowthError> {
    let output = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(repository.join("rustfmt.toml"))
        .args(paths.iter().map(AsRef::as_ref))
        .current_dir(repository)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| GrowthError::Format(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(GrowthError::Format(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
