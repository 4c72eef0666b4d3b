//! After a quarter of a million random system calls everything still works. (With the kernel's own look at all it has after some
//! calls, and more of them: `chapter05_random`.)

use flatmk_abi::{Kind, Rights, slots};
use flatmk_runtime::object::identify;
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{at, copy, with_scratch};
use crate::random::{every_operation_has_succeeded, make_calls};

pub(crate) const TESTS: &[Test] =
    tests![the_kernel_survives_a_quarter_of_a_million_random_system_calls, the_machine_still_works_after_them];

fn the_kernel_survives_a_quarter_of_a_million_random_system_calls() {
    make_calls(0x0123_4567_89ab_cdef, 250_000);
    every_operation_has_succeeded();
}

fn the_machine_still_works_after_them() {
    with_scratch(|| {
        copy(1, slots::SELF, Rights::all());
        assert_eq!(identify(at(1)), Ok((Kind::Task, Rights::all())));
    });
    let groups = [
        crate::operations::TESTS,
        crate::errors::TESTS,
        crate::contract::TESTS,
        crate::memory::TESTS,
        crate::scheduling::TESTS,
        crate::lifetimes::TESTS,
    ];
    groups.into_iter().flatten().for_each(|(_, test, _)| test());
}
