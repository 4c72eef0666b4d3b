//! Why a machine was reset: an exception, then one more on the way to its handler, and a third on the way to that of double faults.

use std::fmt::Write;

use super::interrupts::{Interrupt, name};
use crate::symbols::Symbols;

/// The vector of a double fault.
const DOUBLE_FAULT: u64 = 8;

/// The size of a gate, of which there is one for each of 256 vectors (Intel SDM vol. 3A, 6.14.1).
const GATE_BYTES: u64 = 16;
const GATES: u64 = 256;

/// What an emulator's log tells of it; nothing where it tells nothing.
pub(super) fn why(symbols: &Symbols, log: &str) -> String {
    if log.contains(PANIC) { of_bochs(log) } else { of_qemu(symbols, log).unwrap_or_default() }
}

/// The exceptions that were delivered, or were to be, from the same place; and the one after the double fault, of which there is only the
/// number.
fn of_qemu(symbols: &Symbols, log: &str) -> Option<String> {
    let mut backwards = Interrupt::backwards(log);
    let last = backwards.next().filter(|last| last.vector == DOUBLE_FAULT)?;
    let is_same_place = |earlier: &Interrupt<'_>| (earlier.pc, earlier.stack) == (last.pc, last.stack);
    let mut chain: Vec<_> = backwards.take_while(is_same_place).collect();
    chain.reverse();
    let (first, further) = chain.split_first()?;
    let mut output = format!("  the handler could not be called of this: {}, at {:#x}", first.describe(), first.pc);
    if let Some(place) = symbols.describe(first.pc) {
        let _ = write!(output, " = {place}");
    }
    output.push('\n');
    for exception in further {
        let _ = writeln!(output, "  on the way there: {}", exception.describe());
    }
    let word = |start: &str| log.lines().rev().find_map(|line| line.trim_start().strip_prefix(start));
    let third = word("check_exception old: 0x8 new 0x").and_then(|vector| u64::from_str_radix(vector.trim(), 16).ok());
    if let Some(third) = third.and_then(name) {
        let _ = writeln!(output, "  on the way to the handler of double faults: {third}");
    }
    let limit = word("IDT=").and_then(|table| u64::from_str_radix(table.split_whitespace().nth(1)?, 16).ok());
    if let Some(gates) = limit.map(|limit| (limit + 1) / GATE_BYTES).filter(|&gates| gates < GATES) {
        let _ = writeln!(output, "  the table of gates (IDT) has room for {gates} of {GATES} gates");
    }
    Some(output)
}

/// How Bochs's last word on it begins; what it has complained of in that moment comes before.
const PANIC: &str = ">>PANIC<< exception(): ";

fn of_bochs(log: &str) -> String {
    let Some(end) = log.lines().position(|line| line.contains(PANIC)) else { return String::new() };
    // A line is a time, a kind of message, and in brackets who says it.
    let moment = |line: &'_ str| line.split(['[', 'e', 'p']).next().map(str::to_owned);
    let lines: Vec<&str> = log.lines().take(end + 1).collect();
    let now = lines.last().copied().and_then(moment);
    let last = lines.into_iter().filter(|line| moment(line) == now && line.contains("[CPU"));
    let texts = last.filter_map(|line| line.split_once("] ")).map(|(_, text)| text.trim_start_matches(">>PANIC<< "));
    texts.flat_map(|text| ["  ", text, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel_file::KernelFile;

    fn explained(log: &str) -> String {
        why(&Symbols::of(&KernelFile::nowhere((0, 1))), log)
    }

    /// Before it, an interrupt of the timer that has nothing to do with it.
    const QEMU: &str = "\
     4: v=20 e=0000 i=0 cpl=0 IP=0008:ffffffff80001000 pc=ffffffff80001000 SP=0010:ffff900000014fc8
check_exception old: 0xffffffff new 0x6
     5: v=06 e=0000 i=0 cpl=0 IP=0008:ffffffff8000701c pc=ffffffff8000701c SP=0010:ffff900000014fb0
check_exception old: 0x6 new 0xd
     6: v=0d e=0062 i=0 cpl=0 IP=0008:ffffffff8000701c pc=ffffffff8000701c SP=0010:ffff900000014fb0
check_exception old: 0xd new 0xd
     7: v=08 e=0000 i=0 cpl=0 IP=0008:ffffffff8000701c pc=ffffffff8000701c SP=0010:ffff900000014fb0
IDT=     0000000000000000 00000000
check_exception old: 0x8 new 0xd
Triple fault
";

    #[test]
    fn the_first_exception_and_those_on_the_way_are_named() {
        let lines = [
            "  the handler could not be called of this: invalid opcode, error code 0000, at 0xffffffff8000701c",
            "  on the way there: general protection, error code 0062",
            "  on the way to the handler of double faults: general protection",
            "  the table of gates (IDT) has room for 0 of 256 gates",
        ];
        assert_eq!(explained(QEMU).lines().collect::<Vec<_>>(), lines);
        assert!(!explained(&QEMU.replace(" 00000000\n", " 00000fff\n")).contains("gates (IDT)"));
    }

    #[test]
    fn a_log_that_ends_otherwise_is_not_explained() {
        assert_eq!(explained(""), "");
        assert_eq!(explained(&QEMU.replace("v=08", "v=0e")), "");
        assert_eq!(explained("     7: v=08 e=0000 pc=1 SP=2\n"), "");
    }

    #[test]
    fn the_last_complaints_of_bochs_are_shown() {
        const LOG: &str = "\
00000000007i[PLUGIN] loaded plugin libbx_serial.so
00023857340e[CPU0  ] something before
00023857348e[CPU0  ] interrupt(long mode): vector must be within IDT table limits, IDT.limit = 0x0
00023857348p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution
00023857348e[CPU0  ] WARNING: Any simulation after this point is completely bogus !
";
        let lines = [
            "  interrupt(long mode): vector must be within IDT table limits, IDT.limit = 0x0",
            "  exception(): 3rd (13) exception with no resolution",
        ];
        assert_eq!(explained(LOG).lines().collect::<Vec<_>>(), lines);
        assert_eq!(explained(">>PANIC<< exception(): "), "");
    }
}
