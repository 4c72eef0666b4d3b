//! `flatmk softuser`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use flatmk_tools::softuser::count::Count;
use flatmk_tools::softuser::trace::Trace;
use flatmk_tools::softuser::{self, Ending, Guest, OwnFiles, SoftuserError, Step, Watch};

/// Run a RISC-V program on this machine, by the engine that the kernel runs such programs with
///
/// The program is an ELF file for RISC-V of 32 bits (RV32IMAC), linked at fixed addresses, with no page both writable and executable: what
/// `riscv64-unknown-elf-gcc -march=rv32imc -mabi=ilp32` and Rust's target `riscv32imc-unknown-none-elf` make. It has 1 MiB of stack below
/// 0x80000000, on which are its arguments, as on Linux.
#[derive(clap::Args)]
#[command(after_long_help = "\
System calls are those of Linux: `ecall` with the number in a7, arguments from a0 on, the result or a negative error in a0.

  63   read   a0 0, a1 address, a2 length
  64   write  a0 1 or 2, a1 address, a2 length
  93   exit   a0 exit code, which is also that of this command; 94 is the same
  214  brk    a0 new end of the heap, or 0

All others return -38 (ENOSYS). What a program must not do ends it, with one line on stderr and an exit code of 128 and the
number of the trap. The numbers are those of Linux's signals where there is one:

  132  trap 4   illegal instruction
  133  trap 5   breakpoint (ebreak)
  135  trap 7   atomic access to an address that is not a multiple of 4
  139  trap 11  access to memory that is not there for it
  140  trap 12  code that is not there, or must not be executed
  142  trap 14  wait for an interrupt (wfi), which never comes

A program that writes to a pipe that nobody reads ends with 141. A file that cannot be run is refused with exit code 1.")]
pub(crate) struct Arguments {
    /// The program, an ELF file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Say on stderr, at the end, how many instructions the program has executed, of which kinds (hundreds of times slower)
    #[arg(long)]
    count: bool,
    /// Write each instruction to stderr as it is executed, with the register that it sets
    #[arg(long)]
    trace: bool,
    /// Arguments of the program
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Who watches, of those that may.
struct Watchers {
    trace: Option<Trace<io::Stderr>>,
    count: Option<Count>,
}

impl Watch for Watchers {
    fn see(&mut self, step: &Step<'_>) -> io::Result<()> {
        self.trace.as_mut().map_or(Ok(()), |trace| trace.see(step))?;
        self.count.as_mut().map_or(Ok(()), |count| count.see(step))
    }
}

pub(crate) fn softuser(arguments: &Arguments) -> Result<ExitCode> {
    let file = softuser::read(&super::in_callers_folder(&arguments.file))?;
    let own: Vec<Vec<u8>> = std::iter::once(arguments.file.as_os_str())
        .chain(arguments.arguments.iter().map(OsString::as_os_str))
        .map(|argument| argument.as_bytes().to_vec())
        .collect();
    let name = || arguments.file.display().to_string();
    let mut guest = Guest::load(&file, &own, OwnFiles).with_context(name)?;
    let mut watchers =
        Watchers { trace: arguments.trace.then(|| Trace(io::stderr())), count: arguments.count.then(Count::default) };
    let ending = if arguments.trace || arguments.count {
        match guest.run_watched(&mut watchers) {
            // Whoever has read the trace has seen enough.
            Err(SoftuserError::Watch(_)) => return Ok(ExitCode::FAILURE),
            ending => ending?,
        }
    } else {
        guest.run()
    };
    // Nobody may be listening any more.
    if let Some(count) = watchers.count {
        let _ = writeln!(io::stderr(), "{count}");
    }
    Ok(match ending {
        Ending::Exited(code) => code.into(),
        Ending::Trapped(trap) => {
            let _ = writeln!(io::stderr(), "{}: {trap}", name());
            trap.kind.exit_code().into()
        }
    })
}
