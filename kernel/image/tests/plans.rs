//! What a plan says about good files.

use elf::abi::{PF_W, PF_X};
use flatmk_image::builder::{CODE_ADDRESS, ElfFile, ElfSegment};
use flatmk_image::{Access, Image, PAGE_SIZE, Page, USER_END, USER_START};

/// A program as linkers make it: constants, code, and variables of which a part is zero.
fn program() -> Vec<u8> {
    ElfFile::new(CODE_ADDRESS + 0x1010)
        .with(ElfSegment::read(CODE_ADDRESS, b"constants"))
        .with(ElfSegment::read_execute(CODE_ADDRESS + 0x1010, &[0x90; 0x1000]))
        .with(ElfSegment::read_write(CODE_ADDRESS + 0x3ff0, &[7; 0x20]).sized(0x2010))
        .to_bytes()
}

#[test]
fn a_plan_has_the_segments_of_the_file() {
    let file = program();
    let image = Image::parse(&file).unwrap();
    assert_eq!(image.entry(), CODE_ADDRESS + 0x1010);
    assert_eq!(image.page_count(), 1 + 2 + 3);
    let [constants, code, variables] = image.segments().collect::<Vec<_>>().try_into().unwrap();

    assert_eq!((constants.address(), constants.page_count()), (CODE_ADDRESS, 1));
    assert_eq!((constants.access(), constants.data()), (Access::Read, &b"constants"[..]));

    assert_eq!((code.address(), code.page_count()), (CODE_ADDRESS + 0x1000, 2));
    assert_eq!((code.access(), code.offset_in_first_page()), (Access::ReadExecute, 0x10));

    assert_eq!(variables.page_range(), CODE_ADDRESS + 0x3000..CODE_ADDRESS + 0x6000);
    assert_eq!((variables.access(), variables.size_bytes()), (Access::ReadWrite, 0x2010));
    assert_eq!((variables.place().index, variables.place().address), (2, CODE_ADDRESS + 0x3ff0));
}

#[test]
fn each_page_gets_the_bytes_that_belong_there() {
    let file = program();
    let image = Image::parse(&file).unwrap();
    let variables = image.segments().last().unwrap();
    let pages = variables.pages().collect::<Vec<_>>();
    let address = CODE_ADDRESS + 0x3000;
    let expected = [
        Page { address, offset: 0xff0, bytes: &[7; 0x10] },
        Page { address: address + 0x1000, offset: 0, bytes: &[7; 0x10] },
        Page { address: address + 0x2000, offset: 0, bytes: &[] },
    ];
    assert_eq!(pages, expected);
}

#[test]
fn a_frame_is_filled_at_the_offset_of_its_bytes() {
    let mut frame = [0; PAGE_SIZE];
    Page { address: 0x1000, offset: 0xffe, bytes: b"ab" }.copy_to(&mut frame);
    assert_eq!(frame[0xffd..], *b"\0ab");
    assert!(frame[..0xffe].iter().all(|byte| *byte == 0));
}

#[test]
fn a_segment_may_reach_to_both_ends_of_user_space() {
    let file = ElfFile::program()
        .with(ElfSegment::read(USER_START, b"first"))
        .with(ElfSegment::read(USER_END - 4, b"last"))
        .to_bytes();
    assert_eq!(Image::parse(&file).unwrap().segments().last().unwrap().page_range().end, USER_END);
}

#[test]
fn segments_may_be_neighbours_in_any_order() {
    let file = ElfFile::program()
        .with(ElfSegment::read_write(CODE_ADDRESS + 0x1000, b"above").sized(0x1000))
        .with(ElfSegment::read_write(CODE_ADDRESS - 0x1000, b"below").sized(0x1000))
        .to_bytes();
    assert_eq!(Image::parse(&file).unwrap().page_count(), 3);
}

#[test]
fn a_segment_that_takes_no_memory_is_skipped() {
    // Nothing about it is looked at: it is in the middle of the code and asks for everything.
    let empty = ElfSegment::load(PF_W | PF_X, CODE_ADDRESS + 1, b"");
    let file = ElfFile::program().with(empty).to_bytes();
    assert_eq!(Image::parse(&file).unwrap().segments().count(), 1);
}

#[test]
fn a_segment_of_zeros_needs_no_place_in_the_file() {
    let zeros = ElfSegment { offset: Some(0x100_0000), ..ElfSegment::read_write(CODE_ADDRESS + 0x1000, b"") };
    let file = ElfFile::program().with(zeros.sized(0x1800)).to_bytes();
    let image = Image::parse(&file).unwrap();
    let zeros = image.segments().last().unwrap();
    assert_eq!(zeros.page_count(), 2);
    assert!(zeros.pages().all(|page| page.bytes.is_empty()));
}

#[test]
fn what_is_readable_to_the_processor_is_readable_to_the_program() {
    let file = ElfFile::new(CODE_ADDRESS)
        .with(ElfSegment::load(PF_X, CODE_ADDRESS, b"x"))
        .with(ElfSegment::load(PF_W, CODE_ADDRESS + 0x1000, b"x"))
        .to_bytes();
    let image = Image::parse(&file).unwrap();
    let accesses = image.segments().map(|segment| segment.access()).collect::<Vec<_>>();
    assert_eq!(accesses, [Access::ReadExecute, Access::ReadWrite]);
}

#[test]
fn sections_do_not_matter() {
    let mut file = ElfFile::program().to_bytes();
    file[40..48].copy_from_slice(&u64::MAX.to_le_bytes()); // e_shoff
    file[58..64].copy_from_slice(&[0xff; 6]); // e_shentsize, e_shnum, e_shstrndx
    assert!(Image::parse(&file).is_ok());
}
