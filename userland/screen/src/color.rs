//! Colours: the 256 that terminals have by number, and how letters are mixed of two of them.

/// A colour, 8 bits a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

/// The two colours of a cell, by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pen {
    /// Of the letter.
    pub text: u8,
    /// Behind it.
    pub background: u8,
}

/// The number of black.
pub(crate) const BLACK: u8 = 0;
/// The number of light gray, in which text is written.
pub(crate) const LIGHT_GRAY: u8 = 7;
/// What makes a colour from 0 to 7 bright.
pub(crate) const BRIGHT: u8 = 8;

/// The first sixteen. Light gray on black are those of the kernel's console.
const SIXTEEN: [u32; 16] = [
    0x00_0000, 0xcd_3131, 0x0d_bc79, 0xe5_e510, 0x24_72c8, 0xbc_3fbc, 0x11_a8cd, 0xd8_d8d8, //
    0x66_6666, 0xf1_4c4c, 0x23_d18b, 0xf5_f543, 0x3b_8eea, 0xd6_70d6, 0x29_b8db, 0xff_ffff,
];

/// From 16 on there is a cube of six levels a channel, and from 232 on grays.
const CUBE: u8 = 16;
const GRAYS: u8 = 232;
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

impl Color {
    /// The colour with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Color {
        if let Some(&color) = SIXTEEN.get(usize::from(number)) {
            let [blue, green, red, _] = color.to_le_bytes();
            return Color { red, green, blue };
        }
        if number >= GRAYS {
            let level = 8 + 10 * (number - GRAYS);
            return Color { red: level, green: level, blue: level };
        }
        let number = number - CUBE;
        let level = |index: u8| LEVELS.get(usize::from(index % 6)).copied().unwrap_or_default();
        Color { red: level(number / 36), green: level(number / 6), blue: level(number) }
    }

    /// The number of a colour of the cube that is near to this one.
    pub(crate) fn nearest_number(self) -> u8 {
        let level = |channel: u8| {
            let distance = |&(_, &level): &(u8, &u8)| level.abs_diff(channel);
            (0..).zip(&LEVELS).min_by_key(distance).map_or(0, |(index, _)| index)
        };
        CUBE + 36 * level(self.red) + 6 * level(self.green) + level(self.blue)
    }

    /// The colour of a pixel that a letter covers by `coverage` parts of 255.
    pub(crate) fn mix(text: Color, background: Color, coverage: u8) -> Color {
        let channel = |text: u8, background: u8| {
            let sum = u32::from(text) * u32::from(coverage) + u32::from(background) * (255 - u32::from(coverage));
            // A mean of bytes is a byte.
            (sum / 255) as u8
        };
        Color {
            red: channel(text.red, background.red),
            green: channel(text.green, background.green),
            blue: channel(text.blue, background.blue),
        }
    }
}

impl Pen {
    /// The colours the other way round.
    pub(crate) fn swapped(self) -> Pen {
        Pen { text: self.background, background: self.text }
    }

    /// The colour of a pixel that a letter covers by `coverage` parts of 255.
    pub(crate) fn mix(self, coverage: u8) -> Color {
        Color::mix(Color::from_number(self.text), Color::from_number(self.background), coverage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(red: u8, green: u8, blue: u8) -> Color {
        Color { red, green, blue }
    }

    #[test]
    fn numbers_are_those_of_terminals() {
        assert_eq!(Color::from_number(0), color(0, 0, 0));
        assert_eq!(Color::from_number(7), color(0xd8, 0xd8, 0xd8));
        assert_eq!(Color::from_number(16), color(0, 0, 0));
        assert_eq!(Color::from_number(16 + 36 + 12 + 3), color(95, 135, 175));
        assert_eq!(Color::from_number(231), color(255, 255, 255));
        assert_eq!((Color::from_number(232), Color::from_number(255)), (color(8, 8, 8), color(238, 238, 238)));
    }

    #[test]
    fn every_colour_of_the_cube_is_nearest_to_itself() {
        for number in CUBE..GRAYS {
            assert_eq!(Color::from_number(number).nearest_number(), number);
        }
        assert_eq!(Color::from_number(color(250, 10, 100).nearest_number()), color(255, 0, 95));
    }

    #[test]
    fn what_is_covered_has_the_colour_of_the_text() {
        let pen = Pen { text: 15, background: 16 };
        assert_eq!(pen.mix(0), color(0, 0, 0));
        assert_eq!(pen.mix(255), color(255, 255, 255));
        assert_eq!(pen.mix(100), color(100, 100, 100));
    }
}
