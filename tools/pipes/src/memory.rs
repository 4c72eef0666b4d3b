//! The memory of a pipe: a file without a name, which each end maps for itself.
//!
//! ```text
//! file       [producer's page][consumer's page][data]
//! mapped     guard [producer's page][consumer's page] guard [data][data again] guard
//! ```

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{NonNull, null_mut};

use flatmk_pipe::{EndPage, Memory};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

/// The size of a page, and of an end's page.
pub const PAGE_BYTES: usize = size_of::<EndPage>();

/// The two pages in front of the data.
const HEAD_BYTES: usize = 2 * PAGE_BYTES;

/// Whoever holds the file may not make it smaller: to touch what is no longer there would end the other end's process.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Which end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The one that sends.
    Producer,
    /// The one that receives.
    Consumer,
}

/// The file with the memory of a pipe. It is for one producer and one consumer, in the same process or in two.
#[derive(Debug)]
pub struct SharedMemory {
    file: OwnedFd,
    size_bytes: usize,
}

impl SharedMemory {
    /// Memory for a pipe with a buffer of this size.
    ///
    /// # Errors
    ///
    /// If the size is not a power of two of at least a page, or the kernel has no such files or no memory.
    pub fn new(size_bytes: usize) -> io::Result<Self> {
        check(size_bytes)?;
        let file = memfd_create("flatmk-pipe", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, (HEAD_BYTES + size_bytes) as u64)?;
        fcntl_add_seals(&file, SEALS)?;
        Ok(Self { file, size_bytes })
    }

    /// The same in another process, which was given the file and told the size.
    ///
    /// # Errors
    ///
    /// If the file is not of that size, or may still change it.
    pub fn from_file(file: OwnedFd, size_bytes: usize) -> io::Result<Self> {
        check(size_bytes)?;
        let is_sealed = fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SEALS));
        if !is_sealed || fstat(&file)?.st_size != (HEAD_BYTES + size_bytes) as i64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not the memory of a pipe of that size"));
        }
        Ok(Self { file, size_bytes })
    }

    /// The file, to be given to another process.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The size of the buffer.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Maps it for one end, at addresses that nothing else has: the end's own page can be written, the other's only be read, and the data be written
    /// by the producer only.
    ///
    /// # Errors
    ///
    /// If the kernel has no memory for that.
    pub fn map(&self, end: End) -> io::Result<Mapping> {
        let (producer, consumer, data) = match end {
            End::Producer => (Access::Write, Access::Read, Access::Write),
            End::Consumer => (Access::Read, Access::Write, Access::Read),
        };
        let size = self.size_bytes;
        let pieces = [
            (PAGE_BYTES, PAGE_BYTES, 0, producer),
            (2 * PAGE_BYTES, PAGE_BYTES, PAGE_BYTES, consumer),
            (DATA_AT, size, HEAD_BYTES, data),
            (DATA_AT + size, size, HEAD_BYTES, data),
        ];
        let length = DATA_AT + 2 * size + PAGE_BYTES;
        // SAFETY: new memory, which cannot be accessed.
        let start = unsafe { mmap_anonymous(null_mut(), length, ProtFlags::empty(), MapFlags::PRIVATE)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        // From here on it is given back whatever happens.
        let mapping = Mapping { start, length, size_bytes: size, end };
        for (place, bytes, offset, access) in pieces {
            let protection = match access {
                Access::Read => ProtFlags::READ,
                Access::Write => ProtFlags::READ | ProtFlags::WRITE,
            };
            let flags = MapFlags::SHARED | MapFlags::FIXED | MapFlags::POPULATE;
            // SAFETY: the place is in the memory that was just reserved, which nobody uses yet.
            unsafe { mmap(mapping.at::<c_void>(place).as_ptr(), bytes, protection, flags, &self.file, offset as u64)? };
        }
        Ok(mapping)
    }
}

/// Where the data begins in a mapping.
const DATA_AT: usize = 4 * PAGE_BYTES;

#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

fn check(size_bytes: usize) -> io::Result<()> {
    if size_bytes.is_power_of_two() && (PAGE_BYTES..=1 << 30).contains(&size_bytes) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the size of a buffer is a power of two from 4 KiB to 1 GiB"))
}

/// The memory as one end has mapped it, with pages around that nobody can touch.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    length: usize,
    size_bytes: usize,
    end: End,
}

// SAFETY: the memory does not belong to a thread, and a reference to this gives nothing but addresses.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// What the end is made of.
    ///
    /// # Safety
    ///
    /// One end is made of this memory, here or in another process, and one of the other kind. Nobody else touches it, unless they do as another process may: by
    /// volatile and atomic accesses, to what is theirs.
    #[must_use]
    pub unsafe fn memory(&self) -> Memory<'_> {
        let (own, peer) = match self.end {
            End::Producer => (self.page(End::Producer), self.page(End::Consumer)),
            End::Consumer => (self.page(End::Consumer), self.page(End::Producer)),
        };
        // SAFETY: the pages are mapped as long as this is there, the data twice in a row; the caller promises the rest. The size was checked.
        unsafe { Memory::new(own.as_ref(), peer.as_ref(), self.data(), self.size_bytes).unwrap_unchecked() }
    }

    /// The page of an end.
    #[must_use]
    pub fn page(&self, end: End) -> NonNull<EndPage> {
        self.at(match end {
            End::Producer => PAGE_BYTES,
            End::Consumer => 2 * PAGE_BYTES,
        })
    }

    /// The data, twice in a row.
    #[must_use]
    pub fn data(&self) -> NonNull<u8> {
        self.at(DATA_AT)
    }

    fn at<T>(&self, offset: usize) -> NonNull<T> {
        // SAFETY: all offsets are within.
        unsafe { self.start.add(offset) }.cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the ends borrow this, so they are gone. The memory stays as long as somebody else has it.
        let outcome = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert_eq!(outcome, Ok(()), "what is unmapped was mapped");
    }
}
