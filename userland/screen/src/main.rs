//! The driver of the framebuffer. It has the screen's device memory, in slot 12, and no other device. What it is asked is in [`flatmk_system`].
#![no_std]
#![no_main]

use core::ptr;

use flatmk_abi::{Access, Error, Words};
use flatmk_runtime::OneTask;
use flatmk_runtime::object::{Frame, OWN_SPACE, OWN_TABLE, OWN_TASK};
use flatmk_system::{ScreenRequest, TEXT_BYTES, Text, TextRequest, answer, slots};
use screen::{Console, Format, Grids, Order, Surface};
use static_cell::ConstStaticCell;

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn serve_entry = serve);

/// Where the framebuffer is mapped: far from the program, and at a multiple of every page size.
const FRAMEBUFFER_ADDRESS: u64 = 0x10_0000_0000;

const DEVICE: Frame = Frame(slots::DEVICE);

static GRIDS: ConstStaticCell<Grids> = ConstStaticCell::new(Grids::BLANK);

/// None on a machine without a framebuffer.
// SAFETY: this program is one task.
static CONSOLE: OneTask<Option<Console<'static, Framebuffer>>> = unsafe { OneTask::new(None) };

/// The framebuffer, mapped for this program alone.
struct Framebuffer {
    size_bytes: usize,
    bytes_per_pixel: usize,
}

impl Framebuffer {
    fn at(offset_bytes: usize) -> *mut u8 {
        ptr::with_exposed_provenance_mut(FRAMEBUFFER_ADDRESS as usize + offset_bytes)
    }
}

impl Surface for Framebuffer {
    fn clear(&mut self) {
        // SAFETY: so many bytes are mapped there, writable, as long as this task lives; only this type knows of them.
        unsafe { ptr::write_bytes(Self::at(0), 0, self.size_bytes) };
    }

    #[inline]
    fn write(&mut self, offset_bytes: usize, pixel: u32) {
        if offset_bytes.checked_add(self.bytes_per_pixel).is_none_or(|end| end > self.size_bytes) {
            return;
        }
        let start = Self::at(offset_bytes);
        if self.bytes_per_pixel == 4 {
            // SAFETY: as for `clear`: the pixel was found to lie within the memory.
            unsafe { start.cast::<u32>().write_unaligned(pixel) };
            return;
        }
        for (index, byte) in pixel.to_le_bytes().into_iter().enumerate().take(self.bytes_per_pixel) {
            // SAFETY: as above.
            unsafe { start.add(index).write(byte) };
        }
    }
}

fn main(_argument: u64, _words: Words) {
    let console = open();
    CONSOLE.with(|place| *place = console);
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, slots::SERVICE).expect("the service's slot is free");
}

/// Maps the framebuffer and clears it; `None` where there is none that this driver understands.
fn open() -> Option<Console<'static, Framebuffer>> {
    let [size_bytes, size, lines, order] = DEVICE.describe().ok()?;
    let halves = |word: u64| [word & u64::from(u32::MAX), word >> 32].map(|half| half as usize);
    let [stride, bytes_per_pixel] = halves(lines);
    let size_bytes = size_bytes as usize;
    let format = Format::new(halves(size), stride, bytes_per_pixel, Order::from_description(order)?, size_bytes)?;
    OWN_SPACE.map(DEVICE, FRAMEBUFFER_ADDRESS, Access::ReadWrite).ok()?;
    Some(Console::new(Framebuffer { size_bytes, bytes_per_pixel }, format, GRIDS.take()))
}

fn now_ns() -> u64 {
    OWN_TASK.read_clock().map_or(0, |(now_ns, ..)| now_ns)
}

fn serve(_context: u64, message: &mut Words) {
    let result = CONSOLE.with(|console| match console {
        Some(console) => perform(console, *message),
        None => Err(Error::InvalidState),
    });
    *message = answer(result);
}

fn perform(console: &mut Console<'static, Framebuffer>, message: Words) -> Result<[u64; 3], Error> {
    let (request, text) = Text::parse(message)?;
    match request {
        Some(TextRequest::Write) => {
            console.write(text.copy_to(&mut [0; TEXT_BYTES]), now_ns);
        }
        Some(TextRequest::Clear) => console.clear(),
        Some(TextRequest::Read) => return Err(Error::InvalidArgument),
        None if message[0] == ScreenRequest::Size as u64 => {
            let (rows, columns) = console.size();
            return Ok([columns as u64, rows as u64, 0]);
        }
        None => return Err(Error::InvalidArgument),
    }
    Ok([0; 3])
}
