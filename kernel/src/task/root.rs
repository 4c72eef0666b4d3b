//! The root task: the first program, loaded by the kernel from the ramdisk. It loads all others.

use flatmk_abi::layout::{PAGE_SIZE, ROOT_RAMDISK, ROOT_STACK_PAGES, ROOT_STACK_TOP};
use flatmk_abi::{Access, Error, Kind, Rights, slots};
use flatmk_image::Image;
use tar_no_std::TarArchiveRef;

use super::configure::{ConfigureRequest, StartRequest};
use super::object::TaskRef;
use super::scheduler;
use crate::boot::ramdisk;
use crate::capability::{Content, Slot, Table, adopt_page, adopt_region, attach, insert_new};
use crate::memory::{
    AddressSpace, Frame, FrameSize, MapError, PageKind, Region, boot_regions, kernel_frame, take_boot_page,
    take_boot_regions,
};
use crate::println;
use crate::stop::{StopCode, stop};

/// Loads the root task and runs it.
pub fn run_root_task() -> ! {
    let image = find_image();
    match build(&image) {
        Ok(()) => scheduler::leave(),
        Err(BuildError::OutOfMemory) => {
            stop(StopCode::TooLittleMemory, format_args!("too little memory for the root task"))
        }
        Err(BuildError::BadLayout(error)) => {
            stop(StopCode::BadRootTask, format_args!("the root task does not fit into its address space: {error:?}"))
        }
    }
}

fn find_image() -> Image<'static> {
    let Ok(archive) = TarArchiveRef::new(ramdisk()) else {
        stop(StopCode::BadRamdisk, format_args!("the boot ramdisk is missing or is not a tar archive"));
    };
    let Some(file) = archive.entries().find(|entry| entry.filename().as_str() == Ok("root-task")) else {
        stop(StopCode::NoRootTask, format_args!("the boot ramdisk has no file root-task"));
    };
    match Image::parse(file.data()) {
        Ok(image) => image,
        Err(error) => stop(StopCode::BadRootTask, format_args!("the root task cannot be loaded: {error}")),
    }
}

/// Why the root task could not be built.
enum BuildError {
    OutOfMemory,
    /// Two parts of it want the same address.
    BadLayout(MapError),
}

impl From<MapError> for BuildError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::OutOfMemory => BuildError::OutOfMemory,
            other => BuildError::BadLayout(other),
        }
    }
}

impl From<Error> for BuildError {
    fn from(error: Error) -> Self {
        // The kernel's own requests can only fail for want of memory; anything else would be its mistake.
        assert!(error == Error::OutOfMemory, "building the root task failed: {error:?}");
        BuildError::OutOfMemory
    }
}

// ANCHOR: build
/// Makes the root task: its objects, its memory, and the capabilities with which it begins.
fn build(image: &Image<'_>) -> Result<(), BuildError> {
    let table_page = take(PageKind::Table)?;
    let table = Table::on(table_page)?;
    adopt_page(table.free_slot(slots::TABLE)?, Kind::Table, table_page);
    adopt_page(table.free_slot(slots::SPACE)?, Kind::AddressSpace, take(PageKind::AddressSpace)?);
    let task_page = take(PageKind::Task)?;
    adopt_page(table.free_slot(slots::SELF)?, Kind::Task, task_page);

    let space_slot = table.lookup(slots::SPACE)?;
    let space = AddressSpace::from_top(space_slot.page().ok_or(Error::InvalidCapability)?);
    load(image, space)?;
    map_ramdisk(space)?;

    insert_new(table.free_slot(slots::CONSOLE)?, Content::to_device(Kind::Console, Rights::all()));
    insert_new(table.free_slot(slots::POWER)?, Content::to_device(Kind::Power, Rights::all()));
    give_devices(table)?;
    give_device_memory(table)?;
    let task = TaskRef::on(task_page).ok_or(Error::InvalidCapability)?;
    ConfigureRequest::decode(task, table.lookup(slots::TABLE)?, space_slot, ROOT_STACK_TOP)?.perform();
    StartRequest::decode(task, image.entry(), ramdisk().len() as u64)?.perform();

    // Last, since from here on the kernel has no memory of its own.
    let memory = give_memory(table);
    attach(space.top(), table.lookup(slots::MEMORY)?);
    task.context.set_words([memory, 0, 0, 0]);
    println!("root task: {memory} memory capabilities, entry at {:#x}", image.entry());
    Ok(())
}
// ANCHOR_END: build

