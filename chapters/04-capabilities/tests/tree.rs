//! The tree of derivation below a capability, as text: a letter for the kind, the slot's number in its table, and in brackets what was
//! derived from it, by number. `M1[F2[F3] T4]` is a memory from which a frame, with a copy, and a table were made.

use core::fmt::{self, Write};

use flatmk_abi::Kind;
use flatmk_abi::slots::SLOTS_PER_TABLE;
use kernel::capability::{Slot, Table};

use crate::shared::{MEMORY, slot};

/// Text of bounded length.
pub(crate) struct Text {
    bytes: [u8; 512],
    length: usize,
}

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| core::str::from_utf8(bytes).ok()).expect("ASCII")
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let place = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::Memory => 'M',
        Kind::Table => 'T',
        Kind::AddressSpace => 'S',
        Kind::Frame => 'F',
        Kind::LargeFrame => 'L',
        Kind::Task => 'K',
        Kind::Endpoint => 'E',
        _ => '?',
    }
}

fn number(slot: &Slot) -> u64 {
    core::ptr::from_ref(slot) as u64 / size_of::<Slot>() as u64 % SLOTS_PER_TABLE
}

fn write(text: &mut Text, slot: &Slot) -> fmt::Result {
    write!(text, "{}{}", letter(slot.kind()), number(slot))?;
    let mut next = 0;
    let mut separator = '[';
    // In the order of the numbers: that of the links is nobody's business.
    while let Some(child) = slot.children().filter(|child| number(child) >= next).min_by_key(|child| number(child)) {
        assert_eq!(slot.children().filter(|other| number(other) == number(child)).count(), 1, "numbers are unique");
        text.write_char(separator)?;
        write(text, child)?;
        (separator, next) = (' ', number(child) + 1);
    }
    if next == 0 { Ok(()) } else { text.write_char(']') }
}

/// The tree below the memory of a test.
pub(crate) fn tree(table: &Table) -> Text {
    tree_of(slot(table, MEMORY))
}

pub(crate) fn tree_of(slot: &Slot) -> Text {
    let mut text = Text { bytes: [0; 512], length: 0 };
    write(&mut text, slot).expect("a small tree");
    text
}

/// Checks the tree below the memory of a test, and that all is in order.
pub(crate) fn expect_tree(table: &Table, expected: &str) {
    crate::shared::check();
    assert_eq!(tree(table).as_str(), expected);
}
