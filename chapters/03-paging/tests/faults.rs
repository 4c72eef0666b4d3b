//! What memory protection forbids stops the kernel, with a report that says what was tried and why it was refused.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use core::arch::asm;

use flatmk_abi::Access;
use kernel::memory::{AddressSpace, FrameSize, PageKind, boot_regions, kernel_space};
use kernel::must_stop;
use kernel::processor::Processor;
use kernel::stop::StopCode::{Exception, MissingFeature};
use kernel::stop::stop;

kernel::test_entry!();

static CONSTANT: u64 = 7;
static mut VARIABLE: [u8; 16] = [0xc3; 16];

fn write(address: u64) {
    // SAFETY: the write must fault.
    unsafe { asm!("mov byte ptr [{}], 0", in(reg) address) };
}

fn read(address: u64) {
    // SAFETY: the read must fault.
    unsafe { asm!("mov al, [{}]", in(reg) address, out("al") _) };
}

fn execute(address: u64) {
    // SAFETY: the fetch must fault.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) };
}

/// Maps a user page in a space that becomes the current one; leaves the space behind.
fn map_user_page(access: Access) -> u64 {
    const ADDRESS: u64 = 0x40_0000;
    boot_regions(|regions| {
        let region = regions.iter_mut().max_by_key(|region| region.free_pages()).expect("memory");
        let space = AddressSpace::new(region).expect("a space");
        let mut page = region.take_owned(PageKind::Frame).expect("a page");
        // A return instruction, in case it is executed.
        page.bytes().fill(0xc3);
        space.map(ADDRESS, page.frame(), FrameSize::Small, access, region).expect("mapped");
        space.activate();
    });
    ADDRESS
}

must_stop! {
    fn a_null_access() stops Exception(14), saying "read from 0x0 by the kernel, where nothing is mapped: the null page", {
        kernel_space().activate();
        read(0);
    }
    fn a_write_to_code() stops Exception(14), saying "where the page does not allow it", {
        write(write as *const () as u64);
    }
    fn a_write_to_a_constant() stops Exception(14), saying "where the page does not allow it", {
        write(&raw const CONSTANT as u64);
    }
    fn execution_of_data() stops Exception(14), saying "execution of", {
        execute(&raw const VARIABLE as u64);
    }
    fn execution_of_the_stack() stops Exception(14), saying "execution of", {
        let code = [0xc3_u8; 16];
        execute(code.as_ptr() as u64);
    }
    fn execution_through_the_physical_window() stops Exception(14), saying "execution of", {
        execute(kernel::boot::PHYSICAL_WINDOW + 0x10_0000);
    }
    fn an_access_where_nothing_is_mapped() stops Exception(14), saying "write to 0xffffff0000000000 by the kernel, where nothing is mapped", {
        write(0xffff_ff00_0000_0000);
    }
    fn a_write_to_a_page_that_was_protected() stops Exception(14), saying "where the page does not allow it", {
        let address = map_user_page(Access::ReadWrite);
        if Processor::identify().has_smap() {
            // SAFETY: the processor has the instruction; this lets the kernel touch user pages.
            unsafe { asm!("stac") };
        }
        write(address);
        boot_regions(|_| AddressSpace::current().protect(address, Access::Read).expect("protected").now());
        write(address);
    }
    fn a_user_page_cannot_be_touched_by_mistake() stops Exception(14), saying "where the page does not allow it", {
        require_or_say_so(Processor::identify().has_smap());
        read(map_user_page(Access::ReadWrite));
    }
    fn a_user_page_cannot_be_executed_by_the_kernel() stops Exception(14), saying "execution of 0x400000 by the kernel, where the page does not allow it", {
        require_or_say_so(Processor::identify().has_smep());
        execute(map_user_page(Access::ReadExecute));
    }
}

/// These tests run on processors with every feature; elsewhere they fail, rather than pass for nothing.
fn require_or_say_so(present: bool) {
    if !present {
        stop(MissingFeature, format_args!("this test needs SMEP and SMAP"));
    }
}
