//! How a page may be mapped.

use crate::Rights;

/// How a page is mapped. There is no variant that is both writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Access {
    /// Read only.
    Read = 0,
    /// Read and write, not executable.
    ReadWrite = 1,
    /// Read and execute, not writable.
    ReadExecute = 2,
}

impl Access {
    /// The access with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Access> {
        [Access::Read, Access::ReadWrite, Access::ReadExecute].into_iter().find(|&access| access as u64 == number)
    }

    /// The rights that a frame capability needs to be mapped like this.
    #[must_use]
    pub fn needed_rights(self) -> Rights {
        match self {
            Access::Read => Rights::READ,
            Access::ReadWrite => Rights::READ.union(Rights::WRITE),
            Access::ReadExecute => Rights::READ.union(Rights::EXECUTE),
        }
    }
}
