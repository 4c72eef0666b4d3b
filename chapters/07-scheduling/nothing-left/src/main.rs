//! A task of each sort that nothing can wake: stopped, faulted, waiting for a notification, for an answer, for a turn, for calls. The root task
//! stops itself when it has made them, after some time in which the kernel must not give up: there was a sleeper.
#![no_std]
#![no_main]

#[path = "../../user/src/calibration.rs"]
#[expect(dead_code, reason = "shared with the other tests of chapter 7")]
mod calibration;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
#[path = "../../user/src/threads.rs"]
#[expect(dead_code, reason = "shared with the other tests of chapter 7")]
mod threads;

use flatmk_abi::Kind;
use flatmk_runtime::object::{Notification, OWN_TABLE, OWN_TASK};
use flatmk_runtime::{println, service};

use crate::harness::{MEMORY, SCRATCH, at};
use crate::threads::{MS, OBJECT, far, finish, near, notification, prepare, serve, spin, task};

flatmk_runtime::entry!(main);

fn never_return(_: u64, _: &mut [u64; 4]) {
    wait_for_ever(0);
}

service!(fn never_return_entry = never_return);

extern "C" fn wait_for_ever(_: u64) {
    Notification(at(OBJECT)).wait().expect("nobody signals it");
}

extern "C" fn call_near(_: u64) {
    near(0).call([0; 4]).expect("nobody answers");
}

extern "C" fn call_far(_: u64) {
    far(0).call([0; 4]).expect("nobody answers");
}

extern "C" fn fault(_: u64) {
    // SAFETY: raises an exception, and does nothing else.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}

extern "C" fn stop_itself(thread: u64) {
    finish(thread);
}

extern "C" fn sleep_then_finish(thread: u64) {
    task(thread).sleep(500 * MS).expect("nobody stops it");
    println!("the sleeper has woken");
    finish(thread);
}

fn main(_: u64, _: [u64; 4]) {
    MEMORY.make(Kind::Table, 1, OWN_TABLE, SCRATCH.0).expect("a free page and a free slot");
    notification(OBJECT);
    serve(0, 20, never_return_entry, 0);
    serve(1, 20, never_return_entry, 0);
    threads::start(2, 20, call_near, 0);
    threads::start(3, 20, call_far, 0);
    threads::start(4, 20, wait_for_ever, 0);
    threads::start(5, 20, stop_itself, 5);
    threads::start(6, 20, fault, 0);
    prepare(7, 20, spin, 0);
    threads::start(8, 20, sleep_then_finish, 8);
    OWN_TASK.stop().expect("a task may stop itself");
}
