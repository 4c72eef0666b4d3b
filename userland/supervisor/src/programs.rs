//! The programs: numbers, names, and what becomes of those that end.

use flatmk_abi::Error;
use flatmk_system::{Cause, Ending, Phase, Text};

use crate::{Arguments, Role};

/// How many programs there can be. They have the numbers from 1 on.
pub const MOST_PROGRAMS: usize = 62;

/// How often in a row a service may fail before it is given up.
pub const MOST_FAILURES: u8 = 5;

/// A service that has run for so many ticks of the time stamp counter before it failed has failed once, not once more: half a second on a fast
/// processor.
const CALM_TICKS: u64 = 2_000_000_000;

/// Who calls the supervisor: the context word of an endpoint that was given to a program. A program that later has the same number has another
/// generation, so what is left of the endpoint says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The number of the program.
    pub number: u8,
    /// How many programs have had this number.
    pub generation: u32,
}

impl Identity {
    /// The context word.
    #[must_use]
    pub fn to_word(self) -> u64 {
        u64::from(self.number) | u64::from(self.generation) << 8
    }

    /// Who has this context word.
    #[must_use]
    pub fn from_word(word: u64) -> Self {
        Self { number: word as u8, generation: (word >> 8) as u32 }
    }
}

/// A program that is there, or whose end nobody has asked about.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// What it is called.
    pub name: Text,
    /// What it is for.
    pub role: Role,
    /// Who has started it, by number; 0 for the supervisor itself.
    pub parent: u8,
    /// The program with which it ends, if it is a companion.
    pub leader: Option<u8>,
    /// What it is told.
    pub arguments: Arguments,
    /// In which part of its life it is.
    pub phase: Phase,
    /// How it has ended, last time.
    pub ending: Ending,
    /// How often it was started anew.
    pub restarts: u16,
    failures: u8,
    started_ticks: u64,
}

/// A number: perhaps somebody has it.
#[derive(Clone, Copy, Debug)]
struct Place {
    program: Option<Program>,
    generation: u32,
    /// How many pages of memory belong to the number, whoever has it.
    pages: u64,
}

/// What is to be done when a program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is started anew.
    StartAgain,
    /// It is not, because it has failed too often.
    GiveUp,
    /// It stays ended. Whoever has started it is told.
    Tell {
        /// By number.
        parent: u8,
    },
}

/// All programs.
#[derive(Debug)]
pub struct Programs {
    places: [Place; MOST_PROGRAMS],
}

