//! How the kernel finds counters and measures frequencies, on machines that are honest, and on others. The files are the kernel's own; around them is no more
//! of it than they use.
#![expect(clippy::indexing_slicing, reason = "whoever looks for something that is not there has found a mistake")]

mod machine;
mod physical_memory;

#[path = "../../../../kernel/src/hardware/acpi.rs"]
mod acpi;
#[path = "../../../../kernel/src/hardware/calibration.rs"]
mod calibration;
#[path = "../../../../kernel/src/devices/pages.rs"]
mod pages;

use acpi::Tables;
use apic::LocalApic;
use calibration::{Frequencies, Moment, calibrate, measure, wait};
use counter::Counter;
use machine::{Machine, apic, arch, counter, memory, processor};
use std::println;

const GHZ: u64 = 1_000_000_000;

/// Of the power management timer.
const HZ: u64 = 3_579_545;
const HONEST: Counter = Counter { hz: HZ, true_hz: HZ, modulus: 1 << 24 };

fn machine() -> Machine {
    Machine { time_stamp_hz: 3 * GHZ, local_timer_hz: GHZ / 10, counters: vec![HONEST], ..Machine::default() }
}

/// Whether a frequency is this one, but for what a measurement can be wrong by.
#[track_caller]
fn assert_is_near(found: u64, expected: u64) {
    assert!(found.abs_diff(expected) < expected / 500, "{found} Hz, and not {expected}");
}

/// Where these are, in pages of their own.
const POINTER: usize = 0;
const ROOT: usize = 0x1000;
const TIMER: usize = 0x2000;

/// A table whose sum is right, of so many bytes.
fn put_table(memory: &mut [u8], at: usize, name: &[u8; 4], bytes: usize, fields: &[(usize, &[u8])]) {
    memory[at..at + 4].copy_from_slice(name);
    memory[at + 9] = 0;
    memory[at + 4..at + 8].copy_from_slice(&(bytes as u32).to_le_bytes());
    for (offset, field) in fields {
        memory[at + offset..at + offset + field.len()].copy_from_slice(field);
    }
    let sum = memory[at..at + bytes].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    memory[at + 9] = 0_u8.wrapping_sub(sum);
}

/// Memory with the tables of a machine that has an event timer at `0xfed0_0000`. In a root table of 32 bits an entry is a word.
fn tables() -> Vec<u8> {
    let mut memory = vec![0; 0x4000];
    memory[POINTER..POINTER + 8].copy_from_slice(b"RSD PTR ");
    memory[POINTER + 16..POINTER + 20].copy_from_slice(&(ROOT as u32).to_le_bytes());
    put_table(&mut memory, ROOT, b"RSDT", 40, &[(36, &(TIMER as u32).to_le_bytes())]);
    put_table(&mut memory, TIMER, b"HPET", 56, &[(44, &0xfed0_0000_u64.to_le_bytes())]);
    memory
}

/// Where the table is that every machine has, with its fixed parts.
const FIXED: usize = 0x3000;

/// Memory with that table: how long it is, what it says of the timer, in bytes, and at which port it is.
fn fixed_table(bytes: usize, timer_bytes: u8, port: u32) -> Vec<u8> {
    let mut memory = tables();
    put_table(&mut memory, ROOT, b"RSDT", 40, &[(36, &(FIXED as u32).to_le_bytes())]);
    put_table(&mut memory, FIXED, b"FACP", bytes, &[(76, &port.to_le_bytes()), (91, &[timer_bytes])]);
    memory
}

fn power_timer_in(memory: Vec<u8>) -> Option<u16> {
    Machine { memory, ..Machine::default() }.begin();
    Tables::find(Some(POINTER as u64)).power_timer
}

#[test]
fn the_power_timer_is_where_the_table_says() {
    for bytes in [116, 244, 276] {
        assert_eq!(power_timer_in(fixed_table(bytes, 4, 0x608)), Some(0x608), "{bytes} bytes");
    }
    assert_eq!(power_timer_in(tables()), None, "there is no such table");
}

