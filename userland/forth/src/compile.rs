//! Definitions: the words that there are, and the control structures of one that is being defined.

use crate::stack::Stack;
use crate::{Error, Forth, Step};

const WORDS: usize = 32;
const NAME: usize = 15;

#[derive(Clone, Copy)]
struct Word {
    name: [u8; NAME],
    length: usize,
    start: usize,
}

/// The words that were defined.
pub(crate) struct Words {
    words: [Word; WORDS],
    count: usize,
    end: usize,
}

impl Words {
    pub(crate) const fn new() -> Self {
        Self { words: [Word { name: [0; NAME], length: 0, start: 0 }; WORDS], count: 0, end: 0 }
    }

    pub(crate) fn add(&mut self, name: &str, start: usize, end: usize) -> Result<(), Error> {
        let word = self.words.get_mut(self.count).ok_or(Error::NoRoom)?;
        word.name.get_mut(..name.len()).ok_or(Error::NoRoom)?.copy_from_slice(name.as_bytes());
        (word.length, word.start) = (name.len(), start);
        self.count += 1;
        self.end = end;
        Ok(())
    }

    /// The latest of this name: where it begins.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        let words = self.words.get(..self.count).unwrap_or_default();
        let is_it = |word: &&Word| {
            word.name.get(..word.length).is_some_and(|known| known.eq_ignore_ascii_case(name.as_bytes()))
        };
        words.iter().rev().find(is_it).map(|word| word.start)
    }

    /// Where the code of all words ends.
    pub(crate) fn end(&self) -> usize {
        self.end
    }
}

/// What of a control structure waits for its end: which word has begun it, and where.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    If(usize),
    Else(usize),
    Begin(usize),
    Do(usize),
}

/// The structures of a word that is being defined.
pub(crate) struct Definition(Stack<Open, 8>);

impl Default for Definition {
    fn default() -> Self {
        Self(Stack::new(Open::Begin(0)))
    }
}

impl Definition {
    /// If it is a word of a control structure: adds what that does.
    pub(crate) fn control(&mut self, word: &str, forth: &mut Forth) -> Result<bool, Error> {
        match word {
            "if" => self.0.push(Open::If(forth.add(Step::JumpIfZero(0))?))?,
            "else" => {
                let Open::If(at) = self.pop()? else { return Err(Error::Structure) };
                let end = forth.add(Step::Jump(0))?;
                forth.set(at, Step::JumpIfZero(forth.used))?;
                self.0.push(Open::Else(end))?;
            }
            "then" => match self.pop()? {
                Open::If(at) => forth.set(at, Step::JumpIfZero(forth.used))?,
                Open::Else(at) => forth.set(at, Step::Jump(forth.used))?,
                _ => return Err(Error::Structure),
            },
            "begin" => self.0.push(Open::Begin(forth.used))?,
            "until" => {
                let Open::Begin(start) = self.pop()? else { return Err(Error::Structure) };
                forth.add(Step::JumpIfZero(start))?;
            }
            "do" => {
                forth.add(Step::Begin)?;
                self.0.push(Open::Do(forth.used))?;
            }
            "loop" => {
                let Open::Do(start) = self.pop()? else { return Err(Error::Structure) };
                forth.add(Step::Loop(start))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn pop(&mut self) -> Result<Open, Error> {
        self.0.pop().map_err(|_| Error::Structure)
    }

    /// Nothing is open at the end.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.0.depth() == 0 { Ok(()) } else { Err(Error::Structure) }
    }
}

impl Forth {
    /// Writes a step again, now that it is known where it leads.
    fn set(&mut self, at: usize, step: Step) -> Result<(), Error> {
        *self.code.get_mut(at).ok_or(Error::NoRoom)? = step;
        Ok(())
    }
}
