//! The services, by their names.

use crate::slots;

macro_rules! services {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// A service of the system. The supervisor starts it, and starts it anew when it ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u64)]
        pub enum Service {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Service {
            /// Every service, in the order of the numbers.
            pub const ALL: [Service; [$($number,)+].len()] = [$(Service::$name,)+];

            /// Its name, which is also that of its program.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Service::$name => $text,)+
                }
            }
        }
    };
}

services! {
    /// Text to the screen and the serial line, and what is typed on either side. Requests: [`TextRequest`](crate::TextRequest).
    Terminal = 0, "terminal";
    /// Text on the framebuffer. Requests: [`TextRequest`](crate::TextRequest) but `Read`, and [`ScreenRequest`](crate::ScreenRequest).
    Screen = 1, "screen";
    /// The first serial port. Requests: [`TextRequest`](crate::TextRequest) but `Clear`.
    Serial = 2, "serial";
    /// The PS/2 keyboard. Requests: [`TextRequest::Read`](crate::TextRequest::Read), and [`KeyboardRequest`](crate::KeyboardRequest).
    Keyboard = 3, "keyboard";
    /// Date and time. Requests: [`ClockRequest`](crate::ClockRequest).
    Clock = 4, "clock";
    /// Switching off and starting anew. Requests: [`PowerRequest`](crate::PowerRequest).
    Power = 5, "power";
    /// The memory-sharing daemon. Requests: `SharingRequest` of the runtime library.
    Sharing = 6, "sharing";
}

impl Service {
    /// The service with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Service> {
        Service::ALL.into_iter().find(|&service| service as u64 == number)
    }

    /// The service with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The slot in which a program keeps its connection to it.
    #[must_use]
    pub const fn slot(self) -> u64 {
        slots::CONNECTIONS + self as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_a_name_a_number_and_a_slot_of_its_own() {
        for (number, service) in (0..).zip(Service::ALL) {
            assert_eq!(Service::from_number(number), Some(service));
            assert_eq!(Service::from_name(service.name()), Some(service));
            assert!((slots::CONNECTIONS..slots::WINDOW).contains(&service.slot()));
        }
        assert_eq!(Service::from_number(Service::ALL.len() as u64), None);
        assert_eq!(Service::from_name("spreadsheet"), None);
    }
}
