//! The checkout: its folder, its packages, and cargo run in it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use cargo_metadata::{Artifact, Message, Metadata, MetadataCommand, Package};

use crate::c_header::HeaderError;
use crate::c_program::{self, Target};
use crate::strip;

/// The target of kernel and user programs.
pub const BARE_TARGET: &str = "x86_64-unknown-none";

/// The target of programs that the kernel runs as RISC-V code.
pub const RISCV_TARGET: &str = "riscv32imc-unknown-none-elf";

/// The target of the book's interactive figures, which a browser runs.
pub const BROWSER_TARGET: &str = "wasm32-unknown-unknown";

/// What the names of these programs begin with in the ramdisk: many are there for this machine, too.
pub const SOFTUSER: &str = "softuser-";

/// Why something could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo does not run.
    #[error("cannot run cargo ({0}): run ./x doctor")]
    NoCargo(std::io::Error),
    /// Cargo's description of the workspace is not to be had.
    #[error("cannot read the workspace: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// The compiler said no.
    #[error("building {0} failed, see above")]
    Failed(String),
    /// There is no C compiler.
    #[error("cannot run the C compiler {} ({cause}), which builds the programs in C: run ./x doctor", .compiler.display())]
    NoCCompiler {
        /// What was to be run.
        compiler: PathBuf,
        /// Why it does not run.
        cause: std::io::Error,
    },
    /// The header for programs in C cannot be made.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The package is not there.
    #[error("there is no user program `{0}` in the workspace")]
    NoProgram(String),
    /// What was built cannot be put aside.
    #[error("cannot keep a kernel in {}: {cause}", .path.display())]
    Keep {
        /// Where.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A built file is not to be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
}

/// The variable of the environment that names another checkout than the one of this program: a working copy that is to be checked.
pub const CHECKOUT: &str = "FLATMK_CHECKOUT";

/// The folder of the checkout.
#[must_use]
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os(CHECKOUT) {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned(),
    });
    &ROOT
}

/// The cargo to run: the one that runs this program, if it does.
#[must_use]
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What cargo says about the packages of the workspace, asked once.
///
/// # Errors
///
/// If cargo does not answer.
pub fn metadata() -> Result<&'static Metadata, BuildError> {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    if let Some(metadata) = METADATA.get() {
        return Ok(metadata);
    }
    let metadata = MetadataCommand::new().cargo_path(cargo()).current_dir(root()).no_deps().exec()?;
    Ok(METADATA.get_or_init(|| metadata))
}

/// Runs a cargo command that builds, and returns the executables it made, tests apart from programs.
///
/// # Errors
///
/// If cargo does not run or fails; the compiler's messages are on stderr then.
pub fn executables(arguments: &[&str], what: &str) -> Result<Vec<Executable>, BuildError> {
    let built = build(arguments, what)?.into_iter().filter(|artifact| !artifact.target.is_custom_build());
    let packages = &metadata()?.packages;
    let executable = |artifact: Artifact| {
        let package = packages.iter().find(|package| package.id == artifact.package_id);
        let chapter = package.map_or(0, first_chapter);
        artifact.executable.map(|path| Executable { name: artifact.target.name, path: path.into(), chapter })
    };
    Ok(built.filter_map(executable).collect())
}

/// Builds the instruction counter, a library for QEMU to load.
///
/// # Errors
///
/// If it does not build.
pub fn build_counter() -> Result<PathBuf, BuildError> {
    let what = "the instruction counter";
    let built = build(&["build", "--quiet", "--package", "flatmk-counter", "--target", "host-tuple"], what)?;
    let libraries = built.into_iter().filter(|artifact| artifact.target.is_cdylib());
    let library = libraries.flat_map(|artifact| artifact.filenames).next();
    library.map(Into::into).ok_or_else(|| BuildError::Failed(what.to_owned()))
}

/// Builds the program of the book's interactive figures.
///
/// # Errors
///
/// If it does not build.
pub fn build_figures() -> Result<PathBuf, BuildError> {
    let what = "the figures of the book";
    let arguments =
        ["build", "--quiet", "--package", "book-figures", "--target", BROWSER_TARGET, "--profile", "figures"];
    let files = build(&arguments, what)?.into_iter().flat_map(|artifact| artifact.filenames);
    let program = files.into_iter().find(|file| file.extension() == Some("wasm"));
    program.map(Into::into).ok_or_else(|| BuildError::Failed(what.to_owned()))
}

