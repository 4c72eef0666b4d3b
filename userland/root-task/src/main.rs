//! The first program: it has all memory, and the ramdisk with all other programs. It loads and starts them. From chapter 11 on it is the supervisor of
//! the [`system`], which it starts when its demonstration is over.
#![no_std]
#![no_main]

mod chain;
mod demonstration;
mod servers;
mod softuser;
mod system;
mod trace;

use core::slice;

use flatmk_abi::layout::ROOT_RAMDISK;
use flatmk_abi::{Error, Rights, slots};
use flatmk_image::Image;
use flatmk_runtime::object::{Console, Endpoint, Memory, OWN_TASK, Power, identify};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::{print, println};
use servers::Servers;
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
    let outcome = run(ramdisk, &archive, memory, memory_count);
    let outcome = match outcome {
        // The rest is done in answer to calls.
        Ok(Next::Serve) => return,
        Ok(Next::SwitchOff) => Ok(()),
        Err(error) => {
            println!("root task: failed: {error}");
            Err(())
        }
    };
    if has_option(&archive, "interactive=yes") {
        wait_for_key();
    }
    let refused = Power(slots::POWER).off(outcome);
    panic!("the machine stays on: {refused}");
}

/// What comes when everything was started.
enum Next {
    SwitchOff,
    Serve,
}

/// Does what this chapter's kernel and ramdisk allow.
fn run(ramdisk: &'static [u8], archive: &TarArchiveRef<'_>, memory: Memory, memory_count: u64) -> Result<Next, Error> {
    if !calls_are_there() {
        println!("root task: this kernel has no calls between tasks yet, so there is nobody else to start");
        return OWN_TASK.yield_now().map(|()| Next::SwitchOff);
    }
    if has_option(archive, "trace=on") {
        let servers = Servers::start(archive, memory)?;
        return trace::run(archive, memory, &servers).map(|()| Next::SwitchOff);
    }
    if !system::is_there(archive) {
        return demonstration::run(archive, memory).map(|()| Next::SwitchOff);
    }
    if !has_option(archive, "demonstration=no") {
        system::with_borrowed_memory(memory, |memory| demonstration::run(archive, memory))?;
    }
    system::start(ramdisk, archive, memory, memory_count).map(|()| Next::Serve)
}

/// Calls come with chapter 6; before, the kernel does not know the operation.
fn calls_are_there() -> bool {
    Endpoint(slots::CONSOLE).call([0; 4]) != Err(Error::UnknownOperation)
}

/// The contents of a file of the ramdisk.
fn find<'a>(archive: &TarArchiveRef<'a>, name: &str) -> Option<&'a [u8]> {
    archive.entries().find(|entry| entry.filename().as_str() == Ok(name)).map(|entry| entry.data())
}

/// The lines of the file with the boot options.
fn boot_options<'a>(archive: &TarArchiveRef<'a>) -> impl Iterator<Item = &'a str> {
    let text = find(archive, "boot-options").and_then(|file| core::str::from_utf8(file).ok()).unwrap_or("");
    text.lines().map(str::trim)
}

fn has_option(archive: &TarArchiveRef<'_>, option: &str) -> bool {
    boot_options(archive).any(|line| line == option)
}

fn find_image<'a>(archive: &TarArchiveRef<'a>, name: &str) -> Result<Image<'a>, Error> {
    let Some(file) = find(archive, name) else {
        println!("root task: the ramdisk has no program {name}");
        return Err(Error::InvalidArgument);
    };
    Image::parse_any(file).map_err(|error| {
        println!("root task: {name} cannot be loaded: {error}");
        Error::InvalidArgument
    })
}

fn load(archive: &TarArchiveRef<'_>, name: &str, memory: Memory, first_slot: u64) -> Result<Program, Error> {
    let program = Program::load(&find_image(archive, name)?, memory, first_slot)?;
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

fn wait_for_key() {
    print!("Press a key to switch off.");
    while Console(slots::CONSOLE).read() == Ok(None) {
        core::hint::spin_loop();
    }
    println!();
}
