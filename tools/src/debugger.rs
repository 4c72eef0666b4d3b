//! GDB, with a machine that waits for it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use object::Object;

use crate::cleanup::TemporaryFolder;
use crate::kernel_file::KernelFile;
use crate::machine::{Machine, MachineError};
use crate::workspace::{self, BuildError};

/// The commands `flatmk …` of GDB, in the checkout.
const HELPERS: &str = "tools/gdb/flatmk.py";

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum DebugError {
    /// The machine does not start.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The root task does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The kernel cannot be read a second time.
    #[error("cannot read the kernel {0} for its entry: build it again")]
    Kernel(PathBuf),
    /// GDB is not installed.
    #[error("GDB is not installed: run ./x doctor")]
    Missing,
    /// A file cannot be made.
    #[error("cannot write {path}: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// GDB does not run.
    #[error("cannot run GDB: {0}")]
    Run(io::Error),
}

/// Fails early where there is no GDB.
///
/// # Errors
///
/// [`DebugError::Missing`].
pub fn need_gdb() -> Result<(), DebugError> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join("gdb").is_file());
    if found { Ok(()) } else { Err(DebugError::Missing) }
}

/// Starts the machine and GDB, lets the kernel come to its entry, and leaves the rest to whoever types, or to GDB's further arguments. What
/// the machine writes to its serial port goes to a file. The machine ends with GDB.
///
/// # Errors
///
/// If something does not start.
pub fn run(
    machine: &Machine,
    kernel: &KernelFile,
    serial: &Path,
    arguments: &[OsString],
) -> Result<ExitStatus, DebugError> {
    if io::stdin().is_terminal() {
        // Ctrl-C interrupts the machine, which is GDB's to do; it is no reason for this program to end. The first handler that is set stays.
        let _ = ctrlc::try_set_handler(|| {});
    }
    let write_error = |cause| DebugError::Write { path: serial.to_owned(), cause };
    let mut output = File::create(serial).map_err(write_error)?;
    let folder = TemporaryFolder::new().map_err(MachineError::Folder)?;
    let socket = folder.path().join("gdb");
    let mut gdb = Command::new("gdb");
    gdb.arg("-q").arg(&kernel.path);
    for command in commands(kernel, &socket)? {
        gdb.arg("-ex").arg(command);
    }
    gdb.args(arguments);
    eprintln!(
        "the machine's serial output goes to {}; it waits for a debugger at {}",
        serial.display(),
        socket.display()
    );
    let mut running = machine.clone().debugger(&socket).start()?;
    let mut gdb = gdb.spawn().map_err(DebugError::Run)?;
    // The session goes on when the disk is full.
    running.watch_while(|| runs(&mut gdb), |bytes| drop(output.write_all(bytes)));
    gdb.wait().map_err(DebugError::Run)
}

fn runs(gdb: &mut Child) -> bool {
    gdb.try_wait().is_ok_and(|status| status.is_none())
}

/// What GDB does first. Before the boot loader has made page tables there is no memory to write a breakpoint to, so the first is one of the
/// processor's own.
fn commands(kernel: &KernelFile, socket: &Path) -> Result<Vec<OsString>, DebugError> {
    let unreadable = || DebugError::Kernel(kernel.path.clone());
    let bytes = fs::read(&kernel.path).map_err(|_| unreadable())?;
    let entry = object::File::parse(bytes.as_slice()).map_err(|_| unreadable())?.entry();
    let with_path = |command: &str, path: &Path| {
        let mut command = OsString::from(command);
        command.push(path);
        command
    };
    let mut commands = vec!["set pagination off".into()];
    commands.push(with_path("source ", &workspace::root().join(HELPERS)));
    if kernel.has_programs() {
        // On a terminal it would ask.
        commands.push("set confirm off".into());
        commands.push(with_path("add-symbol-file ", &workspace::root_program(kernel.root_package())?));
        commands.push("set confirm on".into());
    }
    commands.push(with_path("target remote ", socket));
    commands.extend([format!("thbreak *{entry:#x}").into(), "continue".into()]);
    Ok(commands)
}
