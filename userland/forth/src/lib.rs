//! A small Forth: words that work on a stack of numbers of 32 bits, and definitions of further words. Control structures are for definitions.
//!
//! | words | do |
//! |---|---|
//! | `+ - * / mod` | compute; they wrap around |
//! | `= < > and or xor` | compare (true is -1), and work on bits |
//! | `dup drop swap over rot` | rearrange the stack |
//! | `@ !` | read and write one of 64 cells |
//! | `. emit cr` | print a number, a character, a line's end |
//! | `: NAME … ;` | define a word |
//! | `if … else … then`, `begin … until`, `do … loop` with `i` | control |
//!
//! Every program ends: by an error, if it takes too long.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod compile;
mod stack;
#[cfg(test)]
mod tests;

use core::fmt::Write;

use compile::Definition;
use stack::Stack;

/// A program: the primes below 50. A number is one if it is a multiple of none that is smaller and above 1.
pub const PRIMES: &str = "
    : prime 1 0 ! dup 2 > if dup 2 do dup i mod 0 = if 0 0 ! then loop then drop 0 @ ;
    : primes 50 2 do i prime if i . then loop cr ;
    primes";

/// Why a program ends early. The stack is empty then; words that were defined remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Error {
    /// There is no such word, and it is no number.
    UnknownWord = 1,
    /// There are fewer numbers on the stack than the word takes.
    StackEmpty = 2,
    /// There is no room on a stack.
    StackFull = 3,
    /// A division by 0.
    Division = 4,
    /// There is no such cell.
    NoCell = 5,
    /// There is no room for further words.
    NoRoom = 6,
    /// A control structure is not finished, or outside of a definition; or a definition is.
    Structure = 7,
    /// It takes too long.
    TooLong = 8,
}

/// What the processor of a Forth does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Push(i32),
    Do(Primitive),
    Call(usize),
    Jump(usize),
    JumpIfZero(usize),
    /// Begins a loop from one number to the other,
    Begin,
    /// and goes on with it there, unless it is over.
    Loop(usize),
    Return,
}

macro_rules! primitives {
    ($($primitive:ident $name:literal)+) => {
        /// A word that everything else is made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Primitive { $($primitive,)+ }

        /// All of them by their names.
        pub(crate) const PRIMITIVES: &[(&str, Primitive)] = &[$(($name, Primitive::$primitive),)+];
    };
}

primitives! {
    Add "+" Subtract "-" Multiply "*" Divide "/" Remainder "mod"
    Equal "=" Less "<" Greater ">" And "and" Or "or" Xor "xor"
    Duplicate "dup" Drop "drop" Swap "swap" Over "over" Rotate "rot"
    Fetch "@" Store "!" Print "." Emit "emit" Line "cr" Index "i"
}

const CODE: usize = 512;
const CELLS: usize = 64;
const MOST_STEPS: u32 = 1_000_000;

/// A Forth, with what it was taught.
pub struct Forth {
    code: [Step; CODE],
    used: usize,
    words: compile::Words,
    stack: Stack<i32, 64>,
    /// Where words go on that have called others.
    returns: Stack<usize, 32>,
    /// The loops that go on: the index, and the limit above it.
    loops: Stack<(i32, i32), 8>,
    cells: [i32; CELLS],
}

impl Default for Forth {
    fn default() -> Self {
        Self::new()
    }
}

