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
    ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFMAGIC, EM_RISCV, EM_X86_64, ET_EXEC, EV_CURRENT, PF_R, PF_W, PF_X,
    PT_DYNAMIC, PT_INTERP, PT_LOAD,
};

use crate::{Machine, PAGE_SIZE};

/// The size of a 64-bit file header.
pub const FILE_HEADER_SIZE: u16 = file_header_size(Machine::X86_64);

/// The size of a 64-bit program header.
pub const PROGRAM_HEADER_SIZE: u16 = program_header_size(Machine::X86_64);

/// The size of a machine's file header.
pub const fn file_header_size(machine: Machine) -> u16 {
    match machine {
        Machine::X86_64 => 64,
        Machine::RiscV32 => 52,
    }
}

/// The size of a machine's program header.
pub const fn program_header_size(machine: Machine) -> u16 {
    match machine {
        Machine::X86_64 => 56,
        Machine::RiscV32 => 32,
    }
}

/// Where [`ElfFile::program`] has its code.
pub const CODE_ADDRESS: u64 = 0x40_0000;

/// An ELF file to be made. Each field is written as it stands, right or wrong.
#[derive(Clone, Debug)]
pub struct ElfFile {
    /// Whose files have this shape: how long the fields are. Of a number that is too long the upper half is lost.
    pub shape: Machine,
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
    /// What belongs to the processor, `e_flags`.
    pub flags: u32,
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
        Self::new_for(Machine::X86_64, entry)
    }

    /// A static executable for either machine, without segments.
    pub fn new_for(machine: Machine, entry: u64) -> Self {
        let (class, number) = match machine {
            Machine::X86_64 => (ELFCLASS64, EM_X86_64),
            Machine::RiscV32 => (ELFCLASS32, EM_RISCV),
        };
        Self {
            shape: machine,
            magic: ELFMAGIC,
            class,
            byte_order: ELFDATA2LSB,
            version: EV_CURRENT,
            kind: ET_EXEC,
            machine: number,
            flags: 0,
            entry,
            program_header_offset: u64::from(file_header_size(machine)),
            program_header_size: program_header_size(machine),
            program_header_count: None,
            segments: vec![],
        }
    }

    /// A good program: an endless loop at [`CODE_ADDRESS`].
    pub fn program() -> Self {
        Self::program_for(Machine::X86_64)
    }

    /// The same for either machine.
    pub fn program_for(machine: Machine) -> Self {
        // jmp to itself, c.j to itself
        let code = match machine {
            Machine::X86_64 => [0xeb, 0xfe],
            Machine::RiscV32 => [0x01, 0xa0],
        };
        Self::new_for(machine, CODE_ADDRESS).with(ElfSegment::read_execute(CODE_ADDRESS, &code))
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
        let header_size = u64::from(program_header_size(self.shape));
        let data_offset = u64::from(file_header_size(self.shape)) + header_size * self.segments.len() as u64;
        let mut file = self.file_header();
        for segment in &self.segments {
            let end = data_offset + data.len() as u64;
            let padding = segment.address.wrapping_sub(end) % PAGE_SIZE as u64;
            data.extend((0..padding).map(|_| 0xcc_u8));
            file.extend(segment.program_header(self.shape, end + padding));
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
        bytes.extend(number(self.shape, self.entry));
        bytes.extend(number(self.shape, self.program_header_offset));
        bytes.extend(number(self.shape, 0)); // section headers: none
        bytes.extend(self.flags.to_le_bytes());
        let size = file_header_size(self.shape);
        bytes.extend(size.to_le_bytes());
        bytes.extend(self.program_header_size.to_le_bytes());
        let count = self.segments.len().try_into().unwrap_or(u16::MAX);
        bytes.extend(self.program_header_count.unwrap_or(count).to_le_bytes());
        bytes.resize(size.into(), 0); // section headers: size, number, names
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

    fn program_header(&self, shape: Machine, offset: u64) -> Vec<u8> {
        let (kind, flags) = (self.kind.to_le_bytes(), self.flags.to_le_bytes());
        let numbers = [
            self.offset.unwrap_or(offset),
            self.address,
            self.address, // physical address: the same
            self.file_bytes.unwrap_or(self.data.len() as u64),
            self.size_bytes,
        ];
        let numbers = numbers.into_iter().flat_map(|field| number(shape, field));
        let alignment = number(shape, self.alignment);
        // The flags changed places, for the sake of alignment (System V gABI, "Program Header").
        match shape {
            Machine::X86_64 => kind.into_iter().chain(flags).chain(numbers).chain(alignment).collect(),
            Machine::RiscV32 => kind.into_iter().chain(numbers).chain(flags).chain(alignment).collect(),
        }
    }
}

/// A field that is as long as the machine's addresses.
fn number(shape: Machine, field: u64) -> Vec<u8> {
    let size = match shape {
        Machine::X86_64 => 8,
        Machine::RiscV32 => 4,
    };
    field.to_le_bytes().into_iter().take(size).collect()
}
