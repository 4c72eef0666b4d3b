//! The interrupt descriptor table: a gate for each of the 256 vectors (Intel SDM vol. 3A, 6.14).

use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

use super::VECTORS;
use super::descriptors::{KERNEL_CODE, StackIndex};
use super::exceptions::{BREAKPOINT, DEBUG, DOUBLE_FAULT, MACHINE_CHECK, NON_MASKABLE_INTERRUPT};
use crate::arch::interrupts::stub_address;
use crate::sync::Exclusive;

// ANCHOR: gate
/// One gate, as the processor reads it (Intel SDM vol. 3A, figure 6-8).
#[derive(Clone, Copy)]
#[repr(C)]
struct Gate {
    offset_low: u16,
    selector: u16,
    /// Which entry of the interrupt stack table gives the stack; 0 for the current one.
    stack_index: u8,
    /// Present, privilege level from which `int` may name the gate, type.
    attributes: u8,
    offset_middle: u16,
    offset_high: u32,
    reserved: u32,
}

/// A present interrupt gate: interrupts are off when the stub begins.
const INTERRUPT_GATE: u8 = 0b1000_1110;
/// The same, which user mode may name in an `int` instruction.
const INTERRUPT_GATE_FOR_USER: u8 = 0b1110_1110;
// ANCHOR_END: gate

impl Gate {
    const MISSING: Gate = Gate {
        offset_low: 0,
        selector: 0,
        stack_index: 0,
        attributes: 0,
        offset_middle: 0,
        offset_high: 0,
        reserved: 0,
    };

    // ANCHOR: to_stub
    fn to_stub(vector: u8, address: u64) -> Gate {
        Gate {
            offset_low: address as u16,
            selector: KERNEL_CODE.0,
            stack_index: stack_index(vector).map_or(0, |index| index as u8),
            // `int3` is the one vector that a program, a debugger's say, may raise by name.
            attributes: if vector == BREAKPOINT { INTERRUPT_GATE_FOR_USER } else { INTERRUPT_GATE },
            offset_middle: (address >> 16) as u16,
            offset_high: (address >> 32) as u32,
            reserved: 0,
        }
    }
    // ANCHOR_END: to_stub

    fn address(&self) -> u64 {
        u64::from(self.offset_high) << 32 | u64::from(self.offset_middle) << 16 | u64::from(self.offset_low)
    }
}

const fn stack_index(vector: u8) -> Option<StackIndex> {
    match vector {
        DEBUG => Some(StackIndex::Debug),
        NON_MASKABLE_INTERRUPT => Some(StackIndex::NonMaskable),
        DOUBLE_FAULT => Some(StackIndex::DoubleFault),
        MACHINE_CHECK => Some(StackIndex::MachineCheck),
        _ => None,
    }
}

/// A bit for each exception with a stack of its own.
#[cfg(feature = "chapter9")]
pub(crate) const OWN_STACKS: u32 = {
    let mut bits = 0;
    let mut vector = 0;
    while vector < super::exceptions::EXCEPTIONS {
        bits |= (stack_index(vector).is_some() as u32) << vector;
        vector += 1;
    }
    bits
};

/// A page of its own: from chapter 9 on, one that user mode's page tables may have.
#[repr(C, align(4096))]
struct Gates([Gate; VECTORS]);

static GATES: Exclusive<Gates> = Exclusive::new(Gates([Gate::MISSING; VECTORS]));

/// Fills the table and loads it. Called once.
pub(super) fn load() {
    lead_to(stub_address);
    GATES.with(|gates| {
        let pointer = DescriptorTablePointer {
            limit: u16::try_from(size_of_val(gates) - 1).unwrap_or(u16::MAX),
            base: VirtAddr::from_ptr(gates),
        };
        // SAFETY: the table is in a static and complete; each gate leads to a stub that knows its vector.
        unsafe { lidt(&pointer) };
    });
}

/// Makes each gate lead to the stub of its vector.
pub(crate) fn lead_to(stub: impl Fn(u8) -> u64) {
    GATES.with(|gates| {
        for (vector, gate) in (0..=u8::MAX).zip(&mut gates.0) {
            *gate = Gate::to_stub(vector, stub(vector));
        }
    });
}

/// The address of the table, a page.
#[cfg(feature = "chapter9")]
pub(crate) fn table() -> u64 {
    GATES.with(|gates| core::ptr::from_ref(gates) as u64)
}

/// Where the gate of a vector leads. For tests that enter one as the processor would.
#[must_use]
pub fn gate_address(vector: u8) -> u64 {
    GATES.with(|gates| gates.0.get(usize::from(vector)).map_or(0, Gate::address))
}
