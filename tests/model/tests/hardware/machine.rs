//! A machine whose clocks run as a test says, with as much of the kernel as the files of `kernel/src/hardware` use of it.
//!
//! Time passes only while somebody reads a clock. Each test has a thread, and so a machine, of its own.

use std::cell::RefCell;

const NS_PER_SECOND: u128 = 1_000_000_000;

/// How fast everything is.
#[derive(Clone, Default)]
pub(crate) struct Machine {
    /// Physical memory, from address 0 on.
    pub(crate) memory: Vec<u8>,
    /// What the processor says of itself: the frequencies of the time stamp counter and of the local timer.
    pub(crate) claims_hz: Option<(u64, u64)>,
    /// The true ones.
    pub(crate) time_stamp_hz: u64,
    pub(crate) local_timer_hz: u64,
    /// Counters of known frequency, the best first.
    pub(crate) counters: Vec<counter::Counter>,
    /// How long it takes to read a clock, in turn.
    pub(crate) reading_ns: Vec<u64>,
    /// How many clocks were read, and what time it is.
    pub(crate) reads: usize,
    pub(crate) now_ns: u64,
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
}

impl Machine {
    /// Switches it on.
    pub(crate) fn begin(self) {
        MACHINE.set(self);
    }
}

fn with<R>(look: impl FnOnce(&mut Machine) -> R) -> R {
    MACHINE.with_borrow_mut(look)
}

/// How far a clock has counted. That is read after half of the time that it takes to read it.
fn count(hz: impl FnOnce(&Machine) -> u64) -> u64 {
    with(|machine| {
        let turns = machine.reading_ns.len().max(1);
        let takes = machine.reading_ns.get(machine.reads % turns).copied().unwrap_or(100);
        machine.reads += 1;
        let at = machine.now_ns + takes / 2;
        machine.now_ns += takes;
        (u128::from(at) * u128::from(hz(machine)) / NS_PER_SECOND) as u64
    })
}

pub(crate) mod arch {
    pub(crate) fn time_stamp() -> u64 {
        super::count(|machine| machine.time_stamp_hz)
    }

    pub(crate) fn without_interrupts<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
}

pub(crate) mod processor {
    pub(crate) struct Processor;

    impl Processor {
        pub(crate) fn identify() -> Self {
            Self
        }

        pub(crate) fn frequencies_hz(self) -> Option<(u64, u64)> {
            super::with(|machine| machine.claims_hz)
        }
    }
}

pub(crate) mod apic {
    /// Its timer counts down.
    pub(crate) struct LocalApic;

    impl LocalApic {
        pub(crate) fn count_silently(&self) {}

        pub(crate) fn count(&self) -> u32 {
            u32::MAX - super::count(|machine| machine.local_timer_hz) as u32
        }
    }
}

pub(crate) mod counter {
    use std::fmt;

    use crate::acpi::Tables;

    /// A counter: how fast it ought to count, how fast it does, and where it begins anew.
    #[derive(Clone, Copy)]
    pub(crate) struct Counter {
        pub(crate) hz: u64,
        pub(crate) true_hz: u64,
        pub(crate) modulus: u64,
    }

    impl Counter {
        pub(crate) fn candidates(_: &Tables) -> impl Iterator<Item = Counter> {
            super::with(|machine| machine.counters.clone()).into_iter()
        }

        pub(crate) fn hz(self) -> u64 {
            self.hz
        }

        pub(crate) fn modulus(self) -> u64 {
            self.modulus
        }

        pub(crate) fn read(self) -> u64 {
            super::count(|_| self.true_hz) % self.modulus
        }

        pub(crate) fn between(self, first: u64, second: u64) -> u64 {
            (second + self.modulus - first) % self.modulus
        }
    }

    impl fmt::Display for Counter {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "counter of {} Hz", self.hz)
        }
    }
}

pub(crate) mod memory {
    const PAGE_SIZE: u64 = flatmk_abi::layout::PAGE_SIZE;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Frame(u64);

    impl Frame {
        pub(crate) fn containing(address: u64) -> Option<Self> {
            Some(Self(address / PAGE_SIZE))
        }

        pub(crate) fn window_address(self) -> u64 {
            self.0 * PAGE_SIZE
        }
    }

    /// The frame that the kernel has at an address, if it is memory.
    pub(crate) fn kernel_frame(address: u64) -> Option<Frame> {
        super::with(|machine| address < machine.memory.len() as u64).then_some(Frame(address / PAGE_SIZE))
    }

    pub(crate) fn read_frame(frame: Frame, offset: u64, bytes: &mut [u8]) {
        let start = (frame.window_address() + offset) as usize;
        super::with(|machine| bytes.copy_from_slice(&machine.memory[start..start + bytes.len()]));
    }
}
