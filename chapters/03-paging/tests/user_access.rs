//! User memory as the processor itself sees it, not through the window.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kernel::interrupts::exceptions::PAGE_FAULT;
use kernel::interrupts::set_handler;

/// Reads a byte of user memory; `None` where that faults.
pub(crate) fn read_user(address: u64) -> Option<u8> {
    let mut byte = 0;
    let access = || {
        // SAFETY: reads user memory. Where that faults, the handler goes on behind the instruction, which has two bytes.
        unsafe { asm!("mov al, [rdi]", inout("al") byte, in("rdi") address, options(nostack, preserves_flags)) };
    };
    succeeds(access).then_some(byte)
}

/// Writes a byte of user memory. Tells whether it could.
pub(crate) fn write_user(address: u64, byte: u8) -> bool {
    // SAFETY: as in `read_user`; the pages that tests map belong to nobody else.
    succeeds(|| unsafe { asm!("mov [rdi], al", in("al") byte, in("rdi") address, options(nostack, preserves_flags)) })
}

fn succeeds(access: impl FnOnce()) -> bool {
    const LENGTH: u64 = 2;
    static FAULTS: AtomicU64 = AtomicU64::new(0);

    let before = FAULTS.load(Relaxed);
    let usual = set_handler(
        PAGE_FAULT,
        Some(|frame| {
            FAULTS.fetch_add(1, Relaxed);
            frame.rip += LENGTH;
        }),
    );
    with_access(access);
    set_handler(PAGE_FAULT, usual);
    FAULTS.load(Relaxed) == before
}

/// Lets the kernel touch user pages, where the processor would prevent it (SMAP).
fn with_access(access: impl FnOnce()) {
    let smap = kernel::processor::Processor::identify().has_smap();
    if smap {
        // SAFETY: the processor has the instruction.
        unsafe { asm!("stac") };
    }
    access();
    if smap {
        // SAFETY: as above.
        unsafe { asm!("clac") };
    }
}
