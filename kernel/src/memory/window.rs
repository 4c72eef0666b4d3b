//! Physical frames, and the window through which the kernel reaches them.

use core::fmt;

use crate::arch::{self, paging::window_start};

/// Size of a page, in bytes.
const PAGE_SIZE: u64 = flatmk_abi::layout::PAGE_SIZE;

/// How many pages a large frame has: it is mapped by one entry of a page table of level 2.
pub const LARGE_FRAME_PAGES: u32 = (flatmk_abi::layout::LARGE_FRAME_SIZE / PAGE_SIZE) as u32;

/// A physical page, by its number: its address divided by 4096.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Frame(u32);

impl Frame {
    /// The frame with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The frame at this physical address; `None` above 16 TiB.
    #[must_use]
    pub fn containing(physical_address: u64) -> Option<Self> {
        u32::try_from(physical_address / PAGE_SIZE).ok().map(Self)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its physical address.
    #[must_use]
    pub const fn address(self) -> u64 {
        self.0 as u64 * PAGE_SIZE
    }

    /// Where the kernel sees it.
    #[must_use]
    pub fn window_address(self) -> u64 {
        window_start() + self.address()
    }

    /// The frame of an address that is known to be in the window.
    #[must_use]
    #[inline]
    pub fn at_window_address(address: u64) -> Self {
        Self((address.wrapping_sub(window_start()) / PAGE_SIZE) as u32)
    }

    /// The frame that the kernel sees at this address of the window.
    #[must_use]
    pub fn from_window_address(address: u64) -> Option<Self> {
        address.checked_sub(window_start()).and_then(Self::containing)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "frame at {:#x}", self.address())
    }
}

// ANCHOR: owned
/// A frame that nobody else uses: just taken from a region, not yet handed out.
pub struct OwnedPage(Frame);
// ANCHOR_END: owned

impl OwnedPage {
    /// # Safety
    ///
    /// The frame is memory, within the window, and there is no other way to it as long as this value lives.
    pub(super) unsafe fn new(frame: Frame) -> Self {
        Self(frame)
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> Frame {
        self.0
    }

    /// Zeroes it, at the speed of the processor's string instruction.
    pub fn zero(&mut self) {
        arch::paging::zero_page(self.bytes());
    }

    /// Its bytes.
    pub fn bytes(&mut self) -> &mut [u8; PAGE_SIZE as usize] {
        // SAFETY: the page is mapped in the window and, by the promise of `new`, nothing else refers to it.
        unsafe { &mut *(self.0.window_address() as *mut [u8; PAGE_SIZE as usize]) }
    }
}

/// A large frame that nobody else uses. Its pages are not zeroed.
pub struct OwnedLargeFrame(Frame);

impl OwnedLargeFrame {
    /// # Safety
    ///
    /// That of [`OwnedPage::new`], for each of its pages.
    pub(super) unsafe fn new(first: Frame) -> Self {
        Self(first)
    }

    /// Its first page.
    #[must_use]
    pub fn frame(&self) -> Frame {
        self.0
    }

    /// Its pages.
    pub fn into_pages(self) -> impl Iterator<Item = OwnedPage> {
        let first = self.0.number();
        (first..first + LARGE_FRAME_PAGES).map(|number| OwnedPage(Frame::from_number(number)))
    }
}

/// Copies bytes out of a frame that others may be writing to.
///
/// # Panics
///
/// If the bytes do not lie within the frame.
pub fn read_frame(frame: Frame, offset: u64, bytes: &mut [u8]) {
    assert!(offset + bytes.len() as u64 <= PAGE_SIZE, "a read beyond the frame");
    let start = frame.window_address() + offset;
    for (address, byte) in (start..).zip(bytes) {
        // SAFETY: the address lies within a frame, which the window maps; volatile, since a user program may write to it.
        *byte = unsafe { core::ptr::read_volatile(address as *const u8) };
    }
}
