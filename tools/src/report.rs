//! What is said about a run that did not end well: what happened, where the processor was, and how it got there.

mod interrupts;
mod triple_fault;

use std::fmt::Write;

use crate::kernel_file::Kind;
use crate::machine::{ExitReason, Outcome};
use crate::symbols::{Symbols, addresses};

/// The report on a run, or nothing if it ended well.
#[must_use]
pub fn on(outcome: &Outcome) -> Option<String> {
    let verdict = match (&outcome.reason, outcome.kernel.kind) {
        (ExitReason::Exited(0), Kind::Kernel) => return None,
        (ExitReason::Exited(_), Kind::Test) => match outcome.protocol.verdict() {
            Ok(()) => return None,
            Err(fault) => fault.to_string(),
        },
        (reason, _) => reason.to_string(),
    };
    let mut report = format!("{}: {verdict}", outcome.kernel.name());
    if let Some(test) = outcome.protocol.running() {
        let _ = write!(report, "\nin the test {test}");
    }
    let symbols = Symbols::of(&outcome.kernel);
    if let Some(stopped) = panic_screen(&outcome.serial()) {
        section(&mut report, "where that was", &explain(&symbols, stopped));
    }
    if !matches!(outcome.reason, ExitReason::Exited(_)) {
        if outcome.reason == ExitReason::TripleFault {
            section(&mut report, "why", &triple_fault::why(&symbols, &outcome.log));
        }
        section(&mut report, "last interrupts", &interrupts::last(&symbols, &outcome.log));
        let registers = outcome.registers.as_deref().or_else(|| last_registers(&outcome.log));
        section(&mut report, "registers", &symbols.annotate(&of_interest(registers.unwrap_or_default())));
        let stack = outcome.stack.as_deref().unwrap_or_default();
        section(&mut report, "return addresses on the stack", &explain_stack(&symbols, stack));
    }
    Some(report)
}

fn section(report: &mut String, title: &str, text: &str) {
    if !text.trim().is_empty() {
        let _ = write!(report, "\n{title}:\n{}", text.trim_end());
    }
}

/// The text from where the kernel stopped last.
fn panic_screen(serial: &str) -> Option<&str> {
    serial.get(serial.rfind("FlatMk stopped:")?..)
}

/// The addresses of the kernel's report on itself that lie in its code, in order, each explained.
fn explain(symbols: &Symbols, text: &str) -> String {
    let mut output = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("stack:") {
            output.push_str(&explain_stack(symbols, line));
            continue;
        }
        for address in addresses(line) {
            if let Some(place) = symbols.describe(address) {
                let _ = writeln!(output, "  {address:#x} = {place}");
            }
        }
    }
    output
}

/// The words of a stack that lie in the kernel's code. They are return addresses: the call is before.
fn explain_stack(symbols: &Symbols, text: &str) -> String {
    let mut output = String::new();
    for address in text.lines().flat_map(addresses) {
        if let Some(place) = symbols.describe(address.wrapping_sub(1)) {
            let _ = writeln!(output, "  {address:#x} = {place}");
        }
    }
    output
}

/// The registers without those that say little about a kernel.
fn of_interest(registers: &str) -> String {
    const BORING: [&str; 9] = ["FPR", "XMM", "FCW", "DR", "CCS", "LDT", "CPU", "ES ", "DS "];
    let lines =
        registers.lines().filter(|line| !line.is_empty() && !BORING.iter().any(|start| line.starts_with(start)));
    lines.flat_map(|line| ["  ", line, "\n"]).collect()
}

/// The registers that QEMU logged with the last interrupt.
fn last_registers(log: &str) -> Option<&str> {
    let start = log.rfind(": v=")?;
    let registers = log.get(start..)?;
    let registers = registers.get(registers.find('\n')? + 1..)?;
    let end = registers.find("check_exception").or_else(|| registers.find("CPU Reset")).unwrap_or(registers.len());
    registers.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel_file::KernelFile;

    const LOG: &str = "\
SMM: enter
EAX=000000b5
check_exception old: 0xffffffff new 0xe
     0: v=0e e=0002 i=0 cpl=0 IP=0008:ffffffff800012ca pc=ffffffff800012ca SP=0010:ffff900000014fc8 CR2=00000deadbeef000
RAX=1111111111111111
check_exception old: 0xe new 0xe
     1: v=08 e=0000 i=0 cpl=3 IP=0008:ffffffff800012cb pc=ffffffff800012cb SP=0010:ffff900000014fc8 env->regs[R_EAX]=0
RAX=2222222222222222
check_exception old: 0x8 new 0xe
Triple fault
";

    fn no_symbols() -> Symbols {
        let kernel = KernelFile::nowhere((0xffff_ffff_8000_0000, 0xffff_ffff_8000_2000));
        Symbols::of(&kernel)
    }

    #[test]
    fn interrupts_are_named() {
        let text = interrupts::last(&no_symbols(), LOG);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "  0x0e page fault, error code 0002, address 0xdeadbeef000, at 0xffffffff800012ca, privilege level 0",
                "  0x08 double fault, error code 0000, at 0xffffffff800012cb, privilege level 3",
            ]
        );
    }

    #[test]
    fn the_registers_are_those_of_the_last_interrupt() {
        assert_eq!(last_registers(LOG), Some("RAX=2222222222222222\n"));
        assert_eq!(last_registers("nothing"), None);
    }

    #[test]
    fn the_panic_screen_is_the_end_of_the_output() {
        // A test may stop the kernel on purpose before.
        assert_eq!(
            panic_screen("a\nFlatMk stopped: K02\nFlatMk stopped: K01\n  b\n"),
            Some("FlatMk stopped: K01\n  b\n")
        );
        assert_eq!(panic_screen("a\n"), None);
    }
}
