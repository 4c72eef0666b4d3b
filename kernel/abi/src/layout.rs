//! Addresses that kernel and user programs agree on.

// ANCHOR: layout
/// Size of a page and of every kernel object, in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// Size of a large frame, in bytes: 512 pages in a row that begin at a multiple of it.
pub const LARGE_FRAME_SIZE: u64 = 512 * PAGE_SIZE;

/// The lowest address that user programs may map. The first page stays empty, so that a null pointer faults.
pub const USER_START: u64 = 0x1000;

/// The end (exclusive) of what user programs may map. The last page of the lower half stays empty: a `syscall` in its last
/// two bytes would leave a non-canonical return address, and `sysret` to one faults in ring 0 (Intel SDM vol. 2B, SYSRET).
pub const USER_END: u64 = 0x0000_7fff_ffff_f000;

/// The end (exclusive) of what RISC-V code, whose addresses have 32 bits, can use. The page from here to 4 GiB stays empty in all spaces: the
/// last bytes of an access that is not aligned could lie above 4 GiB if it could begin there.
pub const SOFTUSER_END: u64 = 0xffff_f000;

/// Where the kernel maps the boot ramdisk for the root task, read only.
pub const ROOT_RAMDISK: u64 = 0x0000_1000_0000_0000;

/// The top of the root task's stack.
pub const ROOT_STACK_TOP: u64 = 0x0000_0000_8000_0000;

/// How many pages the root task's stack has.
pub const ROOT_STACK_PAGES: u64 = 16;
// ANCHOR_END: layout
