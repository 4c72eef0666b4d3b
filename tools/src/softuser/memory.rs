//! The memory of a program: the lowest 4 GiB of this process, of which it may use what was loaded, its stack and its heap.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{ptr, slice};

use flatmk_image::{Access, Image, Place, Segment};
use flatmk_softuser::engine::Code;

const PAGE: u64 = 4096;

/// The end of the program's addresses.
const END: u64 = 1 << 32;

/// What this process reserves: from where Linux lets it (`vm.mmap_min_addr`), and a page more than the program can name, into which an access
/// at the end would run.
const RESERVED: Range<u64> = 0x1_0000..END + PAGE;

/// The top of the stack.
pub const STACK_TOP: u32 = 0x8000_0000;
const STACK_BYTES: u64 = 1 << 20;
const STACK: Range<u64> = STACK_TOP as u64 - STACK_BYTES..STACK_TOP as u64;

/// The most memory that the segments may take together, and that the heap may.
const MOST_BYTES: u64 = 1 << 30;

/// Why there is no place for a program.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Something else of this process is there.
    #[error("the lowest 4 GiB of this process cannot be had: {0}")]
    Reserve(io::Error),
    /// Linux does not give a page.
    #[error("{segment} cannot be had: {cause}")]
    Map {
        /// Which part of the program.
        segment: Place,
        /// Why not.
        cause: io::Error,
    },
    /// Linux does not give the stack.
    #[error("memory for the stack cannot be had: {0}")]
    Stack(io::Error),
    /// A segment is where the stack is.
    #[error("{0} lies where the stack goes, {start:#x} to {STACK_TOP:#x}", start = STACK.start - PAGE)]
    OnTheStack(Place),
    /// It is too large.
    #[error("the program takes {0} MiB of memory; at most 1024 are supported")]
    TooLarge(u64),
    /// The arguments do not fit.
    #[error("the arguments take {0} bytes, which is more than half of the stack")]
    TooManyArguments(usize),
}

/// The memory of the program that runs; others wait until it has ended.
#[derive(Debug)]
pub struct Memory {
    /// What it may use.
    regions: Vec<(Range<u64>, Access)>,
    heap_start: u64,
    /// The end of the heap, to the byte.
    heap_end: u64,
    _only: MutexGuard<'static, ()>,
}

static ONLY: Mutex<()> = Mutex::new(());

impl Memory {
    /// Loads a program.
    ///
    /// # Errors
    ///
    /// If there is no place for it.
    pub fn load(image: &Image<'_>) -> Result<Self, MemoryError> {
        let bytes = image.page_count().saturating_mul(PAGE);
        if bytes > MOST_BYTES {
            return Err(MemoryError::TooLarge(bytes.div_ceil(1 << 20)));
        }
        let only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
        map(RESERVED, libc::MAP_FIXED_NOREPLACE, libc::PROT_NONE).map_err(MemoryError::Reserve)?;
        let mut memory = Self { regions: Vec::new(), heap_start: 0, heap_end: 0, _only: only };
        for segment in image.segments() {
            memory.load_segment(&segment)?;
        }
        memory.add(STACK, Access::ReadWrite).map_err(MemoryError::Stack)?;
        let ends = image.segments().map(|segment| segment.page_range().end).filter(|&end| end < STACK.start);
        memory.heap_start = ends.max().unwrap_or(RESERVED.start);
        memory.heap_end = memory.heap_start;
        Ok(memory)
    }

    fn load_segment(&mut self, segment: &Segment<'_>) -> Result<(), MemoryError> {
        let place = segment.place();
        let Range { start, end } = segment.page_range();
        if start < STACK.end && end > STACK.start - PAGE {
            return Err(MemoryError::OnTheStack(place));
        }
        let error = |cause| MemoryError::Map { segment: place, cause };
        self.add(start..end, Access::ReadWrite).map_err(error)?;
        // It is zero, and writable so far.
        if let Some(to) = self.slice_mut(place.address, segment.data().len() as u64) {
            to.copy_from_slice(segment.data());
        }
        let access = segment.access();
        if let Some((_, last)) = self.regions.last_mut() {
            *last = access;
        }
        // The engine executes it; to this machine it is nothing but bytes.
        if access == Access::ReadWrite { Ok(()) } else { protect(start..end, libc::PROT_READ).map_err(error) }
    }

    /// Gives the program a range that it does not have.
    fn add(&mut self, range: Range<u64>, access: Access) -> io::Result<()> {
        let below = range.start..range.end.min(RESERVED.start);
        if !below.is_empty() {
            map(below, libc::MAP_FIXED_NOREPLACE, libc::PROT_READ | libc::PROT_WRITE)?;
        }
        let reserved = range.start.max(RESERVED.start)..range.end;
        if !reserved.is_empty() {
            protect(reserved, libc::PROT_READ | libc::PROT_WRITE)?;
        }
        self.regions.push((range, access));
        Ok(())
    }

