//! Every reason for which a file is refused, each with a file that is good but for this.

use elf::abi::{ELFCLASS32, ELFDATA2MSB, EM_RISCV, ET_DYN, PF_R, PF_W, PF_X};
use flatmk_image::builder::{CODE_ADDRESS, ElfFile, ElfSegment, FILE_HEADER_SIZE};
use flatmk_image::{Image, ImageError, MAX_PROGRAM_HEADERS, MAX_SEGMENTS, Machine, Place, USER_END, USER_START};

/// Where the tests put a second segment.
const SECOND: u64 = CODE_ADDRESS + 0x1000;

fn refusal_of_bytes(file: &[u8]) -> ImageError {
    Image::parse(file).expect_err("a bad file was accepted")
}

fn refusal(file: &ElfFile) -> ImageError {
    refusal_of_bytes(&file.to_bytes())
}

/// The refusal of a good program with this segment added to it, as number 1.
fn refusal_with(segment: &ElfSegment) -> (ImageError, Place) {
    let place = Place { index: 1, address: segment.address, size_bytes: segment.size_bytes };
    (refusal(&ElfFile::program().with(segment.clone())), place)
}

#[test]
fn a_text_is_not_an_elf_file() {
    assert_eq!(refusal_of_bytes(b"#!/bin/sh\n"), ImageError::NotElf);
    assert_eq!(refusal_of_bytes(b""), ImageError::NotElf);
    assert_eq!(refusal_of_bytes(b"\x7fEL"), ImageError::NotElf);
    assert_eq!(refusal(&ElfFile { magic: *b"\x7fElf", ..ElfFile::program() }), ImageError::NotElf);
}

#[test]
fn a_file_cut_off_in_its_header_is_refused() {
    let file = ElfFile::program().to_bytes();
    for file_size in 4..usize::from(FILE_HEADER_SIZE) {
        assert_eq!(refusal_of_bytes(&file[..file_size]), ImageError::HeaderOutsideFile { file_size });
    }
}

#[test]
fn an_unknown_version_is_refused() {
    assert_eq!(refusal(&ElfFile { version: 2, ..ElfFile::program() }), ImageError::UnknownVersion);
    let mut file = ElfFile::program().to_bytes();
    file[20] = 0; // the other place where the version stands
    assert_eq!(refusal_of_bytes(&file), ImageError::UnknownVersion);
}

#[test]
fn files_for_other_processors_are_refused() {
    let good = ElfFile::program();
    assert_eq!(refusal(&ElfFile { class: ELFCLASS32, ..good.clone() }), ImageError::Not64Bit);
    assert_eq!(refusal(&ElfFile { class: 3, ..good.clone() }), ImageError::Not64Bit);
    assert_eq!(refusal(&ElfFile { byte_order: ELFDATA2MSB, ..good.clone() }), ImageError::NotLittleEndian);
    assert_eq!(refusal(&ElfFile { byte_order: 0, ..good.clone() }), ImageError::NotLittleEndian);
    assert_eq!(refusal(&ElfFile { machine: EM_RISCV, ..good }), ImageError::NotX86_64 { machine: 243 });
}

#[test]
fn a_position_independent_file_is_refused() {
    let file = ElfFile { kind: ET_DYN, ..ElfFile::program() };
    assert_eq!(refusal(&file), ImageError::NotStaticExecutable { kind: 3 });
}

#[test]
fn a_program_for_an_interpreter_is_refused() {
    let (error, _) = refusal_with(&ElfSegment::interpreter(b"/lib64/ld-linux-x86-64.so.2\0"));
    assert_eq!(error, ImageError::NeedsInterpreter { index: 1 });
}

#[test]
fn a_dynamic_section_is_refused() {
    let (error, _) = refusal_with(&ElfSegment::dynamic(SECOND));
    assert_eq!(error, ImageError::NeedsRelocation { index: 1 });
}

#[test]
fn the_number_of_program_headers_is_limited() {
    let note = ElfSegment { kind: 4, ..ElfSegment::read(0, &[]) };
    let mut file = ElfFile::program();
    file.segments.resize(MAX_PROGRAM_HEADERS, note.clone());
    assert!(Image::parse(&file.to_bytes()).is_ok());
    assert_eq!(refusal(&file.with(note)), ImageError::TooManyProgramHeaders { count: 65 });
    // PN_XNUM: the count stands elsewhere.
    let file = ElfFile { program_header_count: Some(0xffff), ..ElfFile::program() };
    assert_eq!(refusal(&file), ImageError::TooManyProgramHeaders { count: 0xffff });
}

