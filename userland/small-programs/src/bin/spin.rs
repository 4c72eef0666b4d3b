//! Never ends by itself, and never gives the processor away.
#![no_std]
#![no_main]

use flatmk_abi::Words;

flatmk_runtime::entry!(main);

fn main(_argument: u64, _words: Words) {
    loop {
        core::hint::spin_loop();
    }
}