#[test]
fn a_power_timer_that_cannot_be_is_none() {
    assert_eq!(power_timer_in(fixed_table(244, 0, 0x608)), None, "there is none");
    assert_eq!(power_timer_in(fixed_table(244, 4, 0)), None, "no port");
    assert_eq!(power_timer_in(fixed_table(244, 4, 0x1_0000)), None, "beyond the last port");
    // The table ends before the field that says how long the timer's is, or before both.
    for bytes in [91, 79, 36] {
        let mut memory = fixed_table(244, 4, 0x608);
        put_table(&mut memory, FIXED, b"FACP", bytes, &[]);
        assert_eq!(power_timer_in(memory), None, "{bytes} bytes");
    }
    for place in [0, 8, 76, 91, 243] {
        let mut memory = fixed_table(244, 4, 0x608);
        memory[FIXED + place] ^= 1;
        assert_eq!(power_timer_in(memory), None, "byte {place} is another");
    }
}

fn event_timer_in(memory: Vec<u8>) -> Option<u64> {
    Machine { memory, ..Machine::default() }.begin();
    Tables::find(Some(POINTER as u64)).event_timer
}

#[test]
fn a_table_whose_sum_is_right_is_found() {
    assert_eq!(event_timer_in(tables()), Some(0xfed0_0000));
}

#[test]
fn a_table_with_a_wrong_byte_is_none() {
    for place in (ROOT..ROOT + 40).chain(TIMER..TIMER + 56) {
        let mut memory = tables();
        memory[place] ^= 1;
        assert_eq!(event_timer_in(memory), None, "{place:#x}");
    }
}

#[test]
fn a_table_whose_length_cannot_be_is_none() {
    // Also where the sum is right, as of zeros; the last ones go on where there is no memory.
    for bytes in [0_u32, 4, 35, 64 * 1024 + 1, 0x2001, u32::MAX] {
        let mut memory = tables();
        memory[TIMER + 4..TIMER + 8].copy_from_slice(&bytes.to_le_bytes());
        let sum = memory[TIMER..].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        memory[TIMER + 9] = memory[TIMER + 9].wrapping_sub(sum);
        assert_eq!(event_timer_in(memory), None, "{bytes}");
    }
}

#[test]
fn a_wait_ends_when_a_counter_has_counted_so_far() {
    // Often around: it begins anew every 28 microseconds.
    for counter in [HONEST, Counter { modulus: 100, ..HONEST }] {
        machine().begin();
        let first = counter.read();
        let (counted, last) = wait(counter, first, 5000).expect("it counts");
        assert!((5000..5002).contains(&counted), "{counted}");
        assert_eq!(last, (first + counted) % counter.modulus);
    }
}

#[test]
fn a_wait_for_a_counter_that_stands_still_ends() {
    machine().begin();
    assert_eq!(wait(Counter { true_hz: 0, ..HONEST }, 0, 5000), None);
    // One that counts, but much too slowly, comes to an end as well.
    assert_eq!(wait(Counter { true_hz: 1000, ..HONEST }, 0, 5000), None);
}

#[test]
fn a_moment_is_the_shortest_of_some_readings() {
    // Four clocks are read for each. In the first and the last something long comes between.
    let long = 50_000;
    let reading_ns = [vec![100, long, 100, 100], vec![100; 4], vec![100, 200, 100, 100], vec![100, 100, long, 100]];
    Machine { reading_ns: reading_ns.concat(), time_stamp_hz: GHZ, local_timer_hz: GHZ, ..machine() }.begin();
    let moment = Moment::now(&LocalApic, Counter { true_hz: GHZ, modulus: 1 << 32, ..HONEST }).expect("a moment");
    let (counter, local_timer) = (moment.counter, u64::from(u32::MAX - moment.local_timer));
    // The second begins after the first, which takes 50,300 ns.
    assert!((50_300..50_700).contains(&moment.time_stamp), "{}", moment.time_stamp);
    for other in [counter, local_timer] {
        assert!(other.abs_diff(moment.time_stamp) <= 200, "{other} at {}", moment.time_stamp);
    }
}

