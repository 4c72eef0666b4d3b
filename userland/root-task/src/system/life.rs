//! How programs come and go: run by the shell, ended by themselves, by a fault or by hand, and services started anew.

use core::str;

use flatmk_abi::{Error, Rights, Words};
use flatmk_runtime::object::{Done, Table};
use flatmk_runtime::{println, time_stamp};
use flatmk_supervisor::{Arguments, Identity, Program, Role, Verdict};
use flatmk_system::slots::{COMPANIONS, CONSOLE, PROGRAM_ENDED, SERVICE};
use flatmk_system::{Cause, Ending, Phase, Service, TEXT_BYTES, Text};

use super::compartment::{slot_of, table_of};
use super::{CALLERS_RIGHTS, INPUT_NOTIFICATION, SYSTEM, System, bench};

flatmk_runtime::service!(pub(super) fn fault_entry = handle_fault);

/// How many programs can be loaded for another.
const MOST_COMPANIONS: u64 = 8;

// ANCHOR: fault
/// A program has faulted: the kernel calls on its behalf. It is ended, and with it the caller who would get an answer.
fn handle_fault(context: u64, message: &mut Words) {
    let identity = Identity::from_word(context);
    SYSTEM.with(|system| {
        if system.programs.identify(identity).is_ok() {
            system.end(identity.number, Ending::fault(*message));
        }
    });
}
// ANCHOR_END: fault

impl System {
    // ANCHOR: end
    /// A program ends, for whatever reason. Services are started anew; of others, whoever has started them is told.
    pub(super) fn end(&mut self, number: u8, ending: Ending) {
        let (mut ending, Ok(program)) = (ending, self.programs.get(number.into()).copied()) else { return };
        self.end_dependents(number);
        self.end_fellows(number, &program);
        loop {
            self.empty(number);
            let verdict = self.programs.end(number, ending, time_stamp());
            say(&program.name, ending, verdict, program.role);
            if !matches!(verdict, Ok(Verdict::StartAgain)) {
                break;
            }
            match self.archive().and_then(|archive| self.begin(&archive, number)) {
                Ok(()) => break,
                Err(error) => ending = Ending::plain(Cause::NotStarted, error.status().unsigned_abs() as u16),
            }
        }
        if program.role == Role::Service(Service::Terminal) {
            self.connect_consoles();
        }
        // The shell is told, too, when a service of which it waits for something has ended.
        INPUT_NOTIFICATION.signal(PROGRAM_ENDED).unwrap_or_default();
    }
    // ANCHOR_END: end

    /// Those that were loaded for a program end with it, and those that it has started when it was another.
    fn end_dependents(&mut self, number: u8) {
        while let Some(companion) = self.programs.first(|program| program.leader == Some(number)) {
            if self.programs.get(companion.into()).is_ok_and(|program| program.phase == Phase::Alive) {
                self.empty(companion);
                // It is a program, so the verdict is to tell its parent, who has not asked about this one.
                let ending = Ending::plain(Cause::LeaderEnded, 0);
                let _ = self.programs.end(companion, ending, time_stamp());
                self.programs.forget(companion);
            } else if let Ok(program) = self.programs.get_mut(companion) {
                program.leader = None;
            }
        }
        while let Some(child) = self.programs.first(|program| program.parent == number) {
            self.empty(child);
            self.programs.remove(child);
        }
    }

    /// A companion ends before the program that it was loaded for was run: the others are no use any more.
    fn end_fellows(&mut self, number: u8, program: &Program) {
        let Some(leader) = program.leader else { return };
        if let Ok(program) = self.programs.get_mut(number) {
            program.leader = None;
        }
        if self.programs.get(leader.into()).is_ok_and(|leader| leader.role == Role::Shell) {
            self.end_companions_of(leader);
        }
    }

    /// The terminal was started anew: whoever writes to it gets an endpoint of the new one.
    fn connect_consoles(&self) {
        let Some(terminal) = self.terminal() else { return };
        let writers =
            self.programs.find(|program| program.phase == Phase::Alive && !program.role.policy().kernel_console);
        for number in writers {
            table_of(number).delete(CONSOLE).unwrap_or_default();
            // A program that has put something else there has no console.
            table_of(number).copy(CONSOLE, terminal, Rights::CALL).unwrap_or_default();
        }
    }

    /// Where the terminal's endpoint is, if it offers one.
    pub(super) fn terminal(&self) -> Option<u64> {
        let number = self.programs.find_role(Role::Service(Service::Terminal))?;
        let slot = slot_of(number, SERVICE);
        flatmk_runtime::object::identify(slot).is_ok().then_some(slot)
    }

    /// Loads a program and lets it start, as a companion of the next one that the caller runs.
    pub(super) fn load(&mut self, caller: u8, name: Text) -> Result<u8, Error> {
        let result = self.try_load(caller, name);
        if result.is_err() {
            self.end_companions_of(caller);
        }
        result
    }

