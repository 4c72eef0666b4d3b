//! Where the next character goes, and in which colours.

use crate::color::{BLACK, BRIGHT, Color, LIGHT_GRAY, Pen};

/// A place on the screen. A column that is one beyond the last means that the row is full: the next character begins a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// How text is written: what the sequences `CSI … m` change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    text: u8,
    background: u8,
    bright: bool,
    swapped: bool,
}

impl Style {
    /// Light gray on black.
    pub(crate) const NORMAL: Style = Style { text: LIGHT_GRAY, background: BLACK, bright: false, swapped: false };

    /// The colours of what is written.
    pub(crate) fn pen(self) -> Pen {
        let text = if self.bright && self.text < BRIGHT { self.text + BRIGHT } else { self.text };
        let pen = Pen { text, background: self.background };
        if self.swapped { pen.swapped() } else { pen }
    }

    /// The colours of what is erased.
    pub(crate) fn erased(self) -> Pen {
        Pen { text: BLACK, background: self.pen().background }
    }

    /// Takes the parameters of a sequence `CSI … m` (ECMA-48, 8.3.117, and the colours by number of xterm). What it does not know changes nothing.
    pub(crate) fn select<'a>(&mut self, parameters: impl Iterator<Item = &'a [u16]>) {
        let mut parameters = parameters.peekable();
        while let Some(parameter) = parameters.next() {
            let &[code, ref rest @ ..] = parameter else { continue };
            match code {
                0 => *self = Style::NORMAL,
                1 => self.bright = true,
                22 => self.bright = false,
                7 => self.swapped = true,
                27 => self.swapped = false,
                30..=37 => self.text = (code - 30) as u8,
                90..=97 => self.text = (code - 90) as u8 + BRIGHT,
                39 => self.text = LIGHT_GRAY,
                40..=47 => self.background = (code - 40) as u8,
                100..=107 => self.background = (code - 100) as u8 + BRIGHT,
                49 => self.background = BLACK,
                38 | 48 => {
                    // `38:5:n` is one parameter with parts, `38;5;n` are several.
                    let number = if rest.is_empty() {
                        number_of(core::iter::from_fn(|| parameters.next().and_then(|parts| parts.first().copied())))
                    } else {
                        number_of(rest.iter().copied())
                    };
                    match (code, number) {
                        (38, Some(number)) => self.text = number,
                        (48, Some(number)) => self.background = number,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }
}

/// The number of a colour that is given as `5 n`, or as `2 red green blue`.
fn number_of(mut parts: impl Iterator<Item = u16>) -> Option<u8> {
    let kind = parts.next()?;
    let mut byte = || parts.next().and_then(|part| u8::try_from(part).ok());
    match kind {
        5 => byte(),
        2 => Some(Color { red: byte()?, green: byte()?, blue: byte()? }.nearest_number()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pen(parameters: &[&[u16]]) -> (u8, u8) {
        let mut style = Style::NORMAL;
        style.select(parameters.iter().copied());
        (style.pen().text, style.pen().background)
    }

    #[test]
    fn colours_are_chosen_by_number() {
        assert_eq!(pen(&[&[31], &[44]]), (1, 4));
        assert_eq!(pen(&[&[1], &[31]]), (9, 0));
        assert_eq!(pen(&[&[91], &[102]]), (9, 10));
        assert_eq!(pen(&[&[38], &[5], &[200], &[48], &[5], &[17]]), (200, 17));
        assert_eq!(pen(&[&[38, 5, 200], &[44]]), (200, 4));
        assert_eq!(pen(&[&[38], &[2], &[255], &[0], &[95], &[7]]), (0, 16 + 5 * 36 + 1));
        assert_eq!(pen(&[&[31], &[0]]), (7, 0));
    }

    #[test]
    fn what_is_unknown_changes_nothing() {
        for parameters in
            [&[&[999][..]][..], &[&[38]], &[&[38], &[5]], &[&[38], &[5], &[256]], &[&[38], &[9], &[9]], &[&[]]]
        {
            assert_eq!(pen(parameters), (7, 0), "{parameters:?}");
        }
    }
}
