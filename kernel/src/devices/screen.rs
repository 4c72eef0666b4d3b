//! The screen: what it is like, and whether a program draws on it.

use core::cell::Cell;
use core::ops::Range;

use arrayvec::ArrayVec;
use bootloader_api::info::{FrameBufferInfo, PixelFormat};
use flatmk_abi::Words;
use flatmk_abi::layout::PAGE_SIZE;

use super::physical::is_free;
use super::range::Mapped;
use crate::memory::{Caching, kernel_frame};
use crate::sync::Exclusive;
use crate::{arch, console, println};

/// How many spaces in which the screen is mapped are kept apart. With more of them the console does not come back.
const MOST_USERS: usize = 8;

/// A space in which the screen is mapped, by one of the mappings there, and how often it is.
struct User {
    mapped: Mapped,
    mappings: u32,
}

struct Users {
    known: ArrayVec<User, MOST_USERS>,
    has_others: bool,
}

static USERS: Exclusive<Users> = Exclusive::new(Users { known: ArrayVec::new_const(), has_others: false });

/// What the bootloader has found.
#[derive(Clone, Copy)]
struct Found {
    /// The first page, by number.
    first: u32,
    info: FrameBufferInfo,
}

struct State {
    found: Cell<Option<Found>>,
    tables: Cell<u64>,
}

// SAFETY: there is one processor, and this is used with interrupts off, or by the kernel's own thread at boot.
unsafe impl Sync for State {}

static STATE: State = State { found: Cell::new(None), tables: Cell::new(0) };

// ANCHOR: find
/// Finds the physical pages of the framebuffer that the console uses. One that is above 16 TiB or does not begin with a page gets no capability.
pub(super) fn find() {
    let Some((address, info)) = console::framebuffer() else { return };
    let page = kernel_frame(address).filter(|_| address.is_multiple_of(PAGE_SIZE));
    STATE.found.set(page.map(|first| Found { first: first.number(), info }));
}

/// One that lies in what the firmware calls memory gets none either. Without it no program draws: the log says so.
pub(super) fn check() {
    if !pages().is_some_and(|pages| is_free(&pages)) {
        STATE.found.set(None);
    }
    if STATE.found.get().is_none() && console::framebuffer().is_some() {
        println!("screen: no program can have it, as the firmware puts it where memory is, or beyond 16 TiB");
    }
}
// ANCHOR_END: find

/// The pages of the screen, by number.
pub(super) fn pages() -> Option<Range<u32>> {
    let Found { first, info } = STATE.found.get()?;
    let count = u32::try_from((info.byte_len as u64).div_ceil(PAGE_SIZE)).ok().filter(|&count| count > 0)?;
    Some(first..first.checked_add(count)?)
}

/// How the screen is mapped.
pub(super) fn caching() -> Caching {
    if arch::caching::has_write_combining() { Caching::WriteCombining } else { Caching::Firmwares }
}

/// Takes note of the physical address of the firmware's tables.
pub(super) fn set_tables(address: u64) {
    STATE.tables.set(address);
}

/// The physical address of the firmware's tables.
pub(super) fn tables() -> u64 {
    STATE.tables.get()
}

// ANCHOR: describe
/// Size, width and height, stride and bytes a pixel, and the order of a pixel's bytes.
pub(super) fn describe() -> Words {
    let Some(Found { info, .. }) = STATE.found.get() else { return [0; 4] };
    let pair = |low: usize, high: usize| low as u64 | (high as u64) << 32;
    let format = match info.pixel_format {
        PixelFormat::Rgb => 0,
        PixelFormat::Bgr => 1,
        PixelFormat::U8 => 2,
        PixelFormat::Unknown { red_position, green_position, blue_position } => {
            u64::from(u32::from_le_bytes([3, red_position, green_position, blue_position]))
        }
        _ => 3,
    };
    [info.byte_len as u64, pair(info.width, info.height), pair(info.stride, info.bytes_per_pixel), format]
}
// ANCHOR_END: describe

// ANCHOR: users
/// A program has mapped the screen: the console leaves it alone.
pub(super) fn begin_use(mapped: &Mapped) {
    USERS.with(|users| {
        users.known.retain(|user| user.mapped.is_there());
        if let Some(user) = users.find(mapped) {
            user.mappings += 1;
        } else {
            users.has_others |= users.known.try_push(User { mapped: *mapped, mappings: 1 }).is_err();
        }
    });
    console::lend_screen(is_used);
}

/// One of its mappings has ended.
pub(super) fn end_use(mapped: &Mapped) {
    USERS.with(|users| {
        if let Some(user) = users.find(mapped) {
            user.mappings -= 1;
        }
        users.known.retain(|user| user.mappings > 0);
    });
}

/// Whether a program still has it. Mappings end with their space, without a word to anybody.
fn is_used() -> bool {
    USERS.with(|users| users.has_others || users.known.iter().any(|user| user.mapped.is_there()))
}
// ANCHOR_END: users

impl Users {
    fn find(&mut self, mapped: &Mapped) -> Option<&mut User> {
        let is_here = |user: &Mapped| user.space == mapped.space && user.generation == mapped.generation;
        self.known.iter_mut().find(|user| is_here(&user.mapped))
    }
}
