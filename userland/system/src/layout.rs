//! The keyboard layouts, by their names.

macro_rules! layouts {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// Which characters the keys of a keyboard have.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(u64)]
        pub enum Layout {
            #[default]
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Layout {
            /// Every layout, in the order of the numbers.
            pub const ALL: [Layout; [$($number,)+].len()] = [$(Layout::$name,)+];

            /// Its name, as in the boot option `layout` and in the shell.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Layout::$name => $text,)+
                }
            }
        }
    };
}

layouts! {
    /// United States.
    Us = 0, "us";
    /// United Kingdom.
    Uk = 1, "uk";
    /// Germany.
    De = 2, "de";
    /// France.
    Fr = 3, "fr";
    /// Norway.
    No = 4, "no";
    /// Finland and Sweden.
    Fi = 5, "fi";
    /// Japan.
    Jp = 6, "jp";
    /// Dvorak.
    Dvorak = 7, "dvorak";
    /// Dvorak for programmers.
    ProgrammerDvorak = 8, "dvp";
    /// Colemak.
    Colemak = 9, "colemak";
}

impl Layout {
    /// The layout with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Layout> {
        Layout::ALL.into_iter().find(|&layout| layout as u64 == number)
    }

    /// The layout with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Layout> {
        Layout::ALL.into_iter().find(|layout| layout.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_has_a_name_and_a_number_of_its_own() {
        for (number, layout) in (0..).zip(Layout::ALL) {
            assert_eq!(Layout::from_number(number), Some(layout));
            assert_eq!(Layout::from_name(layout.name()), Some(layout));
        }
        assert_eq!(Layout::from_number(Layout::ALL.len() as u64), None);
        assert_eq!((Layout::from_name("DE"), Layout::from_name("")), (None, None));
        assert_eq!(Layout::default(), Layout::Us);
    }
}
