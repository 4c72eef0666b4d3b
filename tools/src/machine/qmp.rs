//! QEMU's control socket, as far as it is needed: one command at a time, in JSON lines.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// Why QEMU did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The machine is not one of QEMU's.
    #[error("only QEMU can do this")]
    NotQemu,
    /// The socket failed, or QEMU is gone.
    #[error("QEMU does not answer: {0}")]
    Socket(#[from] io::Error),
    /// QEMU speaks something else.
    #[error("QEMU's answer is not understood: {0}")]
    Answer(String),
    /// QEMU said no.
    #[error("QEMU refused: {0}")]
    Refused(String),
    /// A character that no key types.
    #[error("there is no key for {0:?}")]
    NoKey(char),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Qmp(BufReader<UnixStream>);

impl Qmp {
    pub(super) fn connect(path: &Path) -> Result<Self, QmpError> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut qmp = Self(BufReader::new(stream));
        // The greeting.
        qmp.line()?;
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    pub(super) fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value, QmpError> {
        let request = json!({ "execute": command, "arguments": arguments });
        self.0.get_mut().write_all(format!("{request}\n").as_bytes())?;
        loop {
            // Events may come before the answer.
            let mut answer = self.line()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                return Err(QmpError::Refused(error["desc"].as_str().unwrap_or("no reason given").to_owned()));
            }
        }
    }

    fn line(&mut self) -> Result<Value, QmpError> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        serde_json::from_str(&line).map_err(|_| QmpError::Answer(line))
    }
}

/// The keys that type a character on a US keyboard, in QEMU's names.
pub(super) fn keys(character: char) -> Result<Vec<String>, QmpError> {
    const NAMES: [(&str, &str, &str); 15] = [
        (" ", " ", "spc"),
        ("\n", "\n", "ret"),
        ("\t", "\t", "tab"),
        ("\x08", "\x08", "backspace"),
        ("-", "_", "minus"),
        ("=", "+", "equal"),
        ("[", "{", "bracket_left"),
        ("]", "}", "bracket_right"),
        (";", ":", "semicolon"),
        ("'", "\"", "apostrophe"),
        ("`", "~", "grave_accent"),
        ("\\", "|", "backslash"),
        (",", "<", "comma"),
        (".", ">", "dot"),
        ("/", "?", "slash"),
    ];
    let shifted = |name: &str| vec!["shift".to_owned(), name.to_owned()];
    if let Some(digit) = ")!@#$%^&*(".find(character) {
        return Ok(shifted(&digit.to_string()));
    }
    match character {
        'a'..='z' | '0'..='9' => return Ok(vec![character.to_string()]),
        'A'..='Z' => return Ok(shifted(&character.to_ascii_lowercase().to_string())),
        _ => {}
    }
    for (plain, upper, name) in NAMES {
        if plain.contains(character) {
            return Ok(vec![name.to_owned()]);
        }
        if upper.contains(character) {
            return Ok(shifted(name));
        }
    }
    Err(QmpError::NoKey(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_become_keys() {
        assert_eq!(keys('a').unwrap(), ["a"]);
        assert_eq!(keys('A').unwrap(), ["shift", "a"]);
        assert_eq!(keys('!').unwrap(), ["shift", "1"]);
        assert_eq!(keys('?').unwrap(), ["shift", "slash"]);
        assert_eq!(keys('\n').unwrap(), ["ret"]);
        assert!(matches!(keys('ß'), Err(QmpError::NoKey('ß'))));
    }
}
