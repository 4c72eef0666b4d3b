//! The frame that is traced into: what is refused, and what becomes of a trace whose frame is taken away.

use flatmk_abi::{Access, Error, Kind, Operation, Rights, slots};
use flatmk_runtime::object::{Frame, Memory, OWN_SPACE, OWN_TABLE, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::calls::answer_entry;
use crate::events::{FRAME_SLOT, begin, end, next, set};
use crate::harness::{FIRST_FREE, MEMORY, SCRATCH, at, copy, make};
use crate::registers::system_call;
use crate::threads::{near, on_stage, serve};

pub(crate) const TESTS: &[Test] = tests![
    each_error_of_the_interface_is_returned_where_it_belongs,
    the_capability_is_there_with_all_rights,
    the_frame_stays_until_it_is_revoked,
    a_frame_that_is_revoked_is_written_to_no_more,
    memory_that_is_taken_away_takes_the_frame_along,
    another_frame_takes_the_place_of_one_that_is_gone,
];

/// Where the tests map frames.
const MAPPED: u64 = 0x2100_0000;

/// Lets the kernel make the page tables that stay.
pub(crate) fn prepare() {
    MEMORY.make(Kind::Frame, 1, OWN_TABLE, FIRST_FREE).expect("a free slot");
    OWN_SPACE.map(Frame(FIRST_FREE), MAPPED, Access::Read).expect("a free address");
    OWN_TABLE.delete(FIRST_FREE).expect("the frame is there");
}

const SET: u64 = Operation::SetTrace as u64;
const READ: u64 = Operation::ReadTrace as u64;

fn each_error_of_the_interface_is_returned_where_it_belongs() {
    on_stage(|| {
        let set = |pointer, frame| system_call(pointer, SET, [frame, 0, 0, 0]).map(|_| ());
        let read = |pointer| system_call(pointer, READ, [0; 4]).map(|_| ());
        let (frame, other) = (make(Kind::Frame, FRAME_SLOT), make(Kind::Frame, 3));
        let only_read = copy(4, slots::TRACE, Rights::READ);
        let only_manage = copy(5, slots::TRACE, Rights::MANAGE);
        let [readable, writable] =
            [(6, Rights::READ), (7, Rights::WRITE)].map(|(slot, right)| copy(slot, frame, right));

        assert_eq!(set(at(60), frame), Err(Error::InvalidCapability));
        assert_eq!(read(at(60)), Err(Error::InvalidCapability));
        assert_eq!(set(slots::CONSOLE, frame), Err(Error::WrongKind));
        assert_eq!(read(slots::CONSOLE), Err(Error::WrongKind));
        assert_eq!(set(only_read, frame), Err(Error::MissingRight));
        assert_eq!(read(only_manage), Err(Error::MissingRight));
        assert_eq!(set(slots::TRACE, at(60)), Err(Error::InvalidCapability));
        assert_eq!(set(slots::TRACE, 1 << 40), Err(Error::InvalidCapability));
        assert_eq!(set(slots::TRACE, slots::SELF), Err(Error::WrongKind));
        assert_eq!(set(slots::TRACE, slots::MEMORY), Err(Error::WrongKind));
        assert_eq!(set(slots::TRACE, readable), Err(Error::MissingRight));
        assert_eq!(set(slots::TRACE, writable), Err(Error::MissingRight));
        assert_eq!(identify(at(60)), Err(Error::InvalidCapability), "and none of this has begun a trace");
        assert!(next().is_none());

        set(only_manage, frame).expect("the right is there");
        assert_eq!(set(slots::TRACE, other), Err(Error::AlreadyBound));
        identify(slots::SELF).expect("it is this task");
        read(only_read).expect("the right is there");
        assert!(next().is_none(), "the one event was read");
        set(slots::TRACE, 0).expect("it may end");
        assert_eq!(set(slots::TRACE, other), Err(Error::AlreadyBound), "the events can be read still");
        end();
    });
}

fn the_capability_is_there_with_all_rights() {
    assert_eq!(identify(slots::TRACE), Ok((Kind::Trace, Rights::all())));
}

/// Makes a system call, and tells whether it was noted.
fn is_noted() -> bool {
    identify(slots::SELF).expect("it is this task");
    next().is_some()
}

fn the_frame_stays_until_it_is_revoked() {
    on_stage(|| {
        MEMORY.split(4, SCRATCH, 3).expect("four pages");
        Memory(at(3)).make(Kind::Frame, 1, SCRATCH, FRAME_SLOT).expect("one of them");
        set(Some(Frame(copy(9, at(FRAME_SLOT), Rights::all()))));
        assert!(is_noted());
        // What was derived from a capability outlives it.
        for slot in [9, FRAME_SLOT] {
            SCRATCH.delete(slot).expect("it is there");
            assert!(is_noted());
        }
        SCRATCH.delete(3).expect("the memory is there");
        assert!(!is_noted());
    });
}

fn a_frame_that_is_revoked_is_written_to_no_more() {
    on_stage(|| {
        serve(0, 20, answer_entry, 0);
        begin();
        assert!(is_noted());
        SCRATCH.revoke(FRAME_SLOT).expect("the frame is there");
        assert!(!is_noted(), "the kernel has no frame");
        OWN_SPACE.map(Frame(at(FRAME_SLOT)), MAPPED, Access::ReadWrite).expect("nothing is there");
        let words = core::ptr::with_exposed_provenance_mut::<[u64; 512]>(MAPPED as usize);
        // SAFETY: the frame was just mapped there.
        unsafe { words.write_volatile([0x5a5a; 512]) };
        for _ in 0..100 {
            near(0).call([0; 4]).expect("it answers");
        }
        // SAFETY: as above.
        assert!(unsafe { words.read_volatile() } == [0x5a5a; 512]);
        SCRATCH.delete(FRAME_SLOT).expect("the frame is there");
    });
}

fn memory_that_is_taken_away_takes_the_frame_along() {
    on_stage(|| {
        serve(0, 20, answer_entry, 0);
        MEMORY.split(4, SCRATCH, 3).expect("four pages");
        let part = Memory(at(3));
        part.make(Kind::Frame, 1, SCRATCH, FRAME_SLOT).expect("one of them");
        set(Some(Frame(at(FRAME_SLOT))));
        assert!(is_noted());
        SCRATCH.revoke(3).expect("the memory is there");
        assert!(!is_noted());
        // The same page is a table now, and stays one.
        part.make(Kind::Table, 4, SCRATCH, 10).expect("all of them");
        for _ in 0..100 {
            near(0).call([0; 4]).expect("it answers");
        }
        for table in 10..14 {
            for slot in 1..64 {
                let found = identify(slots::nested(at(table), slot));
                assert_eq!(found, Err(Error::InvalidCapability), "slot {slot} of the table in {table}");
            }
        }
        SCRATCH.delete(3).expect("the memory is there");
    });
}

fn another_frame_takes_the_place_of_one_that_is_gone() {
    on_stage(|| {
        for _ in 0..10 {
            begin();
            assert!(is_noted());
            SCRATCH.revoke(FRAME_SLOT).expect("the frame is there");
            SCRATCH.delete(FRAME_SLOT).expect("the frame is there");
        }
        begin();
        assert!(is_noted());
        end();
    });
}
