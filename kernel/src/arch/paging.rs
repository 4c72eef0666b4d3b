//! What address spaces need of the processor: the register that names the top-level page table, and the translations that it
//! remembers.
//!
//! On the host, where the kernel's logic is tested, both are only told to whoever tests it, and the window is a piece of memory.

#[cfg(not(target_os = "none"))]
mod host;
#[cfg(target_os = "none")]
mod processor;

#[cfg(not(target_os = "none"))]
pub use host::{Event, set_observer, set_window};

#[cfg(not(target_os = "none"))]
use host as machine;
#[cfg(target_os = "none")]
use processor as machine;

/// Bit 63 of what is loaded into CR3: the processor keeps what it remembers under the identifier (Intel SDM vol. 3A, 4.10.4.1).
#[cfg(feature = "chapter9")]
pub(crate) const KEEP: u64 = 1 << 63;

/// The bits of CR3, and of an entry of a page table, that are an address (Intel SDM vol. 3A, table 4-12).
pub(crate) const ADDRESS_BITS: u64 = 0x000f_ffff_ffff_f000;

/// The address at which the kernel sees physical address 0.
#[inline(always)]
#[must_use]
pub fn window_start() -> u64 {
    machine::window_start()
}

/// The physical address of the top-level page table.
#[must_use]
pub fn top_table() -> u64 {
    machine::top_table()
}

/// Makes the processor use another top-level page table. Without identifiers it forgets all translations but global ones; with them, those
/// of the identifier in the low 12 bits, unless bit 63 is set (Intel SDM vol. 3A, 4.10.4.1).
///
/// # Safety
///
/// The table has the kernel's upper half, and nothing that is in use is mapped in the lower half of the current one only. Identifier and
/// bit 63 are there only where the processor uses identifiers.
#[inline(always)]
pub(crate) unsafe fn load_top_table(cr3: u64) {
    // SAFETY: the caller vouches for the table.
    unsafe { machine::load_top_table(cr3) };
}

/// Makes the processor forget the translation of an address in the current space.
pub fn flush(address: u64) {
    machine::flush(address);
}

/// Zeroes a page.
pub fn zero_page(page: &mut [u8; 4096]) {
    // SAFETY: the instruction writes 512 words, which are the page; the direction flag is clear, as everywhere in Rust.
    unsafe {
        core::arch::asm!(
            "rep stosq",
            inout("rdi") page.as_mut_ptr() => _,
            inout("rcx") 512_u64 => _,
            in("rax") 0_u64,
            options(nostack, preserves_flags),
        );
    }
}
