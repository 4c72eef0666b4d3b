//! The part of a keyboard driver that knows what scan codes mean. It is called with a byte from the keyboard in word 0, and answers: word 0: 0 for
//! nothing, 1 for a character, 2 for a key without one, 3 for what is no scan code; word 1: the character, or the key's number.
#![no_std]
#![no_main]

use flatmk_runtime::OneTask;
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;
use key_decoder::{Decoder, Key};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn decode_entry = decode);

// SAFETY: this program is one task.
static DECODER: OneTask<Decoder> = unsafe { OneTask::new(Decoder::new()) };

fn decode(_context: u64, message: &mut [u64; 4]) {
    let [byte, ..] = *message;
    let key = match u8::try_from(byte) {
        Ok(byte) => DECODER.with(|decoder| decoder.take(byte)),
        Err(_) => Key::Unknown,
    };
    *message = match key {
        Key::Nothing => [0; 4],
        Key::Character(character) => [1, u32::from(character).into(), 0, 0],
        Key::Other(number) => [2, number.into(), 0, 0],
        Key::Unknown => [3, 0, 0, 0],
    };
}

fn main(_argument: u64, _words: [u64; 4]) {
    OWN_TASK.make_endpoint(decode_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}
