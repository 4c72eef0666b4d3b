//! A server that returns the message it is called with.
#![no_std]
#![no_main]

use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;

// ANCHOR: echo
flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn echo_entry = echo);

/// The answer is the message: there is nothing to do.
fn echo(_context: u64, _message: &mut [u64; 4]) {}

fn main(_argument: u64, _words: [u64; 4]) {
    OWN_TASK.make_endpoint(echo_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}
// ANCHOR_END: echo
