//! Emulated machines: described by a [`Machine`], started, watched through their serial port, and ended.
//!
//! ```no_run
//! # use flatmk_tools::machine::{Machine, MachineError, ExitReason};
//! # use std::time::Duration;
//! # fn main() -> Result<(), MachineError> {
//! let outcome = Machine::new("kernel").memory_mib(64).start()?.wait(Duration::from_secs(60));
//! assert_eq!(outcome.reason, ExitReason::Exited(0));
//! # Ok(())
//! # }
//! ```

mod bochs;
mod debugged;
mod emulator;
mod exit;
mod fit;
mod preface;
mod process;
mod qemu;
mod qmp;
mod running;

use std::fs::File;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cleanup::TemporaryFolder;
use crate::disk::{self, Firmware, ImageError, LoaderLog};
use crate::kernel_file::{KernelFile, KernelFileError};
use crate::ramdisk::{self, BootOptions};
use crate::workspace::{self, BuildError};

pub use emulator::Emulator;
pub use exit::ExitReason;
pub(crate) use process::Process;
pub use qmp::QmpError;
pub use running::{Limits, Outcome, Running, WaitError};

/// The least memory that a machine can be given. Below it there is no room for the boot loader.
pub const MINIMUM_MEMORY_MIB: u32 = 16;

/// The chip set of QEMU's machine. There is none for the ISA bus alone: what that has is no PCI and no ACPI, and FlatMk's screen is a PCI device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum MachineType {
    /// i440FX, of 1996.
    #[default]
    Pc,
    /// Q35, with PCI Express.
    Q35,
}

/// What the machine starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disk {
    /// A built-in disk.
    #[default]
    BuiltIn,
    /// A stick on a USB bus.
    UsbStick,
}

/// What else is in QEMU's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Devices {
    /// What QEMU puts in by itself, such as drives for floppies and compact disks.
    #[default]
    Usual,
    /// A screen and nothing more: no keyboard controller either.
    Fewest,
}

/// The first serial port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Serial {
    /// There, and read by the runner.
    #[default]
    Present,
    /// Not in the machine.
    Absent,
}

/// The emulator's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Display {
    /// None.
    #[default]
    Hidden,
    /// On the desktop.
    Window,
}

/// How time passes in the machine. It makes a difference in QEMU only: Bochs always counts instructions and skips idle time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// An instruction takes a nanosecond and a tick of the time stamp counter; idle time is skipped.
    #[default]
    Instructions,
    /// The same, but idle time passes as it does for the human at the keyboard.
    Interactive,
    /// The host's time. UEFI firmware waits for the clock a lot, and starts five times faster with this one.
    Host,
}

/// Whether what programs measure is counted by kind of instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counting {
    /// No.
    #[default]
    Off,
    /// Yes; see [`counts`](crate::counts). QEMU only.
    On,
}

/// What stands in the boot ramdisk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ramdisk {
    /// The boot options, from chapter 5 on the user programs and from chapter 10 on those for RISC-V.
    #[default]
    Standard,
    /// The boot options and these files.
    Files(Vec<ramdisk::File>),
    /// These bytes, whether or not they are an archive.
    Bytes(Vec<u8>),
}

