//! Interrupts reach their handlers and the program goes on; the timer ticks; keys become characters.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use kernel::interrupts::exceptions::{BREAKPOINT, EXCEPTIONS, has_error_code, is_programs_own, name};
use kernel::interrupts::{Line, claim, claimed, hand_back, keyboard, set_handler, take_arrived, timer};
use x86_64::instructions::port::Port;
use x86_64::instructions::{hlt, interrupts};

kernel::test_entry!();

static COUNT: AtomicU64 = AtomicU64::new(0);

#[test_case]
fn a_breakpoint_calls_its_handler_and_the_program_goes_on() {
    COUNT.store(0, Ordering::Relaxed);
    set_handler(BREAKPOINT, Some(|_| COUNT.store(COUNT.load(Ordering::Relaxed) + 1, Ordering::Relaxed)));
    kernel::arch::breakpoint();
    kernel::arch::breakpoint();
    set_handler(BREAKPOINT, None);
    assert_eq!(COUNT.load(Ordering::Relaxed), 2);
}

#[test_case]
fn a_handler_can_change_the_registers_of_the_interrupted_program() {
    set_handler(BREAKPOINT, Some(|frame| frame.rax = frame.rbx + 1));
    let answer: u64;
    // SAFETY: the handler changes rax only, which is the result.
    unsafe { asm!("push rbx", "mov rbx, 41", "int3", "pop rbx", lateout("rax") answer) };
    set_handler(BREAKPOINT, None);
    assert_eq!(answer, 42);
}

// ANCHOR: registers
#[test_case]
fn every_register_survives_an_interrupt() {
    set_handler(BREAKPOINT, Some(|_| ()));
    let different: u64;
    // SAFETY: rbx and rbp are put back; the other registers are declared.
    unsafe {
        asm!(
            "push rbx", "push rbp",
            "mov rbx, 1", "mov rcx, 2", "mov rdx, 3", "mov rsi, 4", "mov rdi, 5", "mov rbp, 6", "mov r8, 7",
            "mov r9, 8", "mov r10, 9", "mov r11, 10", "mov r12, 11", "mov r13, 12", "mov r14, 13", "mov r15, 14",
            "int3",
            "xor rbx, 1", "xor rcx, 2", "xor rdx, 3", "xor rsi, 4", "xor rdi, 5", "xor rbp, 6", "xor r8, 7",
            "xor r9, 8", "xor r10, 9", "xor r11, 10", "xor r12, 11", "xor r13, 12", "xor r14, 13", "xor r15, 14",
            "or rbx, rcx", "or rbx, rdx", "or rbx, rsi", "or rbx, rdi", "or rbx, rbp", "or rbx, r8", "or rbx, r9",
            "or rbx, r10", "or rbx, r11", "or rbx, r12", "or rbx, r13", "or rbx, r14", "or rbx, r15",
            "mov rax, rbx",
            "pop rbp", "pop rbx",
            lateout("rax") different, lateout("rcx") _, lateout("rdx") _, lateout("rsi") _, lateout("rdi") _,
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _, lateout("r12") _, lateout("r13") _,
            lateout("r14") _, lateout("r15") _,
        );
    }
    set_handler(BREAKPOINT, None);
    assert_eq!(different, 0);
}
// ANCHOR_END: registers

#[test_case]
fn a_handler_can_be_replaced_and_removed() {
    assert!(set_handler(77, Some(|_| ())).is_none());
    assert!(set_handler(77, None).is_some());
    assert!(set_handler(77, None).is_none());
}

#[test_case]
fn the_timer_ticks() {
    let first = timer::ticks();
    while timer::ticks() < first + 3 {
        hlt();
    }
}

#[test_case]
fn the_timer_does_not_tick_with_interrupts_off() {
    interrupts::without_interrupts(|| {
        let first = timer::ticks();
        // Longer than a tick, which is 10 ms: at a nanosecond an instruction, 12 ms.
        for _ in 0..10_000_000 {
            core::hint::spin_loop();
        }
        assert_eq!(timer::ticks(), first);
    });
}

