//! Interrupts, and tasks that handle them.

use flatmk_abi::EventKind::{Handle, Interrupt, Return, Switch, SystemCall};
use flatmk_abi::{Operation, Words, slots};
use flatmk_runtime::object::Interrupts;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::calls::answer_entry;
use crate::events::{between, made, numbers, trace};
use crate::threads::{let_run, near, on_stage, pass_ms, serve, spin, start};

pub(crate) const TESTS: &[Test] = tests![
    an_interrupt_of_user_mode_is_noted_with_who_ran,
    an_interrupt_is_handled_by_the_task_that_is_bound,
    a_time_slice_that_is_over_is_a_switch,
];

/// The timer's line.
const TIMER: u32 = 0;

fn an_interrupt_of_user_mode_is_noted_with_who_ran() {
    on_stage(|| {
        serve(0, 20, answer_entry, 0);
        let (root, _) = numbers(near(0));
        let events = trace(|| pass_ms(5));
        assert!((2..=8).contains(&events.count(Interrupt)), "a tick is a millisecond, about");
        for event in events.iter() {
            assert_eq!((event.kind, event.task, event.detail), (Interrupt, root, TIMER));
        }
        events.check_times();
    });
}

fn do_nothing(_: u64, _: &mut Words) {}

service!(fn do_nothing_entry = do_nothing);

fn an_interrupt_is_handled_by_the_task_that_is_bound() {
    on_stage(|| {
        serve(0, 20, do_nothing_entry, 0);
        let (root, handler) = numbers(near(0));
        let lines = Interrupts(slots::INTERRUPTS);
        lines.bind(TIMER.into(), Some(near(0))).expect("nothing is bound to the line");
        let events = trace(|| let_run(3));
        lines.bind(TIMER.into(), None).expect("the root task has all lines");
        // From the first tick on that the handler is told of, while nobody else has anything to do.
        let mut from_tick = events.iter().skip_while(|event| event.kind != Handle);
        let expected = [
            (Handle, handler, TIMER, 0),
            between(Switch, root, handler),
            made(handler, Operation::Return, slots::REPLY),
        ];
        for (kind, task, detail, first) in expected {
            let event = from_tick.next().expect("the handler runs");
            assert_eq!((event.kind, event.task, event.detail, event.first), (kind, task, detail, first));
        }
        let tick = events.iter().take_while(|event| event.kind != Handle).last().expect("the interrupt itself");
        assert_eq!((tick.kind, tick.detail), (Interrupt, TIMER));
        assert!(events.count(Handle) >= 2 && events.count(Interrupt) >= events.count(Handle));
        assert_eq!(events.count(Return), 0, "nobody has called the handler");
        assert_eq!(events.first(SystemCall).task, root);
        events.check_times();
    });
}

fn a_time_slice_that_is_over_is_a_switch() {
    on_stage(|| {
        for thread in [0, 1] {
            start(thread, 20, spin, 0);
        }
        let events = trace(|| let_run(60));
        // The interrupt comes first, at which one gives way to the other.
        let mut before = None;
        let mut switches = 0;
        for event in events.iter() {
            if event.kind == Switch && before.is_some_and(|before: flatmk_abi::Event| before.kind == Interrupt) {
                switches += 1;
            }
            before = Some(event);
        }
        assert!(switches >= 3, "{switches} switches after an interrupt in 60 ms");
    });
}
