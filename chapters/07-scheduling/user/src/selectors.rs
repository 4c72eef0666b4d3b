//! The segment registers: what a program can load into them, and that it means nothing.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::USER_START;
use flatmk_abi::{Access, FaultAnswer, FaultReason, Kind, MissingCapability, Words};
use flatmk_runtime::object::{Frame, OWN_SPACE, OWN_TABLE, OWN_TASK};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::harness::MEMORY;
use crate::threads::{far, on_stage, serve};

pub(crate) const TESTS: &[Test] =
    tests![a_segment_register_takes_twelve_selectors_and_none_moves_an_address, a_program_makes_no_segment_of_its_own,];

/// How many loads were refused.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Lets the program go on behind the load, which has two bytes.
fn skip(_: u64, message: &mut Words) {
    let [reason, _, _, rip] = *message;
    assert_eq!(
        FaultReason::from_number(reason),
        Some(FaultReason::GeneralProtection),
        "a fault of another kind: {message:x?}"
    );
    REFUSED.fetch_add(1, Relaxed);
    *message = [FaultAnswer::ResumeAt as u64, rip + 2, 0, 0];
}

service!(fn skip_entry = skip);

/// What lies at an address is found there through each segment.
static MARK: AtomicU64 = AtomicU64::new(0x5e1e_c702);

/// For each segment register a function that loads it, and returns what it holds then and the mark as it is read through it.
macro_rules! loads {
    ($($register:literal),+) => {
        [$(|selector: u64| {
            let (held, mark): (u64, u64);
            // SAFETY: no selector that the processor takes means another address, which is what is tested; the mark is only read.
            unsafe {
                asm!(
                    concat!("mov ", $register, ", eax"),
                    concat!("mov ecx, ", $register),
                    concat!("mov rdx, ", $register, ":[rsi]"),
                    in("rax") selector,
                    in("rsi") MARK.as_ptr(),
                    lateout("rcx") held,
                    lateout("rdx") mark,
                    options(nostack),
                );
            }
            (held, mark)
        }),+]
    };
}

const LOADS: [fn(u64) -> (u64, u64); 4] = loads!["ds", "es", "fs", "gs"];

/// The null selector, the data and the code of user mode (Intel SDM vol. 2B, MOV: other descriptors are the kernel's, or no segments). The lowest
/// two bits are free.
fn is_loadable(selector: u64) -> bool {
    matches!(selector & !0b11, 0 | 0x18 | 0x20)
}

/// Tries selectors in all segment registers: those take the ones above, and no other.
fn check_loads(selectors: &(impl Iterator<Item = u64> + Clone)) {
    on_stage(|| {
        serve(0, 20, skip_entry, 0);
        OWN_TASK.set_fault_handler(Some(far(0)), MissingCapability::IsError).expect("it may be called");
        for (load, selector) in
            LOADS.into_iter().flat_map(|load| selectors.clone().map(move |selector| (load, selector)))
        {
            let before = REFUSED.load(Relaxed);
            let (held, mark) = load(selector);
            assert_eq!(REFUSED.load(Relaxed) == before, is_loadable(selector), "{selector:#x}");
            assert_eq!(mark, MARK.load(Relaxed), "through {selector:#x}");
            // An interrupt may have come in between, from which the processor returns with a plain null selector.
            let is_held = held == selector || (held == 0 && selector <= 0b11);
            assert!(is_held || !is_loadable(selector), "{selector:#x} has become {held:#x}");
        }
        for load in LOADS {
            load(0);
        }
        OWN_TASK.set_fault_handler(None, MissingCapability::IsError).expect("it may be removed");
    });
}

fn a_segment_register_takes_twelve_selectors_and_none_moves_an_address() {
    check_loads(&(0..0x200).chain(0xfff0..=0xffff));
}

/// A data segment of user mode that begins at 1 MiB (Intel SDM vol. 3A, 3.4.5).
const FORGED: u64 = 0x00cf_f310_0000_ffff;

/// The processor begins with a local table of 64 KiB at address 0 (Intel SDM vol. 3A, 9.1.1), where programs have pages.
fn a_program_makes_no_segment_of_its_own() {
    const FRAME: u64 = 40;
    MEMORY.make(Kind::Frame, 1, OWN_TABLE, FRAME).expect("a free slot");
    OWN_SPACE.map(Frame(FRAME), USER_START, Access::ReadWrite).expect("a free address");
    let table = core::ptr::with_exposed_provenance_mut::<[u64; 512]>(USER_START as usize);
    // SAFETY: the frame was just mapped there, and nobody else knows of it.
    unsafe { table.write([FORGED; 512]) };
    const IS_LOCAL: u64 = 0b100;
    check_loads(&(USER_START..USER_START + 64).filter(|selector| selector & IS_LOCAL != 0));
    OWN_TABLE.delete(FRAME).expect("the frame is there");
}
