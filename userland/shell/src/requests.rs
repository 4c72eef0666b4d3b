//! Requests to the supervisor.

use flatmk_abi::{Error, Words};
use flatmk_runtime::object::Endpoint;
use flatmk_system::{Ending, Status, SupervisorRequest, TEXT_BYTES, Text, outcome, slots};

use shell::Target;

/// The supervisor among the programs.
pub(crate) const SUPERVISOR: u64 = 0;

/// The most programs there can be: their numbers are from 1 on.
pub(crate) const MOST_PROGRAMS: u64 = 62;

fn call(message: Words) -> Result<Words, Error> {
    Endpoint(slots::SUPERVISOR).call(message)
}

/// Asks for words 1 to 3 of an answer.
pub(crate) fn supervisor(request: SupervisorRequest, [first, second]: [u64; 2]) -> Result<[u64; 3], Error> {
    call([request as u64, first, second, 0]).and_then(outcome)
}

/// Sends text along.
pub(crate) fn send(request: SupervisorRequest, text: &str) -> Result<u64, Error> {
    call(Text::take(text.as_bytes()).0.message(request as u64)).and_then(outcome).map(|[number, ..]| number)
}

pub(crate) fn status(number: u64) -> Result<Status, Error> {
    let words = supervisor(SupervisorRequest::Status, [number, 0])?;
    Status::from_words(words).ok_or(Error::UnknownOperation)
}

pub(crate) fn ending(number: u64) -> Result<Ending, Error> {
    let words = supervisor(SupervisorRequest::Ending, [number, 0])?;
    Ending::from_words(words).ok_or(Error::UnknownOperation)
}

/// The name of a program.
pub(crate) struct Name {
    bytes: [u8; TEXT_BYTES],
    length: usize,
}

impl Name {
    pub(crate) fn of(number: u64) -> Result<Self, Error> {
        let text = Text::from_answer(call([SupervisorRequest::Name as u64, number, 0, 0])?)?;
        let mut bytes = [0; TEXT_BYTES];
        let length = text.copy_to(&mut bytes).len();
        Ok(Self { bytes, length })
    }

    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.bytes.get(..self.length).unwrap_or_default()).unwrap_or("?")
    }
}

/// The number of a program.
pub(crate) fn find(target: Target<'_>) -> Option<u64> {
    match target {
        Target::Number(number) => Name::of(number).is_ok().then_some(number),
        Target::Name(name) => {
            (1..=MOST_PROGRAMS).find(|&number| Name::of(number).is_ok_and(|found| found.as_str() == name))
        }
    }
}
