//! Interrupts and exceptions in QEMU's log.

use std::fmt::Write;

use crate::symbols::Symbols;

/// How many of the last interrupts and exceptions are shown.
const INTERRUPTS: usize = 8;

/// The names of the exceptions (Intel SDM vol. 3A, table 6-1).
const EXCEPTIONS: [&str; 22] = [
    "divide error",
    "debug",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack-segment fault",
    "general protection",
    "page fault",
    "reserved",
    "x87 floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point error",
    "virtualization",
    "control protection",
];

/// One of them: a line `N: v=0e e=0002 i=0 cpl=0 IP=0008:ffffffff80001234 pc=… SP=… CR2=…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interrupt<'a> {
    /// Its number.
    pub(super) vector: u64,
    /// The error code, in hexadecimal digits. It means something for some exceptions only.
    error: Option<&'a str>,
    /// The address of a page fault.
    address: Option<u64>,
    /// Where the processor was.
    pub(super) pc: u64,
    /// Segment and pointer of the stack, as they are logged.
    pub(super) stack: Option<&'a str>,
    level: &'a str,
}

impl<'a> Interrupt<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let field = |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name));
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(Self {
            vector: field("v=").and_then(number)?,
            error: field("e="),
            address: field("CR2=").and_then(number),
            pc: field("pc=").and_then(number)?,
            stack: field("SP="),
            level: field("cpl=").unwrap_or("?"),
        })
    }

    /// Those of a log, the last one first.
    pub(super) fn backwards(log: &'a str) -> impl Iterator<Item = Self> {
        log.lines().rev().filter(|line| line.contains(": v=")).filter_map(Self::parse)
    }

    /// What it is, and what the processor says of it.
    pub(super) fn describe(&self) -> String {
        let mut text = name(self.vector).unwrap_or("interrupt").to_owned();
        if let Some(error) = self.error.filter(|_| name(self.vector).is_some()) {
            let _ = write!(text, ", error code {error}");
        }
        if let Some(address) = self.address {
            let _ = write!(text, ", address {address:#x}");
        }
        text
    }
}

/// The name of an exception.
pub(super) fn name(vector: u64) -> Option<&'static str> {
    EXCEPTIONS.get(usize::try_from(vector).ok()?).copied()
}

/// The last ones, a line each.
pub(super) fn last(symbols: &Symbols, log: &str) -> String {
    let mut found: Vec<_> = Interrupt::backwards(log).take(INTERRUPTS).collect();
    found.reverse();
    let mut output = String::new();
    for interrupt in found {
        let Interrupt { vector, pc, level, .. } = interrupt;
        let _ = write!(output, "  {vector:#04x} {}, at {pc:#x}, privilege level {level}", interrupt.describe());
        let _ = match symbols.describe(pc) {
            Some(place) => writeln!(output, " = {place}"),
            None => writeln!(output),
        };
    }
    output
}
