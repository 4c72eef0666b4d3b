//! One capability, and its place in the tree of derivation.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use flatmk_abi::{Error, Kind, Rights};

use super::memory::MOST_SPLITS;
use crate::memory::{Frame, Owner, PageKind, entry_of};
use crate::planted::{Bug, planted};

// ANCHOR: slot
/// A place for a capability: 64 bytes, one cache line.
///
/// The words belong to the kind: an endpoint's entry address and context word, a frame's mapping, a memory's region.
#[repr(C, align(64))]
pub struct Slot {
    kind: Cell<Kind>,
    rights: Cell<Rights>,
    /// For a memory capability: how many splits lie between it and the memory that the machine began with.
    depth: Cell<u8>,
    /// For a memory capability: the first page of the memory it was split off, by number; 0 for none. For device memory its own first page.
    parent: Cell<u32>,
    /// The object's page, by its address in the window; 0 for kinds that have none. For a memory capability its first page.
    page: Cell<u64>,
    words: [Cell<u64>; 3],
    /// The first capability that was derived from this one.
    child: Link,
    /// The next one that was derived from the same.
    next: Link,
    /// Where it hangs: the slot whose `child` or `next` it is.
    back: Link,
}
// ANCHOR_END: slot

type Link = Cell<Option<NonNull<Slot>>>;

const _: () = assert!(size_of::<Slot>() == 64);

/// What a slot holds, without its place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The kind.
    pub kind: Kind,
    /// What the holder may do.
    pub rights: Rights,
    /// The object's page, by its address in the window; 0 for kinds that have none.
    pub page_address: u64,
    /// What belongs to the kind.
    pub words: [u64; 3],
}

impl Content {
    /// A capability to an object of one page.
    #[must_use]
    pub fn to_page(kind: Kind, rights: Rights, page: Frame) -> Self {
        Self { kind, rights, page_address: page.window_address(), words: [0; 3] }
    }

    /// A capability to something that is not a page: the console, the power switch.
    #[must_use]
    pub fn to_device(kind: Kind, rights: Rights) -> Self {
        Self { kind, rights, page_address: 0, words: [0; 3] }
    }
}

/// What a slot keeps of a range of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceWords {
    /// The first page, by number.
    pub first_page: u32,
    /// The words of the kind.
    pub words: [u64; 3],
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
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.kind() == Kind::Empty
    }

    /// What its holder may do.
    #[inline]
    pub fn rights(&self) -> Rights {
        self.rights.get()
    }

    /// The object's page.
    #[inline]
    pub fn page(&self) -> Option<Frame> {
        let address = self.page.get();
        (address != 0).then(|| Frame::at_window_address(address))
    }

    /// The object's page, by its address in the window; 0 for none.
    #[inline]
    pub fn page_address(&self) -> u64 {
        self.page.get()
    }

    /// The word 0, 1 or 2 of the kind.
    #[inline]
    pub fn word<const INDEX: usize>(&self) -> u64 {
        const { assert!(INDEX < 3) };
        self.words.get(INDEX).map_or(0, Cell::get)
    }

    /// The words of the kind.
    #[inline]
    pub fn words(&self) -> [u64; 3] {
        let [a, b, c] = &self.words;
        [a.get(), b.get(), c.get()]
    }

    /// Sets the words of the kind.
    #[inline]
    pub(super) fn set_words(&self, words: [u64; 3]) {
        self.words.iter().zip(words).for_each(|(cell, word)| cell.set(word));
    }

    /// How many splits lie above a memory capability, and the first page of the memory it was split off.
    pub(super) fn origin(&self) -> (u8, Option<Frame>) {
        let parent = self.parent.get();
        (self.depth.get(), (parent != 0).then(|| Frame::from_number(parent)))
    }

    pub(super) fn set_origin(&self, depth: u8, parent: Option<Frame>) {
        self.depth.set(depth);
        self.parent.set(parent.map_or(0, Frame::number));
    }

    /// For device memory: what it keeps.
    pub fn device(&self) -> DeviceWords {
        DeviceWords { first_page: self.parent.get(), words: self.words() }
    }

    /// Sets that.
    pub fn set_device(&self, kept: DeviceWords) {
        debug_assert_eq!(self.kind(), Kind::DeviceMemory);
        self.parent.set(kept.first_page);
        self.set_words(kept.words);
    }

    /// What it holds. Of an empty slot only the kind means something.
    #[inline]
    pub fn content(&self) -> Content {
        Content { kind: self.kind(), rights: self.rights(), page_address: self.page_address(), words: self.words() }
    }

    /// Checks that it holds an endpoint, with whatever code behind it, with these rights.
    ///
    /// # Errors
    ///
    /// Those of [`require`](Self::require).
    #[inline]
    pub fn require_endpoint(&self, rights: Rights) -> Result<&Self, Error> {
        let is_other = self.kind() == Kind::SoftuserEndpoint;
        self.require(if is_other { Kind::SoftuserEndpoint } else { Kind::Endpoint }, rights)
    }

    /// Checks that it holds this kind, with these rights.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] for an empty slot, [`Error::WrongKind`], [`Error::MissingRight`].
    #[inline]
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

    /// Sets what an empty slot holds, without a place in the tree.
    #[inline]
    fn set(&self, content: Content) {
        debug_assert!(self.is_empty(), "only an empty slot is filled");
        self.kind.set(content.kind);
        self.rights.set(content.rights);
        self.page.set(content.page_address);
        self.set_words(content.words);
    }

    /// The page in which this slot is: a table, or a task.
    pub(super) fn home(&self) -> Frame {
        Frame::at_window_address(ptr::from_ref(self) as u64)
    }
}

