//! What the services are asked.

macro_rules! requests {
    ($($(#[doc = $type_doc:literal])+ $type:ident {
        $($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+
    })+) => {$(
        $(#[doc = $type_doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u64)]
        pub enum $type {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl $type {
            /// The request with this number, if there is one.
            #[must_use]
            pub const fn from_number(number: u64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    )+};
}

// ANCHOR: requests
requests! {
    /// Requests of the services that write and read text; see [`Text`](crate::Text) for how it is put into messages.
    TextRequest {
        /// Write. Word 0: also the length in bytes, from bit 8 on; words 1 to 3: the bytes.
        Write = 1,
        /// Read what was typed. Answer: word 0: how many bytes, 0 to 24; words 1 to 3: the bytes. It never waits. Special keys are the sequences
        /// that a terminal sends, letters beyond ASCII are UTF-8.
        Read = 2,
        /// Clear the screen.
        Clear = 3,
    }

    /// Further requests of the screen and the terminal.
    ScreenRequest {
        /// How large is it? Answer: word 1: columns; word 2: rows.
        Size = 16,
    }

    /// Further requests of the keyboard.
    KeyboardRequest {
        /// Use a layout from now on. Word 1: the number of a [`Layout`](crate::Layout).
        SetLayout = 16,
        /// Which layout is used? Answer: word 1: the number of a [`Layout`](crate::Layout).
        Layout = 17,
    }

    /// Requests of the clock.
    ClockRequest {
        /// Which date and time does the machine's clock have? Answer: word 1: seconds since 1970-01-01 00:00:00, on the clock's own zone, which is mostly UTC.
        Date = 1,
        /// How long has the machine been running? Answer: word 1: nanoseconds; word 2: ticks of the time stamp counter in a second, 0 where unknown.
        Uptime = 2,
    }

    /// Requests of the power driver. It answers only if it has failed: with an error, and the number of a [`PowerFault`](crate::PowerFault) in word 1.
    PowerRequest {
        /// Switch the machine off. Word 1: the result of the run as an emulator's host sees it: 0 for success, 1 for failure.
        Off = 1,
        /// Start the machine anew.
        Reset = 2,
    }

    /// Requests of the supervisor.
    SupervisorRequest {
        /// Connect the caller to a service. Word 1: the number of a [`Service`](crate::Service). The endpoint comes in the first slot of the window.
        Connect = 1,
        /// Load a program and let it start, as a companion of the next one that is run. Words 1 to 3: its name. Answer: word 1: its number.
        Load = 2,
        /// Append text to the arguments of the next program that is run. Word 0: also the length in bytes, from bit 8 on; words 1 to 3: the bytes.
        AddArgument = 3,
        /// Run a program. It finds its companions' services in the slots from [`COMPANIONS`](crate::slots::COMPANIONS) on, and they end with it. Words 1 to 3: its
        /// name. Answer: word 1: its number.
        Run = 4,
        /// The caller is through. Word 1: its exit code. Not answered: the caller is gone.
        End = 5,
        /// Read the caller's arguments. Word 1: from which byte on. Answer: as to [`TextRequest::Read`].
        Argument = 6,
        /// End a program, or start a service anew. Word 1: its number.
        Kill = 7,
        /// What is a program called? Word 1: its number, or 0 for the supervisor. Answer: as to [`TextRequest::Read`].
        Name = 8,
        /// How is a program? Word 1: its number, or 0 for the supervisor. Answer: [`Status`](crate::Status).
        Status = 9,
        /// How did a program end? Word 1: its number, which is free then; or 0 for any program of the caller that has ended and was not asked about by its
        /// number. Answer: [`Ending`](crate::Ending).
        Ending = 10,
        /// Which capability does a program hold at a pointer, or at the next one behind it of the same table? Word 1: its number; word 2: the pointer. Answer: word 1: the
        /// pointer; word 2: kind, and rights from bit 8 on; word 3: of a memory capability free pages, and all pages from bit 32 on.
        Capability = 11,
        /// How much memory is there? Word 1: the number of a memory capability of the supervisor, from 0 on. Answer: word 1: free pages; word 2: pages; word 3: of the first one
        /// also how many pages, split off from any, are kept for programs to come.
        Memory = 12,
        /// End the run. Word 1: its result, 0 for success. Answered only if that is refused.
        EndRun = 13,
    }
}
// ANCHOR_END: requests

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_are_no_request() {
        for number in [0, 4, 15, 1 << 32, u64::MAX] {
            assert_eq!(TextRequest::from_number(number), None);
            assert_eq!(ScreenRequest::from_number(number), None);
        }
        assert_eq!(TextRequest::from_number(1), Some(TextRequest::Write));
        assert_eq!(KeyboardRequest::from_number(16), Some(KeyboardRequest::SetLayout));
    }

    #[test]
    fn further_requests_of_a_service_have_numbers_of_their_own() {
        for number in 0..64 {
            let text = TextRequest::from_number(number).is_some();
            assert!(!(text && ScreenRequest::from_number(number).is_some()), "{number}");
            assert!(!(text && KeyboardRequest::from_number(number).is_some()), "{number}");
        }
    }
}
