//! The protocol holds in all orders, and with a mistake in it the models that find this one say so.

use std::env::{current_exe, var_os};
use std::panic::set_hook;
use std::process::{Command, exit};
use std::thread;
use std::time::Instant;

use flatmk_pipe_model::models::Model;
use flatmk_pipe_model::planted;

/// Tells a process that it is the one in which the model runs.
const APART: &str = "FLATMK_PIPE_MODEL_APART";

/// A model holds unless it is among those that find the mistake that was planted. It runs in a process of its own, as there is no way back
/// from where it fails: after a deadlock `loom`'s objects panic once more when they are dropped. There are about so many orders; a search that has seen fewer
/// has left some out. With a mistake there may be fewer.
fn check(model: Model, least_orders: u64) {
    if var_os(APART).is_some() {
        set_hook(Box::new(|panic| {
            eprintln!("{}", panic.payload_as_str().unwrap_or("a panic without words"));
            exit(1);
        }));
        eprintln!("{}", model.check());
        exit(0);
    }
    let start = Instant::now();
    let test = thread::current().name().map(ToOwned::to_owned).expect("a test has a thread with its name");
    let this_test = ["--exact", &test, "--nocapture"];
    let program = current_exe().expect("a program has a name");
    let output = Command::new(program).args(this_test).env(APART, "1").output().expect("this program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{model:?}: {}, {} ms", said.trim(), start.elapsed().as_millis());
    let is_found = planted::is_found_by(model);
    assert_eq!(output.status.code(), Some(is_found.into()), "{said}");
    if !cfg!(feature = "planted") {
        let orders: u64 = said.trim().parse().expect("the search says how many orders it has seen");
        assert!(orders >= least_orders, "there are at least {least_orders} orders, and {orders} were searched");
    }
    assert!(!is_found || said.contains(planted::finding()), "this is not what was planted: {said}");
}

#[test]
fn items_come_once_and_in_order() {
    check(Model::Items, 4000);
}

#[test]
fn a_consumer_that_sleeps_is_woken() {
    check(Model::ConsumerSleeps, 40_000);
}

#[test]
fn a_producer_that_sleeps_is_woken() {
    check(Model::ProducerSleeps, 50_000);
}

#[test]
fn both_ends_may_sleep() {
    check(Model::BothSleep, 8000);
}

#[test]
fn a_producer_that_wants_all_the_room_is_woken() {
    check(Model::LargeFrame, 2000);
}

#[test]
fn a_consumer_learns_that_the_producer_is_closed_when_it_has_all() {
    check(Model::ProducerCloses, 100);
}

#[test]
fn a_consumer_that_sleeps_learns_that_the_producer_is_closed() {
    check(Model::ProducerClosesForSleeper, 60);
}

/// The model with the most orders. With a mistake in the protocol, one of the two above takes its place.
#[test]
#[cfg(not(feature = "planted"))]
fn a_consumer_receives_all_before_it_learns_of_the_end_asleep_or_not() {
    check(Model::ProducerSendsAndCloses, 25_000);
}

#[test]
fn a_producer_learns_that_the_consumer_is_closed() {
    check(Model::ConsumerCloses, 80_000);
}

#[test]
fn both_ends_may_close_at_any_time() {
    check(Model::BothClose, 1000);
}

#[test]
fn a_consumer_receives_all_that_a_dead_producer_has_sent() {
    check(Model::ProducerDies, 500);
}

#[test]
fn a_producer_learns_that_the_consumer_is_dead() {
    check(Model::ConsumerDies, 1500);
}
