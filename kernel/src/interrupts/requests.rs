//! Interrupt requests: the two 8259 interrupt controllers, by the crate `pic8259`.

use core::cell::Cell;

use pic8259::ChainedPics;
use x86_64::instructions::port::Port;

use super::exceptions::EXCEPTIONS;
use crate::arch::interrupts::TrapFrame;
use crate::sync::Exclusive;

/// An interrupt line of the controllers, 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line(u8);

/// How many lines two controllers have.
const LINES: u8 = 16;

/// Where the controllers take commands.
const FIRST_COMMAND_PORT: u16 = 0x20;
const SECOND_COMMAND_PORT: u16 = 0xa0;

/// The line on which the second controller reports to the first.
const CASCADE: u8 = 2;

impl Line {
    /// The timer's line.
    pub const TIMER: Line = Line(0);
    /// The keyboard's line.
    pub const KEYBOARD: Line = Line(1);

    /// The line that is delivered at a vector, if one is. The controllers are told to use the vectors after the exceptions.
    pub fn from_vector(vector: u8) -> Option<Line> {
        let line = vector.wrapping_sub(EXCEPTIONS);
        (line < LINES).then_some(Line(line))
    }

    /// How many lines there are.
    pub const COUNT: usize = LINES as usize;

    /// The line with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Line> {
        u8::try_from(number).ok().filter(|&line| line < LINES).map(Line)
    }

    /// The lines whose bits are set.
    pub fn in_bits(bits: u16) -> impl Iterator<Item = Line> {
        core::iter::successors(Some(bits), |&bits| Some(bits & bits.wrapping_sub(1)))
            .take_while(|&bits| bits != 0)
            .map(|bits| Line(bits.trailing_zeros() as u8))
    }

    /// The line's number.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The line's bit in a set of lines.
    #[must_use]
    pub fn bit(self) -> u16 {
        1 << self.0
    }

    /// The vector at which the line is delivered.
    #[must_use]
    pub fn vector(self) -> u8 {
        EXCEPTIONS + self.0
    }

    /// The last line of each controller, of the lowest priority, is also raised when a request vanishes before it is acknowledged.
    fn may_be_spurious(self) -> bool {
        self.0 % 8 == 7
    }
}

// SAFETY: the vectors from 32 to 47 are free for them, and only this module uses the controllers.
static CONTROLLERS: Exclusive<ChainedPics> = Exclusive::new(unsafe { ChainedPics::new(EXCEPTIONS, EXCEPTIONS + 8) });

/// Takes over the controllers, with every line masked but the cascade.
pub(super) fn initialize() {
    CONTROLLERS.with(|controllers| {
        // SAFETY: all 256 gates are loaded, so whatever comes is handled.
        unsafe { controllers.initialize() };
        // SAFETY: masking a line loses no state.
        unsafe { controllers.write_masks(!(1 << CASCADE), 0xff) };
    });
}

/// Sets of lines, one bit each.
struct Claims {
    /// Those that tasks handle.
    claimed: Cell<u16>,
    /// Those of them that have had an interrupt since the last look.
    arrived: Cell<u16>,
    /// Those whose requests come another way: the kernel's handler acknowledges them.
    given_up: Cell<u16>,
}

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Claims {}

static CLAIMS: Claims = Claims { claimed: Cell::new(0), arrived: Cell::new(0), given_up: Cell::new(0) };

/// The lines that tasks handle.
pub fn claimed() -> u16 {
    CLAIMS.claimed.get()
}

/// One of those that have had an interrupt since it was last asked for.
#[inline(always)]
pub fn take_arrived() -> Option<Line> {
    let arrived = CLAIMS.arrived.get();
    let line = Line::in_bits(arrived).next()?;
    CLAIMS.arrived.set(arrived & arrived.wrapping_sub(1));
    Some(line)
}

/// Whether one of those has had an interrupt that nobody has asked for.
#[inline(always)]
pub fn have_arrived() -> bool {
    CLAIMS.arrived.get() != 0
}

/// A task handles this line from now on. The timer's ticks still are the kernel's as well.
pub fn claim(line: Line) {
    CLAIMS.claimed.set(CLAIMS.claimed.get() | line.bit());
    unmask(line);
}

