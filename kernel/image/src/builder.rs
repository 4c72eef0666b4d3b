//! Makes ELF files for tests: by default a good one, with every field open to be made wrong.
//!
//! ```
//! use flatmk_image::builder::{ElfFile, ElfSegment};
//! use flatmk_image::{Image, ImageError};
//!
//! let good = ElfFile::program();
//! assert!(Image::parse(&good.to_bytes()).is_ok());
//!
//! let overlapping = good.with(ElfSegment::read_write(0x40_0800, b"data"));
//! assert!(matches!(Image::parse(&overlapping.to_bytes()), Err(ImageError::Overlap { .. })));
//! ```

use alloc::vec;
use alloc::vec::Vec;

use elf::abi::{
    ELFCLASS64, ELFDATA2LSB, ELFMAGIC, EM_X86_64, ET_EXEC, EV_CURRENT, PF_R, PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD,
};

use crate::PAGE_SIZE;

/// The size of a 64-bit file header.
pub const FILE_HEADER_SIZE: u16 = 64;

/// The size of a 64-bit program header.
pub const PROGRAM_HEADER_SIZE: u16 = 56;

/// Where [`ElfFile::program`] has its code.
pub const CODE_ADDRESS: u64 = 0x40_0000;

/// An ELF file to be made. Each field is written as it stands, right or wrong.
#[derive(Clone, Debug)]
pub struct ElfFile {
    /// The first four bytes.
    pub magic: [u8; 4],
    /// 64-bit or 32-bit.
    pub class: u8,
    /// Little-endian or big-endian; the fields themselves are always written little-endian.
    pub byte_order: u8,
    /// The version of ELF.
    pub version: u8,
    /// What kind of file it is, `e_type`.
    pub kind: u16,
    /// Which processor it is for, `e_machine`.
    pub machine: u16,
    /// The entry point.
    pub entry: u64,
    /// Where the program headers begin; they are written behind the file header all the same.
    pub program_header_offset: u64,
    /// The stated size of a program header.
    pub program_header_size: u16,
    /// The stated number of program headers, if it is not the number of segments.
    pub program_header_count: Option<u16>,
    /// The segments.
    pub segments: Vec<ElfSegment>,
}

/// One program header and the bytes it points to. Each field is written as it stands, right or wrong.
#[derive(Clone, Debug)]
pub struct ElfSegment {
    /// What it is for, `p_type`.
    pub kind: u32,
    /// Readable, writable, executable: `p_flags`.
    pub flags: u32,
    /// The address, `p_vaddr`.
    pub address: u64,
    /// The stated place in the file, if it is not where the bytes are.
    pub offset: Option<u64>,
    /// The stated number of bytes in the file, if it is not that of `data`.
    pub file_bytes: Option<u64>,
    /// The size in memory, `p_memsz`.
    pub size_bytes: u64,
    /// The alignment, `p_align`.
    pub alignment: u64,
    /// The bytes.
    pub data: Vec<u8>,
}

impl ElfFile {
    /// A static executable for this machine, without segments.
    pub fn new(entry: u64) -> Self {
        Self {
            magic: ELFMAGIC,
            class: ELFCLASS64,
            byte_order: ELFDATA2LSB,
            version: EV_CURRENT,
            kind: ET_EXEC,
            machine: EM_X86_64,
            entry,
            program_header_offset: u64::from(FILE_HEADER_SIZE),
            program_header_size: PROGRAM_HEADER_SIZE,
            program_header_count: None,
            segments: vec![],
        }
    }

    /// A good program: an endless loop at [`CODE_ADDRESS`].
    pub fn program() -> Self {
        // jmp to itself
        Self::new(CODE_ADDRESS).with(ElfSegment::read_execute(CODE_ADDRESS, &[0xeb, 0xfe]))
    }

    /// The same file with one more segment.
    #[must_use]
    pub fn with(mut self, segment: ElfSegment) -> Self {
        self.segments.push(segment);
        self
    }

    /// The bytes of the file: file header, program headers, and the data of each segment at an offset that fits its
    /// address.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut data = vec![];
        let data_offset = u64::from(FILE_HEADER_SIZE) + u64::from(PROGRAM_HEADER_SIZE) * self.segments.len() as u64;
        let mut file = self.file_header();
        for segment in &self.segments {
            let end = data_offset + data.len() as u64;
            let padding = segment.address.wrapping_sub(end) % PAGE_SIZE as u64;
            data.extend((0..padding).map(|_| 0xcc_u8));
            file.extend(segment.program_header(end + padding));
            data.extend(&segment.data);
        }
        file.extend(data);
        file
    }

    fn file_header(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend([self.class, self.byte_order, self.version]);
        bytes.resize(16, 0);
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.machine.to_le_bytes());
        bytes.extend(u32::from(self.version).to_le_bytes());
        bytes.extend(self.entry.to_le_bytes());
        bytes.extend(self.program_header_offset.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes()); // section headers: none
        bytes.extend(0_u32.to_le_bytes()); // flags
        bytes.extend(FILE_HEADER_SIZE.to_le_bytes());
        bytes.extend(self.program_header_size.to_le_bytes());
        let count = self.segments.len().try_into().unwrap_or(u16::MAX);
        bytes.extend(self.program_header_count.unwrap_or(count).to_le_bytes());
        bytes.resize(FILE_HEADER_SIZE.into(), 0); // section headers: size, number, names
        bytes
    }
}

impl ElfSegment {
    /// Code.
    pub fn read_execute(address: u64, data: &[u8]) -> Self {
        Self::load(PF_R | PF_X, address, data)
    }

    /// Variables.
    pub fn read_write(address: u64, data: &[u8]) -> Self {
        Self::load(PF_R | PF_W, address, data)
    }

    /// Constants.
    pub fn read(address: u64, data: &[u8]) -> Self {
        Self::load(PF_R, address, data)
    }

    /// A segment to be loaded, with any flags (`PF_R` = 4, `PF_W` = 2, `PF_X` = 1).
    pub fn load(flags: u32, address: u64, data: &[u8]) -> Self {
        Self {
            kind: PT_LOAD,
            flags,
            address,
            offset: None,
            file_bytes: None,
            size_bytes: data.len() as u64,
            alignment: PAGE_SIZE as u64,
            data: data.to_vec(),
        }
    }

    /// The name of an interpreter.
    pub fn interpreter(name: &[u8]) -> Self {
        Self { kind: PT_INTERP, ..Self::read(0, name) }
    }

    /// A dynamic section.
    pub fn dynamic(address: u64) -> Self {
        Self { kind: PT_DYNAMIC, ..Self::read(address, &[0; 16]) }
    }

    /// The same segment with another size in memory.
    #[must_use]
    pub fn sized(self, size_bytes: u64) -> Self {
        Self { size_bytes, ..self }
    }

    fn program_header(&self, offset: u64) -> Vec<u8> {
        let mut bytes = vec![];
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.offset.unwrap_or(offset).to_le_bytes());
        bytes.extend(self.address.to_le_bytes());
        bytes.extend(self.address.to_le_bytes()); // physical address: the same
        bytes.extend(self.file_bytes.unwrap_or(self.data.len() as u64).to_le_bytes());
        bytes.extend(self.size_bytes.to_le_bytes());
        bytes.extend(self.alignment.to_le_bytes());
        bytes
    }
}
