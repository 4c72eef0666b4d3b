//! Why a file is refused.

use core::fmt;

use crate::{MAX_PROGRAM_HEADERS, MAX_SEGMENTS, Machine, USER_START};

/// Which segment is meant, as the file states it, right or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The index of the segment's program header.
    pub index: usize,
    /// Its address.
    pub address: u64,
    /// Its size in memory.
    pub size_bytes: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, address, size_bytes } = self;
        write!(f, "segment {index} ({size_bytes:#x} bytes at {address:#x})")
    }
}

/// Why a file is refused. Whoever made the file is to blame, and nothing has been loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// The file does not begin as ELF files do.
    NotElf,
    /// The file ends within its file header.
    HeaderOutsideFile {
        /// Size of the file in bytes.
        file_size: usize,
    },
    /// The file states a version of ELF other than 1.
    UnknownVersion,
    /// The file is not for a 64-bit processor.
    Not64Bit,
    /// The file is not for a 32-bit processor.
    Not32Bit,
    /// The file is not for a little-endian processor.
    NotLittleEndian,
    /// The file is for another processor.
    NotX86_64 {
        /// The processor's ELF number, `e_machine`.
        machine: u16,
    },
    /// The file is for another processor of 32 bits.
    NotRiscV {
        /// The processor's ELF number, `e_machine`.
        machine: u16,
    },
    /// The program is for a processor of RISC-V with floating-point registers.
    FloatingPoint,
    /// The file is not an executable with fixed addresses, but an object file, a library or position-independent.
    NotStaticExecutable {
        /// What it is instead, `e_type`.
        kind: u16,
    },
    /// The file has more program headers than are looked at.
    TooManyProgramHeaders {
        /// How many.
        count: usize,
    },
    /// The size stated for a program header is not that of such an ELF file.
    WrongProgramHeaderSize {
        /// The size stated.
        size_bytes: u16,
        /// What it must be.
        right: usize,
    },
    /// The table of program headers reaches beyond the end of the file.
    ProgramHeadersOutsideFile {
        /// Where it begins in the file.
        offset: u64,
        /// How many headers it has.
        count: usize,
        /// Size of the file in bytes.
        file_size: usize,
    },
    /// The program wants to be loaded by another program.
    NeedsInterpreter {
        /// The index of the program header that says so.
        index: usize,
    },
    /// The program has a dynamic section: it wants to be relocated and linked when it is loaded.
    NeedsRelocation {
        /// The index of the program header that says so.
        index: usize,
    },
    /// The file has nothing to load.
    NoLoadableSegment,
    /// There are more than [`MAX_SEGMENTS`] segments to load.
    TooManySegments {
        /// The first one too many.
        segment: Place,
    },
    /// A segment has more bytes in the file than in memory.
    FileLargerThanMemory {
        /// Which one.
        segment: Place,
        /// How many bytes the file has for it.
        file_bytes: u64,
    },
    /// The alignment stated for a segment is not a power of two.
    AlignmentNotPowerOfTwo {
        /// Which one.
        segment: Place,
        /// The alignment stated.
        alignment: u64,
    },
    /// A segment's address and its place in the file differ modulo its alignment or the page size.
    Misaligned {
        /// Which one.
        segment: Place,
        /// Its place in the file.
        offset: u64,
        /// The larger of its alignment and the page size.
        alignment: u64,
    },
    /// A segment's end is beyond the highest 64-bit address.
    AddressOverflow {
        /// Which one.
        segment: Place,
    },
    /// A segment is not between [`USER_START`] and [`Machine::end`].
    OutsideUserSpace {
        /// Which one.
        segment: Place,
        /// Which machine the program is for.
        machine: Machine,
    },
    /// A segment asks to be writable and executable.
    WritableAndExecutable {
        /// Which one.
        segment: Place,
    },
    /// A segment asks to be neither readable, writable nor executable.
    NoAccess {
        /// Which one.
        segment: Place,
    },
    /// A segment's bytes reach beyond the end of the file.
    DataOutsideFile {
        /// Which one.
        segment: Place,
        /// Where they begin in the file.
        offset: u64,
        /// How many there are.
        file_bytes: u64,
        /// Size of the file in bytes.
        file_size: usize,
    },
    /// Two segments have a page in common, but a page has one access only.
    Overlap {
        /// The later one in the file.
        segment: Place,
        /// The earlier one.
        other: Place,
    },
    /// The entry point is not in an executable segment.
    EntryNotExecutable {
        /// The entry point stated.
        entry: u64,
    },
    /// The entry point is an odd address, and instructions of RISC-V are at even ones.
    OddEntry {
        /// The entry point stated.
        entry: u64,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => write!(f, "the file is not an ELF file"),
            Self::HeaderOutsideFile { file_size } => {
                write!(f, "the file is cut off: it has {file_size} bytes, less than its file header")
            }
            Self::UnknownVersion => write!(f, "the file is of an unknown version of ELF"),
            Self::Not64Bit => write!(f, "the file is not for a 64-bit processor"),
            Self::Not32Bit => write!(f, "the file is not for a 32-bit processor"),
            Self::NotLittleEndian => write!(f, "the file is not for a little-endian processor"),
            Self::NotX86_64 { machine } => {
                write!(f, "the file is for another processor: ELF machine {machine}, where x86-64 is 62")
            }
            Self::NotRiscV { machine } => {
                write!(f, "the file is for another processor: ELF machine {machine}, where RISC-V is 243")
            }
            Self::FloatingPoint => {
                write!(f, "the program needs floating-point registers: it is to be compiled for the ABI ilp32")
            }
            Self::NotStaticExecutable { kind } => {
                write!(f, "the file is not a static executable: ELF type {kind}, where that is 2 (ET_EXEC)")
            }
            Self::TooManyProgramHeaders { count } => {
                write!(f, "the file has {count} program headers; at most {MAX_PROGRAM_HEADERS} are supported")
            }
            Self::WrongProgramHeaderSize { size_bytes, right } => {
                write!(f, "the file states a size of {size_bytes} bytes for a program header instead of {right}")
            }
            Self::ProgramHeadersOutsideFile { offset, count, file_size } => write!(
                f,
                "the file is cut off: it has {file_size:#x} bytes, but {count} program headers at offset {offset:#x}"
            ),
            Self::NeedsInterpreter { index } => {
                write!(f, "the program is not static: segment {index} names an interpreter to load it")
            }
            Self::NeedsRelocation { index } => {
                write!(f, "the program is not static: segment {index} is a dynamic section, to be relocated")
            }
            Self::NoLoadableSegment => write!(f, "the file has no loadable segment"),
            Self::TooManySegments { segment } => {
                write!(f, "{segment} is one too many: at most {MAX_SEGMENTS} segments can be loaded")
            }
            Self::FileLargerThanMemory { segment, file_bytes } => {
                write!(f, "{segment} has more bytes in the file than in memory: {file_bytes:#x}")
            }
            Self::AlignmentNotPowerOfTwo { segment, alignment } => {
                write!(f, "{segment} states an alignment of {alignment:#x}, which is not a power of two")
            }
            Self::Misaligned { segment, offset, alignment } => write!(
                f,
                "{segment} is misaligned: its address and its file offset {offset:#x} differ modulo {alignment:#x}"
            ),
            Self::AddressOverflow { segment } => write!(f, "{segment} ends beyond the highest 64-bit address"),
            Self::OutsideUserSpace { segment, machine } => {
                let (start, end) = (USER_START, machine.end());
                match machine {
                    Machine::X86_64 => write!(f, "{segment} is outside of user space, {start:#x} to {end:#x}"),
                    Machine::RiscV32 => {
                        write!(f, "{segment} is outside of a RISC-V program's memory, {start:#x} to {end:#x}")
                    }
                }
            }
            Self::WritableAndExecutable { segment } => write!(f, "{segment} is both writable and executable"),
            Self::NoAccess { segment } => write!(f, "{segment} is neither readable, writable nor executable"),
            Self::DataOutsideFile { segment, offset, file_bytes, file_size } => write!(
                f,
                "the file is cut off: it has {file_size:#x} bytes, but {segment} has {file_bytes:#x} at offset {offset:#x}"
            ),
            Self::Overlap { segment, other } => write!(f, "{segment} shares a page with {other}"),
            Self::EntryNotExecutable { entry } => {
                write!(f, "the entry point {entry:#x} is not in an executable segment")
            }
            Self::OddEntry { entry } => write!(f, "the entry point {entry:#x} is odd, which no RISC-V instruction is"),
        }
    }
}

impl core::error::Error for ImageError {}
