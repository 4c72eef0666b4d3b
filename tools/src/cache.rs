//! The cache folder: what is built once and shared by all checkouts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::workspace;

/// How often a long build says that it goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Why something of the cache folder is not there.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// There is no place for it.
    #[error("no place for the cache folder: set HOME, XDG_CACHE_HOME or FLATMK_CACHE")]
    NoPlace,
    /// A file operation failed.
    #[error("cannot {what} {path}: {cause}")]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        cause: io::Error,
    },
    /// The compiler does not run.
    #[error("cannot run `{0}`: run ./x doctor")]
    NoCompiler(&'static str),
    /// The compiler said no.
    #[error("building the boot loader failed (see above; the first time needs the network)")]
    Build,
}

fn file_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |cause| CacheError::File { what, path, cause }
}

/// The cache folder.
///
/// # Errors
///
/// If the environment names no place for it.
pub fn folder() -> Result<PathBuf, CacheError> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("FLATMK_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("flatmk")))
        .or_else(|| Some(variable("HOME")?.join(".cache/flatmk")))
        .ok_or(CacheError::NoPlace)
}

/// The program that makes the book: the one that `./x` put into the cache folder, or else the one in `PATH`.
#[must_use]
pub fn mdbook() -> PathBuf {
    let versions = folder().ok().and_then(|cache| fs::read_dir(cache).ok());
    let mut programs: Vec<PathBuf> = versions
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("mdbook-"))
        .map(|entry| entry.path().join("bin/mdbook"))
        .filter(|program| program.is_file())
        .collect();
    programs.sort();
    programs.pop().unwrap_or_else(|| "mdbook".into())
}

/// The program that makes disk images; built now if it is not there yet.
///
/// # Errors
///
/// If it cannot be built.
pub fn loader() -> Result<PathBuf, CacheError> {
    let cache = folder()?;
    let finished = cache.join(format!("loader-{}", loader_key()?));
    let program = finished.join("flatmk-loader");
    if program.is_file() {
        return Ok(program);
    }
    fs::create_dir_all(&cache).map_err(file_error("create", &cache))?;
    // Of several runs one builds and the others wait. The lock ends with the process.
    let lock_path = cache.join("loader.lock");
    let lock = File::create(&lock_path).map_err(file_error("create", &lock_path))?;
    lock.lock().map_err(file_error("lock", &lock_path))?;
    if !program.is_file() {
        build_loader(&cache, &finished)?;
    }
    Ok(program)
}

fn build_loader(cache: &Path, finished: &Path) -> Result<(), CacheError> {
    // What an interrupted run left.
    let work = cache.join("loader.new");
    if work.exists() {
        fs::remove_dir_all(&work).map_err(file_error("remove", &work))?;
    }
    eprintln!("Building the boot loader (once; 1 to 3 minutes)");
    let mut cargo = Command::new(workspace::cargo());
    cargo.args(["build", "--release", "--locked", "--target", "host-tuple", "--target-dir"]).arg(&work);
    cargo.current_dir(workspace::root().join("tools/loader"));
    cargo.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTFLAGS");
    let status = run_with_signs_of_life(&mut cargo).map_err(|_| CacheError::NoCompiler("cargo"))?;
    if !status.success() {
        return Err(CacheError::Build);
    }
    let result = work.join("finished");
    fs::create_dir_all(&result).map_err(file_error("create", &result))?;
    let built = find_program(&work).ok_or(CacheError::Build)?;
    fs::rename(&built, result.join("flatmk-loader")).map_err(file_error("move", &built))?;
    fs::rename(&result, finished).map_err(file_error("move", &result))?;
    fs::remove_dir_all(&work).map_err(file_error("remove", &work))
}

/// Most of the time goes into one package, whose build script runs cargo and shows nothing.
fn run_with_signs_of_life(command: &mut Command) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    let start = Instant::now();
    let mut next = SIGN_OF_LIFE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() >= next {
            eprintln!("    still building the boot loader ({} s)", next.as_secs());
            next += SIGN_OF_LIFE;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The program below a target folder, in the folder named by the host's target.
fn find_program(target: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(target).ok()?.flatten();
    folders.map(|folder| folder.path().join("release/flatmk-loader")).find(|program| program.is_file())
}

/// Changes with the sources and with the compiler.
fn loader_key() -> Result<String, CacheError> {
    let mut hash = Sha256::new();
    let folder = workspace::root().join("tools/loader");
    for name in ["Cargo.toml", "Cargo.lock", "src/main.rs", "src/hybrid.rs"] {
        let path = folder.join(name);
        hash.update(fs::read(&path).map_err(file_error("read", &path))?);
    }
    // In its folder, as rustup chooses the compiler by folder.
    let version = Command::new("rustc").arg("-vV").current_dir(&folder).output();
    hash.update(version.map_err(|_| CacheError::NoCompiler("rustc"))?.stdout);
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}
