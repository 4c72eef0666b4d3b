//! The kernel of a chapter: brings everything up, shows what the chapter is about, and ends.
#![no_std]
#![no_main]

use kernel::power::{self, Outcome};

// ANCHOR: main
kernel::entry!(main);

fn main() -> ! {
    kernel::demonstrate();
    power::end(Outcome::Success)
}
// ANCHOR_END: main
