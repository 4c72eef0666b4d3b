//! How a run ended, concluded from what kernel and emulator say.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::Serial;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// The kernel ended it, with this status.
    Exited(u8),
    /// Kernel and emulator disagree on the status.
    Disagreement {
        /// The status of the line `[exit N]`, if there was one.
        line: Option<u8>,
        /// The status that the emulator was told.
        emulator: u8,
    },
    /// The processor could not start its double-fault handler.
    TripleFault,
    /// The machine was reset or switched off, by whom ever.
    Reset,
    /// Nothing new came for so long, so the machine was stopped.
    Hang(Duration),
    /// The emulator gave up.
    EmulatorDied(String),
    /// The machine ended, or went silent, before the kernel said its first word.
    NoKernel {
        /// How.
        end: Box<ExitReason>,
        /// The machine's memory, which is the usual cause.
        memory_mib: u32,
    },
}

impl ExitReason {
    /// The same for a machine of which the kernel's banner was never seen: it ended in the boot loader, or in the firmware.
    pub(super) fn before_kernel(self, memory_mib: u32) -> Self {
        match self {
            Self::TripleFault | Self::Reset | Self::Hang(_) => Self::NoKernel { end: Box::new(self), memory_mib },
            _ => self,
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "the kernel ended with status {status}"),
            Self::Disagreement { line: Some(line), emulator } => {
                write!(f, "the kernel said it would end with status {line} and ended with {emulator}")
            }
            Self::Disagreement { line: None, emulator } => {
                write!(f, "the kernel ended with status {emulator} without saying so")
            }
            Self::TripleFault => write!(f, "triple fault"),
            Self::Reset => write!(f, "the machine was reset or switched off in the middle of the run"),
            Self::Hang(limit) => write!(f, "hang: nothing new for {} s", limit.as_secs()),
            Self::EmulatorDied(message) => write!(f, "the emulator gave up: {message}"),
            Self::NoKernel { end, memory_mib } => write!(
                f,
                "the boot loader did not start the kernel ({end}): perhaps {memory_mib} MiB of memory are too little for it, or the processor lacks a feature"
            ),
        }
    }
}

/// The status behind QEMU's exit code, `((0x10 | status) << 1) | 1`.
fn qemu_status(code: i32) -> Option<u8> {
    let value = u8::try_from(code).ok()?;
    (value & 0b10_0001 == 0b10_0001).then_some((value >> 1) & !0x10)
}

/// What became of a run in QEMU.
pub(super) fn of_qemu(status: Option<ExitStatus>, log: &str, line: Option<u8>, serial: Serial) -> ExitReason {
    let code = status.and_then(|status| status.code());
    if let Some(emulator) = code.and_then(qemu_status) {
        return match line {
            Some(line) if line == emulator => ExitReason::Exited(line),
            None if serial == Serial::Absent => ExitReason::Exited(emulator),
            _ => ExitReason::Disagreement { line, emulator },
        };
    }
    if code == Some(0) {
        return if log.contains("Triple fault") { ExitReason::TripleFault } else { ExitReason::Reset };
    }
    let message = log.lines().rev().find_map(|line| line.strip_prefix("qemu-system-x86_64: "));
    ExitReason::EmulatorDied(match (message, status.and_then(|status| status.signal())) {
        (Some(message), _) => message.to_owned(),
        (None, Some(signal)) => format!("it ended by signal {signal}"),
        (None, None) => format!("it ended with code {}", code.unwrap_or(-1)),
    })
}

