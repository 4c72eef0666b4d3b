//! From the bytes of an ELF file to a checked plan of what to load.
//!
//! The kernel loads the root task with it, the user-space loader every other program. Both take files from outside, so
//! nothing in a file is believed: [`Image::parse`] either refuses it, with an [`ImageError`] that says why, or returns a
//! plan with these properties:
//!
//! - every page of every segment is in user space ([`USER_START`] to [`USER_END`]);
//! - no page belongs to two segments, so a page has one [`Access`]; none is writable and executable;
//! - the bytes of every segment are inside the file, and are not more than the memory they go to;
//! - the entry point is in an executable segment.
//!
//! A program is for this machine or, from chapter 10 on, for RISC-V: see [`Machine`]. Those are in the lowest 4 GiB.
//!
//! Only static executables (`ET_EXEC`) are accepted: there is no interpreter and nothing to relocate. Sections are not
//! looked at. Nothing is allocated, nothing panics, and the work is bounded by [`MAX_PROGRAM_HEADERS`].
//!
//! A loader needs no arithmetic of its own:
//!
//! ```
//! use flatmk_image::{Access, Image, ImageError, PAGE_SIZE};
//!
//! fn load(file: &[u8], mut map: impl FnMut(u64, [u8; PAGE_SIZE], Access)) -> Result<u64, ImageError> {
//!     let image = Image::parse(file)?;
//!     for segment in image.segments() {
//!         for page in segment.pages() {
//!             let mut frame = [0; PAGE_SIZE];
//!             page.copy_to(&mut frame);
//!             map(page.address, frame, segment.access());
//!         }
//!     }
//!     Ok(image.entry())
//! }
//! # let error = load(b"no program", |_, _, _| ()).unwrap_err();
//! # assert_eq!(error, ImageError::NotElf);
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "builder")]
extern crate alloc;

#[cfg(feature = "builder")]
pub mod builder;
mod error;
mod header;
mod machine;
mod segment;

use elf::abi::{PT_DYNAMIC, PT_INTERP, PT_LOAD};
use flatmk_abi::layout;

pub use error::{ImageError, Place};
pub use flatmk_abi::Access;
pub use flatmk_abi::layout::{USER_END, USER_START};
pub use machine::Machine;
pub use segment::{Page, Pages, Segment};

/// The size of a page in bytes, for slices and arrays.
#[expect(clippy::cast_possible_truncation, reason = "4096 fits")]
pub const PAGE_SIZE: usize = layout::PAGE_SIZE as usize;

/// The most loadable segments a program may have; linkers make four or five.
pub const MAX_SEGMENTS: usize = 16;

/// The most program headers a file may have, of any kind.
pub const MAX_PROGRAM_HEADERS: usize = 64;

/// A checked plan of what to load.
#[derive(Clone, Debug)]
pub struct Image<'file> {
    machine: Machine,
    entry: u64,
    /// In the order of the file, filled from the front.
    segments: [Option<Segment<'file>>; MAX_SEGMENTS],
}

impl<'file> Image<'file> {
    /// Checks a whole file of a program for this machine.
    ///
    /// # Errors
    ///
    /// The first fault found, in this order: the file header, then each program header by itself and against the
    /// segments before it, then the entry point.
    pub fn parse(file: &'file [u8]) -> Result<Self, ImageError> {
        Self::parse_for(Machine::X86_64, file)
    }

    /// The same for whichever machine the program is.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_any(file: &'file [u8]) -> Result<Self, ImageError> {
        Self::parse_for(Machine::guess(file), file)
    }

    /// The same for a given machine.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_for(machine: Machine, file: &'file [u8]) -> Result<Self, ImageError> {
        let header = header::file_header(machine, file)?;
        let mut image = Self { machine, entry: header.e_entry, segments: [None; MAX_SEGMENTS] };
        for (index, program_header) in header::program_headers(machine, file, &header)?.iter().enumerate() {
            match program_header.p_type {
                PT_INTERP => return Err(ImageError::NeedsInterpreter { index }),
                PT_DYNAMIC => return Err(ImageError::NeedsRelocation { index }),
                PT_LOAD => {
                    if let Some(segment) = Segment::check(machine, file, index, &program_header)? {
                        image.add(segment)?;
                    }
                }
                _ => {}
            }
        }
        image.check_entry()?;
        Ok(image)
    }

    /// Which machine the program is for.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The address of the first instruction. It is in one of the executable segments.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// What to load, in the order of the file; at least one segment.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'file>> + '_ {
        self.segments.iter().flatten().copied()
    }

    /// How many pages all segments take together.
    pub fn page_count(&self) -> u64 {
        self.segments().map(|segment| segment.page_count()).sum()
    }

    fn add(&mut self, segment: Segment<'file>) -> Result<(), ImageError> {
        if let Some(other) = self.segments().find(|other| other.shares_page_with(&segment)) {
            return Err(ImageError::Overlap { segment: segment.place(), other: other.place() });
        }
        let free = self.segments.iter_mut().find(|slot| slot.is_none());
        *free.ok_or(ImageError::TooManySegments { segment: segment.place() })? = Some(segment);
        Ok(())
    }

    fn check_entry(&self) -> Result<(), ImageError> {
        if self.segments().next().is_none() {
            return Err(ImageError::NoLoadableSegment);
        }
        let is_code = |segment: &Segment<'_>| segment.access() == Access::ReadExecute && segment.contains(self.entry);
        match self.segments().find(is_code) {
            None => Err(ImageError::EntryNotExecutable { entry: self.entry }),
            Some(_) if self.machine == Machine::RiscV32 && !self.entry.is_multiple_of(2) => {
                Err(ImageError::OddEntry { entry: self.entry })
            }
            Some(_) => Ok(()),
        }
    }
}
