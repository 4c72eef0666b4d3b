//! What the tests run: kernels and the host program, each built once.

use std::collections::BTreeMap;
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

/// The kernel of a chapter, as `./x run` builds it.
pub fn chapter(number: u8) -> PathBuf {
    once(&format!("kernel of chapter {number}"), || workspace::build_kernel(number).expect("the kernel builds"))
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
