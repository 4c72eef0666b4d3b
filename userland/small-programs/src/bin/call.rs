//! Calls the program that was loaded for it once, with the words or the text of its arguments, and says what that answers. With `-q` in front it says nothing.
#![no_std]
#![no_main]

use flatmk_abi::Words;
use flatmk_runtime::object::Endpoint;
use flatmk_runtime::println;
use flatmk_runtime::supervisor::{self, ARGUMENT_BYTES};
use flatmk_system::slots::COMPANIONS;
use small_programs::message;

flatmk_runtime::entry!(main);

fn main(_argument: u64, _words: Words) {
    let mut buffer = [0; ARGUMENT_BYTES];
    let arguments = supervisor::arguments(&mut buffer);
    let (is_quiet, rest) = arguments.strip_prefix("-q").map_or((false, arguments), |rest| (true, rest));
    let Some(message) = message(rest) else {
        println!("call: {rest}: these are neither up to four numbers nor up to 32 bytes of text in quotation marks");
        return supervisor::end(2);
    };
    match Endpoint(COMPANIONS).call(message) {
        Ok(_) if is_quiet => supervisor::end(0),
        Ok([first, second, third, fourth]) => {
            println!("{first} {second} {third} {fourth}");
            supervisor::end(0);
        }
        Err(error) => {
            println!("call: {error}");
            supervisor::end(1);
        }
    }
}