fn build(arguments: &[&str], what: &str) -> Result<Vec<Artifact>, BuildError> {
    let mut child = Command::new(cargo())
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(BuildError::NoCargo)?;
    let mut found = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for message in Message::parse_stream(std::io::BufReader::new(stdout)).flatten() {
            if let Message::CompilerArtifact(artifact) = message {
                found.push(artifact);
            }
        }
    }
    let status = child.wait().map_err(BuildError::NoCargo)?;
    if status.success() { Ok(found) } else { Err(BuildError::Failed(what.to_owned())) }
}

/// A program that was built.
#[derive(Debug, Clone)]
pub struct Executable {
    /// The name of its cargo target, or of its folder.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The first chapter in whose ramdisk it is.
    pub chapter: u8,
}

/// Builds the kernel of a chapter, without tests.
///
/// # Errors
///
/// If it does not build.
pub fn build_kernel(chapter: u8) -> Result<PathBuf, BuildError> {
    build_kernel_with(chapter, &["build", "--release", "--bin", KERNEL], KERNEL, "release")
}

/// Builds the kernel of a chapter as `cargo run` does: with assertions, and with types and variables for a debugger.
///
/// # Errors
///
/// If it does not build.
pub fn build_kernel_to_debug(chapter: u8) -> Result<PathBuf, BuildError> {
    build_kernel_with(chapter, &["build", "--bin", KERNEL], KERNEL, "debug")
}

/// Builds a test of the kernel of a chapter as `cargo test` does.
///
/// # Errors
///
/// If it does not build, or there is no such test.
pub fn build_test(chapter: u8, name: &str) -> Result<PathBuf, BuildError> {
    build_kernel_with(chapter, &["test", "--no-run", "--test", name], name, "debug")
}

const KERNEL: &str = "kernel";

/// Cargo has one place for the kernels of all chapters. So nobody else builds one until this one is kept under a name of its own.
fn build_kernel_with(chapter: u8, arguments: &[&str], name: &str, profile: &str) -> Result<PathBuf, BuildError> {
    let feature = format!("chapter{chapter}");
    let what = format!("the {name} of chapter {chapter}");
    let further = ["--package", KERNEL, "--target", BARE_TARGET, "--features", &feature];
    let folder = metadata()?.target_directory.join("kernels").into_std_path_buf();
    let cannot_keep = |cause| BuildError::Keep { path: folder.clone(), cause };
    let own_folder = folder.join(format!("{profile}-{chapter}"));
    fs::create_dir_all(&own_folder).map_err(cannot_keep)?;
    let lock = File::create(folder.join("lock")).map_err(cannot_keep)?;
    lock.lock().map_err(cannot_keep)?;
    // With a test comes the kernel.
    let mut built = executables(&[arguments, &further].concat(), &what)?.into_iter();
    let built = built.find(|program| program.name == name).ok_or(BuildError::Failed(what))?.path;
    let kept = own_folder.join(name);
    // Whoever reads the one that was there before goes on reading that.
    let new = kept.with_extension("new");
    fs::copy(built, &new).and_then(|_| fs::rename(new, &kept)).map_err(cannot_keep)?;
    Ok(kept)
}

/// Builds the user programs and returns those for a chapter's ramdisk: the root task under the name `root-task`, then every program
/// that is marked as one in its package's manifest, for this chapter or an earlier one, and every one in C, under its folder's name.
///
/// # Errors
///
/// If one does not build, or there is no package `root`.
pub fn user_programs(root: &str, chapter: u8) -> Result<Vec<(String, Vec<u8>)>, BuildError> {
    let programs = build_programs(root)?;
    let is_root = |program: &&Executable| program.name == root;
    let first = programs.iter().find(is_root).ok_or_else(|| BuildError::NoProgram(root.to_owned()))?;
    let is_other =
        |program: &&Executable| !is_root(program) && program.name != USUAL_ROOT && program.chapter <= chapter;
    let others = programs.iter().filter(is_other);
    std::iter::once(load(first, USUAL_ROOT)).chain(others.map(|program| load(program, &program.name))).collect()
}

