//! What the machine is asked for.

use core::ptr::NonNull;

/// How many bytes of a port are read or written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One.
    Byte = 1,
    /// Two.
    Word = 2,
    /// Four.
    DoubleWord = 4,
}

/// Memory that is not for programs, ports and time. A clone is the same machine.
///
/// # Safety
///
/// What [`map`](Self::map) returns can be read and written, for as many bytes as were asked for, until it is unmapped; nobody else in this program
/// writes to it.
pub unsafe trait Machine: Clone {
    /// Maps physical memory: where its first byte is. `None` where it cannot be had, for example because it is a program's.
    fn map(&self, physical: u64, length_bytes: usize) -> Option<NonNull<u8>>;
    /// Undoes a mapping, named by its first byte.
    fn unmap(&self, start: NonNull<u8>);
    /// Reads a port. What cannot be read is all ones, as on a bus without the device.
    fn read_port(&self, port: u16, width: Width) -> u32;
    /// Writes a port.
    fn write_port(&self, port: u16, width: Width, value: u32);
    /// Nanoseconds since any moment.
    fn now_ns(&self) -> u64;
    /// Lets others run for so long.
    fn sleep(&self, time_ns: u64);

    /// Lends physical memory for the time of a function.
    fn with_memory<R>(&self, physical: u64, length_bytes: usize, use_it: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let start = self.map(physical, length_bytes)?;
        // SAFETY: whoever implements `map` promises that so many bytes can be read there, and are written by nobody, until they are unmapped below.
        let result = use_it(unsafe { core::slice::from_raw_parts(start.as_ptr(), length_bytes) });
        self.unmap(start);
        Some(result)
    }

    /// Waits until something is so, at most so long.
    fn wait_until(&self, limit_ns: u64, mut is_so: impl FnMut() -> bool) -> bool {
        const PAUSE_NS: u64 = 1_000_000;
        let start_ns = self.now_ns();
        loop {
            if is_so() {
                return true;
            }
            if self.now_ns().saturating_sub(start_ns) >= limit_ns {
                return false;
            }
            self.sleep(PAUSE_NS);
        }
    }
}
