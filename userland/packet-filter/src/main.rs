//! A service that says which packets may pass. It is called with the first 32 bytes of a packet, and answers: word 0: 0 to let it pass, or the
//! reason to drop it; word 1: the rule, counted from 1, or 0 for none; words 2 and 3: how many have passed so far, and how many were dropped.
#![no_std]
#![no_main]

use flatmk_runtime::OneTask;
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;
use packet_filter::{ANYWHERE, Action, Network, Rule, Verdict, bytes_of, judge};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn filter_entry = filter);

/// This network.
const HERE: Network = Network::new([10, 0, 0, 0], 8);

const RULES: [Rule; 3] = [
    // Guests see nothing.
    Rule { source: Network::new([10, 66, 0, 0], 16), destination: ANYWHERE, ports: 0..=u16::MAX, action: Action::Drop },
    // Names and the time may be asked for.
    Rule { source: HERE, destination: ANYWHERE, ports: 53..=123, action: Action::Accept },
    // Answers come to ports that no service has.
    Rule { source: ANYWHERE, destination: HERE, ports: 1024..=u16::MAX, action: Action::Accept },
];

/// How many have passed, and how many were dropped.
// SAFETY: this program is one task.
static COUNTS: OneTask<(u64, u64)> = unsafe { OneTask::new((0, 0)) };

fn filter(_context: u64, message: &mut [u64; 4]) {
    let verdict = judge(&RULES, &bytes_of(*message));
    let (passed, dropped) = COUNTS.with(|counts| {
        match verdict {
            Verdict::Accept(_) => counts.0 += 1,
            Verdict::Drop(..) => counts.1 += 1,
        }
        *counts
    });
    let (status, rule) = match verdict {
        Verdict::Accept(rule) => (0, Some(rule)),
        Verdict::Drop(reason, rule) => (reason as u64, rule),
    };
    *message = [status, rule.map_or(0, |index| index as u64 + 1), passed, dropped];
}

fn main(_argument: u64, _words: [u64; 4]) {
    OWN_TASK.make_endpoint(filter_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}
