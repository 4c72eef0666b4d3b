//! The ring: what is kept of a long trace, and when nothing is written.

use core::ptr;

use flatmk_abi::EventKind::{Interrupt, Lost, Switch, SystemCall};
use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, EVENT_BYTES, Kind, Operation, Rights, Words, slots};
use flatmk_runtime::object::{Frame, OWN_SPACE};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{invoke, tests, time_stamp};

use crate::calls::answer_entry;
use crate::events::{CAPACITY, FRAME_SLOT, begin, end, next, numbers, read_all, set};
use crate::harness::{MEMORY, SCRATCH, at, copy};
use crate::threads::{near, on_stage, serve};

pub(crate) const TESTS: &[Test] = tests![
    nothing_is_there_before_the_first_event,
    the_oldest_events_are_lost_and_counted,
    events_are_read_while_others_are_written,
    a_large_frame_holds_more,
    a_trace_that_begins_anew_forgets_the_one_before,
    what_is_read_is_what_lies_in_the_frame,
    nothing_is_written_while_tracing_is_off,
    whatever_is_written_into_the_frame_does_no_harm,
    calls_cost_the_same_afterwards,
];

/// Makes so many system calls, each of which is one event, with its number as argument.
fn make_calls(count: u64) {
    (0..count).for_each(|number| {
        invoke(slots::SELF, Operation::Identify, [number, 0, 0, 0]).expect("it is this task");
    });
}

fn nothing_is_there_before_the_first_event() {
    on_stage(|| {
        assert!(next().is_none(), "no frame is there");
        begin();
        assert!(next().is_none(), "and reading is no event");
        make_calls(1);
        let event = next().expect("the system call");
        assert_eq!((event.kind, event.operation(), event.first), (SystemCall, Some(Operation::Identify), slots::SELF));
        assert!(next().is_none(), "it was read");
        end();
        assert!(next().is_none(), "no frame is there");
    });
}

/// Checks that what is to be read is the end of so many system calls, of which at least so many were lost. Interrupts may have come in between, a few.
fn check_rest(made: u64, lost: u64) {
    let events = read_all();
    let mut all = events.iter().peekable();
    let said = all.next_if(|event| event.kind == Lost).map_or(0, |event| event.first);
    assert!(events.count(Lost) <= 1 && (lost..=lost + 10).contains(&said), "{said} were lost, and not {lost}");
    if said != 0 {
        assert_eq!(events.iter().count(), CAPACITY + 1);
    }
    let calls = || events.iter().filter(|event| event.kind == SystemCall);
    let first = made - calls().count() as u64;
    assert!(first <= said && calls().map(|event| event.second).eq(first..made), "{first} of {said}");
    assert!(all.all(|event| matches!(event.kind, SystemCall | Interrupt)));
    events.check_times();
}

fn the_oldest_events_are_lost_and_counted() {
    const FITTING: u64 = CAPACITY as u64;
    on_stage(|| {
        for (made, lost) in [(FITTING - 20, 0), (FITTING, 0), (FITTING + 1, 1), (2 * FITTING + 5, FITTING + 5)] {
            begin();
            make_calls(made);
            set(None);
            check_rest(made, lost);
            assert!(next().is_none());
            end();
        }
    });
}

fn events_are_read_while_others_are_written() {
    on_stage(|| {
        begin();
        for round in 0..5 * CAPACITY {
            make_calls(1);
            let event = next().expect("the system call");
            assert_eq!(event.kind, SystemCall, "in round {round}");
            assert!(next().is_none());
        }
        // What was read is not lost.
        make_calls(CAPACITY as u64 - 20);
        check_rest(CAPACITY as u64 - 20, 0);
        make_calls(CAPACITY as u64 + 2);
        check_rest(CAPACITY as u64 + 2, 2);
        end();
    });
}

fn a_large_frame_holds_more() {
    on_stage(|| {
        MEMORY.make(Kind::LargeFrame, 1, SCRATCH, FRAME_SLOT).expect("2 MiB");
        set(Some(Frame(at(FRAME_SLOT))));
        make_calls(20 * CAPACITY as u64);
        set(None);
        let calls = core::iter::from_fn(next).map(|event| (event.kind, event.second));
        assert!(calls.eq((0..20 * CAPACITY as u64).map(|number| (SystemCall, number))));
        // All that fit, and one more.
        let capacity = 512 * PAGE_SIZE / EVENT_BYTES;
        set(Some(Frame(at(FRAME_SLOT))));
        make_calls(capacity + 1);
        set(None);
        let lost = next().expect("one event was lost");
        assert_eq!((lost.kind, lost.first >= 1), (Lost, true));
        let last = core::iter::from_fn(next).last().expect("the last one");
        assert_eq!((last.kind, last.second), (SystemCall, capacity));
        end();
    });
}

