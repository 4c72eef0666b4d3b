//! One part of a program: a range of pages with one access, and the bytes that go there.

use core::ops::Range;

use elf::abi::{PF_R, PF_W, PF_X};
use elf::segment::ProgramHeader;

use crate::header::slice;
use crate::{Access, ImageError, Machine, PAGE_SIZE, Place, USER_START};

const PAGE_BYTES: u64 = PAGE_SIZE as u64;

/// A range of pages with one access, and the bytes that go there. What the file does not fill is zero.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'file> {
    place: Place,
    data: &'file [u8],
    access: Access,
}

impl<'file> Segment<'file> {
    /// Checks a loadable segment by itself; `None` if it takes no memory.
    pub(crate) fn check(
        machine: Machine,
        file: &'file [u8],
        index: usize,
        header: &ProgramHeader,
    ) -> Result<Option<Self>, ImageError> {
        let place = Place { index, address: header.p_vaddr, size_bytes: header.p_memsz };
        if header.p_filesz > header.p_memsz {
            return Err(ImageError::FileLargerThanMemory { segment: place, file_bytes: header.p_filesz });
        }
        if header.p_memsz == 0 {
            return Ok(None);
        }
        check_alignment(place, header)?;
        check_range(machine, place)?;
        let access = access(place, header.p_flags)?;
        // The offset of a segment without bytes means nothing, and linkers let it point behind the end of the file.
        let data = if header.p_filesz == 0 { Some(&[][..]) } else { slice(file, header.p_offset, header.p_filesz) };
        let outside = ImageError::DataOutsideFile {
            segment: place,
            offset: header.p_offset,
            file_bytes: header.p_filesz,
            file_size: file.len(),
        };
        Ok(Some(Self { place, data: data.ok_or(outside)?, access }))
    }

    /// The segment as the file states it: its program header's index, its address, its size in memory.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The address of the first page.
    pub fn address(&self) -> u64 {
        self.place.address - self.place.address % PAGE_BYTES
    }

    /// How many pages the segment takes; at least one.
    pub fn page_count(&self) -> u64 {
        let span = self.place.address % PAGE_BYTES + self.place.size_bytes;
        span.div_ceil(PAGE_BYTES)
    }

    /// The addresses of all pages of the segment.
    pub fn page_range(&self) -> Range<u64> {
        self.address()..self.address() + self.page_count() * PAGE_BYTES
    }

    /// Where in the first page the segment, and so [`data`](Self::data), begins.
    pub fn offset_in_first_page(&self) -> usize {
        offset_in_page(self.place.address)
    }

    /// The size in memory, from [`offset_in_first_page`](Self::offset_in_first_page) on.
    pub fn size_bytes(&self) -> u64 {
        self.place.size_bytes
    }

    /// The bytes of the file that go to the start of the segment; at most [`size_bytes`](Self::size_bytes).
    pub fn data(&self) -> &'file [u8] {
        self.data
    }

    /// How the program may use the pages.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The pages, in order, each with the bytes that go there.
    pub fn pages(&self) -> Pages<'file> {
        Pages {
            address: self.address(),
            remaining: self.page_count(),
            offset: self.offset_in_first_page(),
            data: self.data,
        }
    }

    /// Whether the segment itself, not just one of its pages, contains the address.
    pub(crate) fn contains(&self, address: u64) -> bool {
        (self.place.address..self.place.address + self.place.size_bytes).contains(&address)
    }

    pub(crate) fn shares_page_with(&self, other: &Segment<'_>) -> bool {
        let (one, two) = (self.page_range(), other.page_range());
        one.start < two.end && two.start < one.end
    }
}

/// One page of a segment: zero but for `bytes`, which begin at `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'file> {
    /// The address of the page.
    pub address: u64,
    /// Where in the page `bytes` go.
    pub offset: usize,
    /// What goes there; `offset + bytes.len()` is at most [`PAGE_SIZE`].
    pub bytes: &'file [u8],
}

impl Page<'_> {
    /// Copies the bytes of this page to where they belong in a zeroed frame.
    pub fn copy_to(&self, frame: &mut [u8; PAGE_SIZE]) {
        let target = frame.get_mut(self.offset..).unwrap_or_default();
        for (to, from) in target.iter_mut().zip(self.bytes) {
            *to = *from;
        }
    }
}

/// Iterator over the pages of a [`Segment`].
#[derive(Clone, Debug)]
pub struct Pages<'file> {
    address: u64,
    remaining: u64,
    offset: usize,
    data: &'file [u8],
}

impl<'file> Iterator for Pages<'file> {
    type Item = Page<'file>;

    fn next(&mut self) -> Option<Page<'file>> {
        self.remaining = self.remaining.checked_sub(1)?;
        // Only the first page can begin in mid-page; data that does not reach the end of this page is all there is left.
        let (bytes, rest) = self.data.split_at_checked(PAGE_SIZE - self.offset).unwrap_or((self.data, &[]));
        let page = Page { address: self.address, offset: self.offset, bytes };
        *self = Self { address: self.address + PAGE_BYTES, remaining: self.remaining, offset: 0, data: rest };
        Some(page)
    }
}

fn check_alignment(place: Place, header: &ProgramHeader) -> Result<(), ImageError> {
    let alignment = header.p_align;
    // 0 and 1 mean: no alignment asked for (System V gABI, "Program Header", p_align). Pages ask for theirs all the same.
    if alignment != 0 && !alignment.is_power_of_two() {
        return Err(ImageError::AlignmentNotPowerOfTwo { segment: place, alignment });
    }
    let modulus = alignment.max(PAGE_BYTES);
    if header.p_vaddr % modulus != header.p_offset % modulus {
        return Err(ImageError::Misaligned { segment: place, offset: header.p_offset, alignment: modulus });
    }
    Ok(())
}

/// Every page of the segment must be in user space. From here on, sums of its addresses cannot overflow.
fn check_range(machine: Machine, place: Place) -> Result<(), ImageError> {
    let end = place.address.checked_add(place.size_bytes).ok_or(ImageError::AddressOverflow { segment: place })?;
    // Both bounds are page aligned, so what is true of the bytes is true of their pages.
    if place.address < USER_START || end > machine.end() {
        return Err(ImageError::OutsideUserSpace { segment: place, machine });
    }
    Ok(())
}

fn access(place: Place, flags: u32) -> Result<Access, ImageError> {
    match (flags & PF_R != 0, flags & PF_W != 0, flags & PF_X != 0) {
        (_, true, true) => Err(ImageError::WritableAndExecutable { segment: place }),
        (false, false, false) => Err(ImageError::NoAccess { segment: place }),
        // The processor's pages are readable whenever they are anything.
        (_, true, false) => Ok(Access::ReadWrite),
        (_, false, true) => Ok(Access::ReadExecute),
        (true, false, false) => Ok(Access::Read),
    }
}

fn offset_in_page(address: u64) -> usize {
    // Less than a page, so the conversion cannot fail.
    usize::try_from(address % PAGE_BYTES).unwrap_or_default()
}
