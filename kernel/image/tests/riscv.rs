//! Files for RISC-V: what is different about them.

use elf::abi::{EF_RISCV_RVC, EM_386, PF_W, PF_X};
use flatmk_image::builder::{CODE_ADDRESS, ElfFile, ElfSegment, file_header_size};
use flatmk_image::{Image, ImageError, Machine, Place};

const RISCV: Machine = Machine::RiscV32;

fn good() -> ElfFile {
    ElfFile { flags: EF_RISCV_RVC, ..ElfFile::program_for(RISCV) }
}

fn refusal(file: &ElfFile) -> ImageError {
    let bytes = file.to_bytes();
    let error = Image::parse_for(RISCV, &bytes).expect_err("a bad file was accepted");
    if file.class == 1 {
        assert_eq!(Image::parse_any(&bytes).expect_err("a bad file was accepted"), error);
    }
    error
}

#[test]
fn a_program_is_read_as_what_it_is() {
    for machine in [Machine::X86_64, RISCV] {
        let file = ElfFile::program_for(machine)
            .with(ElfSegment::read_write(CODE_ADDRESS + 0x1ff0, &[7; 0x20]).sized(0x2010))
            .to_bytes();
        let image = Image::parse_any(&file).unwrap();
        assert_eq!((image.machine(), image.entry()), (machine, CODE_ADDRESS));
        let [code, variables] = image.segments().collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((code.address(), code.size_bytes()), (CODE_ADDRESS, 2));
        assert_eq!((variables.address(), variables.page_count()), (CODE_ADDRESS + 0x1000, 3));
        assert_eq!((variables.data(), variables.size_bytes()), (&[7; 0x20][..], 0x2010));
    }
}

#[test]
fn programs_of_the_one_machine_are_not_for_the_other() {
    let riscv = good().to_bytes();
    assert_eq!(Image::parse(&riscv).unwrap_err(), ImageError::Not64Bit);
    let native = ElfFile::program().to_bytes();
    assert_eq!(Image::parse_for(RISCV, &native).unwrap_err(), ImageError::Not32Bit);
    assert_eq!(refusal(&ElfFile { machine: EM_386, ..good() }), ImageError::NotRiscV { machine: 3 });
    // RISC-V with 64 bits.
    let file = ElfFile { machine: 243, ..ElfFile::program() }.to_bytes();
    assert_eq!(Image::parse_any(&file).unwrap_err(), ImageError::NotX86_64 { machine: 243 });
}

#[test]
fn floating_point_registers_are_not_there() {
    for abi in [2, 4, 6] {
        assert_eq!(refusal(&ElfFile { flags: EF_RISCV_RVC | abi, ..good() }), ImageError::FloatingPoint);
    }
}

#[test]
fn a_file_cut_off_in_its_header_is_refused() {
    let file = good().to_bytes();
    for file_size in 5..usize::from(file_header_size(RISCV)) {
        let error = Image::parse_any(&file[..file_size]).unwrap_err();
        assert_eq!(error, ImageError::HeaderOutsideFile { file_size });
    }
}

#[test]
fn a_wrong_size_of_program_headers_is_refused() {
    for size_bytes in [0, 31, 33, 56] {
        let file = ElfFile { program_header_size: size_bytes, ..good() };
        assert_eq!(refusal(&file), ImageError::WrongProgramHeaderSize { size_bytes, right: 32 });
    }
}

#[test]
fn a_segment_ends_at_4_gib_at_the_latest() {
    let last = good().with(ElfSegment::read_write(0xffff_f000, b"last").sized(0x1000)).to_bytes();
    assert_eq!(Image::parse_any(&last).unwrap().segments().last().unwrap().page_range().end, 1 << 32);
    for (address, size_bytes) in [(0, 1), (0xfff, 1), (0xffff_f000, 0x1001), (CODE_ADDRESS + 0x1000, 0xffff_ffff)] {
        let segment = Place { index: 1, address, size_bytes };
        let file = good().with(ElfSegment::read(address, b"x").sized(size_bytes));
        assert_eq!(refusal(&file), ImageError::OutsideUserSpace { segment, machine: RISCV });
    }
    let error = refusal(&good().with(ElfSegment::read(0, b"x")));
    let sentence = "segment 1 (0x1 bytes at 0x0) is outside of a RISC-V program's memory, 0x1000 to 0x100000000";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn an_odd_entry_point_is_refused() {
    let file = ElfFile { entry: CODE_ADDRESS + 1, ..good() };
    assert_eq!(refusal(&file), ImageError::OddEntry { entry: CODE_ADDRESS + 1 });
}

#[test]
fn writable_code_is_refused() {
    let file = good().with(ElfSegment::load(PF_W | PF_X, CODE_ADDRESS + 0x1000, b"x"));
    let segment = Place { index: 1, address: CODE_ADDRESS + 0x1000, size_bytes: 1 };
    assert_eq!(refusal(&file), ImageError::WritableAndExecutable { segment });
}