#[test]
fn a_wrong_size_of_program_headers_is_refused() {
    for size_bytes in [0, 32, 55, 57, u16::MAX] {
        let file = ElfFile { program_header_size: size_bytes, ..ElfFile::program() };
        assert_eq!(refusal(&file), ImageError::WrongProgramHeaderSize { size_bytes, right: 56 });
    }
}

#[test]
fn program_headers_outside_of_the_file_are_refused() {
    let bytes = ElfFile::program().to_bytes();
    for offset in [bytes.len() as u64 - 55, u64::MAX, u64::MAX - 55, i64::MAX as u64] {
        let file = ElfFile { program_header_offset: offset, ..ElfFile::program() };
        let error = ImageError::ProgramHeadersOutsideFile { offset, count: 1, file_size: bytes.len() };
        assert_eq!(refusal(&file), error);
    }
    let error = ImageError::ProgramHeadersOutsideFile { offset: 64, count: 1, file_size: 64 + 55 };
    assert_eq!(refusal_of_bytes(&bytes[..64 + 55]), error);
}

#[test]
fn a_file_without_anything_to_load_is_refused() {
    assert_eq!(refusal(&ElfFile::new(CODE_ADDRESS)), ImageError::NoLoadableSegment);
    // Without program headers, neither their size nor their place means anything.
    let file = ElfFile { program_header_size: 0, program_header_offset: u64::MAX, ..ElfFile::new(CODE_ADDRESS) };
    assert_eq!(refusal(&file), ImageError::NoLoadableSegment);
    let file = ElfFile::new(CODE_ADDRESS).with(ElfSegment::read_execute(CODE_ADDRESS, &[]));
    assert_eq!(refusal(&file), ImageError::NoLoadableSegment);
}

#[test]
fn the_number_of_segments_is_limited() {
    let mut file = ElfFile::program();
    for index in 1..MAX_SEGMENTS as u64 {
        file = file.with(ElfSegment::read(CODE_ADDRESS + index * 0x1000, b"x"));
    }
    assert_eq!(Image::parse(&file.to_bytes()).unwrap().segments().count(), MAX_SEGMENTS);
    let segment = Place { index: 16, address: CODE_ADDRESS + 0x10_000, size_bytes: 1 };
    let file = file.with(ElfSegment::read(segment.address, b"x"));
    assert_eq!(refusal(&file), ImageError::TooManySegments { segment });
}

#[test]
fn more_bytes_in_the_file_than_in_memory_are_refused() {
    for size_bytes in [0, 7] {
        let (error, segment) = refusal_with(&ElfSegment::read(SECOND, b"12345678").sized(size_bytes));
        assert_eq!(error, ImageError::FileLargerThanMemory { segment, file_bytes: 8 });
    }
}

#[test]
fn an_alignment_other_than_a_power_of_two_is_refused() {
    for alignment in [3, 0x1001, 0x3000, u64::MAX] {
        let (error, segment) = refusal_with(&ElfSegment { alignment, ..ElfSegment::read(SECOND, b"x") });
        assert_eq!(error, ImageError::AlignmentNotPowerOfTwo { segment, alignment });
    }
}

#[test]
fn a_misaligned_segment_is_refused() {
    for alignment in [0, 1, 0x1000] {
        let offset = 0x10;
        let bad = ElfSegment { alignment, offset: Some(offset), ..ElfSegment::read(SECOND, b"x") };
        let (error, segment) = refusal_with(&bad);
        assert_eq!(error, ImageError::Misaligned { segment, offset, alignment: 0x1000 });
    }
    // Aligned to its page, but not as far as it asks for.
    let bad = ElfSegment { alignment: 0x20_0000, offset: Some(0x1000), ..ElfSegment::read(0x60_0000, b"x") };
    let (error, segment) = refusal_with(&bad);
    assert_eq!(error, ImageError::Misaligned { segment, offset: 0x1000, alignment: 0x20_0000 });
}

#[test]
fn an_address_overflow_is_refused() {
    let ends = [(0xffff_ffff_ffff_f000, 0x1001), (SECOND, u64::MAX), (SECOND, u64::MAX - SECOND + 1)];
    for (address, size_bytes) in ends {
        let (error, segment) = refusal_with(&ElfSegment::read(address, b"x").sized(size_bytes));
        assert_eq!(error, ImageError::AddressOverflow { segment });
    }
}

