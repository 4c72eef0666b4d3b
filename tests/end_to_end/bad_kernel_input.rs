//! What the kernel cannot work with stops it with a code and a sentence: its ramdisk, its processor, its memory.

use flatmk_image::builder::{ElfFile, ElfSegment};
use flatmk_tests::built;
use flatmk_tools::machine::{Machine, Ramdisk};
use test_case::test_case;

use crate::stopped::assert_stops;

#[test_case(vec![0xff; 4096]; "not a tar archive")]
#[test_case(vec![b'x'; 100]; "shorter than a block of tar")]
fn a_bad_ramdisk_is_k04(ramdisk: Vec<u8>) {
    let machine = Machine::new(built::chapter(12)).ramdisk(Ramdisk::Bytes(ramdisk));
    assert_stops(&machine, "K04", "the boot ramdisk is missing or is not a tar archive");
}

#[test]
fn a_ramdisk_without_a_root_task_is_k05() {
    let files = vec![("some-task".to_owned(), ElfFile::program().to_bytes())];
    let machine = Machine::new(built::chapter(12)).ramdisk(Ramdisk::Files(files));
    assert_stops(&machine, "K05", "the boot ramdisk has no file root-task");
}

#[test_case("syscall")]
#[test_case("tsc")]
#[test_case("msr")]
fn a_processor_without_a_needed_feature_is_k02(feature: &str) {
    let machine = Machine::new(built::chapter(12)).cpu(format!("qemu64,-{feature}"));
    assert_stops(&machine, "K02", &format!("the processor lacks a needed feature: {feature}"));
}

#[test]
fn a_root_task_larger_than_memory_is_k03() {
    const GIBIBYTE: u64 = 1 << 30;
    let file = ElfFile::program().with(ElfSegment::read_write(0x1000_0000, b"").sized(GIBIBYTE));
    let machine =
        Machine::new(built::chapter(12)).ramdisk(Ramdisk::Files(vec![("root-task".to_owned(), file.to_bytes())]));
    assert_stops(&machine, "K03", "too little memory for the root task");
}
