//! What the programs have in common: how the words of a message are written on the command line.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use flatmk_abi::Words;

/// The message that arguments stand for: up to four numbers, decimal or with `0x` in front, and 0 for those that are missing; or up to 32 bytes of text behind
/// a quotation mark. `None` where they are neither.
#[must_use]
pub fn message(arguments: &str) -> Option<Words> {
    let mut words = [0; 4];
    let arguments = arguments.trim();
    if let Some(text) = arguments.strip_prefix('"') {
        let text = text.strip_suffix('"').unwrap_or(text);
        let mut places = words.iter_mut();
        for chunk in text.as_bytes().chunks(8) {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            *places.next()? = u64::from_le_bytes(bytes);
        }
        return Some(words);
    }
    let mut places = words.iter_mut();
    for argument in arguments.split_ascii_whitespace() {
        *places.next()? = number(argument)?;
    }
    Some(words)
}

/// A number, decimal or with `0x` in front.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        // `from_str_radix` takes a sign, too.
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => u64::from_str_radix(digits, 16).ok(),
        None if text.bytes().all(|digit| digit.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_words() {
        assert_eq!(message(""), Some([0; 4]));
        assert_eq!(message(" 1 2  0xff"), Some([1, 2, 255, 0]));
        assert_eq!(message("1 2 3 4"), Some([1, 2, 3, 4]));
        assert_eq!(message("18446744073709551615"), Some([u64::MAX, 0, 0, 0]));
        for wrong in ["1 2 3 4 5", "one", "0x", "0x+1", "-1", "+1", "18446744073709551616", "1\"", "0xg"] {
            assert_eq!(message(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn text_is_its_bytes() {
        assert_eq!(message("\"1 2 +\""), Some([u64::from_le_bytes(*b"1 2 +\0\0\0"), 0, 0, 0]));
        assert_eq!(message("\""), Some([0; 4]));
        assert_eq!(
            message("\"12345678123456781234567812345678\"").map(|words| words[3]),
            message("\"12345678").map(|words| words[0])
        );
        assert_eq!(message("\"123456781234567812345678123456789\""), None);
    }
}
