//! Text in messages: up to 24 bytes in words 1 to 3, the first byte in the lowest bits of word 1.

use flatmk_abi::{Error, Words};

use crate::TextRequest;

/// The most bytes of a message.
pub const TEXT_BYTES: usize = 24;

/// Where the length stands in word 0 of a message to write.
const LENGTH_SHIFT: u32 = 8;

/// Up to 24 bytes of text. Bytes, not characters: what is longer is sent in parts, which may divide a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    length: usize,
    words: [u64; 3],
}

impl Text {
    /// No text.
    pub const EMPTY: Text = Text { length: 0, words: [0; 3] };

    /// As many of the bytes as fit, from the first one on, and the rest.
    #[must_use]
    pub fn take(bytes: &[u8]) -> (Text, &[u8]) {
        let (now, later) = bytes.split_at(bytes.len().min(TEXT_BYTES));
        let mut words = [0; 3];
        for (word, chunk) in words.iter_mut().zip(now.chunks(8)) {
            let mut value = [0; 8];
            value.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            *word = u64::from_le_bytes(value);
        }
        (Text { length: now.len(), words }, later)
    }

    /// The bytes.
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        self.words.into_iter().flat_map(u64::to_le_bytes).take(self.length)
    }

    /// Puts the bytes at the beginning of a buffer, and gives what is filled.
    pub fn copy_to(self, buffer: &mut [u8; TEXT_BYTES]) -> &[u8] {
        let count = buffer.iter_mut().zip(self.bytes()).map(|(to, from)| *to = from).count();
        buffer.get(..count).unwrap_or_default()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The message that asks to write it.
    #[must_use]
    pub fn write_message(self) -> Words {
        self.message(TextRequest::Write as u64)
    }

    /// A message with this number that carries it.
    #[must_use]
    pub fn message(self, number: u64) -> Words {
        let [first, second, third] = self.words;
        [number | (self.length as u64) << LENGTH_SHIFT, first, second, third]
    }

    /// The text that a message carries, whatever its number.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a text of more than 24 bytes.
    pub fn from_message([head, words @ ..]: Words) -> Result<Text, Error> {
        match head >> LENGTH_SHIFT {
            length if length <= TEXT_BYTES as u64 => Ok(Text { length: length as usize, words }),
            _ => Err(Error::InvalidArgument),
        }
    }

    /// What a message asks for, and the text that comes along; both are `None` where word 0 has another number. The text is empty unless it is to be written.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a text of more than 24 bytes, and for a length where there is no text to be written.
    pub fn parse([head, words @ ..]: Words) -> Result<(Option<TextRequest>, Text), Error> {
        let request = TextRequest::from_number(head & ((1 << LENGTH_SHIFT) - 1));
        let most = if request == Some(TextRequest::Write) { TEXT_BYTES as u64 } else { 0 };
        match head >> LENGTH_SHIFT {
            length if length <= most => Ok((request, Text { length: length as usize, words })),
            _ => Err(Error::InvalidArgument),
        }
    }

    /// The answer to [`TextRequest::Read`].
    #[must_use]
    pub fn read_answer(self) -> Words {
        let [first, second, third] = self.words;
        [self.length as u64, first, second, third]
    }

    /// The text in an answer to [`TextRequest::Read`].
    ///
    /// # Errors
    ///
    /// The error whose status word 0 is; [`Error::UnknownOperation`] where that is neither a status nor a length.
    pub fn from_answer([head, words @ ..]: Words) -> Result<Text, Error> {
        if head <= TEXT_BYTES as u64 {
            return Ok(Text { length: head as usize, words });
        }
        Err(Error::from_status(head.cast_signed()).unwrap_or(Error::UnknownOperation))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    const SAMPLE: &[u8] = b"The quick brown fox jumps over the lazy dog.";

    #[test]
    fn text_of_every_length_arrives_as_it_was() {
        for length in 0..=SAMPLE.len() {
            let (mut rest, mut written, mut read) = (&SAMPLE[..length], Vec::new(), Vec::new());
            while !rest.is_empty() {
                let (text, later) = Text::take(rest);
                let (request, arrived) = Text::parse(text.write_message()).expect("it is not too long");
                assert_eq!(request, Some(TextRequest::Write));
                written.extend(arrived.bytes());
                let answered = Text::from_answer(text.read_answer()).expect("it is not too long");
                read.extend_from_slice(answered.copy_to(&mut [0; TEXT_BYTES]));
                rest = later;
            }
            assert_eq!((written.as_slice(), read.as_slice()), (&SAMPLE[..length], &SAMPLE[..length]));
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for length in [25, 26, 255, 1 << 20, u64::MAX >> 8] {
            assert_eq!(Text::parse([1 | length << 8, 0, 0, 0]), Err(Error::InvalidArgument), "{length}");
            assert!(Text::from_answer([length, 0, 0, 0]).is_err());
        }
        for request in [TextRequest::Read, TextRequest::Clear] {
            assert_eq!(Text::parse([request as u64 | 1 << 8, 0, 0, 0]), Err(Error::InvalidArgument));
        }
    }

    #[test]
    fn a_message_of_any_number_carries_text() {
        let name = Text::take(b"packet-filter").0;
        let message = name.message(4);
        assert_eq!((message[0] & 0xff, Text::from_message(message)), (4, Ok(name)));
        assert_eq!(Text::from_message([4 | 25 << 8, 0, 0, 0]), Err(Error::InvalidArgument));
    }

    #[test]
    fn other_requests_are_left_to_the_caller() {
        for number in [0, 4, 16, 255] {
            assert_eq!(Text::parse([number, 1, 2, 3]).map(|(request, _)| request), Ok(None));
        }
    }

    #[test]
    fn an_error_is_no_text() {
        assert_eq!(
            Text::from_answer([Error::InvalidArgument.status().cast_unsigned(), 0, 0, 0]),
            Err(Error::InvalidArgument)
        );
    }
}
