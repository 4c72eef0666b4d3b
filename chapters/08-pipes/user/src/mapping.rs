//! Each end has mapped what it may use, as it may use it, and no capability allows more.

use core::arch::naked_asm;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::nested;
use flatmk_abi::{Error, Kind, Rights, Words};
use flatmk_runtime::object::identify;
use flatmk_runtime::pipe::{ConsumerEnd, ProducerEnd};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{SCRATCH, at};
use crate::stage::{
    CONSUMER_AREA, CONSUMER_BELL, Child, Daemon, MANY_PAGES, PRODUCER_AREA, PRODUCER_BELL, Part, own_consumer,
    own_producer, with_daemon,
};

pub(crate) const TESTS: &[Test] = tests![
    the_consumer_writes_to_its_own_page_only,
    the_producer_writes_to_its_own_page_and_the_data_only,
    no_capability_allows_more_than_the_mapping,
];

pub(crate) const PARTS: &[Part] = &[touch_as_producer, touch_as_consumer];

/// Reads the word at an address.
#[unsafe(naked)]
extern "C" fn read(address: u64) -> u64 {
    naked_asm!("mov rax, [rdi]", "ret")
}

/// Writes it.
#[unsafe(naked)]
extern "C" fn write(address: u64, word: u64) {
    naked_asm!("mov [rdi], rsi", "ret")
}

/// In the argument of a child: what it writes to, from the end's first page on. Else it reads.
const WRITES: u64 = 1 << 32;

fn touch(address: u64, argument: u64) -> Words {
    // An offset is a number with a sign, of 32 bits.
    let offset = argument as u32;
    let address = address.wrapping_add_signed(i64::from(offset.cast_signed()));
    if argument & WRITES != 0 {
        let before = read(address);
        write(address, before);
    }
    [read(address), 0, 0, 0]
}

fn touch_as_producer(argument: u64) -> Words {
    let _producer = own_producer::<u64>();
    touch(PRODUCER_AREA, argument)
}

fn touch_as_consumer(argument: u64) -> Words {
    let _consumer = own_consumer::<u64>();
    touch(CONSUMER_AREA, argument)
}

/// What becomes of a child that touches this: if it faults, at which of the two instructions, and at which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    FaultedReading(u64),
    FaultedWriting(u64),
    FaultedElsewhere(u64),
}

/// The numbers of registers: of the first argument, and of the instruction's address.
const RDI: u64 = 5;
const RIP: u64 = 16;

fn outcome_of(daemon: &Daemon, part: Part, argument: u64) -> Outcome {
    let (producer, consumer) = daemon.create_pipe(2);
    let is_producer = core::ptr::fn_addr_eq(part, touch_as_producer as Part);
    let child = Child::load(0, if is_producer { producer.0.0 } else { consumer.0.0 }).start(part, argument);
    let register = |number| child.program.task.read_registers(number).map(|[value, ..]| value).expect("it is stopped");
    let outcome = match child.join() {
        Ok(_) => Outcome::Done,
        Err(error) => {
            assert_eq!(error, Error::InvalidState, "it has stopped");
            match register(RIP) {
                rip if rip == read as *const () as u64 => Outcome::FaultedReading(register(RDI)),
                rip if rip == write as *const () as u64 => Outcome::FaultedWriting(register(RDI)),
                rip => Outcome::FaultedElsewhere(rip),
            }
        }
    };
    child.end();
    daemon.come_again();
    assert_eq!(daemon.used_pages(), 0);
    outcome
}

/// The pages of an end with two frames of data: its own, the other one's, the data, the data again. The data begin at page 2; the last is not mapped any more.
const PAGES: u64 = 6;

fn check(part: Part, area: u64, is_writable: fn(u64) -> bool) {
    with_daemon(MANY_PAGES, |daemon| {
        for page in 0..PAGES {
            // The first word of a page, and the last.
            for offset in [page * PAGE_SIZE, (page + 1) * PAGE_SIZE - 8] {
                assert_eq!(outcome_of(daemon, part, offset), Outcome::Done);
                let written = if is_writable(page) { Outcome::Done } else { Outcome::FaultedWriting(area + offset) };
                assert_eq!(outcome_of(daemon, part, offset | WRITES), written, "page {page}");
            }
        }
        let (behind, before) = (PAGES * PAGE_SIZE, u64::from(0_u32.wrapping_sub(8)));
        assert_eq!(outcome_of(daemon, part, behind), Outcome::FaultedReading(area + behind));
        assert_eq!(outcome_of(daemon, part, before), Outcome::FaultedReading(area - 8));
    });
}

fn the_consumer_writes_to_its_own_page_only() {
    check(touch_as_consumer, CONSUMER_AREA, |page| page == 0);
}

fn the_producer_writes_to_its_own_page_and_the_data_only() {
    check(touch_as_producer, PRODUCER_AREA, |page| page != 1);
}

/// Slots of the daemon: its table of the pipes' tables; in the first of these what is mapped for either end.
const PIPES: u64 = 10;
const MAPPED: [core::ops::Range<u64>; 2] = [20..38, 39..57];

fn no_capability_allows_more_than_the_mapping() {
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(2);
        let producer = producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        let consumer = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        // All that an end gets are its notifications: one to wait for, and one to signal.
        for first in [PRODUCER_BELL, CONSUMER_BELL] {
            assert_eq!(identify(first), Ok((Kind::Notification, Rights::READ | Rights::GRANT)));
            assert_eq!(identify(first + 1), Ok((Kind::Notification, Rights::WRITE | Rights::GRANT)));
        }
        // What the daemon has mapped it with.
        SCRATCH.copy(2, daemon.program.slot(PIPES), Rights::all()).expect("a free slot");
        SCRATCH.copy(3, nested(at(2), 1), Rights::all()).expect("a free slot");
        let (all, read) = (Rights::READ | Rights::WRITE, Rights::READ);
        let expected = [[all, read, all, all, all, all], [all, read, read, read, read, read]];
        for (slots, expected) in MAPPED.into_iter().zip(expected) {
            let found = slots.map(|slot| identify(nested(at(3), slot)));
            let expected = expected.map(|rights| Ok((Kind::Frame, rights))).into_iter();
            assert!(found.eq(expected.chain([Err(Error::InvalidCapability); 12])));
        }
        (2..4).for_each(|slot| SCRATCH.delete(slot).expect("it is there"));
        ProducerEnd::close(producer).expect("the daemon is there");
        ConsumerEnd::close(consumer).expect("the daemon is there");
    });
}
