//! The guest's memory: one page, at the same address for the guest everywhere.

use flatmk_softuser::engine::Code;

/// Where it begins, with the program.
pub(super) const CODE: u32 = 0x1_0000;
/// How many bytes it has.
pub(super) const BYTES: usize = 4096;

/// The memory.
pub(super) struct Guest {
    memory: *mut u8,
}

impl Guest {
    /// The guest accesses this memory from now on. It is never given back.
    pub(super) fn new() -> Self {
        Self { memory: memory() }
    }

    /// Puts a program into it, and zeroes where there is none.
    pub(super) fn load(&mut self, words: &[u32]) {
        // SAFETY: the memory has so many bytes, and no hart runs.
        let bytes = unsafe { core::slice::from_raw_parts_mut(self.memory, BYTES) };
        bytes.fill(0);
        bytes.chunks_exact_mut(4).zip(words).for_each(|(place, word)| place.copy_from_slice(&word.to_le_bytes()));
    }

    /// What is there to be executed.
    pub(super) fn code(&self) -> Fetch {
        Fetch { memory: self.memory }
    }
}

/// Reads code.
pub(super) struct Fetch {
    memory: *const u8,
}

impl Code for Fetch {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        let offset = pc.checked_sub(CODE)? as usize;
        let byte = |offset: usize| {
            // SAFETY: the offset is within the memory, which no hart writes to meanwhile.
            (offset < BYTES).then(|| unsafe { self.memory.add(offset).read() })
        };
        let first = u16::from_le_bytes([byte(offset)?, byte(offset + 1)?]);
        let second = byte(offset + 2).zip(byte(offset + 3)).map_or(0, |(low, high)| u16::from_le_bytes([low, high]));
        Some(u32::from(first) | u32::from(second) << 16)
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use flatmk_softuser::engine::fault_address;

/// On the way through the engine each access is checked.
#[cfg(not(target_arch = "x86_64"))]
fn memory() -> *mut u8 {
    let memory = alloc::vec![0; BYTES].leak();
    let start = memory.as_mut_ptr();
    flatmk_softuser::engine::lend(CODE, memory);
    start
}

/// On this host a guest's address is the host's. Tests run no program that accesses anything else.
#[cfg(target_arch = "x86_64")]
fn memory() -> *mut u8 {
    static MEMORY: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let start = MEMORY.get_or_init(|| {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE);
        // SAFETY: a mapping of its own, where there is none yet.
        let memory = unsafe { libc::mmap(CODE as usize as *mut libc::c_void, BYTES, protection, flags, -1, 0) };
        assert_eq!(memory as usize, CODE as usize, "the guest's memory is to be had");
        memory as usize
    });
    *start as *mut u8
}

#[cfg(target_arch = "x86_64")]
pub(super) fn fault_address() -> u32 {
    0
}
