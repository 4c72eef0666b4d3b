//! The local APIC: the processor's own interrupt controller, with a timer (Intel SDM vol. 3A, 10).
//!
//! Its registers are in memory, at a physical address that the firmware chooses, or in the newer mode (x2APIC) model-specific registers.

use x86_64::registers::model_specific::Msr;

use crate::interrupts::Line;
use crate::memory::{Frame, kernel_frame};
use crate::processor::Processor;

/// The register that tells where the APIC is, and in which mode (figure 11-5).
const BASE_REGISTER: u32 = 0x1b;
const IS_EXTENDED: u64 = 1 << 10;
const IS_ENABLED: u64 = 1 << 11;

/// The first of the model-specific registers, in the newer mode (10.12.1.2).
const EXTENDED_BASE: u32 = 0x800;

/// Registers, by their offsets in memory (table 11-1).
#[derive(Clone, Copy)]
#[repr(u32)]
enum Register {
    Version = 0x30,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    Spurious = 0xf0,
    InService = 0x100,
    Requests = 0x200,
    /// The first of the local vector table but for the timer's: corrected machine checks, which only newer ones have.
    CorrectedMachineChecks = 0x2f0,
    LocalTimer = 0x320,
    Thermal = 0x330,
    Performance = 0x340,
    Line0 = 0x350,
    Line1 = 0x360,
    Error = 0x370,
    InitialCount = 0x380,
    CurrentCount = 0x390,
    Divide = 0x3e0,
}

/// Bits of an entry of the local vector table (figure 11-8).
const MASKED: u32 = 1 << 16;
const DELIVERY: u32 = 0b111 << 8;
const FIXED: u32 = 0;
const EXTERNAL: u32 = 0b111 << 8;
const PERIODIC: u32 = 0b01 << 17;
const DEADLINE: u32 = 0b10 << 17;

/// The entry of the table for the corrected machine checks is there from the seventh on.
const LAST_OF_SIX: u32 = 5;

/// Counts are not divided (figure 11-10).
const DIVIDE_BY_ONE: u32 = 0b1011;

/// The vector of an interrupt that has vanished before it was taken: it is not acknowledged (10.9).
const SPURIOUS_VECTOR: u8 = 0xff;
const SOFTWARE_ENABLED: u32 = 1 << 8;

/// The register that holds when the timer interrupts next (10.5.4.1).
const DEADLINE_REGISTER: u32 = 0x6e0;

/// A local APIC that is switched on, by the way to its registers.
#[derive(Clone, Copy)]
pub(super) enum LocalApic {
    /// In the window, at this address.
    Memory(u64),
    /// By model-specific registers.
    Registers,
}

impl LocalApic {
    /// The one that the firmware has left on.
    pub(super) fn find_enabled() -> Option<Self> {
        if !Processor::identify().has_local_apic() {
            return None;
        }
        // SAFETY: a processor with a local APIC has the register.
        let base = unsafe { Msr::new(BASE_REGISTER).read() };
        if base & IS_ENABLED == 0 {
            None
        } else if base & IS_EXTENDED != 0 {
            Some(Self::Registers)
        } else {
            let frame = Frame::containing(base & crate::arch::paging::ADDRESS_BITS)?;
            // Before chapter 3 has made the kernel's space the window is there, too; it covers 4 GiB at least.
            Some(Self::Memory(frame.window_address())).filter(|_| frame.address() < 1 << 32)
        }
    }

    // ANCHOR: take_over
    /// Switches it on, in the newer mode where there is one; lets the 8259 controllers through, and nothing else.
    pub(super) fn take_over() -> Option<Self> {
        let processor = Processor::identify();
        if !processor.has_local_apic() {
            return None;
        }
        let mut register = Msr::new(BASE_REGISTER);
        // SAFETY: a processor with a local APIC has the register. From one mode to the other the APIC keeps its state; it is switched on first where it
        // is off (10.12.5).
        unsafe {
            let base = register.read();
            if base & IS_ENABLED == 0 {
                register.write(base | IS_ENABLED);
            }
            if processor.has_x2apic() {
                register.write(register.read() | IS_ENABLED | IS_EXTENDED);
            }
        }
        let apic = Self::find_enabled().filter(Self::is_reachable)?;
        apic.mask_local_lines();
        apic.write(Register::TaskPriority, 0);
        apic.write(Register::Spurious, SOFTWARE_ENABLED | u32::from(SPURIOUS_VECTOR));
        apic.mask_local_lines();
        // The 8259 controllers are wired to this line: they say which vector it is.
        apic.write(Register::Line0, EXTERNAL);
        apic.finish_leftovers();
        Some(apic)
    }
    // ANCHOR_END: take_over

    /// Whether the window has its registers.
    fn is_reachable(&self) -> bool {
        match *self {
            Self::Memory(address) => kernel_frame(address) == Some(Frame::at_window_address(address)),
            Self::Registers => true,
        }
    }

