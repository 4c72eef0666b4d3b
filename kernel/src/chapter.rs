//! Which chapter this kernel is, and where each chapter's parts are registered.

use bootloader_api::BootInfo;

use crate::boot;
#[cfg(feature = "chapter12")]
use crate::hardware::{Stage, reach};
use crate::processor::Processor;

macro_rules! chapters {
    ($($feature:literal unless $next:literal: $number:literal;)+) => {$(
        /// The number of the chapter as a string literal.
        #[cfg(all(feature = $feature, not(feature = $next)))]
        #[macro_export]
        macro_rules! chapter {
            () => { $number };
        }
    )+};
}

chapters! {
    "chapter2" unless "chapter3": "2";
    "chapter3" unless "chapter4": "3";
    "chapter4" unless "chapter5": "4";
    "chapter5" unless "chapter6": "5";
    "chapter6" unless "chapter7": "6";
    "chapter7" unless "chapter8": "7";
    "chapter8" unless "chapter9": "8";
    "chapter9" unless "chapter10": "9";
    "chapter10" unless "chapter11": "10";
    "chapter11" unless "chapter12": "11";
}

/// The number of the chapter as a string literal.
#[cfg(feature = "chapter12")]
#[macro_export]
macro_rules! chapter {
    () => {
        "12"
    };
}

/// The number of the chapter as a string literal.
#[cfg(not(feature = "chapter2"))]
#[macro_export]
macro_rules! chapter {
    () => {
        "1"
    };
}

/// The number of the chapter.
pub const CHAPTER: &str = chapter!();

// ANCHOR: initialize
/// Brings up what the kernel has, chapter by chapter.
pub fn initialize_chapters(information: &'static mut BootInfo) {
    #[cfg(feature = "chapter12")]
    reach(Stage::Console);
    boot::initialize(information);
    Processor::identify().require();
    #[cfg(feature = "chapter12")]
    {
        reach(Stage::Interrupts);
        crate::hardware::silence_local_apic();
    }
    #[cfg(feature = "chapter2")]
    crate::interrupts::initialize();
    #[cfg(feature = "chapter12")]
    reach(Stage::Memory);
    #[cfg(feature = "chapter3")]
    crate::memory::initialize(information);
    #[cfg(feature = "chapter12")]
    reach(Stage::Tasks);
    #[cfg(feature = "chapter5")]
    crate::task::initialize();
    #[cfg(feature = "chapter6")]
    crate::ipc::initialize();
    #[cfg(feature = "chapter7")]
    crate::scheduling::initialize();
    #[cfg(feature = "chapter9")]
    crate::pcid::initialize();
    #[cfg(feature = "chapter10")]
    crate::softuser::initialize();
    #[cfg(feature = "chapter12")]
    reach(Stage::Devices);
    #[cfg(feature = "chapter11")]
    crate::devices::initialize(information);
    #[cfg(feature = "chapter11")]
    crate::trace::initialize();
    #[cfg(feature = "chapter12")]
    {
        crate::hardware::initialize(information);
        reach(Stage::RootTask);
    }
}
// ANCHOR_END: initialize

/// Shows what the newest chapter is about. From chapter 5 on, that is what the root task does, and this does not return.
pub fn demonstrate() {
    #[cfg(not(feature = "chapter2"))]
    boot::demonstrate();
    #[cfg(all(feature = "chapter2", not(feature = "chapter3")))]
    crate::interrupts::demonstrate();
    #[cfg(all(feature = "chapter3", not(feature = "chapter4")))]
    crate::memory::demonstrate();
    #[cfg(all(feature = "chapter4", not(feature = "chapter5")))]
    crate::capability::demonstrate();
    #[cfg(feature = "chapter5")]
    crate::task::run_root_task();
}
