//! The arguments of a program: text that comes and is asked for in parts.

use flatmk_abi::Error;
use flatmk_system::Text;

/// The most bytes of arguments.
const CAPACITY: usize = 96;

/// The arguments of one program.
#[derive(Clone, Copy, Debug)]
pub struct Arguments {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Arguments {
    /// None.
    pub const EMPTY: Arguments = Arguments { bytes: [0; CAPACITY], length: 0 };

    /// Appends text.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where there are too many bytes; nothing is appended.
    pub fn append(&mut self, text: Text) -> Result<(), Error> {
        let added = text.bytes().count();
        let places = self.bytes.get_mut(self.length..self.length + added).ok_or(Error::InvalidArgument)?;
        places.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        self.length += added;
        Ok(())
    }

    /// What stands from this byte on, as much as a message holds.
    #[must_use]
    pub fn part(&self, from: u64) -> Text {
        let from = usize::try_from(from).map_or(self.length, |from| from.min(self.length));
        Text::take(self.bytes.get(from..self.length).unwrap_or_default()).0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    #[test]
    fn what_comes_in_parts_is_read_in_parts() {
        let mut arguments = Arguments::EMPTY;
        let text = b"the first part, the second part, and what else";
        for part in text.chunks(7) {
            arguments.append(Text::take(part).0).expect("there is room");
        }
        let mut found = Vec::new();
        loop {
            let part = arguments.part(found.len() as u64);
            if part.is_empty() {
                break;
            }
            found.extend(part.bytes());
        }
        assert_eq!(found, text);
        assert!(arguments.part(u64::MAX).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused_as_a_whole() {
        let mut arguments = Arguments::EMPTY;
        for _ in 0..4 {
            arguments.append(Text::take(&[b'x'; 24]).0).expect("there is room");
        }
        assert_eq!(arguments.append(Text::take(b"y").0), Err(Error::InvalidArgument));
        assert!(arguments.part(95).bytes().eq(*b"x"));
    }
}
