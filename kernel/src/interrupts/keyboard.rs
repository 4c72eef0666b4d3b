//! The PS/2 keyboard: scan codes come by interrupt, the crate `pc-keyboard` makes characters of them.

use pc_keyboard::{DecodedKey, HandleControl, PS2Keyboard, ScancodeSet1, layouts::Us104Key};
use x86_64::instructions::port::Port;

use super::{Line, set_handler, unmask};
use crate::boot::options;
use crate::sync::Exclusive;
use crate::{console, print, println};

/// Where the keyboard controller gives scan codes, and says whether there is one.
const DATA_PORT: u16 = 0x60;
const STATUS_PORT: u16 = 0x64;
const OUTPUT_FULL: u8 = 1;

/// How many characters wait to be read before further ones are dropped.
const QUEUE_LENGTH: usize = 64;

struct Keyboard {
    decoder: PS2Keyboard<Us104Key, ScancodeSet1>,
    queue: [u8; QUEUE_LENGTH],
    first: usize,
    waiting: usize,
}

static KEYBOARD: Exclusive<Keyboard> = Exclusive::new(Keyboard {
    decoder: PS2Keyboard::new(ScancodeSet1::new(), Us104Key, HandleControl::Ignore),
    queue: [0; QUEUE_LENGTH],
    first: 0,
    waiting: 0,
});

impl Keyboard {
    // ANCHOR: decode
    /// Takes one byte from the controller. A key that gives an ASCII character is queued.
    fn take(&mut self, scan_code: u8) {
        // ANCHOR: exercise-2-3
        // A scan code that the decoder does not know is no error of ours: the next key starts anew.
        let Ok(Some(event)) = self.decoder.add_byte(scan_code) else { return };
        if let Some(DecodedKey::Unicode(character)) = self.decoder.process_keyevent(event)
            && let Ok(byte) = u8::try_from(character)
        {
            self.push(byte);
        }
        // ANCHOR_END: exercise-2-3
    }
    // ANCHOR_END: decode

    fn push(&mut self, byte: u8) {
        if self.waiting == QUEUE_LENGTH {
            return;
        }
        if let Some(place) = self.queue.get_mut((self.first + self.waiting) % QUEUE_LENGTH) {
            *place = byte;
            self.waiting += 1;
        }
    }

    fn pop(&mut self) -> Option<u8> {
        self.waiting = self.waiting.checked_sub(1)?;
        let byte = self.queue.get(self.first).copied();
        self.first = (self.first + 1) % QUEUE_LENGTH;
        byte
    }
}

/// A character that was typed, if there is one.
pub fn read() -> Option<u8> {
    KEYBOARD.with(Keyboard::pop)
}

/// Feeds the decoder, as the interrupt does. For tests.
pub fn feed(scan_code: u8) {
    KEYBOARD.with(|keyboard| keyboard.take(scan_code));
}

pub(super) fn initialize() {
    // What was typed before boot would hold back the next interrupt.
    drain();
    set_handler(Line::KEYBOARD.vector(), Some(|_| drain()));
    unmask(Line::KEYBOARD);
}

/// Takes what the controller holds. The loop is bounded: a machine without a controller reads all ones for ever.
pub(super) fn drain() {
    for _ in 0..QUEUE_LENGTH {
        // SAFETY: reading the status has no side effect.
        let status = unsafe { Port::<u8>::new(STATUS_PORT).read() };
        if status & OUTPUT_FULL == 0 || status == u8::MAX {
            return;
        }
        // SAFETY: the controller has a byte, and only this function takes them.
        feed(unsafe { Port::<u8>::new(DATA_PORT).read() });
    }
}

/// Where somebody sits at the terminal, repeats what is typed until Enter.
pub(super) fn demonstrate() {
    if !options().interactive {
        return;
    }
    println!("type something, on the keyboard or the serial line, and end it with Enter:");
    loop {
        match read().or_else(console::read_serial) {
            Some(b'\n' | b'\r') => break,
            Some(byte) => print!("{}", char::from(byte)),
            None => x86_64::instructions::hlt(),
        }
    }
    println!();
}
