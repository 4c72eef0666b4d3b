//! `flatmk run`.

use std::process::ExitCode;

use anyhow::Result;
use flatmk_tools::disk::{Firmware, LoaderLog};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::machine::{Display, Emulator};
use flatmk_tools::session::{self, MachineOptions};
use flatmk_tools::{LAST_CHAPTER, workspace};

/// Build FlatMk and boot it in an emulator
///
/// The terminal is the machine's console; Ctrl-C ends it. Without a terminal the machine runs its demonstration and ends
/// by itself, with the kernel's status as the exit code.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// FlatMk as it stands at this chapter
    #[arg(long, value_name = "N", default_value_t = LAST_CHAPTER, value_parser = super::chapter)]
    chapter: u8,
    #[command(flatten)]
    machine: MachineOptions,
    /// Let the boot loader log
    #[arg(long)]
    log: bool,
    /// Show the machine's screen in a window
    #[arg(long)]
    display: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let kernel = KernelFile::read(workspace::build_kernel(arguments.chapter)?)?;
    let mut machine = arguments.machine.machine(&kernel);
    if arguments.log {
        machine = machine.loader_log(LoaderLog::All);
    }
    if arguments.display {
        machine = machine.display(Display::Window);
    }
    if arguments.machine.firmware == Firmware::Uefi && arguments.machine.emulator == Emulator::Qemu {
        // It polls a clock that moves one nanosecond an instruction.
        eprintln!("UEFI firmware takes half a minute to start, as time is counted in instructions");
    }
    let outcome = session::run(machine, arguments.machine.limits(kernel.kind))?;
    Ok(super::finish(&outcome))
}