/// The file of a root task, with its symbols.
///
/// # Errors
///
/// If a program does not build, or there is no package `root`.
pub fn root_program(root: &str) -> Result<PathBuf, BuildError> {
    let program = build_programs(root)?.into_iter().find(|program| program.name == root);
    program.map(|program| program.path).ok_or_else(|| BuildError::NoProgram(root.to_owned()))
}

/// A program without what only this host reads. One that cannot be taken apart is taken as it is: whoever loads it will say what is wrong.
fn load(program: &Executable, name: &str) -> Result<(String, Vec<u8>), BuildError> {
    match fs::read(&program.path) {
        Ok(contents) => Ok((name.to_owned(), strip::without_symbols(&contents).unwrap_or(contents))),
        Err(cause) => Err(BuildError::Read { path: program.path.clone(), cause }),
    }
}

/// Builds the programs that the kernel runs as RISC-V code and returns them for a ramdisk: each that is marked as one in its manifest, under
/// [`SOFTUSER`] and its package's name, and every one in C, under its folder's.
///
/// # Errors
///
/// If one does not build.
pub fn softuser_programs() -> Result<Vec<(String, Vec<u8>)>, BuildError> {
    let programs = build_softuser_programs()?;
    programs.iter().map(|program| load(program, &format!("{SOFTUSER}{}", program.name))).collect()
}

/// The packages of these programs.
///
/// # Errors
///
/// If cargo does not say which packages there are.
pub fn softuser_packages() -> Result<Vec<&'static str>, BuildError> {
    let packages = metadata()?.packages.iter().filter(|package| is_marked(package, "softuser"));
    Ok(packages.map(|package| package.name.as_str()).collect())
}

/// The features of a package whose names begin so.
///
/// # Errors
///
/// If cargo does not say which packages there are.
pub fn features_of(package: &str, prefix: &str) -> Result<Vec<&'static str>, BuildError> {
    let packages = metadata()?.packages.iter().filter(|candidate| candidate.name == package);
    let features = packages.flat_map(|package| package.features.keys());
    Ok(features.map(String::as_str).filter(|feature| feature.starts_with(prefix)).collect())
}

/// Builds these programs; in one process once.
fn build_softuser_programs() -> Result<Vec<Executable>, BuildError> {
    static BUILT: Mutex<Option<Vec<Executable>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(programs) = &*built {
        return Ok(programs.clone());
    }
    let mut arguments = vec!["build", "--release", "--quiet", "--bins", "--target", RISCV_TARGET];
    arguments.extend(softuser_packages()?.into_iter().flat_map(|package| ["--package", package]));
    let mut programs = executables(&arguments, "the programs for RISC-V")?;
    programs.extend(c_program::build_all(root(), Target::Riscv)?);
    Ok(built.insert(programs).clone())
}

/// The package of the usual root task, and the name of any root task in the ramdisk.
pub const USUAL_ROOT: &str = "root-task";

/// Builds the programs that go with a root task; in one process once for each.
fn build_programs(root: &str) -> Result<Vec<Executable>, BuildError> {
    static BUILT: Mutex<BTreeMap<String, Vec<Executable>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(programs) = built.get(root) {
        return Ok(programs.clone());
    }
    let packages = &metadata()?.packages;
    if !packages.iter().any(|package| package.name == root) {
        return Err(BuildError::NoProgram(root.to_owned()));
    }
    let mut arguments = vec!["build", "--release", "--quiet", "--bins", "--target", BARE_TARGET];
    for package in packages.iter().filter(|package| package.name == root || is_marked(package, "program")) {
        arguments.extend(["--package", package.name.as_str()]);
    }
    let mut programs = executables(&arguments, "the user programs")?;
    programs.extend(c_program::build_all(self::root(), Target::Native)?);
    built.insert(root.to_owned(), programs.clone());
    Ok(programs)
}

/// Whether its manifest says so in `[package.metadata.flatmk]`.
fn is_marked(package: &Package, mark: &str) -> bool {
    package.metadata.pointer(&format!("/flatmk/{mark}")).and_then(serde_json::Value::as_bool) == Some(true)
}

/// From which chapter on its programs are in the ramdisk, if its manifest says so there.
fn first_chapter(package: &Package) -> u8 {
    let chapter = package.metadata.pointer("/flatmk/chapter").and_then(serde_json::Value::as_u64);
    chapter.and_then(|chapter| u8::try_from(chapter).ok()).unwrap_or(0)
}