#[test]
fn segments_outside_of_user_space_are_refused() {
    let outside = [
        (0, 1),
        (USER_START - 1, 1),
        (USER_START - 1, 0x1000),
        (USER_END - 1, 2),
        (USER_END, 1),
        (0x0000_8000_0000_0000, 1),
        (0xffff_8000_0000_0000, 1),
        (0xffff_ffff_8000_0000, 0x1000),
        (0xffff_ffff_ffff_f000, 0xfff),
        (SECOND, USER_END - SECOND + 1),
        (SECOND, u64::MAX - SECOND),
    ];
    for (address, size_bytes) in outside {
        let (error, segment) = refusal_with(&ElfSegment::read(address, b"x").sized(size_bytes));
        assert_eq!(error, ImageError::OutsideUserSpace { segment, machine: Machine::X86_64 });
    }
}

#[test]
fn writable_code_is_refused() {
    for flags in [PF_W | PF_X, PF_R | PF_W | PF_X] {
        let (error, segment) = refusal_with(&ElfSegment::load(flags, SECOND, b"x"));
        assert_eq!(error, ImageError::WritableAndExecutable { segment });
    }
}

#[test]
fn a_segment_without_any_access_is_refused() {
    for flags in [0, 8, 0xffff_fff8] {
        let (error, segment) = refusal_with(&ElfSegment::load(flags, SECOND, b"x"));
        assert_eq!(error, ImageError::NoAccess { segment });
    }
}

#[test]
fn bytes_outside_of_the_file_are_refused() {
    let segment = Place { index: 0, address: CODE_ADDRESS, size_bytes: 2 };
    let mut file = ElfFile::program().to_bytes();
    file.pop();
    let file_size = file.len();
    let error = ImageError::DataOutsideFile { segment, offset: 0x1000, file_bytes: 2, file_size };
    assert_eq!(refusal_of_bytes(&file), error);

    for (offset, file_bytes) in [(0x10_0000, 1), (0x1000, 0x4000_0000_0000), (u64::MAX - 0xfff, 0x2000)] {
        let bad = ElfSegment { offset: Some(offset), file_bytes: Some(file_bytes), ..ElfSegment::read(SECOND, b"x") };
        let bad = bad.sized(0x5000_0000_0000);
        let file_size = ElfFile::program().with(bad.clone()).to_bytes().len();
        let (error, segment) = refusal_with(&bad);
        assert_eq!(error, ImageError::DataOutsideFile { segment, offset, file_bytes, file_size });
    }
}

#[test]
fn segments_that_share_a_page_are_refused() {
    let code = Place { index: 0, address: CODE_ADDRESS, size_bytes: 2 };
    let overlaps = [
        (CODE_ADDRESS, 2),
        (CODE_ADDRESS + 1, 1),
        (CODE_ADDRESS + 2, 1), // no byte in common, but the page
        (CODE_ADDRESS + 0xfff, 1),
        (CODE_ADDRESS - 1, 2),
        (CODE_ADDRESS - 0x1800, 0x1801),
        (CODE_ADDRESS - 0x1800, 0x8_0000),
    ];
    for (address, size_bytes) in overlaps {
        let (error, segment) = refusal_with(&ElfSegment::read_write(address, b"x").sized(size_bytes));
        assert_eq!(error, ImageError::Overlap { segment, other: code });
    }
}

#[test]
fn the_entry_point_must_be_in_code() {
    for entry in [0, CODE_ADDRESS - 1, CODE_ADDRESS + 2, SECOND, u64::MAX] {
        let file = ElfFile { entry, ..ElfFile::program().with(ElfSegment::read_write(SECOND, b"xy")) };
        assert_eq!(refusal(&file), ImageError::EntryNotExecutable { entry });
    }
    // In the page of the code, but before its first byte.
    let entry = CODE_ADDRESS + 0xf;
    let file = ElfFile::new(entry).with(ElfSegment::read_execute(CODE_ADDRESS + 0x10, b"x"));
    assert_eq!(refusal(&file), ImageError::EntryNotExecutable { entry });
}

#[test]
fn a_refusal_says_which_segments_and_where() {
    let (error, _) = refusal_with(&ElfSegment::read_write(CODE_ADDRESS + 0x800, b"data"));
    let sentence = "segment 1 (0x4 bytes at 0x400800) shares a page with segment 0 (0x2 bytes at 0x400000)";
    assert_eq!(error.to_string(), sentence);
    let (error, _) = refusal_with(&ElfSegment::read(0xffff_8000_0000_0000, b"x"));
    let sentence = "segment 1 (0x1 bytes at 0xffff800000000000) is outside of user space, 0x1000 to 0x7ffffffff000";
    assert_eq!(error.to_string(), sentence);
}
