//! The local APIC ticks as it should, and what it sends without being asked does no harm.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use kernel::arch::time_stamp;
use kernel::interrupts::timer;
use kernel::memory::Frame;
use x86_64::instructions::hlt;
use x86_64::instructions::port::Port;
use x86_64::registers::model_specific::Msr;

kernel::test_entry!();

/// The register that tells where the local APIC is, and in which mode (Intel SDM vol. 3A, figure 10-5).
const BASE_REGISTER: u32 = 0x1b;
const IS_EXTENDED: u64 = 1 << 10;

/// Sends an interrupt from the processor to itself (Intel SDM vol. 3A, 10.6.1 and 10.12.11).
fn interrupt_self(vector: u8) {
    const COMMAND_OFFSET: u64 = 0x300;
    const TO_SELF: u32 = 0b01 << 18;
    const SELF_REGISTER: u32 = 0x83f;
    // SAFETY: both emulators have a local APIC. The interrupt comes at a vector that the kernel handles, or forgets.
    unsafe {
        let base = Msr::new(BASE_REGISTER).read();
        if base & IS_EXTENDED == 0 {
            let registers = Frame::containing(base).expect("below 16 TiB").window_address();
            ((registers + COMMAND_OFFSET) as *mut u32).write_volatile(TO_SELF | u32::from(vector));
        } else {
            Msr::new(SELF_REGISTER).write(vector.into());
        }
    }
}

fn wait_for_ticks(count: u64) {
    let end = timer::ticks() + count;
    while timer::ticks() < end {
        hlt();
    }
}

#[test_case]
fn the_8254_does_not_interrupt() {
    const MASKS: u16 = 0x21;
    // SAFETY: reads the masks of the first controller.
    let masks = unsafe { Port::<u8>::new(MASKS).read() };
    assert_eq!(masks & 1, 1, "line 0 is masked");
    kernel::interrupts::unmask(kernel::interrupts::Line::TIMER);
    // SAFETY: as above.
    assert_eq!(unsafe { Port::<u8>::new(MASKS).read() } & 1, 1, "and stays so");
}

// ANCHOR: as_often
/// The count of the 8254, which counts down from 1193 a thousand times a second.
fn count_of_the_8254() -> u16 {
    let (mut control, mut channel) = (Port::<u8>::new(0x43), Port::<u8>::new(0x40));
    // SAFETY: latches the count of channel 0 and reads it; nothing else changes.
    unsafe {
        control.write(0);
        u16::from_le_bytes([channel.read(), channel.read()])
    }
}

#[test_case]
fn the_local_apic_ticks_as_often_as_the_8254_begins_anew() {
    const TICKS: u64 = 50;
    wait_for_ticks(1);
    let (end, mut before, mut rounds) = (timer::ticks() + TICKS, count_of_the_8254(), 0);
    while timer::ticks() < end {
        let now = count_of_the_8254();
        // It counts down: where it is higher than before it has begun anew.
        rounds += u64::from(now > before);
        before = now;
    }
    assert!((TICKS - 1..=TICKS + 1).contains(&rounds), "{rounds} rounds in {TICKS} ticks");
}
// ANCHOR_END: as_often

#[test_case]
fn interrupts_that_nobody_has_asked_for_are_forgotten() {
    // Nobody sends one at the spurious vector, 0xff: Bochs would keep it in service for ever.
    for vector in [0x30, 0x70, 0xef, 0xfe] {
        interrupt_self(vector);
        // One that stayed in service would hold back the ticks, which are less urgent.
        wait_for_ticks(3);
    }
}

#[test_case]
fn ticks_are_of_one_length() {
    const TICKS: u64 = 20;
    wait_for_ticks(2);
    let (mut shortest, mut longest, mut before) = (u64::MAX, 0, time_stamp());
    for _ in 0..TICKS {
        wait_for_ticks(1);
        let now = time_stamp();
        (shortest, longest, before) = (shortest.min(now - before), longest.max(now - before), now);
    }
    assert!(longest - shortest < longest / 10, "from {shortest} to {longest}");
}
