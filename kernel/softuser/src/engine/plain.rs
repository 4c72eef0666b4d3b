//! The engine on a host that is not this processor: a browser, which runs it in the figures of the book.
//!
//! The guest's memory is what [`lend`] has lent, and each access is checked. One that is not allowed ends the handler before anything of its
//! instruction is written, as a fault of the host does elsewhere. There is one hart that runs at a time.

use core::cell::Cell;
use core::ptr;

use super::Hart;
use super::operation::{Exit, Op};

/// Reads as many bytes as `$type` has; where that is not allowed the handler ends.
macro_rules! read {
    (($op:ident, $behind:literal), $address:expr, $type:ty) => {{
        let address = $address;
        match $crate::engine::plain::bytes_at(address) {
            Some(bytes) => <$type>::from_le_bytes(bytes),
            None => return $crate::engine::plain::fault($op.add($behind), address),
        }
    }};
}

/// Loads, named by the instruction of the other host.
macro_rules! load {
    ($at:tt, $address:expr, "movsx {value:e}, byte ptr [{address}]") => {
        i32::from($crate::engine::plain::read!($at, $address, i8)).cast_unsigned()
    };
    ($at:tt, $address:expr, "movsx {value:e}, word ptr [{address}]") => {
        i32::from($crate::engine::plain::read!($at, $address, i16)).cast_unsigned()
    };
    ($at:tt, $address:expr, "mov {value:e}, dword ptr [{address}]") => {
        $crate::engine::plain::read!($at, $address, u32)
    };
    ($at:tt, $address:expr, "movzx {value:e}, byte ptr [{address}]") => {
        u32::from($crate::engine::plain::read!($at, $address, u8))
    };
    ($at:tt, $address:expr, "movzx {value:e}, word ptr [{address}]") => {
        u32::from($crate::engine::plain::read!($at, $address, u16))
    };
}

/// Stores, named likewise.
macro_rules! store {
    ($at:tt, $address:expr, $value:expr, "mov byte ptr [{address}], {value:l}") => {
        $crate::engine::plain::store!(@write $at, $address, $value, 1)
    };
    ($at:tt, $address:expr, $value:expr, "mov word ptr [{address}], {value:x}") => {
        $crate::engine::plain::store!(@write $at, $address, $value, 2)
    };
    ($at:tt, $address:expr, $value:expr, "mov dword ptr [{address}], {value:e}") => {
        $crate::engine::plain::store!(@write $at, $address, $value, 4)
    };
    (@write ($op:ident, $behind:literal), $address:expr, $value:expr, $size:literal) => {{
        let (address, value) = ($address, $value);
        if !$crate::engine::plain::set_bytes_at::<$size>(address, value) {
            return $crate::engine::plain::fault($op.add($behind), address);
        }
    }};
}

/// Writes what is there: all memory that can be read can be written.
macro_rules! touch {
    ($at:tt, $address:expr) => {
        let _ = $crate::engine::plain::read!($at, $address, u32);
    };
}

pub(super) use {load, read, store, touch};

struct State {
    /// Where the guest's memory begins for the guest.
    start: Cell<u32>,
    /// Where it is, and how many bytes it has.
    memory: Cell<(*mut u8, usize)>,
    /// The operation of the last access that was not allowed, and its address.
    fault: Cell<(*const Op, u32)>,
}

// SAFETY: there is one thread.
unsafe impl Sync for State {}

static STATE: State =
    State { start: Cell::new(0), memory: Cell::new((ptr::null_mut(), 0)), fault: Cell::new((ptr::null(), 0)) };

/// The guest's memory is this from now on, and for the guest it begins at `start`.
pub fn lend(start: u32, memory: &'static mut [u8]) {
    STATE.start.set(start);
    STATE.memory.set((memory.as_mut_ptr(), memory.len()));
}

/// After [`Stop::Access`](super::Stop::Access): the address of the access.
#[must_use]
pub fn fault_address() -> u32 {
    STATE.fault.get().1
}

/// Where so many bytes of the guest are, if it has them.
fn place(address: u32, size: usize) -> Option<*mut u8> {
    let (memory, length) = STATE.memory.get();
    let offset = address.checked_sub(STATE.start.get())? as usize;
    // SAFETY: the offset is within the memory.
    (offset.checked_add(size)? <= length).then(|| unsafe { memory.add(offset) })
}

pub(super) fn bytes_at<const SIZE: usize>(address: u32) -> Option<[u8; SIZE]> {
    // SAFETY: so many bytes were lent there; nobody else uses them while a hart runs.
    place(address, SIZE).map(|place| unsafe { place.cast::<[u8; SIZE]>().read() })
}

/// Writes the lowest bytes of a value. Tells whether it could.
pub(super) fn set_bytes_at<const SIZE: usize>(address: u32, value: u32) -> bool {
    let Some(place) = place(address, SIZE) else { return false };
    for (index, byte) in value.to_le_bytes().into_iter().take(SIZE).enumerate() {
        // SAFETY: as above.
        unsafe { place.add(index).write(byte) };
    }
    true
}

/// Ends a handler at an access that is not allowed.
pub(super) fn fault(op: *const Op, address: u32) -> Exit {
    STATE.fault.set((op, address));
    Exit::Fault
}

/// Time for the guest, which has no clock here.
pub(super) fn time_stamp() -> u64 {
    0
}

/// Runs from an operation on.
///
/// # Safety
///
/// The operation is in the hart's cache.
pub(super) unsafe fn enter(op: *const Op, hart: &mut Hart) -> Exit {
    // SAFETY: the caller vouches for the operation; the registers are the hart's.
    let exit = unsafe { ((*op).handler)(op, hart.x.as_mut_ptr(), hart) };
    if exit == Exit::Fault {
        hart.op = STATE.fault.get().0;
    }
    exit
}
