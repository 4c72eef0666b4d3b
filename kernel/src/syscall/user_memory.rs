//! User memory, as the kernel reads it.

use core::ops::Range;

use flatmk_abi::Error;
use flatmk_abi::layout::{PAGE_SIZE, USER_END, USER_START};

use super::later::is_memory;
use crate::memory::{AddressSpace, read_frame};

// ANCHOR: claim
/// A range of addresses that a user program has named: a claim, until it is checked against its address space.
///
/// The kernel never dereferences it. It walks the page tables itself and reads the frames through its window, so there is no
/// fault to recover from, and supervisor-mode access prevention stays on.
pub struct UserRange(Range<u64>);

impl UserRange {
    /// Takes note of a claim.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`] where the range leaves user space.
    pub fn claim(address: u64, length_bytes: usize) -> Result<Self, Error> {
        let end = address.checked_add(length_bytes as u64).ok_or(Error::InvalidAddress)?;
        if address < USER_START || end > USER_END {
            return Err(Error::InvalidAddress);
        }
        Ok(Self(address..end))
    }
    // ANCHOR_END: claim

    /// Reads the range from an address space. `bytes` is as long as the range.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`] where part of it is not mapped, or is not memory.
    pub fn read(self, space: AddressSpace, mut bytes: &mut [u8]) -> Result<(), Error> {
        // ANCHOR: exercise-5-1
        let Range { mut start, end } = self.0;
        while start < end {
            let frame = space.translate(start).ok_or(Error::InvalidAddress)?.frame;
            // The window does not reach all device memory, and reading that may do things.
            if !is_memory(frame) {
                return Err(Error::InvalidAddress);
            }
            let in_page = (PAGE_SIZE - start % PAGE_SIZE).min(end - start);
            let length = usize::try_from(in_page).map_err(|_| Error::InvalidAddress)?;
            let (part, rest) = bytes.split_at_mut_checked(length).ok_or(Error::InvalidArgument)?;
            read_frame(frame, start % PAGE_SIZE, part);
            (start, bytes) = (start + in_page, rest);
        }
        Ok(())
        // ANCHOR_END: exercise-5-1
    }
}
