//! Takes an exception without a table to find its handler in.
#![no_std]
#![no_main]

kernel::entry!(main);

fn main() -> ! {
    kernel::println!("about to fault three times");
    fault_without_a_table()
}

#[inline(never)]
fn fault_without_a_table() -> ! {
    let empty_table = [0_u8; 10];
    // SAFETY: it is the purpose of this kernel that the processor gives up at this place.
    unsafe { core::arch::asm!("lidt [{}]", "ud2", in(reg) &raw const empty_table, options(noreturn)) }
}
