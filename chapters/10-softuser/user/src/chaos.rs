//! Whatever words a guest runs as code, with whatever registers, the kernel and the other tasks are as they were.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{FaultReason, MissingCapability, Words};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};
use flatmk_softuser::INSTRUCTIONS;

use crate::calls::{forget_elsewhere, guest_elsewhere};
use crate::guest::*;
use crate::harness::Random;
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![random_words_as_code_do_no_harm, random_instructions_do_no_harm];

/// How many guests there are, one after the other, and how often each begins.
const LIVES: u64 = 8;
const STARTS: u64 = 60;

/// How often each reason was seen.
static FAULTS: [AtomicU64; 32] = [const { AtomicU64::new(0) }; 32];

/// Stops the guest.
fn stop_quietly(_: u64, &mut [reason, ..]: &mut Words) {
    if let Some(count) = FAULTS.get(reason as usize) {
        count.fetch_add(1, Relaxed);
    }
    task(0).stop().unwrap_or_default();
}

service!(fn stop_quietly_entry = stop_quietly);

/// The registers of a guest: small numbers, addresses of its pages and near their ends, and others.
fn register_content(random: &mut Random) -> u64 {
    let base = random.choose(&[0, CODE, DATA, DATA, DATA + 0x2000, 0xffff_fff0]);
    let word = random.next() as u32;
    let near = base.wrapping_add((word % 0x2000) & random.choose(&[!0, !3, !3]));
    random.choose(&[near, near, near, word % 64, word]).into()
}

/// Runs guests with such words in their second page of code.
fn run_chaos(mut random: Random, word: impl Fn(&mut Random) -> u32) {
    FAULTS.iter().for_each(|count| count.store(0, Relaxed));
    for _ in 0..LIVES {
        on_stage(|| {
            with_guests(|| {
                // Others at work: one that is called, and one that counts.
                Assembler::new().add(A2, 1).ret().load();
                guest_server(1, 25, 0, 0);
                start(4, 20, count, 4);
                serve(9, 30, stop_quietly_entry, 0);
                let (task, _) = guest_elsewhere(0, 20, 0, 0);
                task.set_fault_handler(Some(near(9)), MissingCapability::IsError).expect("it is an endpoint");
                for _ in 0..STARTS {
                    for offset in (4096..8192).step_by(4) {
                        load_at(offset, &[word(&mut random)]);
                    }
                    let at = CODE + 4096 + (random.below(2048) * 2) as u32;
                    task.start(entry_at(at), random.next()).expect("it is stopped, and has a hart");
                    task.stop().expect("it was started");
                    for index in 1..32 {
                        task.write_register(32 + index, register_content(&mut random)).expect("a register");
                    }
                    task.resume().expect("it is stopped");
                    let before = shared(4).load(Relaxed);
                    let_run(2);
                    let number = random.next() >> 1;
                    assert_eq!(near(1).call([number, 1, 2, 3]).map(|[_, rest @ ..]| rest), Ok([1, 2, 3]));
                    assert!(shared(4).load(Relaxed) > before || !is_stopped(task), "the other one counts");
                    task.stop().unwrap_or_default();
                    // What it has run is not what comes next.
                    forget_elsewhere();
                }
            });
        });
    }
    let seen = |reason: FaultReason| FAULTS.get(reason as usize).map_or(0, |count| count.load(Relaxed));
    let (pages, others) = (seen(FaultReason::Page), seen(FaultReason::InvalidOpcode));
    assert!(pages > 0 && others > 0, "{pages} page faults, {others} illegal instructions");
}

extern "C" fn count(thread: u64) {
    loop {
        shared(thread).fetch_add(1, Relaxed);
    }
}

fn random_words_as_code_do_no_harm() {
    run_chaos(Random(0xc4a05), |random| random.next() as u32);
}

fn random_instructions_do_no_harm() {
    run_chaos(Random(0x0dd_ba11), |random| {
        let pattern = random.choose(INSTRUCTIONS);
        pattern.bits | random.next() as u32 & !pattern.mask
    });
}
