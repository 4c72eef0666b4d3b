//! The first program: it has all memory, and the ramdisk with all other programs. It loads and starts them.
#![no_std]
#![no_main]

mod chain;
mod servers;
mod softuser;

use core::slice;

use flatmk_abi::layout::ROOT_RAMDISK;
use flatmk_abi::{Error, Rights, slots};
use flatmk_image::Image;
use flatmk_runtime::mediated::{consumer_context, producer_context};
use flatmk_runtime::object::{Console, Endpoint, Memory, OWN_TASK, Power, identify};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::{print, println};
use servers::{BYTE_PIPE, ITEM_PIPE, Servers};
use tar_no_std::TarArchiveRef;

flatmk_runtime::entry!(main);

/// The slots from here on are free: the kernel gives fewer memory capabilities than there are in between.
const FIRST_FREE_SLOT: u64 = 44;

fn main(ramdisk_bytes: u64, [memory_count, ..]: [u64; 4]) {
    let memory = Memory(slots::MEMORY);
    let (free, pages) = memory.measure().expect("the root task has memory");
    println!("root task: {memory_count} memory capabilities; the largest has {pages} pages, {free} of them free");

    // SAFETY: the kernel has mapped so many bytes there, read-only, for as long as this task lives.
    let ramdisk = unsafe { slice::from_raw_parts(ROOT_RAMDISK as *const u8, ramdisk_bytes as usize) };
    let archive = TarArchiveRef::new(ramdisk).expect("the kernel has found this program in the archive");
    let outcome = if calls_are_there() {
        run_programs(&archive, memory)
    } else {
        println!("root task: this kernel has no calls between tasks yet, so there is nobody else to start");
        OWN_TASK.yield_now()
    };
    let outcome = outcome.map_err(|error| println!("root task: failed: {error}"));
    if is_interactive(&archive) {
        wait_for_key();
    }
    let refused = Power(slots::POWER).off(outcome);
    panic!("the machine stays on: {refused}");
}

/// Calls come with chapter 6; before, the kernel does not know the operation.
fn calls_are_there() -> bool {
    Endpoint(slots::CONSOLE).call([0; 4]) != Err(Error::UnknownOperation)
}

/// The contents of a file of the ramdisk.
fn find<'a>(archive: &TarArchiveRef<'a>, name: &str) -> Option<&'a [u8]> {
    archive.entries().find(|entry| entry.filename().as_str() == Ok(name)).map(|entry| entry.data())
}

fn load(archive: &TarArchiveRef<'_>, name: &str, memory: Memory, first_slot: u64) -> Result<Program, Error> {
    let Some(file) = find(archive, name) else {
        println!("root task: the ramdisk has no program {name}");
        return Err(Error::InvalidArgument);
    };
    let image = Image::parse_any(file).map_err(|error| {
        println!("root task: {name} cannot be loaded: {error}");
        Error::InvalidArgument
    })?;
    let program = Program::load(&image, memory, first_slot)?;
    program.table.copy(slots::CONSOLE, slots::CONSOLE, Rights::WRITE)?;
    Ok(program)
}

/// A program offers its service while it starts. Nothing preempts it, so letting it run once is enough; more is for programs that
/// let others run in between.
fn wait_for_service(program: Program) -> Result<(), Error> {
    const PATIENCE: usize = 100;
    for _ in 0..PATIENCE {
        OWN_TASK.yield_now()?;
        if identify(program.slot(SERVICE)).is_ok() {
            return Ok(());
        }
    }
    println!("root task: a program offers no service");
    Err(Error::InvalidState)
}

fn is_interactive(archive: &TarArchiveRef<'_>) -> bool {
    let text = find(archive, "boot-options").and_then(|file| core::str::from_utf8(file).ok()).unwrap_or("");
    text.lines().any(|line| line.trim() == "interactive=yes")
}

fn wait_for_key() {
    print!("Press a key to switch off.");
    while Console(slots::CONSOLE).read() == Ok(None) {
        core::hint::spin_loop();
    }
    println!();
}
