//! One capability.

use core::cell::Cell;
use core::ptr::NonNull;

use flatmk_abi::{Error, Kind, Rights};

use crate::memory::{Frame, PageEntry, entry_of};

// ANCHOR: slot
/// A place for a capability: 64 bytes, one cache line.
///
/// The words belong to the kind: an endpoint's entry address and context word, a frame's mapping, a memory's region.
#[repr(C, align(64))]
pub struct Slot {
    kind: Cell<Kind>,
    rights: Cell<Rights>,
    /// The object's page, by its address in the window; 0 for kinds that have none.
    page: Cell<u64>,
    words: [Cell<u64>; 2],
    /// The next and the previous capability to the same object. The first one hangs on the page's entry.
    next: Cell<Option<NonNull<Slot>>>,
    previous: Cell<Option<NonNull<Slot>>>,
    /// Room for the region of a memory capability.
    more: [Cell<u64>; 2],
}
// ANCHOR_END: slot

const _: () = assert!(size_of::<Slot>() == 64);

/// What a slot holds, without its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The kind.
    pub kind: Kind,
    /// What the holder may do.
    pub rights: Rights,
    /// The object's page, where the kind has one.
    pub page: Option<Frame>,
    /// What belongs to the kind.
    pub words: [u64; 2],
    /// More of it.
    pub more: [u64; 2],
}

impl Content {
    /// A capability to an object of one page.
    #[must_use]
    pub fn to_page(kind: Kind, rights: Rights, page: Frame) -> Self {
        Self { kind, rights, page: Some(page), words: [0; 2], more: [0; 2] }
    }

    /// A capability to something that is not a page: the console, the power switch.
    #[must_use]
    pub fn to_device(kind: Kind, rights: Rights) -> Self {
        Self { kind, rights, page: None, words: [0; 2], more: [0; 2] }
    }
}

impl Slot {
    /// Where the words are in a slot, for the stubs.
    pub const WORDS_OFFSET: usize = core::mem::offset_of!(Slot, words);

    /// Whether it holds this kind, with these rights.
    #[inline(always)]
    pub fn is(&self, kind: Kind, rights: Rights) -> bool {
        self.kind() == kind && self.rights().contains(rights)
    }

    /// What kind of capability it holds.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind.get()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.kind() == Kind::Empty
    }

    /// What its holder may do.
    #[inline]
    pub fn rights(&self) -> Rights {
        self.rights.get()
    }

    /// The object's page.
    pub fn page(&self) -> Option<Frame> {
        Frame::from_window_address(self.page.get())
    }

    /// The object's page, by its address in the window; 0 for none.
    #[inline]
    pub fn page_address(&self) -> u64 {
        self.page.get()
    }

    /// The word 0 or 1 of the kind.
    #[inline]
    pub fn word<const INDEX: usize>(&self) -> u64 {
        const { assert!(INDEX < 2) };
        self.words.get(INDEX).map_or(0, Cell::get)
    }

    /// Sets the words of the kind.
    pub(super) fn set_words(&self, words: [u64; 2]) {
        self.words.iter().zip(words).for_each(|(cell, word)| cell.set(word));
    }

    pub(super) fn set_more(&self, words: [u64; 2]) {
        self.more.iter().zip(words).for_each(|(cell, word)| cell.set(word));
    }

    /// What it holds.
    pub fn content(&self) -> Content {
        let [word_0, word_1] = &self.words;
        let [more_0, more_1] = &self.more;
        Content {
            kind: self.kind(),
            rights: self.rights(),
            page: self.page(),
            words: [word_0.get(), word_1.get()],
            more: [more_0.get(), more_1.get()],
        }
    }

    /// Checks that it holds this kind, with these rights.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] for an empty slot, [`Error::WrongKind`], [`Error::MissingRight`].
    pub fn require(&self, kind: Kind, rights: Rights) -> Result<&Self, Error> {
        if self.is_empty() {
            Err(Error::InvalidCapability)
        } else if self.kind() != kind {
            Err(Error::WrongKind)
        } else if !self.rights().contains(rights) {
            Err(Error::MissingRight)
        } else {
            Ok(self)
        }
    }

    fn entry(&self) -> Option<&'static PageEntry> {
        self.page().and_then(entry_of)
    }

    /// Fills an empty slot and puts it at the head of the list of its object.
    pub(super) fn fill(&self, content: Content) {
        debug_assert!(self.is_empty(), "only an empty slot is filled");
        self.kind.set(content.kind);
        self.rights.set(content.rights);
        self.page.set(content.page.map_or(0, Frame::window_address));
        self.set_words(content.words);
        self.set_more(content.more);
        self.link();
    }

    /// Empties the slot. Tells whether it held the last capability to its object.
    pub(super) fn clear(&self) -> bool {
        let was_last = self.unlink();
        self.kind.set(Kind::Empty);
        self.rights.set(Rights::empty());
        self.page.set(0);
        self.set_words([0; 2]);
        self.set_more([0; 2]);
        was_last
    }

    fn link(&self) {
        let Some(entry) = self.entry() else { return };
        let first = NonNull::new(entry.anchor() as *mut Slot);
        self.previous.set(None);
        self.next.set(first);
        if let Some(first) = first {
            // SAFETY: what hangs on the anchor of a page is a slot that holds a capability to it; a slot leaves the list
            // before its memory goes.
            unsafe { first.as_ref() }.previous.set(Some(NonNull::from(self)));
        }
        entry.set_anchor(core::ptr::from_ref(self) as u64);
    }

    fn unlink(&self) -> bool {
        let Some(entry) = self.entry() else { return false };
        let (previous, next) = (self.previous.take(), self.next.take());
        if let Some(next) = next {
            // SAFETY: a neighbor in the list is a slot that holds a capability; see `link`.
            unsafe { next.as_ref() }.previous.set(previous);
        }
        match previous {
            // SAFETY: as above.
            Some(previous) => unsafe { previous.as_ref() }.next.set(next),
            None => entry.set_anchor(next.map_or(0, |next| next.as_ptr() as u64)),
        }
        previous.is_none() && next.is_none()
    }

    /// The first capability to a page.
    pub fn first_of(page: Frame) -> Option<&'static Slot> {
        let first = NonNull::new(entry_of(page)?.anchor() as *mut Slot)?;
        // SAFETY: see `link`.
        Some(unsafe { first.as_ref() })
    }

    /// The slot that holds the memory capability to the region that begins with this page.
    pub(super) fn owner_of(first_page: Frame) -> Option<&'static Slot> {
        let owner = NonNull::new(entry_of(first_page)?.owner() as *mut Slot)?;
        // SAFETY: the owner of a region is set when a memory capability comes into a slot, and cleared when it leaves.
        Some(unsafe { owner.as_ref() })
    }

    /// All capabilities to a page.
    pub fn all_of(page: Frame) -> impl Iterator<Item = &'static Slot> {
        core::iter::successors(Slot::first_of(page), |slot| {
            // SAFETY: see `link`.
            slot.next.get().map(|next| unsafe { next.as_ref() })
        })
    }
}
