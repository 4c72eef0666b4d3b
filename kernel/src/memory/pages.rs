//! The table of pages: one entry of 32 bytes for each physical page up to the highest usable one, holes included.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

use super::region::{MOST_REGIONS, Region, Regions};
use super::window::Frame;
use crate::stop::{StopCode, stop};

// ANCHOR: kinds
/// What a physical page is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageKind {
    /// Not for us: a hole, firmware, a device, the kernel itself.
    Reserved = 0,
    /// Free memory.
    Free,
    /// The top-level page table of an address space.
    AddressSpace,
    /// A lower page table.
    PageTable,
    /// Memory of user programs.
    Frame,
    /// One of the 512 pages of a large frame.
    LargeFrame,
    /// A capability table.
    Table,
    /// A task.
    Task,
    /// A notification.
    Notification,
    /// Floating-point state of a task.
    FloatingPoint,
    /// RISC-V registers and translated code of a task.
    Softuser,
    /// What is bound to the interrupt lines.
    Bindings,
    /// The kernel's capability to the frame into which it traces.
    Trace,
    /// Gone as an object; waits to be taken apart and given back.
    Dying,
}
// ANCHOR_END: kinds

// ANCHOR: entry
/// The entry of one page.
#[repr(C)]
pub struct PageEntry {
    kind: Cell<PageKind>,
    /// How often the page has been an address space that ended: three bytes here, four in the next field.
    generation_high: Cell<[u8; 3]>,
    generation_low: Cell<u32>,
    /// The first page of the region from which this page was taken, by number.
    region: Cell<u32>,
    /// The next page of the list of free, or of dying, pages, by number; 0 ends the list. For an address space: the first page of
    /// the region from which its page tables come.
    next: Cell<u32>,
    /// The first capability to this page, from which all others are reached, by address; 0 for none. Operations keep it; those who look
    /// at an object from its page, as the audit does, use it.
    anchor: Cell<u64>,
    /// In the entry of a region's first page: an [`Owner`].
    owner: Cell<u64>,
}
// ANCHOR_END: entry

/// Where the pages of a region go when they come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nowhere: the region is the kernel's own, or one of the machine's first whose capability was lost.
    Nobody,
    /// To the memory capability in this slot, by address.
    Slot(u64),
    /// To the region that begins with this page: it has taken this one back.
    Region(Frame),
}

impl Owner {
    /// Slots lie at even addresses.
    const IS_REGION: u64 = 1;
}

const _: () = assert!(size_of::<PageEntry>() == 32);

#[expect(missing_docs, reason = "plain access to the fields above")]
impl PageEntry {
    const fn reserved() -> Self {
        Self {
            kind: Cell::new(PageKind::Reserved),
            generation_high: Cell::new([0; 3]),
            generation_low: Cell::new(0),
            region: Cell::new(0),
            next: Cell::new(0),
            anchor: Cell::new(0),
            owner: Cell::new(0),
        }
    }

    pub fn kind(&self) -> PageKind {
        self.kind.get()
    }

    pub fn set_kind(&self, kind: PageKind) {
        self.kind.set(kind);
    }

    /// With 56 bits it does not repeat.
    pub fn generation(&self) -> u64 {
        let [a, b, c] = self.generation_high.get();
        u64::from(self.generation_low.get()) | u64::from(u32::from_le_bytes([a, b, c, 0])) << 32
    }

    pub fn next_generation(&self) {
        let [low @ .., a, b, c, _] = (self.generation() + 1).to_le_bytes();
        self.generation_low.set(u32::from_le_bytes(low));
        self.generation_high.set([a, b, c]);
    }

    pub fn region(&self) -> Frame {
        Frame::from_number(self.region.get())
    }

    pub fn set_region(&self, first: Frame) {
        self.region.set(first.number());
    }

    pub fn next(&self) -> Option<Frame> {
        Some(self.next.get()).filter(|&number| number != 0).map(Frame::from_number)
    }

    pub fn set_next(&self, next: Option<Frame>) {
        self.next.set(next.map_or(0, Frame::number));
    }

    pub fn anchor(&self) -> u64 {
        self.anchor.get()
    }

    pub fn set_anchor(&self, address: u64) {
        self.anchor.set(address);
    }

    pub fn owner(&self) -> Owner {
        match self.owner.get() {
            0 => Owner::Nobody,
            word if word & Owner::IS_REGION != 0 => Owner::Region(Frame::from_number((word >> 1) as u32)),
            address => Owner::Slot(address),
        }
    }

    pub fn set_owner(&self, owner: Owner) {
        self.owner.set(match owner {
            Owner::Nobody => 0,
            Owner::Slot(address) => address,
            Owner::Region(first) => u64::from(first.number()) << 1 | Owner::IS_REGION,
        });
    }
}

/// Where the table is, and how many entries it has. Written once, at boot.
static TABLE_ADDRESS: AtomicU64 = AtomicU64::new(0);
static TABLE_LENGTH: AtomicU64 = AtomicU64::new(0);

/// How many pages have an entry.
pub fn page_count() -> u64 {
    TABLE_LENGTH.load(Ordering::Relaxed)
}

/// The entry of a page, if it has one: pages above the last usable one, devices for example, have none.
#[inline]
pub fn entry_of(frame: Frame) -> Option<&'static PageEntry> {
    let index = u64::from(frame.number());
    if index >= page_count() {
        return None;
    }
    let table = TABLE_ADDRESS.load(Ordering::Relaxed) as *const PageEntry;
    // SAFETY: the index is within the table that `place_table` has filled in; entries are shared, and their fields are cells,
    // which only this one processor uses, with interrupts off or from the kernel's own thread at boot.
    Some(unsafe { &*table.add(frame.number() as usize) })
}

/// Finds room for the table, fills it in, and returns the regions without that room.
pub(super) fn place_table(mut regions: Regions) -> Regions {
    let count = regions.iter().map(Region::end).max().unwrap_or(0);
    let bytes = u64::from(count) * size_of::<PageEntry>() as u64;
    let Ok(pages) = u32::try_from(bytes.div_ceil(flatmk_abi::layout::PAGE_SIZE)) else {
        stop(StopCode::TooLittleMemory, format_args!("the memory map reaches beyond 16 TiB"));
    };
    // The smallest region that is large enough, so that the large ones stay whole.
    let home =
        regions.iter_mut().filter(|region| region.free_pages() >= pages).min_by_key(|region| region.free_pages());
    let Some(first) = home.and_then(|region| region.cut_front(pages)) else {
        stop(StopCode::TooLittleMemory, format_args!("no room for the table of pages: {bytes} bytes in one piece"));
    };

    let table = first.window_address() as *mut PageEntry;
    for index in 0..count as usize {
        // SAFETY: the room was just cut from a usable region, is large enough for `count` entries and is mapped in the window.
        unsafe { table.add(index).write(PageEntry::reserved()) };
    }
    TABLE_ADDRESS.store(first.window_address(), Ordering::Relaxed);
    TABLE_LENGTH.store(u64::from(count), Ordering::Relaxed);

    // Free pages are named as such one by one: the reserved ones in between stay what they are.
    for region in &regions {
        for number in region.start()..region.end() {
            if let Some(entry) = entry_of(Frame::from_number(number)) {
                entry.set_kind(PageKind::Free);
            }
        }
    }
    debug_assert!(regions.len() <= MOST_REGIONS);
    regions
}
