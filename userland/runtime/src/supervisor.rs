//! What a program that was run from the shell asks the supervisor.

use flatmk_system::{SupervisorRequest, TEXT_BYTES, Text, slots};

use crate::object::Endpoint;

/// The most bytes of arguments.
pub const ARGUMENT_BYTES: usize = 96;

/// The caller is through. Nothing behind this is executed, unless nobody has started the program who would want to know.
pub fn end(exit_code: u16) {
    // With a supervisor there is nobody any more to whom it could answer.
    Endpoint(slots::SUPERVISOR).call([SupervisorRequest::End as u64, exit_code.into(), 0, 0]).unwrap_or_default();
}

/// What the program was told when it was run; nothing where nobody has said anything, or it is not text.
pub fn arguments(buffer: &mut [u8; ARGUMENT_BYTES]) -> &str {
    let mut length = 0;
    while let Some(places) = buffer.get_mut(length..).filter(|places| !places.is_empty()) {
        let request = [SupervisorRequest::Argument as u64, length as u64, 0, 0];
        let part = Endpoint(slots::SUPERVISOR).call(request).and_then(Text::from_answer).unwrap_or(Text::EMPTY);
        if part.is_empty() {
            break;
        }
        places.iter_mut().zip(part.bytes()).for_each(|(place, byte)| *place = byte);
        length += part.bytes().count();
    }
    core::str::from_utf8(buffer.get(..length).unwrap_or_default()).unwrap_or("")
}

/// Not more than a message holds comes at a time.
const _: () = assert!(ARGUMENT_BYTES.is_multiple_of(TEXT_BYTES));
