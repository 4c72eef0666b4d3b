//! Writes to where nothing is mapped.
#![no_std]
#![no_main]

kernel::entry!(main);

fn main() -> ! {
    write_to_null();
    panic!("the write was let through")
}

#[inline(never)]
fn write_to_null() {
    // SAFETY: nothing is mapped there, so nothing is overwritten; the exception is the purpose of this kernel.
    unsafe { core::arch::asm!("mov byte ptr [{}], 1", in(reg) 8_u64) }
}
