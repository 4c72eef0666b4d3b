//! From the bootloader to the first line of the kernel.
//!
//! The bootloader loads the kernel in 64-bit mode with paging on, and passes a [`BootInfo`]: the memory map, the framebuffer
//! and the ramdisk. What it is asked for is [`CONFIGURATION`].

mod options;

use bootloader_api::{BootInfo, BootloaderConfig, config::Mapping};

pub use options::{Exit, Isolation, Options, Timer, options};

use crate::{console, println, processor::Processor, sync::Exclusive};

// ANCHOR: layout
/// Where all physical memory is mapped, writable and not executable: address `p` at `PHYSICAL_WINDOW + p`.
pub const PHYSICAL_WINDOW: u64 = 0xffff_8000_0000_0000;

/// The lowest address that the bootloader chooses for the rest: boot information, framebuffer, ramdisk. The lower half
/// belongs to user programs.
const DYNAMIC_RANGE_START: u64 = 0xffff_a000_0000_0000;

/// The kernel's stack. The page below it is never mapped, so an overflow faults.
const STACK_GUARD: u64 = 0xffff_9000_0000_0000;
const STACK_SIZE_BYTES: u64 = 128 * 1024;

/// The lowest address of the kernel's stack.
pub const STACK_BOTTOM: u64 = STACK_GUARD + 4096;

/// The top of the kernel's stack, where it begins at boot and, from chapter 5 on, at each entry from user mode.
pub const STACK_TOP: u64 = STACK_BOTTOM + STACK_SIZE_BYTES;
// ANCHOR_END: layout

// ANCHOR: configuration
/// What the kernel asks of the bootloader.
pub static CONFIGURATION: BootloaderConfig = {
    let mut configuration = BootloaderConfig::new_default();
    configuration.mappings.physical_memory = Some(Mapping::FixedAddress(PHYSICAL_WINDOW));
    configuration.mappings.kernel_stack = Mapping::FixedAddress(STACK_GUARD);
    configuration.mappings.dynamic_range_start = Some(DYNAMIC_RANGE_START);
    configuration.kernel_stack_size = STACK_SIZE_BYTES;
    configuration
};
// ANCHOR_END: configuration

/// The boot ramdisk, a tar archive.
static RAMDISK: Exclusive<&'static [u8]> = Exclusive::new(&[]);

/// The bytes of the boot ramdisk; empty where there is none.
pub fn ramdisk() -> &'static [u8] {
    RAMDISK.with(|ramdisk| *ramdisk)
}

// ANCHOR: initialize
/// Brings up what chapter 1 has: options, console, banner.
pub(crate) fn initialize(information: &mut BootInfo) {
    if let Some(address) = information.ramdisk_addr.into_option() {
        let length = usize::try_from(information.ramdisk_len).unwrap_or(0);
        // SAFETY: the bootloader has mapped so many bytes at this address, and nothing writes to them.
        let bytes = unsafe { core::slice::from_raw_parts(address as *const u8, length) };
        RAMDISK.with(|ramdisk| *ramdisk = bytes);
    }
    console::initialize(information.framebuffer.take());
    options::initialize(ramdisk());
    banner(information);
}
// ANCHOR_END: initialize

fn banner(information: &BootInfo) {
    let processor = Processor::identify();
    let mib = usable_bytes(information) / (1024 * 1024);
    let checks = if cfg!(debug_assertions) { ", with debug assertions" } else { "" };
    println!("FlatMk {}, chapter {}{checks}", env!("CARGO_PKG_VERSION"), crate::CHAPTER);
    println!("processor: {processor}");
    println!("memory: {mib} MiB usable, ramdisk {} KiB", information.ramdisk_len.div_ceil(1024));
}

fn usable_bytes(information: &BootInfo) -> u64 {
    use bootloader_api::info::MemoryRegionKind::Usable;
    information
        .memory_regions
        .iter()
        .filter(|region| region.kind == Usable)
        .map(|region| region.end - region.start)
        .sum()
}

/// Shows that the console works.
pub fn demonstrate() {
    println!("This is text on the serial line and on the screen. A character that the font lacks shows as: \u{1}");
    println!("To see the kernel stop, run the tests of this chapter.");
}

// ANCHOR: entry
/// Names the function in which a kernel begins, after [`initialize_chapters`](crate::initialize_chapters), and describes the
/// kernel to the program that boots it.
///
/// The section `.flatmk` holds `key=value` lines: `chapter`, `kind` (`kernel` or `test`) and, where it is not the usual one,
/// `root`: the program to boot as root task; and `option=KEY=VALUE`: boot options that it wants.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        $crate::entry!($main, "kind=kernel\n");
    };
    ($main:path, $description:expr) => {
        const _: () = {
            const TEXT: &str = concat!("chapter=", $crate::chapter!(), "\n", $description);
            #[used]
            #[unsafe(link_section = ".flatmk")]
            static DESCRIPTION: [u8; TEXT.len()] = *TEXT.as_bytes().first_chunk().expect("as long as itself");

            fn start(information: &'static mut bootloader_api::BootInfo) -> ! {
                $crate::initialize_chapters(information);
                $main()
            }
            bootloader_api::entry_point!(start, config = &$crate::boot::CONFIGURATION);
        };

        #[panic_handler]
        fn panic(information: &core::panic::PanicInfo<'_>) -> ! {
            $crate::stop::panic(information)
        }
    };
}
// ANCHOR_END: entry
