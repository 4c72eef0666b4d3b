//! The ring: events in a frame, each in the place of the oldest.
//!
//! Whoever has the frame may map it, and write whatever they like there: the kernel reads an event only to hand it to a reader, and keeps to itself
//! where it stands. And whoever has the memory may take the frame away at any time: then the slot is empty, which is looked at before each use.

use core::cell::Cell;
use core::ptr;

use flatmk_abi::layout::{LARGE_FRAME_SIZE, PAGE_SIZE};
use flatmk_abi::{EVENT_BYTES, Event, EventKind, Kind, Words};

use crate::capability::{Content, Slot, insert_below};
use crate::memory::{PageKind, take_boot_page};
use crate::stop::{StopCode, stop};

pub(super) struct Ring {
    /// A capability of the kernel's own to the frame, in a page of its own, as all capabilities are in pages.
    slot: Cell<Option<&'static Slot>>,
    /// How many events were written since tracing began, and which one of them is to be read next.
    written: Cell<u64>,
    next: Cell<u64>,
}

impl Ring {
    pub(super) const fn new() -> Self {
        Self { slot: Cell::new(None), written: Cell::new(0), next: Cell::new(0) }
    }

    /// Takes the page for the slot.
    pub(super) fn initialize(&self) {
        let Some(page) = take_boot_page(PageKind::Trace) else {
            stop(StopCode::TooLittleMemory, format_args!("no page for the trace"));
        };
        // SAFETY: the page is zeroed and stays what it is; a zeroed slot is an empty one.
        self.slot.set(Some(unsafe { &*(page.frame().window_address() as *const Slot) }));
    }

    /// The slot, where the frame is there.
    fn frame(&self) -> Option<&'static Slot> {
        self.slot.get().filter(|slot| !slot.is_empty())
    }

    /// Whether another frame can take the place of the present one: it is the same, or there is none.
    pub(super) fn takes(&self, frame: &Slot) -> bool {
        self.frame().is_none_or(|present| present.page() == frame.page())
    }

    /// Begins anew, in this frame, small or large.
    pub(super) fn begin(&self, frame: &Slot) {
        if let Some(slot) = self.slot.get().filter(|slot| slot.is_empty()) {
            // The mapping belongs to the capability that it is derived from.
            insert_below(slot, frame, Content { words: [0; 3], ..frame.content() });
        }
        self.written.set(0);
        self.next.set(0);
    }

    // ANCHOR: write
    /// Writes an event. Tells whether there is still a frame for it.
    pub(super) fn write(&self, event: Event) -> bool {
        let Some(frame) = self.frame() else { return false };
        let number = self.written.get();
        // SAFETY: the frame is there, in the window as in memory, and the place lies within it. Programs may have it mapped, so nothing is assumed
        // of what is there.
        unsafe { place(frame, number).write_volatile(event.to_words()) };
        self.written.set(number + 1);
        true
    }

    /// Takes the oldest event that was not read; all 0 where there is none.
    pub(super) fn read(&self) -> Words {
        let Some(frame) = self.frame() else { return [0; 4] };
        let (written, next) = (self.written.get(), self.next.get());
        let lost = (written - next).saturating_sub(capacity(frame));
        if lost > 0 {
            self.next.set(next + lost);
            return Event { time: 0, kind: EventKind::Lost, detail: 0, task: 0, first: lost, second: 0 }.to_words();
        }
        if next == written {
            return [0; 4];
        }
        self.next.set(next + 1);
        // SAFETY: as above. Whatever is read there goes to the reader, who could read it there as well.
        unsafe { place(frame, next).read_volatile() }
    }
    // ANCHOR_END: write
}

/// How many events a frame holds.
fn capacity(frame: &Slot) -> u64 {
    let bytes = if frame.kind() == Kind::LargeFrame { LARGE_FRAME_SIZE } else { PAGE_SIZE };
    bytes / EVENT_BYTES
}

/// Where the event with this number is, or was.
fn place(frame: &Slot, number: u64) -> *mut Words {
    ptr::with_exposed_provenance_mut((frame.page_address() + number % capacity(frame) * EVENT_BYTES) as usize)
}
