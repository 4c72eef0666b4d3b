//! Pixels of letters in the pairs of colours that were used last.

use crate::color::{Color, Pen};
use crate::pixels::Format;

/// How many pairs are kept.
const PAIRS: usize = 16;

/// The pixels of a letter in two colours, by how far the letter covers them.
#[derive(Clone, Copy)]
struct Mix {
    /// None where nothing was mixed yet.
    pen: Option<Pen>,
    pixels: [u32; 256],
}

/// Some of them.
pub(crate) struct Mixes([Mix; PAIRS]);

impl Mixes {
    pub(crate) const EMPTY: Mixes = Mixes([Mix { pen: None, pixels: [0; 256] }; PAIRS]);

    fn place(pen: Pen) -> usize {
        (usize::from(pen.text) + 5 * usize::from(pen.background)) % PAIRS
    }

    /// Mixes two colours, unless that was done.
    pub(crate) fn prepare(&mut self, format: Format, pen: Pen) {
        let Some(mix) = self.0.get_mut(Self::place(pen)) else { return };
        if mix.pen == Some(pen) {
            return;
        }
        mix.pen = Some(pen);
        let (text, background) = (Color::from_number(pen.text), Color::from_number(pen.background));
        for (coverage, pixel) in (0..=u8::MAX).zip(&mut mix.pixels) {
            *pixel = format.encode(Color::mix(text, background, coverage));
        }
    }

    /// The pixels of two colours, if they were mixed and no others since that have the same place.
    #[inline]
    pub(crate) fn get(&self, pen: Pen) -> Option<&[u32; 256]> {
        self.0.get(Self::place(pen)).filter(|mix| mix.pen == Some(pen)).map(|mix| &mix.pixels)
    }
}