    /// Whether all of a range may be used so.
    fn allows(&self, start: u64, length: u64, may: impl Fn(Access) -> bool) -> bool {
        let end = start.saturating_add(length);
        let mut at = start;
        // Neighbours count as one.
        while at < end {
            let region = self.regions.iter().find(|(range, access)| range.contains(&at) && may(*access));
            let Some((range, _)) = region else { return false };
            at = range.end;
        }
        true
    }

    /// Bytes that the program may read.
    #[must_use]
    pub fn slice(&self, start: u64, length: u64) -> Option<&[u8]> {
        self.allows(start, length, |_| true).then(|| match length {
            0 => &[][..],
            // SAFETY: it is mapped, and not written while this reference lives: the program does not run meanwhile.
            _ => unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(start as usize), length as usize) },
        })
    }

    /// Bytes that the program may write.
    #[must_use]
    pub fn slice_mut(&mut self, start: u64, length: u64) -> Option<&mut [u8]> {
        self.allows(start, length, |access| access == Access::ReadWrite).then(|| match length {
            0 => &mut [][..],
            // SAFETY: as above, and it is writable.
            _ => unsafe {
                slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(start as usize), length as usize)
            },
        })
    }

    /// Moves the end of the heap, if there is room. Returns where it is.
    pub fn set_heap_end(&mut self, end: u64) -> u64 {
        let heap = self.heap_start..self.heap_end.next_multiple_of(PAGE);
        let new = self.heap_start..end.next_multiple_of(PAGE);
        // Up to what comes next above, with a page without access in between.
        let starts = self.regions.iter().map(|(range, _)| range.start).filter(|&start| start >= heap.end);
        let limit = starts.min().unwrap_or(END).saturating_sub(PAGE).min(self.heap_start + MOST_BYTES);
        if end < new.start || new.end > limit {
            return self.heap_end;
        }
        let done = if new.end > heap.end {
            protect(heap.end..new.end, libc::PROT_READ | libc::PROT_WRITE)
        } else if new.end < heap.end {
            // Zeros, should it come back.
            map(new.end..heap.end, libc::MAP_FIXED, libc::PROT_NONE)
        } else {
            Ok(())
        };
        if done.is_ok() {
            self.regions.retain(|(range, _)| heap.is_empty() || *range != heap);
            if !new.is_empty() {
                self.regions.push((new, Access::ReadWrite));
            }
            self.heap_end = end;
        }
        self.heap_end
    }

    /// Puts the arguments on the stack, as Linux does, and returns the stack pointer: their count, their addresses, 0; no variables of the
    /// environment, 0; nothing else to know, 0 and 0.
    ///
    /// # Errors
    ///
    /// If they take more than half of the stack.
    pub fn push_arguments(&mut self, arguments: &[Vec<u8>]) -> Result<u32, MemoryError> {
        let texts: usize = arguments.iter().map(|text| text.len() + 1).sum();
        let words = arguments.len() + 5;
        let total = texts + 4 * words;
        if total as u64 > STACK_BYTES / 2 {
            return Err(MemoryError::TooManyArguments(total));
        }
        let bottom = (u64::from(STACK_TOP) - total as u64) & !15;
        let mut text_at = bottom + 4 * words as u64;
        let mut bytes = (arguments.len() as u32).to_le_bytes().to_vec();
        for text in arguments {
            bytes.extend((text_at as u32).to_le_bytes());
            text_at += text.len() as u64 + 1;
        }
        bytes.extend([0; 16]);
        for text in arguments {
            bytes.extend(text);
            bytes.push(0);
        }
        if let Some(stack) = self.slice_mut(bottom, bytes.len() as u64) {
            stack.copy_from_slice(&bytes);
        }
        Ok(bottom as u32)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let starts = self.regions.iter().map(|(range, _)| range.start);
        let start = starts.min().unwrap_or(RESERVED.start).min(RESERVED.start);
        let address = ptr::with_exposed_provenance_mut(start as usize);
        // SAFETY: all of it was the program's, which does not run any more.
        unsafe { libc::munmap(address, (RESERVED.end - start) as usize) };
    }
}

impl Code for Memory {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        let half = |pc: u32| {
            let is_code = self.allows(pc.into(), 2, |access| access == Access::ReadExecute);
            let bytes = self.slice(pc.into(), 2).filter(|_| is_code)?;
            Some(bytes.iter().rev().fold(0, |half, byte| half << 8 | u32::from(*byte)))
        };
        Some(half(pc)? | half(pc.wrapping_add(2)).unwrap_or(0) << 16)
    }
}

fn map(range: Range<u64>, flag: i32, protection: i32) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | flag;
    let address = ptr::with_exposed_provenance_mut(range.start as usize);
    // SAFETY: nothing is there, or it would be refused; or it is the program's.
    let at = unsafe { libc::mmap(address, (range.end - range.start) as usize, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn protect(range: Range<u64>, protection: i32) -> io::Result<()> {
    let address = ptr::with_exposed_provenance_mut(range.start as usize);
    // SAFETY: it is the program's memory, to which no reference is held.
    let result = unsafe { libc::mprotect(address, (range.end - range.start) as usize, protection) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