impl Programs {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: [Place { program: None, generation: 0, pages: 0 }; MOST_PROGRAMS] }
    }

    fn place(&self, number: u64) -> Result<&Place, Error> {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        index.and_then(|index| self.places.get(index)).ok_or(Error::InvalidArgument)
    }

    fn place_mut(&mut self, number: u8) -> Result<&mut Place, Error> {
        let index = usize::from(number).checked_sub(1);
        index.and_then(|index| self.places.get_mut(index)).ok_or(Error::InvalidArgument)
    }

    /// Gives a program a number, and the memory that belongs to it. Of the numbers that are free it gets that with the least memory that is enough; if there is
    /// none, one that has none, for which the caller finds `pages` pages.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`] where all numbers are taken.
    pub fn add(&mut self, name: Text, role: Role, parent: u8, pages: u64) -> Result<u8, Error> {
        let free = || (1..).zip(&self.places).filter(|(_, place)| place.program.is_none());
        let with_memory = free().filter(|(_, place)| place.pages >= pages).min_by_key(|(_, place)| place.pages);
        let without = || free().find(|(_, place)| place.pages == 0);
        let (number, _) = with_memory.or_else(without).ok_or(Error::OutOfMemory)?;
        let place = self.place_mut(number)?;
        place.generation += 1;
        place.program = Some(Program {
            name,
            role,
            parent,
            leader: None,
            arguments: Arguments::EMPTY,
            phase: Phase::Alive,
            ending: Ending::plain(Cause::NotStarted, 0),
            restarts: 0,
            failures: 0,
            started_ticks: 0,
        });
        Ok(number)
    }

    /// How many pages belong to a number.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where there is no such number.
    pub fn pages(&self, number: u8) -> Result<u64, Error> {
        self.place(number.into()).map(|place| place.pages)
    }

    /// How many pages belong to numbers that nobody has.
    #[must_use]
    pub fn kept_pages(&self) -> u64 {
        self.places.iter().filter(|place| place.program.is_none()).map(|place| place.pages).sum()
    }

    /// Memory was found for a number.
    pub fn set_pages(&mut self, number: u8, pages: u64) {
        if let Ok(place) = self.place_mut(number) {
            place.pages = pages;
        }
    }

    /// The program with a number.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where nobody has it.
    pub fn get(&self, number: u64) -> Result<&Program, Error> {
        self.place(number)?.program.as_ref().ok_or(Error::InvalidArgument)
    }

    /// The same, to change it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where nobody has it.
    pub fn get_mut(&mut self, number: u8) -> Result<&mut Program, Error> {
        self.place_mut(number)?.program.as_mut().ok_or(Error::InvalidArgument)
    }

    /// The identity of the program that has a number now.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where there is no such number.
    pub fn identity(&self, number: u8) -> Result<Identity, Error> {
        self.place(number.into()).map(|place| Identity { number, generation: place.generation })
    }

    /// Who has an identity.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] where that program has ended.
    pub fn identify(&self, identity: Identity) -> Result<&Program, Error> {
        let place = self.place(identity.number.into())?;
        let alive = place.program.as_ref().filter(|program| program.phase == Phase::Alive);
        alive.filter(|_| place.generation == identity.generation).ok_or(Error::InvalidCapability)
    }

    /// The numbers of all programs for which this holds.
    pub fn find(&self, holds: impl Fn(&Program) -> bool) -> impl Iterator<Item = u8> {
        (1..)
            .zip(&self.places)
            .filter_map(move |(number, place)| place.program.as_ref().filter(|&program| holds(program)).map(|_| number))
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self, holds: impl Fn(&Program) -> bool) -> Option<u8> {
        self.find(holds).next()
    }

    /// The program that has this role, alive or not.
    #[must_use]
    pub fn find_role(&self, role: Role) -> Option<u8> {
        self.first(|program| program.role == role)
    }

    /// A program starts, for the first time or anew: what was given to the one before it is no use any more.
    pub fn start(&mut self, number: u8, ticks: u64) {
        if let Ok(place) = self.place_mut(number) {
            place.generation += 1;
            if let Some(program) = &mut place.program {
                program.phase = Phase::Alive;
                program.started_ticks = ticks;
            }
        }
    }

    // ANCHOR: verdict
    /// A program has ended. What is to be done?
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where nobody has the number.
    pub fn end(&mut self, number: u8, ending: Ending, ticks: u64) -> Result<Verdict, Error> {
        // ANCHOR: exercise-11-5
        let program = self.get_mut(number)?;
        program.ending = Ending { number, ..ending };
        let is_failure = ending.cause != Cause::Killed;
        let was_calm = ticks.saturating_sub(program.started_ticks) > CALM_TICKS;
        program.failures = if is_failure && !was_calm { program.failures + 1 } else { u8::from(is_failure) };
        if program.role == Role::Program {
            program.phase = Phase::Ended;
            return Ok(Verdict::Tell { parent: program.parent });
        }
        if program.failures > MOST_FAILURES {
            program.phase = Phase::GivenUp;
            return Ok(Verdict::GiveUp);
        }
        program.restarts = program.restarts.saturating_add(1);
        Ok(Verdict::StartAgain)
        // ANCHOR_END: exercise-11-5
    }
    // ANCHOR_END: verdict

    /// A program could not be started: its number is free, whatever it was.
    pub fn remove(&mut self, number: u8) {
        if let Ok(place) = self.place_mut(number) {
            place.program = None;
        }
    }

    /// Nobody will ask about a program that has ended: its number is free.
    pub fn forget(&mut self, number: u8) {
        if let Ok(place) = self.place_mut(number)
            && place.program.is_some_and(|program| program.phase == Phase::Ended)
        {
            place.program = None;
        }
    }
}

impl Default for Programs {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use flatmk_system::Service;

    use super::*;

    const FAULT: Ending = Ending::fault([14, 0, 0, 0]);
    const KILLED: Ending = Ending::plain(Cause::Killed, 0);

    fn name() -> Text {
        Text::take(b"name").0
    }

    fn service(programs: &mut Programs) -> u8 {
        let number = programs.add(name(), Role::Service(Service::Clock), 0, 10).expect("there is room");
        programs.set_pages(number, 10);
        programs.start(number, 0);
        number
    }

