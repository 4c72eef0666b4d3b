//! Boots a kernel and shows what it does: behind `flatmk run`, `cargo run` and `cargo test`.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::disk::Firmware;
use crate::kernel_file::{KernelFile, Kind};
use crate::machine::{Clock, Emulator, ExitReason, Limits, Machine, MachineError, MachineType, Outcome};
use crate::ramdisk::BootOptions;
use crate::terminal::{self, Console};

/// The memory of a machine for which none was chosen.
const USUAL_MEMORY_MIB: u32 = 512;

/// A switch on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Whether user mode runs without the kernel in its page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// If the processor says that it needs that.
    Auto,
    /// In any case.
    On,
    /// In no case.
    Off,
}

/// Which timer ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Timer {
    /// The local APIC's where there is one that can be used, else the 8254.
    Auto,
    /// The 8254.
    Pit,
}

/// What the kernel is told.
#[derive(Debug, Clone, Args)]
pub struct KernelOptions {
    /// Whether the kernel uses process-context identifiers where the processor has them
    #[arg(long, env = "FLATMK_PCID", hide_env_values = true)]
    pub pcid: Option<Switch>,
    /// Whether user mode runs without the kernel in its page tables, against Meltdown [default: off in an emulator, which
    /// executes nothing in advance; else auto, as the processor needs it]
    #[arg(long, env = "FLATMK_MELTDOWN", hide_env_values = true)]
    pub meltdown: Option<Isolation>,
    /// Which timer ticks, from chapter 12 on
    #[arg(long, env = "FLATMK_TIMER", hide_env_values = true)]
    pub timer: Option<Timer>,
}

impl KernelOptions {
    /// The boot options that say so.
    #[must_use]
    pub fn boot_options(&self) -> BootOptions {
        let pcid = self.pcid.map(|switch| ("pcid", name_of(&switch)));
        let meltdown = self.meltdown.map(|isolation| ("meltdown", name_of(&isolation)));
        let timer = self.timer.map(|timer| ("timer", name_of(&timer)));
        pcid.into_iter().chain(meltdown).chain(timer).map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// A value as the command line, and the kernel, has it.
fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The machine to use, as the command line or the environment chooses it.
#[derive(Debug, Clone, Args)]
pub struct MachineOptions {
    /// Start the machine by UEFI firmware
    #[arg(
        long = "uefi",
        env = "FLATMK_FIRMWARE",
        num_args = 0..=1,
        require_equals = true,
        default_value = "bios",
        default_missing_value = "uefi",
        hide_default_value = true,
        hide_possible_values = true,
        hide_env_values = true,
        value_name = "bios|uefi"
    )]
    pub firmware: Firmware,
    /// The emulator
    #[arg(long, env = "FLATMK_EMULATOR", default_value = "qemu", hide_env_values = true)]
    pub emulator: Emulator,
    /// The processor, in the emulator's words [default: one with every feature]
    #[arg(long, env = "FLATMK_CPU", value_name = "MODEL", hide_env_values = true)]
    pub cpu: Option<String>,
    /// The chip set
    #[arg(
        long = "machine",
        value_name = "pc|q35",
        hide_possible_values = true,
        env = "FLATMK_MACHINE",
        default_value = "pc",
        hide_env_values = true
    )]
    pub machine_type: MachineType,
    /// The memory in MiB
    #[arg(long, env = "FLATMK_MEMORY", value_name = "MIB", default_value_t = USUAL_MEMORY_MIB, hide_env_values = true)]
    pub memory: u32,
    #[expect(missing_docs, reason = "the help would show it in place of the command's own")]
    #[command(flatten)]
    pub kernel: KernelOptions,
    /// Seconds without a sign of life after which a machine that nobody watches is stopped; each test has as many
    #[arg(long, env = "FLATMK_TIME_LIMIT", value_name = "SECONDS", default_value_t = 60, hide_env_values = true)]
    pub time_limit: u64,
}