#[test]
fn both_frequencies_are_measured_with_any_counter() {
    for counter in [HONEST, Counter { modulus: 1193, hz: 1_193_182, true_hz: 1_193_182 }] {
        machine().begin();
        let found = measure(&LocalApic, counter).expect("it counts");
        assert_is_near(found.time_stamp_hz, 3 * GHZ);
        assert_is_near(found.local_timer_hz, GHZ / 10);
    }
    machine().begin();
    assert!(measure(&LocalApic, Counter { true_hz: 0, ..HONEST }).is_none(), "it does not count");
}

/// The first timer of every PC begins anew each millisecond. Somebody else has the processor for five of them, in some of the measurements.
#[test]
fn turns_that_nobody_has_seen_do_not_count() {
    let counter = Counter { modulus: 1193, hz: 1_193_182, true_hz: 1_193_182 };
    for stolen in [vec![], vec![1000], vec![1000, 5000, 9000]] {
        let mut reading_ns = vec![1000; 100_000];
        for &reading in &stolen {
            reading_ns[reading] = 5_000_000;
        }
        let (time_stamp_hz, local_timer_hz) =
            believed(Machine { counters: vec![counter], reading_ns, ..machine() }).expect("it counts");
        assert_is_near(time_stamp_hz, 3 * GHZ);
        assert_is_near(local_timer_hz, GHZ / 10);
    }
}

/// The frequencies that the kernel believes.
fn believed(machine: Machine) -> Option<(u64, u64)> {
    machine.begin();
    let found = calibrate(&LocalApic, &Tables::default());
    found.map(|Frequencies { time_stamp_hz, local_timer_hz }| (time_stamp_hz, local_timer_hz))
}

#[test]
fn what_the_processor_says_is_believed_where_a_counter_agrees() {
    let claims_hz = Some((3 * GHZ + 1, GHZ / 10 + 1));
    assert_eq!(believed(Machine { claims_hz, ..machine() }), claims_hz);
    // Nothing counts: there is nothing to compare it with.
    assert_eq!(believed(Machine { claims_hz, counters: vec![], ..machine() }), claims_hz);
    let stands_still = Counter { true_hz: 0, ..HONEST };
    assert_eq!(believed(Machine { claims_hz, counters: vec![stands_still], ..machine() }), claims_hz);
    assert_eq!(believed(Machine { counters: vec![stands_still], ..machine() }), None);
}

#[test]
fn what_the_processor_says_is_not_believed_where_a_counter_disagrees() {
    let (time_stamp_hz, local_timer_hz) =
        believed(Machine { claims_hz: Some((2 * GHZ, GHZ / 10)), ..machine() }).expect("a counter counts");
    assert_is_near(time_stamp_hz, 3 * GHZ);
    assert_is_near(local_timer_hz, GHZ / 10);
    // The local timer alone is another one.
    let (time_stamp_hz, local_timer_hz) =
        believed(Machine { claims_hz: Some((3 * GHZ + 1, GHZ / 40)), ..machine() }).expect("a counter counts");
    assert_eq!(time_stamp_hz, 3 * GHZ + 1);
    assert_is_near(local_timer_hz, GHZ / 10);
}

#[test]
fn the_first_counter_that_counts_is_used() {
    let stands_still = Counter { true_hz: 0, ..HONEST };
    let (time_stamp_hz, _) =
        believed(Machine { counters: vec![stands_still, HONEST], ..machine() }).expect("the second counts");
    assert_is_near(time_stamp_hz, 3 * GHZ);
}
