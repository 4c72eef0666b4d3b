//! Which bytes a key sends: those that a terminal would.

use flatmk_system::Layout;
use pc_keyboard::layouts::{
    AnyLayout, Azerty, Colemak, DVP104Key, De105Key, Dvorak104Key, FiSe105Key, Jis109Key, No105Key, Uk105Key, Us104Key,
};
use pc_keyboard::{DecodedKey, EventDecoder, HandleControl, KeyCode, KeyEvent, KeyState, ScancodeSet, ScancodeSet1};

/// The most bytes that a key sends.
pub const KEY_BYTES: usize = 5;

/// What a keyboard sends when it has lost bytes, or was never asked for them: it has no key with this number.
const LOST: [u8; 2] = [0x00, 0xff];

/// What a keyboard answers to a command, which may come in the middle of a key. Neither has it a key with this number.
const ACKNOWLEDGE: u8 = 0xfa;

/// The keys that change what others mean while they are held.
const HELD: [KeyCode; 7] = [
    KeyCode::LShift,
    KeyCode::RShift,
    KeyCode::LControl,
    KeyCode::RControl,
    KeyCode::LAlt,
    KeyCode::RAltGr,
    KeyCode::RControl2,
];

/// A keyboard with the keys that are held.
pub struct Keys {
    codes: ScancodeSet1,
    events: EventDecoder<AnyLayout>,
    layout: Layout,
}

/// The bytes of a key.
struct KeyText {
    bytes: [u8; KEY_BYTES],
    length: usize,
}

impl Keys {
    /// A keyboard on which no key is held.
    #[must_use]
    pub const fn new() -> Self {
        let events = EventDecoder::new(AnyLayout::Us104Key(Us104Key), HandleControl::MapLettersToUnicode);
        Self { codes: ScancodeSet1::new(), events, layout: Layout::Us }
    }

