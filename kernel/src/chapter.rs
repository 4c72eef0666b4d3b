//! Which chapter this kernel is, and where each chapter's parts are registered.

use bootloader_api::BootInfo;

use crate::boot;
#[cfg(feature = "chapter12")]
use crate::hardware::{Stage, reach};
use crate::processor::Processor;

/// Makes the macro that is the number of the chapter as a string literal.
macro_rules! this_is_chapter {
    ($number:literal) => {
        /// The number of the chapter as a string literal.
        #[macro_export]
        macro_rules! chapter {
            () => {
                $number
            };
        }
    };
}

#[cfg(not(feature = "chapter2"))]
this_is_chapter!("1");
#[cfg(all(feature = "chapter2", not(feature = "chapter3")))]
this_is_chapter!("2");
#[cfg(all(feature = "chapter3", not(feature = "chapter4")))]
this_is_chapter!("3");
#[cfg(all(feature = "chapter4", not(feature = "chapter5")))]
this_is_chapter!("4");
#[cfg(all(feature = "chapter5", not(feature = "chapter6")))]
this_is_chapter!("5");
#[cfg(all(feature = "chapter6", not(feature = "chapter7")))]
this_is_chapter!("6");
#[cfg(all(feature = "chapter7", not(feature = "chapter8")))]
this_is_chapter!("7");
#[cfg(all(feature = "chapter8", not(feature = "chapter9")))]
this_is_chapter!("8");
#[cfg(all(feature = "chapter9", not(feature = "chapter10")))]
this_is_chapter!("9");
#[cfg(all(feature = "chapter10", not(feature = "chapter11")))]
this_is_chapter!("10");
#[cfg(all(feature = "chapter11", not(feature = "chapter12")))]
this_is_chapter!("11");
#[cfg(feature = "chapter12")]
this_is_chapter!("12");

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