    fn try_load(&mut self, caller: u8, name: Text) -> Result<u8, Error> {
        if self.programs.find(|program| program.leader == Some(caller)).count() as u64 >= MOST_COMPANIONS {
            return Err(Error::OutOfMemory);
        }
        let number = self.launch_named(caller, name)?;
        self.programs.get_mut(number)?.leader = Some(caller);
        Ok(number)
    }

    /// One that was loaded and has nobody yet for whom.
    fn next_companion(&self, caller: u8) -> Option<u8> {
        self.programs.first(|program| program.leader == Some(caller))
    }

    /// Runs a program, with those that were loaded for it.
    pub(super) fn run(&mut self, caller: u8, name: Text) -> Result<u8, Error> {
        let result = self.launch_named(caller, name).and_then(|number| {
            self.hand_over(caller, number).inspect_err(|_| self.end(number, Ending::plain(Cause::NotStarted, 0)))?;
            Ok(number)
        });
        self.arguments = Arguments::EMPTY;
        if result.is_err() {
            self.end_companions_of(caller);
        }
        result
    }

    fn launch_named(&mut self, caller: u8, name: Text) -> Result<u8, Error> {
        let archive = self.archive()?;
        let mut bytes = [0; TEXT_BYTES];
        let name = str::from_utf8(name.copy_to(&mut bytes)).map_err(|_| Error::InvalidArgument)?;
        self.check_may_run(&archive, name)?;
        if name == bench::BENCHMARK {
            return self.launch_benchmark(&archive, caller);
        }
        self.launch(&archive, name, Role::Program, caller)
    }

    /// The services of the companions go into the program's slots for them.
    fn hand_over(&mut self, caller: u8, number: u8) -> Done {
        let arguments = self.arguments;
        self.programs.get_mut(number)?.arguments = arguments;
        for slot in COMPANIONS..COMPANIONS + MOST_COMPANIONS {
            let Some(companion) = self.next_companion(caller) else { break };
            self.programs.get_mut(companion)?.leader = Some(number);
            table_of(number).copy(slot, slot_of(companion, SERVICE), CALLERS_RIGHTS)?;
        }
        Ok(())
    }

    fn end_companions_of(&mut self, caller: u8) {
        while let Some(companion) = self.next_companion(caller) {
            self.empty(companion);
            self.programs.remove(companion);
        }
    }

    /// A program is to end, or a service to be started anew.
    pub(super) fn kill(&mut self, number: u64) -> Done {
        let program = self.programs.get(number)?;
        if program.phase == Phase::Ended {
            return Err(Error::InvalidState);
        }
        let number = u8::try_from(number).map_err(|_| Error::InvalidArgument)?;
        self.end(number, Ending::plain(Cause::Killed, 0));
        Ok(())
    }

    /// How a program has ended, whose number is free then; or any one that the caller has started and not asked about by its number.
    pub(super) fn take_ending(&mut self, caller: u8, number: u64) -> Result<Ending, Error> {
        let ended = |program: &Program| program.phase == Phase::Ended && program.parent == caller;
        let is_asked_by_number = number != 0;
        let number = if is_asked_by_number { u8::try_from(number).ok() } else { self.programs.first(ended) };
        let number = number.ok_or(Error::InvalidArgument)?;
        let program = self.programs.get(number.into())?;
        if program.phase == Phase::Alive {
            return Err(Error::InvalidState);
        }
        let ending = program.ending;
        if is_asked_by_number {
            self.programs.forget(number);
        }
        Ok(ending)
    }

    /// Puts an endpoint of a service into a slot of this task, for a program that may call it.
    pub(super) fn connect(&self, caller: Identity, service: u64, slot: u64) -> Done {
        let service = Service::from_number(service).ok_or(Error::InvalidArgument)?;
        let program = self.programs.identify(caller)?;
        if !program.role.policy().may_call(service) {
            return Err(Error::MissingRight);
        }
        let number = self.programs.find_role(Role::Service(service)).ok_or(Error::CalleeGone)?;
        let endpoint = slot_of(number, SERVICE);
        // A sharing daemon knows its clients by their numbers; the others do not care. The window needs the right to grant.
        let rights = CALLERS_RIGHTS | Rights::GRANT;
        Table(flatmk_abi::slots::TABLE).mint(slot, endpoint, rights, caller.number.into())
    }
}

/// One line on the kernel's console, of what nobody else would tell.
fn say(name: &Text, ending: Ending, verdict: Result<Verdict, Error>, role: Role) {
    let mut bytes = [0; TEXT_BYTES];
    let name = str::from_utf8(name.copy_to(&mut bytes)).unwrap_or("?");
    match (role, verdict) {
        (Role::Program, _) | (_, Err(_)) => {}
        (_, Ok(Verdict::GiveUp)) => println!("supervisor: {name}: {ending}; that was once too often, it is given up"),
        (_, Ok(_)) => println!("supervisor: {name}: {ending}; it is started anew"),
    }
}