    /// Masks what would come at a vector that the firmware has chosen. What is delivered as NMI or to system management stays as it is: that is
    /// between the board and the firmware.
    pub(super) fn mask_local_lines(&self) {
        let entries = (self.read(Register::Version) >> 16) & 0xff;
        let newer = [Register::CorrectedMachineChecks].into_iter().filter(|_| entries > LAST_OF_SIX);
        let thermal = [Register::Thermal].into_iter().filter(|_| entries >= LAST_OF_SIX);
        let performance = [Register::Performance].into_iter().filter(|_| entries >= LAST_OF_SIX - 1);
        let always = [Register::LocalTimer, Register::Line1, Register::Error];
        for register in always.into_iter().chain(performance).chain(thermal).chain(newer) {
            let entry = self.read(register);
            if entry & DELIVERY == FIXED {
                self.write(register, entry | MASKED);
            }
        }
    }

    /// Acknowledges what the firmware has taken and not finished: it would hold back all that is not more urgent.
    fn finish_leftovers(&self) {
        const VECTORS: u32 = 256;
        for _ in 0..VECTORS {
            if !(0..8).any(|word| self.read_set(Register::InService, word) != 0) {
                return;
            }
            self.acknowledge();
        }
    }

    /// 32 bits of one of the sets of vectors.
    fn read_set(&self, register: Register, word: u32) -> u32 {
        self.read_at(register as u32 + word * 0x10)
    }

    /// Whether an interrupt at a vector has come and is not taken yet.
    pub(super) fn is_waiting(&self, vector: u8) -> bool {
        self.has(Register::Requests, vector)
    }

    /// Whether a vector is in one of the sets.
    fn has(&self, set: Register, vector: u8) -> bool {
        self.read_set(set, u32::from(vector) / 32) & 1 << (vector % 32) != 0
    }

    /// The interrupt that is being served is.
    #[inline(always)]
    pub(super) fn acknowledge(&self) {
        self.write(Register::EndOfInterrupt, 0);
    }

    /// The timer counts down from the highest number, and interrupts nobody.
    pub(super) fn count_silently(&self) {
        self.write(Register::LocalTimer, MASKED | u32::from(SPURIOUS_VECTOR));
        self.write(Register::Divide, DIVIDE_BY_ONE);
        self.write(Register::InitialCount, u32::MAX);
    }

    /// How far the timer has still to count.
    pub(super) fn count(&self) -> u32 {
        self.read(Register::CurrentCount)
    }

    /// The timer interrupts at the timer's vector each time it has counted so far.
    pub(super) fn tick_each(&self, count: u32) {
        self.write(Register::InitialCount, 0);
        self.write(Register::Divide, DIVIDE_BY_ONE);
        self.write(Register::LocalTimer, PERIODIC | u32::from(Line::TIMER.vector()));
        self.write(Register::InitialCount, count);
    }

    /// The timer interrupts at the timer's vector when the time stamp counter has come to what [`set_deadline`](Self::set_deadline) says.
    pub(super) fn tick_at_deadlines(&self) {
        self.write(Register::InitialCount, 0);
        self.write(Register::LocalTimer, DEADLINE | u32::from(Line::TIMER.vector()));
        // A write to memory may take effect after one to a model-specific register (10.5.4.1).
        // SAFETY: `mfence` is part of every x86-64 processor.
        unsafe { core::arch::x86_64::_mm_mfence() };
    }

    /// Sets when the timer interrupts next; for a time that has passed at once.
    #[inline(always)]
    pub(super) fn set_deadline(&self, time_stamp: u64) {
        // SAFETY: only a processor whose local APIC has deadlines gets here, see `tick_at_deadlines`.
        unsafe { Msr::new(DEADLINE_REGISTER).write(time_stamp) };
    }

    fn read(&self, register: Register) -> u32 {
        self.read_at(register as u32)
    }

    fn read_at(&self, offset: u32) -> u32 {
        match *self {
            // SAFETY: the window maps the page of the registers; they are read 32 bits at a time, and reading has no side effect.
            Self::Memory(base) => unsafe { ((base + u64::from(offset)) as *const u32).read_volatile() },
            // SAFETY: in this mode each register is there, at its sixteenth.
            Self::Registers => unsafe { Msr::new(EXTENDED_BASE + offset / 0x10).read() as u32 },
        }
    }

    #[inline(always)]
    fn write(&self, register: Register, value: u32) {
        let offset = register as u32;
        match *self {
            // SAFETY: as above. Only this module writes to them, and what it writes leads to vectors that are handled.
            Self::Memory(base) => unsafe { ((base + u64::from(offset)) as *mut u32).write_volatile(value) },
            // SAFETY: as above.
            Self::Registers => unsafe { Msr::new(EXTENDED_BASE + offset / 0x10).write(value.into()) },
        }
    }
}

// ANCHOR: strays
/// An interrupt that nobody has asked for is acknowledged, and forgotten: what the firmware's devices send still. Tells whether it was one.
#[cold]
#[inline(never)]
pub(crate) fn forget_stray(vector: u8) -> bool {
    LocalApic::find_enabled().is_some_and(|apic| {
        let is_in_service = apic.has(Register::InService, vector);
        if is_in_service {
            apic.acknowledge();
        }
        is_in_service || vector == SPURIOUS_VECTOR
    })
}
// ANCHOR_END: strays
