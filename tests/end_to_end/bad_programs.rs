//! A root task that cannot be loaded, or that fails at once, stops the kernel with a code and a sentence.

use flatmk_image::builder::{CODE_ADDRESS, ElfFile, ElfSegment};
use flatmk_tests::built;
use flatmk_tools::machine::{Machine, Ramdisk};
use test_case::test_case;

use crate::stopped::assert_stops;

/// Where the tests put a second segment.
const DATA_ADDRESS: u64 = CODE_ADDRESS + 0x1000;

fn machine(root_task: Vec<u8>) -> Machine {
    Machine::new(built::chapter(12)).ramdisk(Ramdisk::Files(vec![("root-task".to_owned(), root_task)]))
}

fn program_with(segment: ElfSegment) -> Vec<u8> {
    ElfFile::program().with(segment).to_bytes()
}

fn overlapping() -> Vec<u8> {
    program_with(ElfSegment::read_write(CODE_ADDRESS + 0x800, b"data"))
}

fn misaligned() -> Vec<u8> {
    program_with(ElfSegment { offset: Some(1), ..ElfSegment::read_write(DATA_ADDRESS, b"data") })
}

fn upper_half() -> Vec<u8> {
    program_with(ElfSegment::read_write(0xffff_ffff_8000_0000, b"data"))
}

fn around_the_end() -> Vec<u8> {
    program_with(ElfSegment::read_write(0xffff_ffff_ffff_f000, b"").sized(0x2000))
}

fn writable_and_executable() -> Vec<u8> {
    const ALL: u32 = 0b111;
    program_with(ElfSegment::load(ALL, DATA_ADDRESS, b"data"))
}

fn entry_outside() -> Vec<u8> {
    ElfFile { entry: DATA_ADDRESS, ..ElfFile::program() }.to_bytes()
}

fn on_the_stack() -> Vec<u8> {
    program_with(ElfSegment::read_write(flatmk_abi::layout::ROOT_STACK_TOP - 0x1000, b"data"))
}

#[test_case(b"#!/bin/sh\nexit\n".to_vec(), "the file is not an ELF file"; "not an ELF file")]
#[test_case(ElfFile::program().to_bytes()[..40].to_vec(), "the file is cut off"; "cut off")]
#[test_case(overlapping(), "shares a page with segment 0"; "overlapping segments")]
#[test_case(misaligned(), "segment 1 (0x4 bytes at 0x401000) is misaligned"; "a misaligned segment")]
#[test_case(upper_half(), "is outside of user space"; "a segment in the upper half")]
#[test_case(around_the_end(), "ends beyond the highest 64-bit address"; "a segment around the end")]
#[test_case(writable_and_executable(), "is both writable and executable"; "a segment writable and executable")]
#[test_case(entry_outside(), "the entry point 0x401000 is not in an executable segment"; "the entry outside")]
#[test_case(on_the_stack(), "the root task does not fit into its address space"; "a segment where the stack goes")]
fn a_bad_root_task_is_k06(root_task: Vec<u8>, words: &str) {
    assert_stops(&machine(root_task), "K06", words);
}

#[test]
fn a_root_task_that_faults_at_once_is_reported_and_then_k07() {
    // ud2
    let code = ElfSegment::read_execute(CODE_ADDRESS, &[0x0f, 0x0b]);
    let stopped = assert_stops(&machine(ElfFile::new(CODE_ADDRESS).with(code).to_bytes()), "K07", "");
    let report = stopped.serial.find(" stopped: invalid opcode").expect("the fault is reported");
    let stop = stopped.serial.find("FlatMk stopped: K07").expect("this was checked");
    assert!(report < stop, "{}", stopped.serial);
    assert!(
        stopped.serial.get(report..stop).is_some_and(|text| text.contains(&format!("rip={CODE_ADDRESS:#x}"))),
        "{}",
        stopped.serial
    );
}
