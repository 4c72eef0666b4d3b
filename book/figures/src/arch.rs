//! What the kernel's files need of the processor.

/// Nothing interrupts a figure.
pub(crate) fn without_interrupts<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Page tables: the window in which the kernel sees all memory is the memory of [`machine`](crate::machine). No processor uses them, so there is nothing to
/// load and nothing to forget.
pub(crate) mod paging {
    /// The bits of an entry of a page table that are an address (Intel SDM vol. 3A, table 4-12).
    pub(crate) const ADDRESS_BITS: u64 = 0x000f_ffff_ffff_f000;

    pub(crate) fn window_start() -> u64 {
        crate::machine::start()
    }

    pub(crate) fn top_table() -> u64 {
        0
    }

    #[expect(unsafe_code, reason = "declared as the kernel's is")]
    pub(crate) unsafe fn load_top_table(_: u64) {}

    pub(crate) fn flush(_: u64) {}

    pub(crate) fn zero_page(page: &mut [u8; 4096]) {
        page.fill(0);
    }
}