impl Forth {
    /// One that knows nothing but the words above.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            code: [Step::Return; CODE],
            used: 0,
            words: compile::Words::new(),
            stack: Stack::new(0),
            returns: Stack::new(0),
            loops: Stack::new((0, 0)),
            cells: [0; CELLS],
        }
    }

    /// The number on top of the stack, if there is one.
    #[must_use]
    pub fn top(&self) -> Option<i32> {
        self.stack.top()
    }

    /// How many numbers are on the stack.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.stack.depth()
    }

    /// Does what a text says. Returns how many steps that took.
    ///
    /// # Errors
    ///
    /// At the first word that cannot be done.
    pub fn run(&mut self, text: &str, output: &mut dyn Write) -> Result<u32, Error> {
        let mut steps = 0;
        let result = self.interpret(text, output, &mut steps);
        if result.is_err() {
            // What was defined to its end stays.
            self.used = self.words.end();
            self.stack.clear();
            self.returns.clear();
            self.loops.clear();
        }
        result.map(|()| steps)
    }

    fn interpret(&mut self, text: &str, output: &mut dyn Write, steps: &mut u32) -> Result<(), Error> {
        let mut words = text.split_ascii_whitespace();
        while let Some(word) = words.next() {
            if word == ":" {
                let name = words.next().ok_or(Error::Structure)?;
                self.define(name, &mut words)?;
                continue;
            }
            match self.meaning(word)? {
                Step::Call(start) => self.execute(start, output, steps)?,
                step => {
                    self.step(step, output)?;
                }
            }
        }
        Ok(())
    }

    fn define<'text>(&mut self, name: &str, words: &mut impl Iterator<Item = &'text str>) -> Result<(), Error> {
        let start = self.used;
        let mut definition = Definition::default();
        for word in words {
            if word == ";" {
                definition.finish()?;
                self.add(Step::Return)?;
                return self.words.add(name, start, self.used);
            }
            if !definition.control(word, self)? {
                let step = self.meaning(word)?;
                self.add(step)?;
            }
        }
        Err(Error::Structure)
    }

    /// What a word does: one that was defined, a primitive, or a number.
    fn meaning(&self, word: &str) -> Result<Step, Error> {
        if let Some(start) = self.words.find(word) {
            return Ok(Step::Call(start));
        }
        let primitive = PRIMITIVES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        match primitive {
            Some((_, primitive)) => Ok(Step::Do(*primitive)),
            None => word.parse().map(Step::Push).map_err(|_| Error::UnknownWord),
        }
    }

    /// Adds a step to the word that is defined.
    fn add(&mut self, step: Step) -> Result<usize, Error> {
        let at = self.used;
        *self.code.get_mut(at).ok_or(Error::NoRoom)? = step;
        self.used += 1;
        Ok(at)
    }

    /// Runs a word to its end.
    fn execute(&mut self, start: usize, output: &mut dyn Write, steps: &mut u32) -> Result<(), Error> {
        let mut at = start;
        loop {
            *steps += 1;
            if *steps > MOST_STEPS {
                return Err(Error::TooLong);
            }
            let step = self.code.get(at).copied().ok_or(Error::Structure)?;
            at += 1;
            match step {
                Step::Call(start) => {
                    self.returns.push(at)?;
                    at = start;
                }
                Step::Return => match self.returns.pop() {
                    Ok(next) => at = next,
                    Err(_) => return Ok(()),
                },
                step => {
                    if let Some(next) = self.step(step, output)? {
                        at = next;
                    }
                }
            }
        }
    }

    /// Does one step. `Some`: it goes on there.
    fn step(&mut self, step: Step, output: &mut dyn Write) -> Result<Option<usize>, Error> {
        let mut next = None;
        match step {
            Step::Push(number) => self.stack.push(number)?,
            Step::Do(primitive) => self.primitive(primitive, output)?,
            Step::Jump(to) => next = Some(to),
            Step::JumpIfZero(to) => next = (self.stack.pop()? == 0).then_some(to),
            Step::Begin => {
                let (index, limit) = (self.stack.pop()?, self.stack.pop()?);
                self.loops.push((index, limit))?;
            }
            Step::Loop(to) => {
                let (index, limit) = self.loops.pop()?;
                let index = index.wrapping_add(1);
                if index < limit {
                    self.loops.push((index, limit))?;
                    next = Some(to);
                }
            }
            Step::Call(_) | Step::Return => return Err(Error::Structure),
        }
        Ok(next)
    }

    fn primitive(&mut self, primitive: Primitive, output: &mut dyn Write) -> Result<(), Error> {
        use Primitive::{
            Add, And, Divide, Drop, Duplicate, Emit, Equal, Fetch, Greater, Index, Less, Line, Multiply, Or, Over,
            Print, Remainder, Rotate, Store, Subtract, Swap, Xor,
        };
        // Who prints has nobody to complain to.
        match primitive {
            Line => {
                let _ = output.write_str("\n");
            }
            Index => self.stack.push(self.loops.top().ok_or(Error::Structure)?.0)?,
            Print => {
                let number = self.stack.pop()?;
                let _ = write!(output, "{number} ");
            }
            Emit => {
                let byte = u8::try_from(self.stack.pop()?).ok().filter(u8::is_ascii).unwrap_or(b'?');
                let _ = output.write_char(byte.into());
            }
            Drop => {
                self.stack.pop()?;
            }
            Duplicate => self.stack.push(self.stack.top().ok_or(Error::StackEmpty)?)?,
            Fetch => {
                let address = self.stack.pop()?;
                let value = usize::try_from(address).ok().and_then(|index| self.cells.get(index));
                self.stack.push(*value.ok_or(Error::NoCell)?)?;
            }
            Store => {
                let (address, value) = (self.stack.pop()?, self.stack.pop()?);
                let cell = usize::try_from(address).ok().and_then(|index| self.cells.get_mut(index));
                *cell.ok_or(Error::NoCell)? = value;
            }
            Rotate => {
                let (third, second, first) = (self.stack.pop()?, self.stack.pop()?, self.stack.pop()?);
                self.stack.push_all(&[second, third, first])?;
            }
            two => {
                let (second, first) = (self.stack.pop()?, self.stack.pop()?);
                let truth = |is_true| if is_true { -1 } else { 0 };
                let result = match two {
                    Add => first.wrapping_add(second),
                    Subtract => first.wrapping_sub(second),
                    Multiply => first.wrapping_mul(second),
                    Divide | Remainder if second == 0 => return Err(Error::Division),
                    Divide => first.wrapping_div(second),
                    Remainder => first.wrapping_rem(second),
                    Equal => truth(first == second),
                    Less => truth(first < second),
                    Greater => truth(first > second),
                    And => first & second,
                    Or => first | second,
                    Xor => first ^ second,
                    Swap => return self.stack.push_all(&[second, first]),
                    Over => return self.stack.push_all(&[first, second, first]),
                    _ => return Err(Error::UnknownWord),
                };
                self.stack.push(result)?;
            }
        }
        Ok(())
    }
}