/// The tree of derivation. Each slot knows its first child and its next sibling, and the slot of which it is the one or the other; so
/// each change below takes a constant number of steps, whatever the size of the tree.
impl Slot {
    fn follow(link: &Link) -> Option<&'static Slot> {
        // SAFETY: links lead to slots that hold a capability: a slot leaves the tree when it is emptied, and it is emptied before
        // the page in which it is goes. Slots are only ever shared, and their fields are cells.
        link.get().map(|slot| unsafe { slot.as_ref() })
    }

    /// The first capability that was derived from this one.
    #[inline]
    pub fn child(&self) -> Option<&'static Slot> {
        Slot::follow(&self.child)
    }

    /// The next capability that was derived from the same one.
    #[inline]
    pub fn next(&self) -> Option<&'static Slot> {
        Slot::follow(&self.next)
    }

    /// The slot whose first child or next sibling this is.
    #[inline]
    pub fn back(&self) -> Option<&'static Slot> {
        Slot::follow(&self.back)
    }

    /// All that was derived from this one directly.
    pub fn children(&self) -> impl Iterator<Item = &'static Slot> {
        core::iter::successors(self.child(), |slot| slot.next())
    }

    // ANCHOR: links
    /// Fills an empty slot with a capability that is derived from `parent`.
    #[inline]
    pub(super) fn fill_below(&self, parent: &Slot, content: Content) {
        self.set(content);
        self.hang(&parent.child, parent);
    }

    /// Fills an empty slot with a capability that is derived from none.
    pub(super) fn fill_alone(&self, content: Content) {
        self.set(content);
        self.child.set(None);
        self.next.set(None);
        self.back.set(None);
    }

    /// Hangs the slot on a link of `back`, before what hung there.
    #[inline]
    fn hang(&self, link: &Link, back: &Slot) {
        // ANCHOR: exercise-4-2
        let next = link.replace(Some(NonNull::from(self)));
        self.next.set(next);
        self.back.set(Some(NonNull::from(back)));
        if let Some(next) = Slot::follow(&self.next) {
            next.back.set(Some(NonNull::from(self)));
        }
        // ANCHOR_END: exercise-4-2
    }

    /// Takes the slot, with what hangs below it, from where it hangs.
    #[inline]
    fn unhang(&self) {
        if let Some(next) = self.next() {
            next.back.set(self.back.get());
        }
        if let Some(link) = self.link_to_self() {
            link.set(self.next.get());
        }
    }

    /// The link of another slot that leads here.
    #[inline]
    fn link_to_self(&self) -> Option<&'static Link> {
        let back = self.back()?;
        Some(if self.is_first_child() { &back.child } else { &back.next })
    }

    /// Whether the slot where it hangs is the one from which it was derived.
    #[inline]
    pub(super) fn is_first_child(&self) -> bool {
        self.back().and_then(Slot::child).is_some_and(|child| ptr::eq(child, self))
    }

    /// Puts the first child beside its parent, which loses it.
    pub(super) fn hoist_child(&self) {
        // ANCHOR: exercise-4-4
        if let Some(child) = self.child() {
            child.unhang();
            if !planted(Bug::ChildIsLost) {
                child.hang(&self.next, self);
            }
        }
        // ANCHOR_END: exercise-4-4
    }

    /// Moves what another slot holds, with its place in the tree, into this empty one.
    #[inline]
    pub(super) fn take_over(&self, from: &Slot) {
        self.set(from.content());
        self.depth.set(from.depth.get());
        self.parent.set(from.parent.get());
        if let Some(link) = from.link_to_self() {
            link.set(Some(NonNull::from(self)));
        }
        for (link, from) in [(&self.child, &from.child), (&self.next, &from.next)] {
            link.set(from.get());
            if let Some(other) = Slot::follow(link).filter(|_| !planted(Bug::BackLinkIsLost)) {
                other.back.set(Some(NonNull::from(self)));
            }
        }
        self.back.set(from.back.get());
        if from.is_first_of_object() {
            self.anchor();
        }
        from.child.set(None);
        from.make_empty();
    }
    // ANCHOR_END: links

    // ANCHOR: clear
    /// Empties a slot below which nothing hangs. Tells the object that has lost its last capability by this.
    #[inline]
    pub(super) fn clear(&self) -> Option<Frame> {
        // ANCHOR: exercise-4-3
        debug_assert!(self.child.get().is_none(), "only a leaf is taken out of the tree");
        let mut orphan = None;
        // All capabilities to an object hang together, so the neighbors tell whether there are others.
        if self.is_first_of_object()
            && let Some(page) = self.object()
        {
            match self.next().filter(|next| next.leads_to_same(self) && !planted(Bug::ObjectEndsEarly)) {
                Some(next) => next.anchor(),
                None => orphan = Some(page),
            }
        }
        self.unhang();
        self.make_empty();
        orphan
        // ANCHOR_END: exercise-4-3
    }
    // ANCHOR_END: clear

    /// What was in the slot does not matter any more; below it there is nothing.
    fn make_empty(&self) {
        self.kind.set(Kind::Empty);
        self.rights.set(Rights::empty());
    }

    /// The page of the object to which it leads. Memory is not an object: its pages are.
    #[inline]
    fn object(&self) -> Option<Frame> {
        if self.kind() == Kind::Memory { None } else { self.page() }
    }

    #[inline]
    fn leads_to_same(&self, other: &Slot) -> bool {
        self.page.get() == other.page.get() && self.kind() != Kind::Memory
    }

    /// Whether no other capability to the same object hangs before this one.
    #[inline]
    fn is_first_of_object(&self) -> bool {
        !self.back().is_some_and(|back| back.leads_to_same(self))
    }

    /// Makes this, the first capability to its page, the anchor.
    #[inline]
    pub(super) fn anchor(&self) {
        if let Some(entry) = self.object().and_then(entry_of) {
            entry.set_anchor(ptr::from_ref(self) as u64);
        }
    }

    /// The capability on which the others to a page hang, or beside which they do.
    pub fn anchor_of(page: Frame) -> Option<&'static Slot> {
        let entry = entry_of(page).filter(|entry| !matches!(entry.kind(), PageKind::Dying | PageKind::Free))?;
        let first = NonNull::new(entry.anchor() as *mut Slot)?;
        // SAFETY: the anchor is a slot that holds a capability to the page, see `follow`.
        Some(unsafe { first.as_ref() })
    }

    /// The slot that holds the memory capability to the region that begins with this page, or to the one into which that region has gone.
    pub(super) fn owner_of(mut first_page: Frame) -> Option<&'static Slot> {
        // Splits lie in each other at most so deep.
        for _ in 0..=MOST_SPLITS {
            match entry_of(first_page)?.owner() {
                Owner::Nobody => return None,
                // SAFETY: the owner of a region is set when a memory capability comes into a slot, and changed when it leaves.
                Owner::Slot(address) => return NonNull::new(address as *mut Slot).map(|slot| unsafe { slot.as_ref() }),
                Owner::Region(heir) => first_page = heir,
            }
        }
        None
    }
}
