//! Panics.
#![no_std]
#![no_main]

kernel::entry!(main);

fn main() -> ! {
    panic_on_purpose()
}

#[inline(never)]
fn panic_on_purpose() -> ! {
    panic!("this kernel panics on purpose")
}
