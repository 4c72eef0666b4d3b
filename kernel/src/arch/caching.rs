//! How the processor caches what a page table leads to: the page attribute table (Intel SDM vol. 3A, 11.12).

use x86_64::registers::model_specific::Msr;

use crate::processor::Processor;

/// The register `IA32_PAT`: eight entries of a byte.
const PAGE_ATTRIBUTE_TABLE: u32 = 0x277;

/// What an entry says: writes are gathered, and sent together.
const WRITE_COMBINING: u64 = 1;

/// Entry 1, which is that of pages with the bit `PWT` alone. Nothing is mapped with it before.
const ENTRY_SHIFT: u32 = 8;

/// Whether pages can be mapped write-combining.
pub(crate) fn has_write_combining() -> bool {
    Processor::identify().has_page_attribute_table()
}

/// Makes entry 1 say write-combining, instead of write-through.
pub(crate) fn initialize() {
    if !has_write_combining() {
        return;
    }
    let mut table = Msr::new(PAGE_ATTRIBUTE_TABLE);
    // SAFETY: the register is there. No page is mapped with this entry yet, so the processor keeps nothing that the change could make stale.
    unsafe {
        let others = table.read() & !(0xff << ENTRY_SHIFT);
        table.write(others | WRITE_COMBINING << ENTRY_SHIFT);
    }
}
