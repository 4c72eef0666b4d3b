//! Interrupt requests: the two 8259 interrupt controllers, by the crate `pic8259`.

use pic8259::ChainedPics;

use super::exceptions::EXCEPTIONS;
use crate::arch::interrupts::TrapFrame;
use crate::sync::Exclusive;

/// An interrupt line of the controllers, 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line(u8);

/// How many lines two controllers have.
const LINES: u8 = 16;

/// The line on which the second controller reports to the first.
const CASCADE: u8 = 2;

impl Line {
    /// The timer's line.
    pub const TIMER: Line = Line(0);
    /// The keyboard's line.
    pub const KEYBOARD: Line = Line(1);

    /// The line that is delivered at a vector, if one is. The controllers are told to use the vectors after the exceptions.
    pub(super) fn from_vector(vector: u8) -> Option<Line> {
        vector.checked_sub(EXCEPTIONS).filter(|&line| line < LINES).map(Line)
    }

    /// The vector at which the line is delivered.
    #[must_use]
    pub fn vector(self) -> u8 {
        EXCEPTIONS + self.0
    }

    /// The lowest line of each controller is also raised when a request vanishes before it is acknowledged.
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

// ANCHOR: unmask
/// Lets requests of a line through.
pub fn unmask(line: Line) {
    CONTROLLERS.with(|controllers| {
        // SAFETY: reads the mask registers.
        let masks = unsafe { controllers.read_masks() };
        let mask = !(1_u16 << line.0) & u16::from_le_bytes(masks);
        let [first, second] = mask.to_le_bytes();
        // SAFETY: the line's gate leads to the dispatcher, which acknowledges every request.
        unsafe { controllers.write_masks(first, second) };
    });
}
// ANCHOR_END: unmask

// ANCHOR: serve
/// Calls the handler of a line and tells the controllers that the request is served.
pub(super) fn serve(line: Line, handler: impl FnOnce(&mut TrapFrame) -> bool, frame: &mut TrapFrame) {
    if line.may_be_spurious() {
        // Nothing here uses lines 7 and 15. What comes on them is a request that has vanished: the controller that
        // raised it expects no acknowledgement, but the first one does for the cascade (Intel 8259A data sheet, "Spurious").
        if line.0 >= 8 {
            acknowledge(CASCADE);
        }
        return;
    }
    // A line without a handler is masked; a request that was already on its way is acknowledged all the same.
    handler(frame);
    acknowledge(line.0);
}
// ANCHOR_END: serve

fn acknowledge(line: u8) {
    // SAFETY: the request of this line is being served, and this is its one acknowledgement.
    CONTROLLERS.with(|controllers| unsafe { controllers.notify_end_of_interrupt(EXCEPTIONS + line) });
}
