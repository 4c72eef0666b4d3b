//! What user mode can find out of the upper half: a thread reads there, page by page, and the code of each fault says whether the page is
//! present. That is what the processor goes by when it reads in advance, too.
#![no_std]
#![no_main]

#[path = "../../../07-scheduling/user/src/calibration.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 7")]
mod calibration;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
#[path = "../../../07-scheduling/user/src/threads.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 7")]
mod threads;

use core::arch::naked_asm;
use core::ops::Range;
use core::slice;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::{PAGE_SIZE, ROOT_RAMDISK};
use flatmk_abi::{FaultAnswer, FaultReason, MissingCapability, Words};
use flatmk_runtime::object::Notification;
use flatmk_runtime::testing::{self, Test};
use flatmk_runtime::{println, service, tests};
use tar_no_std::TarArchiveRef;

use crate::harness::at;
use crate::threads::{OBJECT, entry, finish, near, notification, on_stage, prepare, serve};

flatmk_runtime::entry!(main);

/// Where the kernel is not in the page tables of user mode,
const ISOLATED: &[Test] = tests![only_the_way_into_the_kernel_is_present];
/// and where it is.
const OPEN: &[Test] = tests![the_kernel_is_present];

/// A part of the kernel's half.
struct Place {
    name: &'static str,
    addresses: Range<u64>,
    /// How far apart the addresses are that are looked at.
    step: u64,
}

const WINDOW: u64 = 0;
const STACK: u64 = 1;
const BOOT_LOADERS: u64 = 2;
const ENTRIES: u64 = 3;
const IMAGE: u64 = 4;

/// One of these.
fn place(number: u64) -> Place {
    let large = 512 * PAGE_SIZE;
    let (name, addresses, step) = match number {
        WINDOW => ("the window to physical memory", 0xffff_8000_0000_0000..0xffff_8000_2000_0000, large),
        STACK => ("the kernel's stack", 0xffff_9000_0000_0000..0xffff_9000_0004_0000, PAGE_SIZE),
        BOOT_LOADERS => ("what the boot loader mapped", 0xffff_a000_0000_0000..0xffff_a000_0100_0000, PAGE_SIZE),
        ENTRIES => ("where each entry of the top-level table begins", 0xffff_8000_0000_0000..u64::MAX, 1 << 39),
        _ => ("the kernel's image", 0xffff_ffff_8000_0000..0xffff_ffff_8100_0000, PAGE_SIZE),
    };
    Place { name, addresses, step }
}

/// What the processor needs to come into the kernel: its two tables of descriptors, the stubs, and their data.
const PAGES_OF_THE_WAY_IN: usize = 5;

/// Bits of a page fault's code: the page is present, and it was user mode.
const PRESENT: u64 = 1;
const USER: u64 = 4;

/// What the reader is to read: the place, by number.
static PLACE: AtomicU64 = AtomicU64::new(0);

/// How many pages it has read, and which of them are present: the first ones, and how many.
static READ: AtomicU64 = AtomicU64::new(0);
static FOUND: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Reads a byte, and comes back behind that in any case.
#[unsafe(naked)]
extern "C" fn read_byte(_address: u64) {
    naked_asm!("mov al, [rdi]", "ret");
}

/// The length of the instruction that reads.
const READ_LENGTH: u64 = 2;

fn note(_: u64, message: &mut Words) {
    let [reason, address, code, rip] = *message;
    assert_eq!(reason, FaultReason::Page as u64);
    assert_eq!(code & !PRESENT, USER, "a read of user mode at {address:#x}");
    READ.fetch_add(1, Relaxed);
    if code & PRESENT != 0 {
        let index = COUNT.fetch_add(1, Relaxed) as usize;
        if let Some(place) = FOUND.get(index) {
            place.store(address, Relaxed);
        }
    }
    *message = [FaultAnswer::ResumeAt as u64, rip + READ_LENGTH, 0, 0];
}

service!(fn note_entry = note);

impl Place {
    /// The addresses that are looked at.
    fn looked_at(&self) -> impl Iterator<Item = u64> {
        self.addresses.clone().step_by(self.step as usize)
    }
}

extern "C" fn read_all(thread: u64) {
    place(PLACE.load(Relaxed)).looked_at().for_each(|address| read_byte(address));
    Notification(at(OBJECT)).signal(1).expect("it may be signalled");
    finish(thread);
}

/// Looks at a place, and prints what is present there. Returns how many pages are.
fn look_at(number: u64) -> usize {
    PLACE.store(number, Relaxed);
    READ.store(0, Relaxed);
    COUNT.store(0, Relaxed);
    on_stage(|| {
        let end = notification(OBJECT);
        serve(0, 20, note_entry, 0);
        let reader = prepare(1, 20, read_all, 1);
        reader.set_fault_handler(Some(near(0)), MissingCapability::IsError).expect("an endpoint");
        reader.start(entry(), 0).expect("a configured task can be started");
        assert_eq!(end.wait(), Ok(1));
    });
    let (count, read) = (COUNT.load(Relaxed) as usize, READ.load(Relaxed) as usize);
    let place = place(number);
    assert_eq!(read, place.looked_at().count(), "each read is a fault");
    println!("{}: {count} of {read} pages are present", place.name);
    FOUND.iter().take(count).for_each(|page| println!("  {:#x}", page.load(Relaxed)));
    count
}

fn only_the_way_into_the_kernel_is_present() {
    for number in [WINDOW, STACK, BOOT_LOADERS, ENTRIES] {
        assert_eq!(look_at(number), 0);
    }
    assert_eq!(look_at(IMAGE), PAGES_OF_THE_WAY_IN);
}

fn the_kernel_is_present() {
    assert_eq!(look_at(WINDOW), place(WINDOW).looked_at().count(), "every machine has so much memory");
    assert_eq!(look_at(STACK), 32, "128 KiB, and no guard page");
    assert!(look_at(BOOT_LOADERS) > 0);
    assert!(look_at(ENTRIES) > 0, "the window begins with one");
    assert!(look_at(IMAGE) > 10 * PAGES_OF_THE_WAY_IN);
}

/// Whether the boot options ask for it.
fn is_isolated(ramdisk: &[u8]) -> bool {
    let archive = TarArchiveRef::new(ramdisk).expect("the kernel has found this program in the archive");
    let options = archive.entries().find(|file| file.filename().as_str() == Ok("boot-options"));
    let text = options.and_then(|file| str::from_utf8(file.data()).ok()).expect("boot options");
    text.lines().any(|line| line == "meltdown=on")
}

fn main(ramdisk_bytes: u64, _: [u64; 4]) {
    // SAFETY: the kernel has mapped so many bytes there, read-only, for as long as this task lives.
    let ramdisk = unsafe { slice::from_raw_parts(ROOT_RAMDISK as *const u8, ramdisk_bytes as usize) };
    testing::run(if is_isolated(ramdisk) { ISOLATED } else { OPEN });
}
