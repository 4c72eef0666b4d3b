//! Needs a gigabyte for itself.
#![no_std]
#![no_main]

use core::cell::UnsafeCell;

kernel::entry!(main);

struct Ballast(UnsafeCell<[u8; 1 << 30]>);

// SAFETY: nothing uses it.
unsafe impl Sync for Ballast {}

#[used]
static BALLAST: Ballast = Ballast(UnsafeCell::new([0; 1 << 30]));

fn main() -> ! {
    kernel::println!("{:p} is in memory", BALLAST.0.get());
    kernel::power::end(kernel::power::Outcome::Success)
}