/// Why a machine does not start.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The kernel is none.
    #[error(transparent)]
    Kernel(#[from] KernelFileError),
    /// The user programs do not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There is no disk image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The temporary folder cannot be made.
    #[error("cannot make a temporary folder: {0}")]
    Folder(std::io::Error),
    /// The terminal cannot be used as a console.
    #[error("cannot use the terminal as a console: {0}")]
    Terminal(std::io::Error),
    /// The emulator is not installed.
    #[error("{0} is not installed: run ./x doctor")]
    Missing(&'static str),
    /// The emulator's program does not start.
    #[error("cannot start {program}: {cause}")]
    Start {
        /// The program.
        program: &'static str,
        /// Why not.
        cause: std::io::Error,
    },
    /// The firmware is not installed.
    #[error("there is no UEFI firmware for QEMU (package ovmf or edk2-ovmf): run ./x doctor")]
    NoFirmware,
    /// The emulator has no such processor.
    #[error("Bochs has no processor `{model}`; it has {}", .known.join(", "))]
    UnknownCpu {
        /// What was asked for.
        model: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The emulator cannot do it.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The kernel is larger than the memory.
    #[error("the kernel {kernel} does not fit in memory: it needs {needed_mib} MiB, and the machine has {memory_mib}")]
    KernelTooLarge {
        /// The kernel.
        kernel: PathBuf,
        /// What it needs for itself.
        needed_mib: u64,
        /// What there is.
        memory_mib: u32,
    },
    /// Less memory than the boot loader needs.
    #[error("{0} MiB of memory are too little: a machine needs at least {MINIMUM_MEMORY_MIB}")]
    TooLittleMemory(u32),
}

/// A machine to start.
#[derive(Debug, Clone)]
#[must_use]
pub struct Machine {
    kernel: PathBuf,
    emulator: Emulator,
    firmware: Firmware,
    loader_log: LoaderLog,
    memory_mib: u32,
    cpu: Option<String>,
    machine_type: MachineType,
    disk: Disk,
    devices: Devices,
    serial: Serial,
    display: Display,
    clock: Clock,
    counting: Counting,
    ramdisk: Ramdisk,
    boot_options: BootOptions,
    qemu_options: Vec<String>,
    debugger: Option<PathBuf>,
}

impl Machine {
    /// A machine with QEMU's every feature, BIOS and 512 MiB, that will boot this kernel.
    pub fn new(kernel: impl Into<PathBuf>) -> Self {
        Self {
            kernel: kernel.into(),
            emulator: Emulator::default(),
            firmware: Firmware::default(),
            loader_log: LoaderLog::default(),
            memory_mib: 512,
            cpu: None,
            machine_type: MachineType::default(),
            disk: Disk::default(),
            devices: Devices::default(),
            serial: Serial::default(),
            display: Display::default(),
            clock: Clock::default(),
            counting: Counting::default(),
            ramdisk: Ramdisk::default(),
            boot_options: BootOptions::new(),
            qemu_options: Vec::new(),
            debugger: None,
        }
    }

    /// Who plays it.
    pub fn emulator(mut self, emulator: Emulator) -> Self {
        self.emulator = emulator;
        self
    }

    /// What starts it.
    pub fn firmware(mut self, firmware: Firmware) -> Self {
        self.firmware = firmware;
        self
    }

    /// Whether the boot loader logs.
    pub fn loader_log(mut self, log: LoaderLog) -> Self {
        self.loader_log = log;
        self
    }

    /// Its memory.
    pub fn memory_mib(mut self, memory_mib: u32) -> Self {
        self.memory_mib = memory_mib;
        self
    }

    /// Its processor, in the emulator's words.
    pub fn cpu(mut self, model: impl Into<String>) -> Self {
        self.cpu = Some(model.into());
        self
    }

    /// Its chip set. Bochs has only the one of [`MachineType::Pc`].
    pub fn machine_type(mut self, machine_type: MachineType) -> Self {
        self.machine_type = machine_type;
        self
    }

    /// What it starts from. Bochs has built-in disks only.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// What else there is. Bochs has always the same.
    pub fn devices(mut self, devices: Devices) -> Self {
        self.devices = devices;
        self
    }

    /// Whether it has a serial port.
    pub fn serial(mut self, serial: Serial) -> Self {
        self.serial = serial;
        self
    }

    /// Whether it shows a window.
    pub fn display(mut self, display: Display) -> Self {
        self.display = display;
        self
    }

    /// How its time passes.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Further options of QEMU. They come last, so they may change those before. Bochs does not see them.
    pub fn qemu_options(mut self, options: &[&str]) -> Self {
        self.qemu_options.extend(options.iter().map(|&option| option.to_owned()));
        self
    }

    /// Whether instructions are counted. Makes the machine slower, and no difference inside it.
    pub fn counting(mut self, counting: Counting) -> Self {
        self.counting = counting;
        self
    }

    /// Its ramdisk, in place of the standard one.
    pub fn ramdisk(mut self, ramdisk: Ramdisk) -> Self {
        self.ramdisk = ramdisk;
        self
    }

    /// Tells the kernel something. `exit`, `interactive`, `meltdown` and `units` are set unless told otherwise.
    pub fn boot_option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.boot_options.insert(key.into(), value.into());
        self
    }

    /// Makes the disk image and starts the emulator. The machine ends with the thread that calls this.
    ///
    /// # Errors
    ///
    /// If a part is missing, does not build, or has no room. An emulator that starts and then gives up is
    /// [`ExitReason::EmulatorDied`].
    pub fn start(&self) -> Result<Running, MachineError> {
        let kernel = KernelFile::read(&self.kernel)?;
        if self.memory_mib < MINIMUM_MEMORY_MIB {
            return Err(MachineError::TooLittleMemory(self.memory_mib));
        }
        fit::check(&kernel, self.memory_mib)?;
        match self.emulator {
            Emulator::Qemu => qemu::refuse_what_it_lacks(self)?,
            Emulator::Bochs => bochs::refuse_what_it_lacks(self)?,
        }
        let folder = TemporaryFolder::new().map_err(MachineError::Folder)?;
        let disk = folder.path().join("disk");
        self.write_image(&kernel, &folder, &disk)?;
        match self.emulator {
            Emulator::Qemu => qemu::start(self, kernel, folder),
            Emulator::Bochs => bochs::start(self, kernel, folder),
        }
    }

    fn write_image(
        &self,
        kernel: &KernelFile,
        folder: &TemporaryFolder,
        disk: &std::path::Path,
    ) -> Result<(), MachineError> {
        let path = folder.path().join("ramdisk");
        let write_error = || ImageError::write(&path);
        let options = self.options(kernel);
        match &self.ramdisk {
            Ramdisk::Bytes(bytes) => std::fs::write(&path, bytes).map_err(write_error())?,
            Ramdisk::Files(files) => {
                let file = File::create(&path).map_err(write_error())?;
                ramdisk::write(file, &options, files).map_err(write_error())?;
            }
            Ramdisk::Standard => write_standard_ramdisk(kernel, &options, &path)?,
        }
        disk::make(&kernel.path, Some(&path), self.loader_log, disk)?;
        Ok(())
    }

    fn cpu_model(&self) -> &str {
        self.cpu.as_deref().unwrap_or(self.emulator.default_cpu())
    }

    pub(crate) fn options(&self, kernel: &KernelFile) -> BootOptions {
        let exit = self.emulator.name().to_owned();
        // The host's time passes whatever the machine does.
        let units = if self.clock == Clock::Host { "cycles" } else { "instructions" };
        let usual = [("exit", exit.as_str()), ("interactive", "no"), ("meltdown", "off"), ("units", units)];
        let mut options: BootOptions = usual.map(|(key, value)| (key.into(), value.into())).into();
        options.extend(kernel.options.clone());
        options.extend(self.boot_options.clone());
        options
    }
}

/// Whether a program is where the shell would find it; asked before work is done for it in vain.
fn need_program(program: &str, name: &'static str) -> Result<(), MachineError> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join(program).is_file());
    if found { Ok(()) } else { Err(MachineError::Missing(name)) }
}

/// Builds the user programs if the kernel runs any, and writes the ramdisk.
///
/// # Errors
///
/// If a program does not build, or there is no room.
pub fn write_standard_ramdisk(
    kernel: &KernelFile,
    options: &BootOptions,
    path: &std::path::Path,
) -> Result<(), MachineError> {
    let mut files = if kernel.has_programs() {
        workspace::user_programs(kernel.root_package(), kernel.chapter)?
    } else {
        Vec::new()
    };
    if kernel.has_softuser() {
        files.extend(workspace::softuser_programs()?);
    }
    let file = File::create(path).map_err(ImageError::write(path))?;
    ramdisk::write(file, options, &files).map_err(ImageError::write(path))?;
    Ok(())
}
