//! The file header and the table of program headers.
//!
//! `ElfBytes::minimal_parse` would do both, but it refuses a file for its sections too, which a loader has no use for.

use elf::abi::{EF_RISCV_FLOAT_ABI_MASK, EI_NIDENT, ET_EXEC, EV_CURRENT};
use elf::endian::LittleEndian;
use elf::file::{ELF32_EHDR_TAILSIZE, ELF64_EHDR_TAILSIZE, FileHeader, parse_ident};
use elf::parse::{ParseAt as _, ParseError};
use elf::segment::{ProgramHeader, SegmentTable};

use crate::{ImageError, MAX_PROGRAM_HEADERS, Machine};

const MAGIC: &[u8] = b"\x7fELF";

/// Reads the file header; refuses files that are not executables of the machine.
pub(crate) fn file_header(machine: Machine, file: &[u8]) -> Result<FileHeader<LittleEndian>, ImageError> {
    if !file.starts_with(MAGIC) {
        return Err(ImageError::NotElf);
    }
    let truncated = ImageError::HeaderOutsideFile { file_size: file.len() };
    // `parse_ident` relies on all of its bytes being there.
    let ident = parse_ident(file.get(..EI_NIDENT).ok_or(truncated)?).map_err(|error| match error {
        ParseError::UnsupportedElfClass(_) => wrong_class(machine),
        ParseError::UnsupportedElfEndianness(_) => ImageError::NotLittleEndian,
        _ => ImageError::UnknownVersion,
    })?;
    if ident.1 != machine.class() {
        return Err(wrong_class(machine));
    }
    let tail_size = match machine {
        Machine::X86_64 => ELF64_EHDR_TAILSIZE,
        Machine::RiscV32 => ELF32_EHDR_TAILSIZE,
    };
    let tail = file.get(EI_NIDENT..EI_NIDENT + tail_size).ok_or(truncated)?;
    let header = FileHeader::parse_tail(ident, tail).map_err(|_| truncated)?;
    if header.version != u32::from(EV_CURRENT) {
        return Err(ImageError::UnknownVersion);
    }
    if header.e_machine != machine.number() {
        return Err(match machine {
            Machine::X86_64 => ImageError::NotX86_64 { machine: header.e_machine },
            Machine::RiscV32 => ImageError::NotRiscV { machine: header.e_machine },
        });
    }
    // Its functions would pass floating-point numbers in registers that are not there.
    if machine == Machine::RiscV32 && header.e_flags & EF_RISCV_FLOAT_ABI_MASK != 0 {
        return Err(ImageError::FloatingPoint);
    }
    if header.e_type != ET_EXEC {
        return Err(ImageError::NotStaticExecutable { kind: header.e_type });
    }
    Ok(header)
}

fn wrong_class(machine: Machine) -> ImageError {
    match machine {
        Machine::X86_64 => ImageError::Not64Bit,
        Machine::RiscV32 => ImageError::Not32Bit,
    }
}

/// The table of program headers; empty if there is none.
pub(crate) fn program_headers<'file>(
    machine: Machine,
    file: &'file [u8],
    header: &FileHeader<LittleEndian>,
) -> Result<SegmentTable<'file, LittleEndian>, ImageError> {
    let count = usize::from(header.e_phnum);
    // This also refuses `PN_XNUM`, which says that the count is too large for its field and stands elsewhere.
    if count > MAX_PROGRAM_HEADERS {
        return Err(ImageError::TooManyProgramHeaders { count });
    }
    let entry_size = ProgramHeader::size_for(machine.class());
    if count > 0 && usize::from(header.e_phentsize) != entry_size {
        return Err(ImageError::WrongProgramHeaderSize { size_bytes: header.e_phentsize, right: entry_size });
    }
    let table = if count == 0 { Some(&[][..]) } else { slice(file, header.e_phoff, (count * entry_size) as u64) };
    let outside = ImageError::ProgramHeadersOutsideFile { offset: header.e_phoff, count, file_size: file.len() };
    Ok(SegmentTable::new(LittleEndian, machine.class(), table.ok_or(outside)?))
}

/// A part of the file, if all of it is in the file.
pub(crate) fn slice(file: &[u8], offset: u64, size_bytes: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let size = usize::try_from(size_bytes).ok()?;
    file.get(start..start.checked_add(size)?)
}