/// The capabilities with which drivers reach their devices. They come with chapter 6.
fn give_devices(table: &Table) -> Result<(), BuildError> {
    #[cfg(feature = "chapter6")]
    crate::ipc::give_devices(table.free_slot(slots::INTERRUPTS)?, table.free_slot(slots::PORTS)?);
    #[cfg(feature = "chapter11")]
    crate::trace::give(table.free_slot(slots::TRACE)?);
    let _ = table;
    Ok(())
}

/// The capabilities with which drivers reach the memory of devices. They come with chapter 11.
fn give_device_memory(table: &Table) -> Result<(), BuildError> {
    #[cfg(feature = "chapter11")]
    crate::devices::give(table)?;
    let _ = table;
    Ok(())
}

fn take(kind: PageKind) -> Result<Frame, BuildError> {
    take_boot_page(kind).map(|page| page.frame()).ok_or(BuildError::OutOfMemory)
}

fn load(image: &Image<'_>, space: AddressSpace) -> Result<(), BuildError> {
    for segment in image.segments() {
        for page in segment.pages() {
            let mut owned = take_boot_page(PageKind::Frame).ok_or(BuildError::OutOfMemory)?;
            page.copy_to(owned.bytes());
            map(space, page.address, owned.frame(), segment.access())?;
        }
    }
    for index in 1..=ROOT_STACK_PAGES {
        map(space, ROOT_STACK_TOP - index * PAGE_SIZE, take(PageKind::Frame)?, Access::ReadWrite)?;
    }
    Ok(())
}

/// Maps the ramdisk read-only. Its last page is copied, so that nothing behind the end of the archive can be read.
fn map_ramdisk(space: AddressSpace) -> Result<(), BuildError> {
    for (address, bytes) in (ROOT_RAMDISK..).step_by(PAGE_SIZE as usize).zip(ramdisk().chunks(PAGE_SIZE as usize)) {
        let frame = if bytes.len() == PAGE_SIZE as usize {
            kernel_frame(bytes.as_ptr() as u64).expect("the ramdisk is mapped")
        } else {
            let mut owned = take_boot_page(PageKind::Frame).ok_or(BuildError::OutOfMemory)?;
            owned.bytes().iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            owned.frame()
        };
        map(space, address, frame, Access::Read)?;
    }
    Ok(())
}

fn map(space: AddressSpace, address: u64, frame: Frame, access: Access) -> Result<(), BuildError> {
    boot_regions(|regions| {
        let region = regions.iter_mut().max_by_key(|region| region.free_pages()).ok_or(BuildError::OutOfMemory)?;
        space.map(address, frame, FrameSize::Small, access, region)?;
        Ok(())
    })
}

/// Puts all memory that is left into the table, the largest region first. Returns how many capabilities that made.
fn give_memory(table: &Table) -> u64 {
    let mut regions = take_boot_regions();
    regions.sort_unstable_by_key(|region| core::cmp::Reverse(region.free_pages()));
    let free: fn(&&Slot) -> bool = |slot| slot.is_empty();
    let places = table.slots().iter().skip(usize::try_from(slots::MEMORY).unwrap_or(usize::MAX)).filter(free);
    // What was taken for the root task stays the kernel's.
    let rests = regions.iter().map(Region::rest).filter(|region| region.pages() > 0);
    places.zip(rests).map(|(slot, region)| adopt_region(slot, region)).count() as u64
}