impl MachineOptions {
    /// A machine with these options.
    pub fn machine(&self, kernel: &KernelFile) -> Machine {
        let mut machine =
            Machine::new(&kernel.path).firmware(self.firmware).emulator(self.emulator).memory_mib(self.memory);
        machine = machine.machine_type(self.machine_type);
        if let Some(model) = &self.cpu {
            machine = machine.cpu(model);
        }
        for (key, value) in self.kernel.boot_options() {
            machine = machine.boot_option(key, value);
        }
        machine
    }

    /// Whether it is the machine that is meant where nothing is said, in whichever emulator.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        let is_as_usual = self.cpu.is_none() && self.kernel.boot_options().is_empty();
        is_as_usual
            && self.machine_type == MachineType::default()
            && self.firmware == Firmware::Bios
            && self.memory == USUAL_MEMORY_MIB
    }

    /// For how long a machine that nobody watches may run.
    #[must_use]
    pub fn limits(&self, kind: Kind) -> Limits {
        let limit = Duration::from_secs(self.time_limit);
        match kind {
            Kind::Kernel => Limits::Silence(limit),
            Kind::Test => Limits::EachTest(limit),
        }
    }
}

/// Boots a machine that nobody types at, shows what it writes, and reports on stderr if it does not end well.
///
/// # Errors
///
/// If it does not start.
pub fn watch(machine: &Machine, limits: Limits) -> Result<Outcome, MachineError> {
    Ok(machine.start()?.watch(limits, show))
}

/// Boots a machine with the terminal as its console.
///
/// # Errors
///
/// If it does not start.
pub fn converse(machine: Machine) -> Result<Outcome, MachineError> {
    let machine = machine.clock(Clock::Interactive).boot_option("interactive", "yes");
    // Whoever waits at a prompt has seen the demonstration.
    let running = machine.boot_option("demonstration", "no").start()?;
    let _console = Console::open(running.serial_input()).map_err(MachineError::Terminal)?;
    Ok(running.watch(Limits::None, show))
}

/// Boots a machine as the situation asks: with a human at the terminal, or by itself.
///
/// # Errors
///
/// If it does not start.
pub fn run(machine: Machine, limits: Limits) -> Result<Outcome, MachineError> {
    if terminal::is_interactive() { converse(machine) } else { watch(&machine, limits) }
}

/// Shows what a machine wrote.
pub(crate) fn show(bytes: &[u8]) {
    // The run goes on when nobody listens any more.
    let mut output = io::stdout().lock();
    let _ = output.write_all(bytes).and_then(|()| output.flush());
}

/// The exit code of this program after a run: the kernel's, or 1 for all that did not end by the kernel's will.
#[must_use]
pub fn exit_code(outcome: &Outcome) -> u8 {
    match (&outcome.reason, outcome.kernel.kind) {
        (ExitReason::Exited(_), Kind::Test) => u8::from(outcome.protocol.verdict().is_err()),
        (ExitReason::Exited(status), Kind::Kernel) => *status,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn boot_options(arguments: &[&str]) -> BootOptions {
        let command = MachineOptions::augment_args(Command::new("test").no_binary_name(true));
        let options = MachineOptions::from_arg_matches(&command.get_matches_from(arguments)).unwrap();
        let kernel = KernelFile::nowhere((0, 1));
        options.machine(&kernel).options(&kernel)
    }

    #[test]
    fn the_kernel_is_told_what_the_command_line_says_of_pcid() {
        for value in ["on", "off"] {
            assert_eq!(boot_options(&["--pcid", value]).get("pcid").map(String::as_str), Some(value));
        }
        assert_eq!(boot_options(&[]).get("pcid"), None);
    }

    #[test]
    fn the_kernel_is_told_what_the_command_line_says_of_the_timer() {
        for value in ["auto", "pit"] {
            assert_eq!(boot_options(&["--timer", value]).get("timer").map(String::as_str), Some(value));
        }
        assert_eq!(boot_options(&[]).get("timer"), None);
    }

    #[test]
    fn an_emulator_needs_no_isolation_unless_told() {
        for value in ["auto", "on", "off"] {
            assert_eq!(boot_options(&["--meltdown", value]).get("meltdown").map(String::as_str), Some(value));
        }
        assert_eq!(boot_options(&[]).get("meltdown").map(String::as_str), Some("off"));
    }
}
