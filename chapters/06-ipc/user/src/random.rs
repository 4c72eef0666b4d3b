//! Random calls between several tasks give what a model of them says.

use flatmk_abi::Error;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::harness::{Random, end_thread, idle, start_thread, with_scratch, yield_once};
use crate::registers::system_call;
use crate::servers::{CALL, CALL_NO_WAIT, Server, server, start_server};

pub(crate) const TESTS: &[Test] =
    tests![random_routes_through_servers_end_as_the_model_says, clients_at_random_get_their_own_answers,];

const SERVERS: u64 = 6;
const ROUTES: u64 = 20_000;

/// One step of a route is four bits: the server to call next (from 1), by the near pointer or, from 9 on, by the far one; 0
/// is the end.
fn next_step(route: u64) -> Option<(Server, u64)> {
    let step = route & 0xf;
    let server = server(step % 8);
    (step != 0).then(|| (server, if step < 8 { server.near() } else { server.far() }))
}

/// Follows the route; the answer is a hash of everything that happened.
fn follow(context: u64, message: &mut [u64; 4]) {
    let [route, hash, ..] = *message;
    let mut hash = hash.wrapping_mul(31).wrapping_add(context);
    if let Some((_, pointer)) = next_step(route) {
        match system_call(pointer, CALL, [route >> 4, hash, 0, 0]) {
            Ok([_, answer, ..]) => hash = answer.wrapping_mul(37).wrapping_add(context),
            Err(error) => hash = hash.wrapping_add(error.status().cast_unsigned()),
        }
    }
    *message = [route, hash, context, hash ^ route];
}

service!(fn follow_entry = follow);

/// What `follow` answers: `at_work` has a bit for each server that has not returned yet.
fn model(thread: u64, route: u64, hash: u64, at_work: u64) -> u64 {
    let context = context_of(thread);
    let hash = hash.wrapping_mul(31).wrapping_add(context);
    let next = route & 0xf;
    let at_work = at_work | 1 << thread;
    if next == 0 {
        return hash;
    }
    let next = next % 8;
    if !exists(next) {
        return hash.wrapping_add(Error::InvalidCapability.status().cast_unsigned());
    }
    if at_work >> next & 1 != 0 {
        return hash.wrapping_add(Error::WouldDeadlock.status().cast_unsigned());
    }
    model(next, route >> 4, hash, at_work).wrapping_mul(37).wrapping_add(context)
}

fn exists(thread: u64) -> bool {
    (1..=SERVERS).contains(&thread)
}

fn context_of(thread: u64) -> u64 {
    0x1000 + thread * 7
}

fn random_routes_through_servers_end_as_the_model_says() {
    with_scratch(|| {
        (1..=SERVERS).for_each(|thread| {
            start_server(thread, follow_entry, context_of(thread));
        });
        let mut random = Random(0x5eed_0006);
        for _ in 0..ROUTES {
            let (first, route, hash) = (1 + random.below(SERVERS), random.next(), random.next());
            let expected = model(first, route, hash, 0);
            let (pointer, word) = (
                if random.below(2) == 0 { server(first).near() } else { server(first).far() },
                random.choose(&[CALL, CALL_NO_WAIT]),
            );
            let answer = system_call(pointer, word, [route, hash, 0, 0]);
            assert_eq!(answer, Ok([route, expected, context_of(first), expected ^ route]), "route {route:#x}");
        }
        (1..=SERVERS).for_each(|thread| server(thread).end());
    });
}

const CLIENTS: u64 = 4;
const CALLS_A_CLIENT: u64 = 500;

/// Lets others run a few times, then answers a function of context and message.
fn dawdle(thread: u64, message: &mut [u64; 4]) {
    let [word, pauses, ..] = *message;
    (0..pauses).for_each(|_| server(thread).task.yield_now().expect("a thread may yield"));
    *message = [word.wrapping_mul(3), pauses, thread, !word];
}

service!(fn dawdle_entry = dawdle);

static FINISHED: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

/// Calls servers 1 to 3 at random, and checks each answer. A wrong one ends the thread, which is then missed.
extern "C" fn call_at_random(thread: u64) {
    let mut random = Random(0x5eed_0000 + thread);
    for _ in 0..CALLS_A_CLIENT {
        let (callee, word, pauses) = (1 + random.below(3), random.next(), random.below(3));
        let pointer = if random.below(2) == 0 { server(callee).near() } else { server(callee).far() };
        let operation = random.choose(&[CALL, CALL, CALL_NO_WAIT]);
        match system_call(pointer, operation, [word, pauses, 1, 2]) {
            Ok(answer) => assert_eq!(answer, [word.wrapping_mul(3), pauses, callee, !word]),
            Err(error) => assert_eq!((error, operation), (Error::Busy, CALL_NO_WAIT)),
        }
        if random.below(4) == 0 {
            server(thread).task.yield_now().expect("a thread may yield");
        }
    }
    FINISHED.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    idle(server(thread).task)
}

fn clients_at_random_get_their_own_answers() {
    with_scratch(|| {
        (1..=3).for_each(|thread| {
            start_server(thread, dawdle_entry, thread);
        });
        let clients = 4..4 + CLIENTS;
        clients.clone().for_each(|thread| {
            start_thread(thread, call_at_random, thread);
        });
        for _ in 0..CLIENTS * CALLS_A_CLIENT * 8 {
            yield_once();
        }
        assert_eq!(FINISHED.load(core::sync::atomic::Ordering::Relaxed), CLIENTS, "all clients have finished");
        clients.for_each(end_thread);
        (1..=3).for_each(|thread| server(thread).end());
    });
}
