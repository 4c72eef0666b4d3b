//! A million random system calls, as the root task. Its kernel interrupts it often, and looks at everything there is.
#![no_std]
#![no_main]

#[path = "../../user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the other tests of chapter 5")]
mod harness;
#[path = "../../user/src/random.rs"]
mod random;
#[path = "../../user/src/registers.rs"]
#[expect(dead_code, reason = "shared with the other tests of chapter 5 and 6")]
mod registers;

use flatmk_runtime::testing::{self, Test};
use flatmk_runtime::tests;

flatmk_runtime::entry!(main);

const TESTS: &[Test] = tests![
    the_first_hundred_thousand_calls_keep_everything_in_order,
    the_second_hundred_thousand_calls_keep_everything_in_order,
    the_third_hundred_thousand_calls_keep_everything_in_order,
    the_fourth_hundred_thousand_calls_keep_everything_in_order,
    the_fifth_hundred_thousand_calls_keep_everything_in_order,
    the_sixth_hundred_thousand_calls_keep_everything_in_order,
    the_seventh_hundred_thousand_calls_keep_everything_in_order,
    the_eighth_hundred_thousand_calls_keep_everything_in_order,
    the_ninth_hundred_thousand_calls_keep_everything_in_order,
    the_tenth_hundred_thousand_calls_keep_everything_in_order,
    each_operation_has_succeeded,
];

const CALLS: u64 = 100_000;

macro_rules! hundred_thousand_calls {
    ($($name:ident: $seed:literal;)+) => {$(
        fn $name() {
            random::make_calls($seed, CALLS);
        }
    )+};
}

hundred_thousand_calls! {
    the_first_hundred_thousand_calls_keep_everything_in_order: 0x9e3779b97f4a7c15;
    the_second_hundred_thousand_calls_keep_everything_in_order: 0x3c6ef372fe94f82a;
    the_third_hundred_thousand_calls_keep_everything_in_order: 0xdaa66d2c7ddf743f;
    the_fourth_hundred_thousand_calls_keep_everything_in_order: 0x78dde6e5fd29f054;
    the_fifth_hundred_thousand_calls_keep_everything_in_order: 0x1715609f7c746c69;
    the_sixth_hundred_thousand_calls_keep_everything_in_order: 0xb54cda58fbbee87e;
    the_seventh_hundred_thousand_calls_keep_everything_in_order: 0x538454127b096493;
    the_eighth_hundred_thousand_calls_keep_everything_in_order: 0xf1bbcdcbfa53e0a8;
    the_ninth_hundred_thousand_calls_keep_everything_in_order: 0x8ff34785799e5cbd;
    the_tenth_hundred_thousand_calls_keep_everything_in_order: 0x2e2ac13ef8e8d8d2;
}

fn each_operation_has_succeeded() {
    random::every_operation_has_succeeded();
}

fn main(_: u64, _: [u64; 4]) {
    testing::run(TESTS);
}