    #[test]
    fn a_service_that_fails_again_and_again_is_given_up() {
        let mut programs = Programs::new();
        let number = service(&mut programs);
        for _ in 0..MOST_FAILURES {
            assert_eq!(programs.end(number, FAULT, 1000), Ok(Verdict::StartAgain));
            programs.start(number, 1000);
        }
        assert_eq!(programs.end(number, FAULT, 1000), Ok(Verdict::GiveUp));
        assert_eq!(programs.get(number.into()).map(|program| program.phase), Ok(Phase::GivenUp));
        // By hand it can be started anew, and has all its chances again.
        assert_eq!(programs.end(number, KILLED, 1000), Ok(Verdict::StartAgain));
        programs.start(number, 1000);
        assert_eq!(programs.end(number, FAULT, 1000), Ok(Verdict::StartAgain));
    }

    #[test]
    fn a_service_that_fails_now_and_then_goes_on_forever() {
        let mut programs = Programs::new();
        let number = service(&mut programs);
        let mut ticks = 0;
        for _ in 0..100 {
            ticks += CALM_TICKS + 1;
            assert_eq!(programs.end(number, FAULT, ticks), Ok(Verdict::StartAgain));
            programs.start(number, ticks);
        }
        assert_eq!(programs.get(number.into()).map(|program| program.restarts), Ok(100));
    }

    #[test]
    fn whoever_is_killed_has_not_failed() {
        let mut programs = Programs::new();
        let number = service(&mut programs);
        for _ in 0..100 {
            assert_eq!(programs.end(number, KILLED, 0), Ok(Verdict::StartAgain));
            programs.start(number, 0);
        }
    }

    #[test]
    fn what_a_program_was_given_is_no_use_to_the_next_one() {
        let mut programs = Programs::new();
        let number = programs.add(name(), Role::Program, 1, 10).expect("there is room");
        programs.start(number, 0);
        let identity = programs.identity(number).expect("it is there");
        assert_eq!(Identity::from_word(identity.to_word()), identity);
        assert!(programs.identify(identity).is_ok());
        assert_eq!(programs.end(number, FAULT, 0), Ok(Verdict::Tell { parent: 1 }));
        assert_eq!(programs.identify(identity).err(), Some(Error::InvalidCapability));
        programs.forget(number);
        let next = programs.add(name(), Role::Program, 1, 10).expect("there is room");
        programs.start(next, 0);
        assert_eq!(next, number);
        assert_eq!(programs.identify(identity).err(), Some(Error::InvalidCapability));
        for word in [0, 63, 255, u64::MAX] {
            assert!(programs.identify(Identity::from_word(word)).is_err());
        }
    }

    #[test]
    fn memory_stays_with_the_number() {
        let mut programs = Programs::new();
        let large = programs.add(name(), Role::Program, 1, 1000).expect("there is room");
        programs.set_pages(large, 1000);
        let small = programs.add(name(), Role::Program, 1, 10).expect("there is room");
        programs.set_pages(small, 10);
        for number in [large, small] {
            programs.end(number, KILLED, 0).expect("it is there");
            programs.forget(number);
        }
        assert_eq!(programs.kept_pages(), 1010);
        assert_eq!(programs.add(name(), Role::Program, 1, 10), Ok(small));
        assert_eq!(programs.kept_pages(), 1000);
        assert_eq!(programs.add(name(), Role::Program, 1, 11), Ok(large));
        assert_eq!(programs.pages(large), Ok(1000));
    }

    #[test]
    fn numbers_run_out_without_harm() {
        let mut programs = Programs::new();
        for number in 1..=MOST_PROGRAMS {
            let added = programs.add(name(), Role::Program, 1, 1).expect("there is room");
            assert_eq!(usize::from(added), number);
            programs.set_pages(added, 1);
        }
        assert_eq!(programs.add(name(), Role::Program, 1, 1), Err(Error::OutOfMemory));
        assert_eq!(programs.find(|_| true).count(), MOST_PROGRAMS);
        assert!([0, 63, 64, u64::MAX].into_iter().all(|number| programs.get(number).is_err()));
        // Nobody who lives is forgotten.
        programs.forget(5);
        assert!(programs.get(5).is_ok());
    }
}
