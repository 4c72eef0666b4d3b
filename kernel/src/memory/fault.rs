//! Page faults of the kernel itself, at which it stops.

use x86_64::registers::control::Cr2;

use super::explanation::{explain, guard_at};
use crate::arch::interrupts::TrapFrame;
use crate::interrupts::exceptions::{DOUBLE_FAULT, PAGE_FAULT};
use crate::stop::{StopCode, stop_with};

/// The handler of page faults in the kernel.
pub(super) fn stop_on_fault(frame: &mut TrapFrame) {
    let explanation = explain(Cr2::read_raw(), frame.error);
    stop_with(StopCode::Exception(PAGE_FAULT), format_args!("{explanation}"), format_args!("{frame}"))
}

/// The handler of double faults. When a stack overflows, the page fault cannot be delivered, and CR2 still says where it was.
pub(super) fn stop_on_double_fault(frame: &mut TrapFrame) {
    let address = Cr2::read_raw();
    let code = StopCode::Exception(DOUBLE_FAULT);
    match guard_at(address) {
        Some(guard) => stop_with(code, format_args!("double fault at {address:#x}: {guard}"), format_args!("{frame}")),
        None => stop_with(
            code,
            format_args!("double fault; the last page fault was at {address:#x}"),
            format_args!("{frame}"),
        ),
    }
}
