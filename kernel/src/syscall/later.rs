//! Where chapter 11 comes in: what can be mapped other than frames, and what a program may have mapped that is not memory.

#[cfg(feature = "chapter11")]
pub(super) use crate::devices::{is_memory, map, protect, unmap};
#[cfg(not(feature = "chapter11"))]
pub(super) use none::{is_memory, map, protect, unmap};

/// Without it there are only frames.
#[cfg(not(feature = "chapter11"))]
mod none {
    use flatmk_abi::Error;

    use crate::capability::Slot;
    use crate::memory::{AddressSpace, Frame};

    pub(in crate::syscall) fn map(_: AddressSpace, _: &Slot, _: u64, _: u64) -> Result<(), Error> {
        Err(Error::WrongKind)
    }

    pub(in crate::syscall) fn protect(_: &Slot, _: u64) -> Result<(), Error> {
        Err(Error::WrongKind)
    }

    pub(in crate::syscall) fn unmap(_: &Slot) -> Result<(), Error> {
        Err(Error::WrongKind)
    }

    pub(in crate::syscall) fn is_memory(_: Frame) -> bool {
        true
    }
}
