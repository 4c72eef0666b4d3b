//! How rows are measured: in which unit, in how many batches, and without the timer where that matters.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flatmk_runtime::object::OWN_TASK;
use flatmk_runtime::{println, time_stamp};
use raw_cpuid::CpuId;

/// No row has more batches.
pub(crate) const MOST_BATCHES: usize = 200;

/// How often a batch is measured anew because the timer came into it. One that always takes longer than a tick stays as it is.
const TRIES: usize = 4;

/// What a tick of the time stamp counter is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// An instruction. All batches are the same but for what the timer adds, and it is the least of few that counts.
    Instructions,
    /// A cycle of the counter's clock, which on a processor is not that of its cores. Batches differ, so there are many short ones.
    Cycles,
}

static IS_EXACT: AtomicBool = AtomicBool::new(false);
static REPEATED: AtomicU64 = AtomicU64::new(0);

impl Method {
    /// Takes what the root task says: whether an instruction is a tick.
    pub(crate) fn choose(instructions: u64) {
        IS_EXACT.store(instructions == 1, Ordering::Relaxed);
        REPEATED.store(0, Ordering::Relaxed);
    }

    pub(crate) fn current() -> Self {
        if IS_EXACT.load(Ordering::Relaxed) { Self::Instructions } else { Self::Cycles }
    }

    /// How many batches a row has.
    pub(crate) fn batches(self) -> usize {
        match self {
            Self::Instructions => 21,
            Self::Cycles => MOST_BATCHES,
        }
    }

    /// How often a batch repeats a short operation: on a processor it is over before the next tick.
    pub(crate) fn repeats(self) -> u64 {
        match self {
            Self::Instructions => 1000,
            Self::Cycles => 100,
        }
    }

    /// How many batches come before the first that counts: caches, and what the processor predicts, become warm.
    pub(crate) fn warm_up(self) -> usize {
        match self {
            Self::Instructions => 0,
            Self::Cycles => 3,
        }
    }

    /// The unit's name in the head of a table.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Cycles => "cycles",
        }
    }

    /// The same where RISC-V code is measured.
    pub(crate) fn unit_for_guest(self) -> &'static str {
        match self {
            Self::Instructions => "instructions for 100 guest instructions",
            Self::Cycles => "cycles for 100 guest instructions",
        }
    }
}

// ANCHOR: stamp
/// The time, after all that comes before it and before all that comes after it (Intel SDM vol. 2B, RDTSC).
#[inline(always)]
pub(crate) fn stamp() -> u64 {
    fence();
    let time = time_stamp();
    fence();
    time
}

/// Waits until all instructions before it have completed, and lets none after it begin earlier.
#[inline(always)]
fn fence() {
    // SAFETY: changes nothing.
    unsafe { core::arch::asm!("lfence", options(nostack, preserves_flags)) }
}
// ANCHOR_END: stamp

// ANCHOR: undisturbed
/// A batch. Where the unit is cycles it is measured anew if the timer ticked meanwhile: what an interrupt costs has a row of its own.
#[inline(always)]
pub(crate) fn undisturbed<T, E>(mut batch: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    if Method::current() == Method::Instructions {
        return batch();
    }
    for _ in 1..TRIES {
        let before = timer_ticks();
        let measured = batch()?;
        if before == timer_ticks() {
            return Ok(measured);
        }
        REPEATED.fetch_add(1, Ordering::Relaxed);
    }
    batch()
}

/// Before chapter 11 nobody says, and each batch counts.
fn timer_ticks() -> Option<u64> {
    OWN_TASK.read_clock().ok().map(|(_, _, ticks)| ticks)
}
// ANCHOR_END: undisturbed

/// Says what cycles are counted, where they are.
pub(crate) fn print_processor() {
    if Method::current() == Method::Instructions {
        return;
    }
    let brand = CpuId::new().get_processor_brand_string();
    let name = brand.as_ref().map_or("a processor without a name", |brand| brand.as_str().trim());
    match OWN_TASK.read_clock() {
        Ok((_, frequency @ 1.., _)) => {
            println!("cycles of the time stamp counter of {name}, {} a microsecond", frequency / 1_000_000);
        }
        _ => println!("cycles of the time stamp counter of {name}"),
    }
}

/// Says how many batches were not counted.
pub(crate) fn print_repeated() {
    if Method::current() == Method::Cycles {
        println!("{} batches were measured anew, as the timer ticked in them", REPEATED.load(Ordering::Relaxed));
    }
}