/// The kernel has the line again: one that it has no handler for is masked, except the one on which the second controller reports.
pub fn hand_back(line: Line) {
    // ANCHOR: exercise-2-2
    CLAIMS.claimed.set(CLAIMS.claimed.get() & !line.bit());
    CLAIMS.arrived.set(CLAIMS.arrived.get() & !line.bit());
    if line.0 == CASCADE || super::has_handler(line.vector()) {
        unmask(line);
    } else {
        mask(line);
    }
    if line == Line::KEYBOARD {
        // What the controller still holds would keep back the next interrupt.
        super::keyboard::drain();
    }
    // ANCHOR_END: exercise-2-2
}

// ANCHOR: unmask
/// Lets requests of a line through.
pub fn unmask(line: Line) {
    if CLAIMS.given_up.get() & line.bit() == 0 {
        change_masks(|masks| masks & !line.bit());
    }
}

/// Holds requests of a line back. One that comes meanwhile waits in the controller.
fn mask(line: Line) {
    change_masks(|masks| masks | line.bit());
}

fn change_masks(change: impl FnOnce(u16) -> u16) {
    CONTROLLERS.with(|controllers| {
        // SAFETY: reads the mask registers.
        let masks = u16::from_le_bytes(unsafe { controllers.read_masks() });
        let [first, second] = change(masks).to_le_bytes();
        // SAFETY: each line's gate leads to the dispatcher, which acknowledges every request.
        unsafe { controllers.write_masks(first, second) };
    });
}
// ANCHOR_END: unmask

// ANCHOR: serve
/// Calls the handler of a line, or notes the request for the task that handles it, and tells the controllers that the request is served.
pub(super) fn serve(line: Line, handler: impl FnOnce(&mut TrapFrame) -> bool, frame: &mut TrapFrame) {
    let is_claimed = CLAIMS.claimed.get() & line.bit() != 0;
    if line.may_be_spurious() && !is_in_service(line) {
        // A request that has vanished: the controller that raised it expects no acknowledgement, but the first one does for the
        // cascade (Intel 8259A data sheet, "Spurious").
        if line.0 >= 8 {
            acknowledge(CASCADE);
        }
        return;
    }
    if is_claimed {
        CLAIMS.arrived.set(CLAIMS.arrived.get() | line.bit());
    }
    if is_claimed && line != Line::TIMER {
        mask(line);
    } else {
        // A line without a handler is masked; a request that was already on its way is acknowledged all the same.
        handler(frame);
    }
    if CLAIMS.given_up.get() & line.bit() == 0 {
        acknowledge(line.0);
    }
}
// ANCHOR_END: serve

/// The line's requests come another way from now on, and are acknowledged by the kernel's handler. The controllers' own stay masked.
#[cfg(feature = "chapter12")]
pub(crate) fn give_up(line: Line) {
    CLAIMS.given_up.set(CLAIMS.given_up.get() | line.bit());
    mask(line);
}

/// Whether a controller says that a request of the line is being served (Intel 8259A data sheet, "Operation Command Word 3").
fn is_in_service(line: Line) -> bool {
    const READ_IN_SERVICE: u8 = 0b0000_1011;
    read_register(line, READ_IN_SERVICE)
}

/// Whether a controller says that a request of the line has come and is not served yet.
#[cfg(all(feature = "chapter7", target_os = "none"))]
pub(super) fn is_waiting(line: Line) -> bool {
    const READ_REQUESTS: u8 = 0b0000_1010;
    read_register(line, READ_REQUESTS)
}

/// The line's bit in one of the registers of its controller.
fn read_register(line: Line, which: u8) -> bool {
    let mut command = Port::<u8>::new(if line.0 < 8 { FIRST_COMMAND_PORT } else { SECOND_COMMAND_PORT });
    // SAFETY: the controllers are this module's; the command chooses which register is read, and changes nothing else.
    let register = unsafe {
        command.write(which);
        command.read()
    };
    register & 1 << (line.0 % 8) != 0
}

/// Tells the controllers that the request of a line is served: a non-specific end of interrupt, to both where it came through both (Intel 8259A data
/// sheet, "Operation Command Word 2").
fn acknowledge(line: u8) {
    const END_OF_INTERRUPT: u8 = 0x20;
    // SAFETY: the request of this line is being served, and this is its one acknowledgement.
    unsafe {
        if line >= 8 {
            Port::<u8>::new(SECOND_COMMAND_PORT).write(END_OF_INTERRUPT);
        }
        Port::<u8>::new(FIRST_COMMAND_PORT).write(END_OF_INTERRUPT);
    }
}
