//! Answers: a status, and up to three words.

use flatmk_abi::{Error, Words};

/// The answer that says how a request went.
#[must_use]
pub fn answer(result: Result<[u64; 3], Error>) -> Words {
    match result {
        Ok([first, second, third]) => [0, first, second, third],
        Err(error) => [error.status().cast_unsigned(), 0, 0, 0],
    }
}

/// Words 1 to 3 of an answer.
///
/// # Errors
///
/// The error whose status word 0 is. A status that is none counts as [`Error::UnknownOperation`]: it must not pass for success.
pub fn outcome([status, rest @ ..]: Words) -> Result<[u64; 3], Error> {
    match status.cast_signed() {
        0 => Ok(rest),
        status => Err(Error::from_status(status).unwrap_or(Error::UnknownOperation)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_arrives() {
        assert_eq!(outcome(answer(Ok([1, 2, 3]))), Ok([1, 2, 3]));
        for &error in Error::ALL {
            assert_eq!(outcome(answer(Err(error))), Err(error));
        }
    }

    #[test]
    fn no_other_status_is_a_success() {
        for status in [1, 24, u64::MAX - 10_000] {
            assert_eq!(outcome([status, 1, 2, 3]), Err(Error::UnknownOperation));
        }
    }
}
