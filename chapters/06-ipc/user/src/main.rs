#![no_std]
#![no_main]
flatmk_runtime::entry!(main);
fn main(_: u64, _: [u64; 4]) {}
