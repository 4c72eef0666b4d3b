//! What the scan codes of a keyboard mean: set 1, which a PC's controller makes of whatever the keyboard sends, on a US keyboard.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use pc_keyboard::layouts::Us104Key;
use pc_keyboard::{DecodedKey, HandleControl, PS2Keyboard, ScancodeSet1};

/// What a scan code completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Nothing: the next one belongs to it, or a key was released.
    Nothing,
    /// A character.
    Character(char),
    /// A key without one, by its number in `pc-keyboard`.
    Other(u8),
    /// No scan code at all. What came before it is forgotten.
    Unknown,
}

/// A keyboard with the keys that are held.
pub struct Decoder(PS2Keyboard<Us104Key, ScancodeSet1>);

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A keyboard on which no key is held.
    #[must_use]
    pub const fn new() -> Self {
        Self(PS2Keyboard::new(ScancodeSet1::new(), Us104Key, HandleControl::Ignore))
    }

    /// Takes the next byte from the keyboard.
    pub fn take(&mut self, byte: u8) -> Key {
        let event = match self.0.add_byte(byte) {
            Ok(event) => event,
            Err(_) => {
                self.0.clear();
                return Key::Unknown;
            }
        };
        match event.and_then(|event| self.0.process_keyevent(event)) {
            None => Key::Nothing,
            Some(DecodedKey::Unicode(character)) => Key::Character(character),
            Some(DecodedKey::RawKey(key)) => Key::Other(key as u8),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;

    use super::*;

    const SHIFT: u8 = 0x2a;
    const RELEASED: u8 = 0x80;

    fn text(bytes: &[u8]) -> String {
        let mut decoder = Decoder::new();
        let characters = bytes.iter().map(|byte| decoder.take(*byte));
        characters.filter_map(|key| if let Key::Character(character) = key { Some(character) } else { None }).collect()
    }

    #[test]
    fn letters_are_small_unless_shift_is_held() {
        assert_eq!(text(&[0x1e, 0x1e | RELEASED, SHIFT, 0x1e, SHIFT | RELEASED, 0x30]), "aAb");
        assert_eq!(text(&[0x02, SHIFT, 0x02, 0x1c, 0x39]), "1!\n ");
    }

    #[test]
    fn keys_without_a_character_have_a_number() {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.take(0xe0), Key::Nothing);
        let up = decoder.take(0x48);
        assert!(matches!(up, Key::Other(_)), "{up:?}");
        assert_eq!([0xe0, 0x48 | RELEASED].map(|byte| decoder.take(byte)), [Key::Nothing; 2]);
    }

    #[test]
    fn what_is_no_scan_code_is_forgotten() {
        let mut decoder = Decoder::new();
        for byte in [0xe0, 0x00] {
            decoder.take(byte);
        }
        assert_eq!(decoder.take(0x1e), Key::Character('a'));
    }

    #[test]
    fn every_byte_in_every_state_is_an_answer() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let mut decoder = Decoder::new();
                let _ = (decoder.take(first), decoder.take(second), decoder.take(second));
            }
        }
    }
}
