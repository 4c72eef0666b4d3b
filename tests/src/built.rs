//! What the tests run: kernels and the host program, each built once.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use flatmk_tools::workspace::{self, BARE_TARGET, Executable};

type Cell = Arc<OnceLock<PathBuf>>;

/// What has been built, or is being built.
static BUILT: Mutex<BTreeMap<String, Cell>> = Mutex::new(BTreeMap::new());

/// Builds what is not built yet. Whoever wants something else does not wait.
fn once(name: &str, build: impl FnOnce() -> PathBuf) -> PathBuf {
    let cell = BUILT.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone();
    cell.get_or_init(build).clone()
}

/// Held while a kernel of a chapter is built, until it is copied: that of the next goes to the same place.
static COPYING: Mutex<()> = Mutex::new(());

/// The kernel of a chapter, as `./x run` builds it.
pub fn chapter(number: u8) -> PathBuf {
    let name = format!("kernel-of-chapter-{number}");
    once(&name, || {
        let _copying = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
        let kernel = workspace::build_kernel(number).expect("the kernel builds");
        let folder = workspace::metadata().expect("cargo answers").target_directory.join("end-to-end");
        fs::create_dir_all(&folder).expect("the target folder can be written");
        let copy = folder.join(&name).into_std_path_buf();
        fs::copy(kernel, &copy).expect("the target folder can be written");
        copy
    })
}

/// Runs a program that builds the kernel of a chapter itself, and boots it. There is one place for the kernels of all chapters.
pub fn while_none_is_built<T>(run: impl FnOnce() -> T) -> T {
    let _copying = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
    run()
}

/// One of the kernels that are there for a test, most of which go wrong on purpose.
pub fn broken(name: &str) -> PathBuf {
    once(name, || {
        build(&["build", "--release", "--package", "flatmk-test-kernels", "--bin", name, "--target", BARE_TARGET], name)
    })
}

/// The host program behind `./x`.
pub fn host_program() -> PathBuf {
    once("host program", || {
        build(&["build", "--package", "flatmk-tools", "--bin", "flatmk", "--target", "host-tuple"], "flatmk")
    })
}

fn build(arguments: &[&str], name: &str) -> PathBuf {
    let built = workspace::executables(arguments, name).expect("it builds");
    let program = built.into_iter().find(|Executable { name: found, .. }| found == name);
    program.expect("cargo says where the program is").path
}
