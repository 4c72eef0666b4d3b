//! Where chapter 12 comes in: who tells the time, the 8254 or another timer, and what becomes of interrupts that nobody has asked for.

#[cfg(all(feature = "chapter12", target_os = "none"))]
pub(super) use crate::hardware::forget_stray;
#[cfg(all(feature = "chapter12", target_os = "none"))]
pub(crate) use crate::hardware::{now_ns, since_tick_ns, tick_ns, time_stamp_hz};

#[cfg(not(all(feature = "chapter12", target_os = "none")))]
pub(super) use pit::forget_stray;
#[cfg(all(feature = "chapter11", not(all(feature = "chapter12", target_os = "none"))))]
pub(crate) use {super::timer::now_ns, pit::time_stamp_hz};
#[cfg(all(feature = "chapter7", not(all(feature = "chapter12", target_os = "none"))))]
pub(crate) use {super::timer::since_tick_ns, pit::tick_ns};

/// What the 8254 makes of it.
#[cfg(not(all(feature = "chapter12", target_os = "none")))]
mod pit {
    /// From one tick to the next, in nanoseconds, rounded down.
    #[cfg(feature = "chapter7")]
    pub(crate) const fn tick_ns() -> u64 {
        crate::interrupts::timer::TICK_NS
    }

    /// How often the time stamp counter counts in a second: not known.
    #[cfg(feature = "chapter11")]
    pub(crate) const fn time_stamp_hz() -> u64 {
        0
    }

    /// Whether an interrupt without a handler is one to be forgotten.
    pub(in crate::interrupts) const fn forget_stray(_: u8) -> bool {
        false
    }
}
