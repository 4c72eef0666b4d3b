//! What a capability allows.

use bitflags::bitflags;

macro_rules! rights {
    ($($(#[doc = $doc:literal])+ $name:ident = $bit:literal,)+) => {
        bitflags! {
            /// What the holder of a capability may do with it. A copy has at most the rights of its source.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[repr(transparent)]
            pub struct Rights: u8 {
                $($(#[doc = $doc])+ const $name = 1 << $bit;)+
            }
        }

        impl Rights {
            /// Each right, and what it is for.
            pub const MEANINGS: [(Rights, &str); [$($bit,)+].len()] = [$((Rights::$name, concat!($($doc),+).trim_ascii()),)+];
        }
    };
}

// ANCHOR: rights
rights! {
    /// Read: map a frame readable, read from the console or a port, wait for a notification.
    READ = 0,
    /// Write: map a frame writable, write to the console or a port, signal a notification.
    WRITE = 1,
    /// Execute: map a frame executable.
    EXECUTE = 2,
    /// Copy, mint or move the capability to another slot.
    GRANT = 3,
    /// Call an endpoint.
    CALL = 4,
    /// Change the object itself: a table's slots, a space's mappings, a task's state.
    MANAGE = 5,
    /// Move capabilities along with a call of an endpoint.
    TRANSFER = 6,
}
// ANCHOR_END: rights
