//! The file header and the table of program headers.
//!
//! `ElfBytes::minimal_parse` would do both, but it refuses a file for its sections too, which a loader has no use for.

use elf::abi::{EI_NIDENT, EM_X86_64, ET_EXEC, EV_CURRENT};
use elf::endian::LittleEndian;
use elf::file::{Class, ELF64_EHDR_TAILSIZE, FileHeader, parse_ident};
use elf::parse::{ParseAt as _, ParseError};
use elf::segment::{ProgramHeader, SegmentTable};

use crate::{ImageError, MAX_PROGRAM_HEADERS};

const MAGIC: &[u8] = b"\x7fELF";
const FILE_HEADER_SIZE: usize = EI_NIDENT + ELF64_EHDR_TAILSIZE;

/// Reads the file header; refuses files that are not executables of this machine.
pub(crate) fn file_header(file: &[u8]) -> Result<FileHeader<LittleEndian>, ImageError> {
    if !file.starts_with(MAGIC) {
        return Err(ImageError::NotElf);
    }
    let truncated = ImageError::HeaderOutsideFile { file_size: file.len() };
    // `parse_ident` relies on all of its bytes being there.
    let ident = parse_ident(file.get(..EI_NIDENT).ok_or(truncated)?).map_err(|error| match error {
        ParseError::UnsupportedElfClass(_) => ImageError::Not64Bit,
        ParseError::UnsupportedElfEndianness(_) => ImageError::NotLittleEndian,
        _ => ImageError::UnknownVersion,
    })?;
    if ident.1 != Class::ELF64 {
        return Err(ImageError::Not64Bit);
    }
    let tail = file.get(EI_NIDENT..FILE_HEADER_SIZE).ok_or(truncated)?;
    let header = FileHeader::parse_tail(ident, tail).map_err(|_| truncated)?;
    if header.version != u32::from(EV_CURRENT) {
        return Err(ImageError::UnknownVersion);
    }
    if header.e_machine != EM_X86_64 {
        return Err(ImageError::NotX86_64 { machine: header.e_machine });
    }
    if header.e_type != ET_EXEC {
        return Err(ImageError::NotStaticExecutable { kind: header.e_type });
    }
    Ok(header)
}

/// The table of program headers; empty if there is none.
pub(crate) fn program_headers<'file>(
    file: &'file [u8],
    header: &FileHeader<LittleEndian>,
) -> Result<SegmentTable<'file, LittleEndian>, ImageError> {
    let count = usize::from(header.e_phnum);
    // This also refuses `PN_XNUM`, which says that the count is too large for its field and stands elsewhere.
    if count > MAX_PROGRAM_HEADERS {
        return Err(ImageError::TooManyProgramHeaders { count });
    }
    let entry_size = ProgramHeader::size_for(Class::ELF64);
    if count > 0 && usize::from(header.e_phentsize) != entry_size {
        return Err(ImageError::WrongProgramHeaderSize { size_bytes: header.e_phentsize });
    }
    let table = if count == 0 { Some(&[][..]) } else { slice(file, header.e_phoff, (count * entry_size) as u64) };
    let outside = ImageError::ProgramHeadersOutsideFile { offset: header.e_phoff, count, file_size: file.len() };
    Ok(SegmentTable::new(LittleEndian, Class::ELF64, table.ok_or(outside)?))
}

/// A part of the file, if all of it is in the file.
pub(crate) fn slice(file: &[u8], offset: u64, size_bytes: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let size = usize::try_from(size_bytes).ok()?;
    file.get(start..start.checked_add(size)?)
}
