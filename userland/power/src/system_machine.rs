//! The machine by the driver's capabilities.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU64, Ordering};

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, Rights};
use flatmk_runtime::object::{Frame, OWN_SPACE, OWN_TABLE, OWN_TASK, Ports};
use flatmk_system::slots;
use power::{Machine, Width};

/// Parts of the devices' memory are minted into these slots, and each is mapped at an address of its own.
const FIRST_SLOT: u64 = 24;
const SLOTS: u64 = 32;
const FIRST_ADDRESS: u64 = 0x20_0000_0000;
const PART_BYTES: u64 = 16 << 20;

/// Which of these slots are used, one bit each.
static USED: AtomicU64 = AtomicU64::new(0);

/// The machine that this driver runs on.
#[derive(Clone)]
pub(crate) struct SystemMachine;

// SAFETY: what is mapped is what the kernel has mapped, and `map` gives each page range an address of its own.
unsafe impl Machine for SystemMachine {
    fn map(&self, physical: u64, length_bytes: usize) -> Option<NonNull<u8>> {
        let offset = physical % PAGE_SIZE;
        let page_count = offset.checked_add(length_bytes as u64)?.div_ceil(PAGE_SIZE).max(1);
        let used = USED.load(Ordering::Relaxed);
        let index = (0..SLOTS).find(|index| used >> index & 1 == 0)?;
        let (slot, address) = (FIRST_SLOT + index, FIRST_ADDRESS + index * PART_BYTES);
        if page_count > PART_BYTES / PAGE_SIZE {
            return None;
        }
        let first_page = u32::try_from(physical / PAGE_SIZE).ok()?;
        OWN_TABLE
            .mint(slot, slots::DEVICE, Rights::READ | Rights::WRITE, u64::from(first_page) | page_count << 32)
            .ok()?;
        if OWN_SPACE.map(Frame(slot), address, Access::ReadWrite).is_err() {
            OWN_TABLE.delete(slot).unwrap_or_default();
            return None;
        }
        USED.store(used | 1 << index, Ordering::Relaxed);
        NonNull::new(ptr::with_exposed_provenance_mut((address + offset) as usize))
    }

    fn unmap(&self, start: NonNull<u8>) {
        let Some(index) = (start.addr().get() as u64).checked_sub(FIRST_ADDRESS).map(|offset| offset / PART_BYTES)
        else {
            return;
        };
        // With its capability the mapping goes.
        if index < SLOTS && OWN_TABLE.delete(FIRST_SLOT + index).is_ok() {
            USED.fetch_and(!(1 << index), Ordering::Relaxed);
        }
    }

    fn read_port(&self, port: u16, width: Width) -> u32 {
        Ports(slots::PORTS).read_port(port, width as u64).map_or(u32::MAX, |value| value as u32)
    }

    fn write_port(&self, port: u16, width: Width, value: u32) {
        Ports(slots::PORTS).write_port(port, width as u64, value.into()).unwrap_or_default();
    }

    fn now_ns(&self) -> u64 {
        OWN_TASK.read_clock().map_or(0, |(now_ns, ..)| now_ns)
    }

    fn sleep(&self, time_ns: u64) {
        OWN_TASK.sleep(time_ns).unwrap_or_default();
    }
}