/// What became of a run in Bochs, which has no exit code to choose.
pub(super) fn of_bochs(log: &str, line: Option<u8>, serial: Serial) -> ExitReason {
    const PANIC: &str = ">>PANIC<< ";
    let mut panics = log.lines().filter_map(|line| Some(line.split_once(PANIC)?.1));
    let mut asked = false;
    let died = panics.find(|panic| {
        asked |= panic.contains("shutdown requested");
        !panic.contains("shutdown requested")
    });
    match (died, line) {
        (Some(panic), _) if panic.contains("exception with no resolution") => ExitReason::TripleFault,
        (Some(panic), _) => ExitReason::EmulatorDied(panic.to_owned()),
        (None, Some(line)) if asked => ExitReason::Exited(line),
        // There is no way to tell the status but the line.
        (None, None) if asked && serial == Serial::Absent => ExitReason::Exited(0),
        (None, None) if asked => ExitReason::EmulatorDied("the kernel ended the run without `[exit N]`".to_owned()),
        (None, _) => ExitReason::EmulatorDied(log.lines().last().unwrap_or("without a word").trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qemu(code: i32, log: &str, line: Option<u8>) -> ExitReason {
        of_qemu(Some(ExitStatus::from_raw(code << 8)), log, line, Serial::Present)
    }

    #[test]
    fn code_and_line_must_agree() {
        assert_eq!(qemu(33, "", Some(0)), ExitReason::Exited(0));
        assert_eq!(qemu(35, "", Some(1)), ExitReason::Exited(1));
        assert_eq!(qemu(33, "", Some(1)), ExitReason::Disagreement { line: Some(1), emulator: 0 });
        assert_eq!(qemu(33, "", None), ExitReason::Disagreement { line: None, emulator: 0 });
        assert_eq!(of_qemu(Some(ExitStatus::from_raw(33 << 8)), "", None, Serial::Absent), ExitReason::Exited(0));
    }

    #[test]
    fn a_line_alone_is_no_success() {
        assert_eq!(qemu(0, "", Some(0)), ExitReason::Reset);
        assert_eq!(qemu(0, "v=08\nTriple fault\n", Some(0)), ExitReason::TripleFault);
        assert!(matches!(qemu(1, "", Some(0)), ExitReason::EmulatorDied(_)));
    }

    #[test]
    fn every_status_survives_the_way_through_qemu() {
        for status in 0..16_u8 {
            let code = (i32::from(0x10 | status) << 1) | 1;
            assert_eq!(qemu_status(code), Some(status));
        }
        for code in [0, 1, 2, 3, 32, 34, 64, 255 + 33] {
            assert_eq!(qemu_status(code), None, "{code}");
        }
    }

    #[test]
    fn what_ends_before_the_kernel_is_the_boot_loaders() {
        let end = ExitReason::TripleFault.before_kernel(20);
        assert_eq!(end, ExitReason::NoKernel { end: Box::new(ExitReason::TripleFault), memory_mib: 20 });
        assert!(end.to_string().contains("(triple fault): perhaps 20 MiB"), "{end}");
        let died = ExitReason::EmulatorDied("unable to find CPU model 'x'".into());
        assert_eq!(died.clone().before_kernel(20), died);
    }

    #[test]
    fn the_emulators_own_words_are_kept() {
        let log = "CPU Reset\nqemu-system-x86_64: unable to find CPU model 'x'\n";
        assert_eq!(qemu(1, log, None), ExitReason::EmulatorDied("unable to find CPU model 'x'".into()));
    }

    #[test]
    fn bochs_needs_both_the_line_and_the_shutdown() {
        let port = ">>PANIC<< Shutdown port: shutdown requested";
        let bochs = |log, line| of_bochs(log, line, Serial::Present);
        assert_eq!(bochs(port, Some(3)), ExitReason::Exited(3));
        assert!(matches!(bochs(port, None), ExitReason::EmulatorDied(_)));
        assert!(matches!(bochs("", Some(0)), ExitReason::EmulatorDied(_)));
        let model = format!(">>PANIC<< no such processor\n{port}");
        assert_eq!(bochs(&model, Some(0)), ExitReason::EmulatorDied("no such processor".into()));
        assert_eq!(
            bochs(">>PANIC<< exception(): 3rd (13) exception with no resolution", None),
            ExitReason::TripleFault
        );
    }
}
