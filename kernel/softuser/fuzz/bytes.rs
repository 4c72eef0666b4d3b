//! Any bytes as a program: the engine must do what the reference does, whatever they are. `run.sh` builds and starts it.
#![no_main]

#[path = "../tests/engine/bytes.rs"]
mod bytes;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/engine/guest.rs"]
mod guest;
#[path = "../tests/engine/reference.rs"]
mod reference;
#[path = "../tests/engine/step.rs"]
mod step;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;

thread_local! {
    static GUEST: RefCell<guest::Guest> = RefCell::new(bytes::guest());
}

fuzz_target!(|input: &[u8]| {
    GUEST.with_borrow_mut(|guest| {
        if let Err(why) = bytes::run(guest, input) {
            panic!("{why}");
        }
    });
});