fn a_trace_that_begins_anew_forgets_the_one_before() {
    on_stage(|| {
        let frame = begin();
        make_calls(3);
        // The same frame, by another capability.
        set(Some(Frame(copy(9, frame.0, Rights::all()))));
        make_calls(1);
        check_rest(1, 0);
        end();
    });
}

/// Where the tests map the frame. Page tables are there since the guests' pages were.
const MAPPED: u64 = 0x2100_0000;

/// An event as it lies in the frame.
fn in_frame(index: usize) -> Words {
    assert!(index < CAPACITY);
    let events = ptr::with_exposed_provenance::<Words>(MAPPED as usize);
    // SAFETY: `map` has mapped the frame there.
    unsafe { events.add(index).read_volatile() }
}

fn fill_frame(word: u64) {
    let words = ptr::with_exposed_provenance_mut::<u64>(MAPPED as usize);
    for index in 0..4 * CAPACITY {
        // SAFETY: as above.
        unsafe { words.add(index).write_volatile(word) };
    }
}

/// Maps the frame, by a capability of its own.
fn map(frame: Frame) -> Frame {
    let copy = Frame(copy(8, frame.0, Rights::all()));
    OWN_SPACE.map(copy, MAPPED, Access::ReadWrite).expect("nothing is there");
    copy
}

fn what_is_read_is_what_lies_in_the_frame() {
    on_stage(|| {
        map(begin());
        make_calls(5);
        set(None);
        for (index, event) in read_all().iter().enumerate() {
            assert_eq!(event.to_words(), in_frame(index));
        }
        assert_eq!(in_frame(CAPACITY - 1), [0; 4]);
        end();
    });
}

fn nothing_is_written_while_tracing_is_off() {
    on_stage(|| {
        serve(0, 20, answer_entry, 0);
        map(begin());
        set(None);
        fill_frame(0x5a5a);
        for _ in 0..200 {
            near(0).call([0; 4]).expect("it answers");
        }
        crate::threads::let_run(5);
        assert!((0..CAPACITY).all(|index| in_frame(index) == [0x5a5a; 4]));
        end();
    });
}

fn whatever_is_written_into_the_frame_does_no_harm() {
    on_stage(|| {
        serve(0, 20, answer_entry, 0);
        let (root, server) = numbers(near(0));
        map(begin());
        for garbage in [u64::MAX, 0, 0x0101_0101_0101_0101, 0xffff_8000_0000_0000] {
            for _ in 0..50 {
                near(0).call([0; 4]).expect("it answers");
                fill_frame(garbage);
            }
            // Whoever has written it reads it.
            let read = crate::events::TRACE.read_trace().expect("the root task may read");
            assert!(
                read == [garbage; 4] || flatmk_abi::Event::from_words(read).is_some_and(|event| event.kind == Lost)
            );
        }
        // What comes afterwards is as before.
        set(Some(Frame(at(FRAME_SLOT))));
        near(0).call([0; 4]).expect("it answers");
        read_all().check_those_of(&[Switch], &[(Switch, server, 0, root.into()), (Switch, root, 0, server.into())]);
        end();
    });
}

/// Ticks of a call, and of the fastest of some.
fn cost_of_call() -> u64 {
    (0..20)
        .map(|_| {
            let started = time_stamp();
            near(0).call([0; 4]).expect("it answers");
            time_stamp() - started
        })
        .min()
        .unwrap_or_default()
}

fn calls_cost_the_same_afterwards() {
    on_stage(|| {
        serve(0, 20, answer_entry, 0);
        let before = cost_of_call();
        begin();
        let traced = cost_of_call();
        end();
        assert_eq!(cost_of_call(), before);
        assert!(traced > before, "{traced} with tracing, {before} without");
        // It ends by itself as well, at the first event that has no frame.
        begin();
        SCRATCH.revoke(FRAME_SLOT).expect("the frame is there");
        cost_of_call();
        assert_eq!(cost_of_call(), before);
        SCRATCH.delete(FRAME_SLOT).expect("the frame is there");
    });
}