/// A line that nothing is on, and its vector.
const UNUSED_LINE: u64 = 5;
const UNUSED_VECTOR: u8 = 37;

/// Whether the first controller holds requests of a line back.
fn is_masked(line: Line) -> bool {
    const MASKS_PORT: u16 = 0x21;
    // SAFETY: reading the masks has no side effect.
    let masks = unsafe { Port::<u8>::new(MASKS_PORT).read() };
    u16::from(masks) & line.bit() != 0
}

#[test_case]
fn a_line_that_is_handed_back_is_the_kernels_again() {
    let unused = Line::from_number(UNUSED_LINE).expect("there are sixteen");
    assert_eq!(unused.vector(), UNUSED_VECTOR);
    interrupts::without_interrupts(|| {
        claim(unused);
        claim(Line::KEYBOARD);
        assert!(!is_masked(unused) && !is_masked(Line::KEYBOARD));
        // As a request would come. It masks the line, and waits for the program.
        // SAFETY: the gate leads to the dispatcher, and nothing is on the line.
        unsafe { asm!("int {}", const UNUSED_VECTOR) };
        assert!(is_masked(unused));
        assert_eq!((take_arrived(), take_arrived()), (Some(unused), None));
        // SAFETY: as above.
        unsafe { asm!("int {}", const UNUSED_VECTOR) };
        hand_back(unused);
        hand_back(Line::KEYBOARD);
        assert_eq!((claimed(), take_arrived()), (0, None));
        assert!(is_masked(unused), "the kernel has no handler for it");
        assert!(!is_masked(Line::KEYBOARD), "the kernel has one");
        claim(unused);
        assert!(!is_masked(unused));
        hand_back(unused);
        assert!(is_masked(unused));
    });
}

/// Scan codes of set 1.
const A: u8 = 0x1e;
const LEFT_SHIFT: u8 = 0x2a;
const RELEASED: u8 = 0x80;
const F1: u8 = 0x3b;

fn feed(codes: &[u8]) {
    codes.iter().for_each(|&code| keyboard::feed(code));
}

#[test_case]
fn a_key_gives_its_character_once() {
    feed(&[A, A | RELEASED]);
    assert_eq!((keyboard::read(), keyboard::read()), (Some(b'a'), None));
}

#[test_case]
fn shift_gives_the_capital_letter_as_long_as_it_is_held() {
    feed(&[LEFT_SHIFT, A, A | RELEASED, LEFT_SHIFT | RELEASED, A, A | RELEASED]);
    assert_eq!((keyboard::read(), keyboard::read()), (Some(b'A'), Some(b'a')));
}

#[test_case]
fn a_key_without_a_character_gives_none() {
    feed(&[F1, F1 | RELEASED]);
    assert_eq!(keyboard::read(), None);
}

#[test_case]
fn a_full_queue_drops_what_comes_last() {
    for _ in 0..100 {
        feed(&[A, A | RELEASED]);
    }
    let kept = core::iter::from_fn(keyboard::read).count();
    assert_eq!(kept, 64);
}

#[test_case]
fn every_exception_has_a_name_of_its_own() {
    let named = (0..EXCEPTIONS).filter(|&vector| name(vector) != "reserved exception");
    assert_eq!(named.clone().count(), 20);
    for vector in named.clone() {
        assert_eq!(named.clone().filter(|&other| name(other) == name(vector)).count(), 1);
    }
}

#[test_case]
fn the_machines_own_exceptions_are_never_blamed_on_a_program() {
    for vector in [2, 8, 18, 32, 255] {
        assert!(!is_programs_own(vector));
    }
    assert!(is_programs_own(14));
    assert!(has_error_code(14) && !has_error_code(3));
}
