//! Hangs with interrupts off.
#![no_std]
#![no_main]

kernel::entry!(main);

fn main() -> ! {
    kernel::println!("about to hang");
    hang_for_ever()
}

#[inline(never)]
fn hang_for_ever() -> ! {
    // SAFETY: nothing runs after this, so nothing misses the interrupts.
    unsafe { core::arch::asm!("cli", "2: jmp 2b", options(noreturn)) }
}
