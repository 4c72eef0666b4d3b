//! The window: up to four capabilities move with a call, and with the return, or none does.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Access, Error, Kind, Operation, Rights};
use flatmk_runtime::object::{Frame, OWN_SPACE, OWN_TABLE, Table, Task, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::answers::{CONTEXT, mix_entry};
use crate::harness::{SCRATCH, at, end_thread, make, stack_top, thread_slot, with_scratch, yield_once};
use crate::porter::{Job, Report, empty_window, fill_window, flags, kinds_in_window, split_into_window, start_porter};
use crate::registers::{call_with_window, system_call};
use crate::servers::{CALL, finish, server, start_server, status};

pub(crate) const TESTS: &[Test] = tests![
    slots_that_are_named_move_to_the_callee,
    slots_that_an_answer_names_move_to_the_caller,
    slots_that_are_not_named_stay,
    a_window_needs_the_transfer_right,
    an_empty_slot_is_refused_and_nothing_moves,
    a_capability_without_grant_right_does_not_move,
    a_slot_that_is_occupied_is_refused_and_nothing_moves,
    memory_does_not_move_into_a_table_of_its_own_pages,
    an_answer_that_cannot_move_is_refused_and_the_callee_goes_on,
    a_window_without_a_caller_is_refused,
    within_one_table_nothing_moves,
    a_capability_that_moves_keeps_its_mapping_and_its_place,
    an_endpoint_can_move_with_the_call_to_it,
];

pub(crate) const TASK_KIND: u64 = Kind::Task as u64;
const FRAME_KIND: u64 = Kind::Frame as u64;

/// A kind for each of these slots.
pub(crate) fn each(bits: u64, kind: u64) -> u64 {
    (0..4).filter(|bit| bits >> bit & 1 != 0).map(|bit| kind << (8 * bit)).sum()
}

fn slots_that_are_named_move_to_the_callee() {
    with_scratch(|| {
        let porter = start_porter();
        make(Kind::Frame, 1);
        for bits in 1..16 {
            fill_window(bits, at(1));
            let report = porter.call(bits, Job::default());
            assert_eq!(report, Ok(Report { told: bits, found: each(bits, FRAME_KIND), refused: None, back: 0 }));
            assert_eq!(kinds_in_window(), 0);
            let report = porter.call(0, Job { delete: bits, ..Job::default() });
            assert_eq!(report, Ok(Report { told: 0, found: 0, refused: None, back: 0 }));
        }
        porter.end();
    });
}

fn slots_that_an_answer_names_move_to_the_caller() {
    with_scratch(|| {
        let porter = start_porter();
        for bits in 1..16 {
            let report = porter.call(0, Job { fill: bits, give: bits, ..Job::default() });
            assert_eq!(report, Ok(Report { told: 0, found: 0, refused: None, back: bits }));
            assert_eq!(kinds_in_window(), each(bits, TASK_KIND));
            // There and back, all at once.
            let report = porter.call(bits, Job { give: bits, ..Job::default() });
            assert_eq!(report, Ok(Report { told: bits, found: each(bits, TASK_KIND), refused: None, back: bits }));
            empty_window(bits);
        }
        porter.end();
    });
}

fn slots_that_are_not_named_stay() {
    with_scratch(|| {
        let porter = start_porter();
        make(Kind::Frame, 1);
        fill_window(0b1111, at(1));
        let report = porter.call(0b0110, Job { fill: 0b1001, give: 0, ..Job::default() });
        assert_eq!(report, Ok(Report { told: 0b0110, found: each(0b0110, FRAME_KIND), refused: None, back: 0 }));
        assert_eq!(kinds_in_window(), each(0b1001, FRAME_KIND));
        // With the flags of no slot, nothing moves.
        let report = porter.call(0, Job { delete: 0b0110, ..Job::default() });
        assert_eq!(report, Ok(Report { told: 0, found: each(0b1001, TASK_KIND), refused: None, back: 0 }));
        empty_window(0b1001);
        porter.end();
    });
}

fn a_window_needs_the_transfer_right() {
    with_scratch(|| {
        let porter = start_porter();
        OWN_TABLE.copy(40, porter.near(), Rights::all().difference(Rights::TRANSFER)).expect("a free slot");
        fill_window(0b0001, slots::SELF);
        assert_eq!(porter.call_through(40, 0b0001, Job::default()), Err(Error::MissingRight));
        assert_eq!(kinds_in_window(), TASK_KIND);
        let report = porter.call_through(40, 0, Job { fill: 0b0010, give: 0b0010, ..Job::default() });
        assert_eq!(report.map(|report| report.back), Ok(0b0010), "the answer needs no such right");
        // A task capability without the right gives an endpoint without it.
        SCRATCH.copy(1, porter.task.0, Rights::all().difference(Rights::TRANSFER)).expect("a free slot");
        Task(at(1)).make_endpoint(mix_entry, 0, SCRATCH, 2).expect("a free slot");
        let expected = Rights::CALL | Rights::GRANT | Rights::MANAGE;
        assert_eq!(identify(at(2)), Ok((Kind::Endpoint, expected)));
        empty_window(0b0011);
        OWN_TABLE.delete(40).expect("it is there");
        porter.end();
    });
}

fn an_empty_slot_is_refused_and_nothing_moves() {
    with_scratch(|| {
        let porter = start_porter();
        fill_window(0b1011, slots::SELF);
        assert_eq!(porter.call(0b1111, Job::default()), Err(Error::InvalidCapability));
        assert_eq!(kinds_in_window(), each(0b1011, TASK_KIND));
        let report = porter.call(0, Job::default());
        assert_eq!(report, Ok(Report { told: 0, found: 0, refused: None, back: 0 }));
        empty_window(0b1011);
        porter.end();
    });
}

fn a_capability_without_grant_right_does_not_move() {
    with_scratch(|| {
        let porter = start_porter();
        fill_window(0b0001, slots::SELF);
        OWN_TABLE.copy(WINDOW + 1, slots::SELF, Rights::all().difference(Rights::GRANT)).expect("it is empty");
        assert_eq!(porter.call(0b0011, Job::default()), Err(Error::MissingRight));
        assert_eq!(kinds_in_window(), each(0b0011, TASK_KIND));
        empty_window(0b0011);
        porter.end();
    });
}

fn a_slot_that_is_occupied_is_refused_and_nothing_moves() {
    with_scratch(|| {
        let porter = start_porter();
        porter.call(0, Job { fill: 0b1000, ..Job::default() }).expect("it is ready");
        make(Kind::Frame, 1);
        fill_window(0b1111, at(1));
        assert_eq!(porter.call(0b1111, Job::default()), Err(Error::SlotOccupied));
        assert_eq!(kinds_in_window(), each(0b1111, FRAME_KIND));
        let report = porter.call(0b0111, Job::default());
        assert_eq!(report.map(|report| report.found), Ok(each(0b0111, FRAME_KIND) + each(0b1000, TASK_KIND)));
        empty_window(0b1000);
        porter.end();
    });
}

/// The memory from which the callee's table was made would come into that table.
fn memory_does_not_move_into_a_table_of_its_own_pages() {
    with_scratch(|| {
        let table = Table(split_into_window(0));
        let task = Task(make(Kind::Task, thread_slot(2)));
        task.configure(table, OWN_SPACE, stack_top(2)).expect("a new task");
        task.make_endpoint(mix_entry, CONTEXT, OWN_TABLE, server(2).near()).expect("a free slot");
        task.start(finish as *const () as u64, 0).expect("a configured task");
        yield_once();
        let call = |window| call_with_window(server(2).near(), CALL | flags(window), [0; 4]).map(|(words, _)| words);
        assert_eq!(call(0b0001), Err(Error::InvalidState));
        assert_eq!(kinds_in_window(), Kind::Memory as u64);
        assert_eq!(call(0), Ok([CONTEXT, 0, 0, !0]));
        OWN_TABLE.delete(server(2).near()).expect("it is there");
        // The table goes with its memory.
        empty_window(0b0001);
        assert_eq!(identify(table.0), Err(Error::InvalidCapability));
    });
}

fn an_answer_that_cannot_move_is_refused_and_the_callee_goes_on() {
    with_scratch(|| {
        let porter = start_porter();
        make(Kind::Frame, 1);
        // Nothing in the callee's slot; then something in the caller's.
        let report = porter.call(0, Job { fill: 0b0001, give: 0b0011, ..Job::default() });
        let expected = Report { told: 0, found: 0, refused: Some(Error::InvalidCapability), back: 0 };
        assert_eq!(report, Ok(expected));
        fill_window(0b0001, at(1));
        let report = porter.call(0, Job { fill: 0b0010, give: 0b0011, ..Job::default() });
        let expected = Report { told: 0, found: each(0b0001, TASK_KIND), refused: Some(Error::SlotOccupied), back: 0 };
        assert_eq!(report, Ok(expected));
        assert_eq!(kinds_in_window(), FRAME_KIND);
        // A capability that may not be granted.
        porter.call(0, Job { delete: 0b0011, ..Job::default() }).expect("it is ready");
        porter.table.copy(WINDOW + 2, slots::SELF, Rights::MANAGE).expect("it is empty");
        let report = porter.call(0, Job { give: 0b0100, ..Job::default() });
        let expected = Report { told: 0, found: each(0b0100, TASK_KIND), refused: Some(Error::MissingRight), back: 0 };
        assert_eq!(report, Ok(expected));
        empty_window(0b0001);
        porter.end();
    });
}

static STATUS: AtomicU64 = AtomicU64::new(0);

/// The end of a start, with a window.
extern "C" fn finish_with_window(_: u64) {
    let result = system_call(slots::REPLY, Operation::Return as u64 | flags(0b0001), [0; 4]);
    STATUS.store(result.map_or_else(status, |_| 0), Relaxed);
    flatmk_runtime::finish_start()
}

fn a_window_without_a_caller_is_refused() {
    with_scratch(|| {
        crate::harness::start_thread(2, finish_with_window, 0);
        yield_once();
        assert_eq!(STATUS.load(Relaxed), status(Error::InvalidState));
        end_thread(2);
    });
}

fn within_one_table_nothing_moves() {
    with_scratch(|| {
        let mixer = start_server(0, mix_entry, CONTEXT);
        fill_window(0b0001, slots::SELF);
        for bits in [0b0001, 0b0011] {
            let answer = call_with_window(mixer.near(), CALL | flags(bits), [0; 4]);
            assert_eq!(answer, Ok(([CONTEXT, 0, 0, !0], 0)), "not even an empty slot is an error");
            assert_eq!(kinds_in_window(), TASK_KIND);
        }
        empty_window(0b0001);
        mixer.end();
    });
}

const ADDRESS: u64 = 0x7001_0000;

fn a_capability_that_moves_keeps_its_mapping_and_its_place() {
    with_scratch(|| {
        let porter = start_porter();
        make(Kind::Frame, 1);
        fill_window(0b0001, at(1));
        OWN_SPACE.map(Frame(WINDOW), ADDRESS, Access::ReadWrite).expect("nothing is mapped there");
        let place = core::ptr::with_exposed_provenance_mut::<u64>(ADDRESS as usize);
        // SAFETY: the page is mapped there, writable.
        unsafe { place.write_volatile(77) };
        porter.call(0b0001, Job::default()).expect("the porter is ready");
        // SAFETY: the page is still mapped.
        assert_eq!(unsafe { place.read_volatile() }, 77);
        assert_eq!(Frame(porter.in_window(0)).protect(Access::Read), Ok(()), "it is mapped by this capability");
        // It is derived from the first, as before.
        SCRATCH.revoke(1).expect("it is there");
        assert_eq!(porter.call(0, Job::default()).map(|report| report.found), Ok(0));
        OWN_SPACE.map(Frame(at(1)), ADDRESS, Access::Read).expect("nothing is mapped there any more");
        porter.end();
    });
}

fn an_endpoint_can_move_with_the_call_to_it() {
    with_scratch(|| {
        let porter = start_porter();
        fill_window(0b0001, porter.near());
        let report = porter.call_through(WINDOW, 0b0001, Job { give: 0b0001, ..Job::default() });
        let expected = Report { told: 1, found: Kind::Endpoint as u64, refused: None, back: 1 };
        assert_eq!(report, Ok(expected));
        empty_window(0b0001);
        porter.end();
    });
}