    /// The layout that is used.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Uses another layout from now on.
    pub fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
        self.events.change_layout(match layout {
            Layout::Us => AnyLayout::Us104Key(Us104Key),
            Layout::Uk => AnyLayout::Uk105Key(Uk105Key),
            Layout::De => AnyLayout::De105Key(De105Key),
            Layout::Fr => AnyLayout::Azerty(Azerty),
            Layout::No => AnyLayout::No105Key(No105Key),
            Layout::Fi => AnyLayout::FiSe105Key(FiSe105Key),
            Layout::Jp => AnyLayout::Jis109Key(Jis109Key),
            Layout::Dvorak => AnyLayout::Dvorak104Key(Dvorak104Key),
            Layout::ProgrammerDvorak => AnyLayout::DVP104Key(DVP104Key),
            Layout::Colemak => AnyLayout::Colemak(Colemak),
        });
    }

    // ANCHOR: take
    /// Takes the next byte from the keyboard. If it completes a key, `send` gets what that sends, at once.
    pub fn take(&mut self, byte: u8, send: impl FnOnce(&[u8])) {
        if LOST.contains(&byte) {
            return self.release_all();
        }
        if byte == ACKNOWLEDGE {
            return;
        }
        let event = match self.codes.advance_state(byte) {
            Ok(event) => event,
            // No key that is known: the next one begins anew.
            Err(_) => {
                self.codes = ScancodeSet1::new();
                return;
            }
        };
        let text = match event.and_then(|event| self.events.process_keyevent(event)) {
            Some(DecodedKey::Unicode(character)) => KeyText::of_character(character),
            Some(DecodedKey::RawKey(key)) => KeyText::of_key(key),
            None => return,
        };
        match text.bytes.get(..text.length) {
            Some(bytes) if !bytes.is_empty() => send(bytes),
            _ => {}
        }
    }
    // ANCHOR_END: take

    /// Bytes were lost, perhaps of keys that were released.
    fn release_all(&mut self) {
        self.codes = ScancodeSet1::new();
        for key in HELD {
            self.events.process_keyevent(KeyEvent::new(key, KeyState::Up));
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyText {
    fn new(text: &str) -> Self {
        let mut bytes = [0; KEY_BYTES];
        let length = bytes.iter_mut().zip(text.bytes()).map(|(place, byte)| *place = byte).count();
        Self { bytes, length }
    }

    fn of_character(character: char) -> Self {
        match character {
            '\n' => Self::new("\r"),
            '\u{8}' => Self::new("\u{7f}"),
            '\u{7f}' => Self::of_key(KeyCode::Delete),
            character => Self::new(character.encode_utf8(&mut [0; 4])),
        }
    }

    /// The sequences of xterm. A key without one sends nothing.
    fn of_key(key: KeyCode) -> Self {
        Self::new(match key {
            KeyCode::ArrowUp => "\x1b[A",
            KeyCode::ArrowDown => "\x1b[B",
            KeyCode::ArrowRight => "\x1b[C",
            KeyCode::ArrowLeft => "\x1b[D",
            KeyCode::Home => "\x1b[H",
            KeyCode::End => "\x1b[F",
            KeyCode::Insert => "\x1b[2~",
            KeyCode::Delete => "\x1b[3~",
            KeyCode::PageUp => "\x1b[5~",
            KeyCode::PageDown => "\x1b[6~",
            KeyCode::F1 => "\x1bOP",
            KeyCode::F2 => "\x1bOQ",
            KeyCode::F3 => "\x1bOR",
            KeyCode::F4 => "\x1bOS",
            KeyCode::F5 => "\x1b[15~",
            KeyCode::F6 => "\x1b[17~",
            KeyCode::F7 => "\x1b[18~",
            KeyCode::F8 => "\x1b[19~",
            KeyCode::F9 => "\x1b[20~",
            KeyCode::F10 => "\x1b[21~",
            KeyCode::F11 => "\x1b[23~",
            KeyCode::F12 => "\x1b[24~",
            _ => "",
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;
    use std::vec::Vec;

    use super::*;

    const SHIFT: u8 = 0x2a;
    const CONTROL: u8 = 0x1d;
    const CAPS_LOCK: u8 = 0x3a;
    const ALT: u8 = 0x38;
    const EXTENDED: u8 = 0xe0;
    const RELEASED: u8 = 0x80;

    /// What these bytes send.
    fn typed(layout: Layout, bytes: &[u8]) -> String {
        let mut keys = Keys::new();
        keys.set_layout(layout);
        let mut sent = Vec::new();
        for &byte in bytes {
            keys.take(byte, |text| sent.extend_from_slice(text));
        }
        String::from_utf8(sent).expect("keys send whole characters")
    }

    #[test]
    fn letters_and_the_shift_key() {
        let bytes = [0x1e, 0x1e | RELEASED, SHIFT, 0x1e, SHIFT | RELEASED, 0x30, CAPS_LOCK, 0x30, 0x1c, 0x39];
        assert_eq!(typed(Layout::Us, &bytes), "aAbB\r ");
    }

    #[test]
    fn layouts_differ() {
        // The keys right of P and L, and the one right of T.
        let keys = [0x1a, 0x27, 0x15];
        assert_eq!(typed(Layout::Us, &keys), "[;y");
        assert_eq!(typed(Layout::De, &keys), "üöz");
        assert_eq!(typed(Layout::Fr, &[0x10, 0x03]), "aé");
        assert_eq!(typed(Layout::Uk, &[SHIFT, 0x04]), "£");
        assert_eq!(typed(Layout::Dvorak, &[0x1f]), "o");
        // AltGr and Q, and the key right of 0.
        assert_eq!(typed(Layout::De, &[EXTENDED, ALT, 0x10, EXTENDED, ALT | RELEASED, 0x0c]), "@ß");
    }

    #[test]
    fn control_keys_send_control_bytes() {
        assert_eq!(typed(Layout::Us, &[CONTROL, 0x2e, 0x26, CONTROL | RELEASED, 0x2e]), "\x03\x0cc");
        // The right control key.
        assert_eq!(typed(Layout::De, &[EXTENDED, CONTROL, 0x20]), "\x04");
    }

    #[test]
    fn special_keys_send_the_sequences_of_a_terminal() {
        let up_left_delete = [EXTENDED, 0x48, EXTENDED, 0x48 | RELEASED, EXTENDED, 0x4b, EXTENDED, 0x53];
        assert_eq!(typed(Layout::Us, &up_left_delete), "\x1b[A\x1b[D\x1b[3~");
        assert_eq!(typed(Layout::Us, &[0x0e, 0x0f, 0x01, 0x3b, 0x58]), "\x7f\t\x1b\x1bOP\x1b[24~");
        assert_eq!(typed(Layout::Us, &[EXTENDED, 0x47, EXTENDED, 0x4f]), "\x1b[H\x1b[F");
    }

    #[test]
    fn keys_whose_release_was_lost_are_not_held() {
        for lost in LOST {
            assert_eq!(typed(Layout::Us, &[SHIFT, CONTROL, lost, 0x1e]), "a");
            assert_eq!(typed(Layout::Us, &[CAPS_LOCK, lost, 0x1e]), "A");
        }
        // Also without such a byte, as soon as the key is used again.
        assert_eq!(typed(Layout::Us, &[SHIFT, 0x1e, SHIFT, SHIFT | RELEASED, 0x1e]), "Aa");
    }

    #[test]
    fn what_is_no_scan_code_is_forgotten() {
        assert_eq!(typed(Layout::Us, &[EXTENDED, 0x01, 0x1e, 0x7f, 0xfa, 0x1e]), "aa");
        assert_eq!(typed(Layout::Us, &[EXTENDED, ACKNOWLEDGE, 0x48]), "\x1b[A");
    }

    #[test]
    fn every_byte_in_every_state_and_layout_is_accepted() {
        for layout in Layout::ALL {
            for first in 0..=u8::MAX {
                for second in 0..=u8::MAX {
                    typed(layout, &[first, second, second]);
                }
            }
        }
    }
}
