//! `flatmk debug`.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::machine::{Display, Emulator};
use flatmk_tools::session::MachineOptions;
use flatmk_tools::{LAST_CHAPTER, debugger, workspace};

/// Debug the kernel: GDB, and a machine that waits for it
///
/// The session begins at the kernel's entry. In GDB, `help flatmk` lists commands that show tasks, capabilities, page tables and more. QEMU only. The machine's
/// serial output goes to a file, which is named at the beginning.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The kernel as it stands at this chapter
    #[arg(long, value_name = "N", default_value_t = LAST_CHAPTER, value_parser = super::chapter)]
    chapter: u8,
    /// A test of the kernel in place of the kernel: the name of a file in `chapters/*/tests` behind that of its chapter, as in
    /// `chapter07_scheduling`
    #[arg(long, value_name = "NAME", conflicts_with = "kernel")]
    test: Option<String>,
    /// A kernel that was built before: the file that `cargo test` names, for example
    #[arg(long, value_name = "FILE", conflicts_with = "chapter")]
    kernel: Option<PathBuf>,
    /// From chapter 11 on, let the root task trace small pieces of work, as `./x trace` does
    #[arg(long)]
    trace: bool,
    /// Show the machine's screen in a window; its keyboard works there
    #[arg(long)]
    display: bool,
    #[command(flatten)]
    machine: MachineOptions,
    /// Further arguments of GDB, as in `-- -batch -x FILE`
    #[arg(last = true, value_name = "GDB ARGUMENTS")]
    arguments: Vec<OsString>,
}

pub(crate) fn debug(arguments: &Arguments) -> Result<ExitCode> {
    let options = &arguments.machine;
    if options.emulator == Emulator::Bochs {
        bail!("./x debug works with QEMU only: leave out `--emulator bochs`, and FLATMK_EMULATOR");
    }
    debugger::need_gdb()?;
    let kernel = KernelFile::read(match (&arguments.kernel, &arguments.test) {
        (Some(file), _) => super::in_callers_folder(file),
        (None, Some(test)) => workspace::build_test(arguments.chapter, test)?,
        (None, None) => workspace::build_kernel_to_debug(arguments.chapter)?,
    })?;
    let serial = workspace::metadata()?.target_directory.join("debugging").into_std_path_buf();
    fs::create_dir_all(&serial).with_context(|| format!("cannot make the folder {}", serial.display()))?;
    let serial = serial.join("serial.txt");
    let mut machine = options.machine(&kernel);
    if arguments.trace {
        machine = machine.boot_option("trace", "on");
    }
    if arguments.display {
        machine = machine.display(Display::Window);
    }
    let status = debugger::run(&machine, &kernel, &serial, &arguments.arguments)?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
