//! Compartments: the memory that belongs to the number of a program. Everything of the program is made from it, so that revoking it ends the program, and
//! leaves nothing behind.

use core::str;

use flatmk_abi::slots::nested;
use flatmk_abi::{Error, MissingCapability, Rights};
use flatmk_image::{Image, Machine};
use flatmk_runtime::object::{Done, Endpoint, Memory, OWN_TABLE, Table, Task};
use flatmk_runtime::program::Program;
use flatmk_runtime::time_stamp;
use flatmk_supervisor::{Device, Identity, Policy, Role};
use flatmk_system::{Service, TEXT_BYTES, Text, slots};
use tar_no_std::TarArchiveRef;

use super::{
    CALLERS_RIGHTS, FAULTS, INPUT, LOADING, MEMORIES, REQUESTS, RESTS, SCRATCH, System, TABLES, TASKS, memory_of, text,
};
use crate::{find, find_image};

/// What a program needs besides the pages of its file, as many pages: its stack, its objects, page tables, and those of RISC-V code.
const OVERHEAD_PAGES: u64 = 32;
const SOFTUSER_PAGES: u64 = 18;

/// Memory is split off in multiples of so many pages, so that a number can have one program after the other.
const GRAIN_PAGES: u64 = 64;

/// A program's pointer to its capability table, task, or a capability in the table.
pub(super) fn table_of(number: u8) -> Table {
    Table(nested(TABLES, number.into()))
}

pub(super) fn task_of(number: u8) -> Task {
    Task(nested(TASKS, number.into()))
}

pub(super) fn slot_of(number: u8, slot: u64) -> u64 {
    nested(table_of(number).0, slot)
}

/// Page tables for what a driver maps of its device.
const DEVICE_PAGES: u64 = 48;

/// How many pages a program needs, without memory of its own.
fn pages_of(image: &Image<'_>, policy: &Policy) -> u64 {
    let pages = image.segments().map(|segment| segment.pages().count() as u64).sum::<u64>();
    let softuser = if image.machine() == Machine::RiscV32 { SOFTUSER_PAGES } else { 0 };
    let device = if policy.device.is_some() { DEVICE_PAGES } else { 0 };
    // A table holds 63 frames.
    pages + pages / 32 + softuser + device + OVERHEAD_PAGES
}

impl System {
    pub(super) fn archive(&self) -> Result<TarArchiveRef<'static>, Error> {
        TarArchiveRef::new(self.ramdisk).map_err(|_| Error::InvalidState)
    }

    /// Finds a number with enough memory for a program.
    pub(super) fn reserve(&mut self, name: Text, role: Role, parent: u8, pages: u64) -> Result<u8, Error> {
        let number = self.programs.add(name, role, parent, pages)?;
        if self.programs.pages(number)? == 0 {
            let split = self.split_off(number, pages.next_multiple_of(GRAIN_PAGES));
            if let Err(error) = split.or_else(|_| self.split_off(number, pages)) {
                self.programs.remove(number);
                return Err(error);
            }
        }
        Ok(number)
    }

    /// Splits memory off for a number, from the first memory that has so much.
    fn split_off(&mut self, number: u8, pages: u64) -> Done {
        let memories = (0..self.memory_count).map(|index| Memory(slots::MEMORY + index));
        let mut result = Err(Error::OutOfMemory);
        for memory in memories {
            result = memory.split(pages, Table(MEMORIES), number.into());
            if result.is_ok() {
                self.programs.set_pages(number, pages);
                break;
            }
        }
        result
    }

    /// Loads and starts a program that has no number yet. If that fails, nothing is left of it.
    pub(super) fn launch(
        &mut self,
        archive: &TarArchiveRef<'_>,
        name: &str,
        role: Role,
        parent: u8,
    ) -> Result<u8, Error> {
        let policy = role.policy();
        let pages = pages_of(&find_image(archive, name)?, &policy);
        let mut reserve = |own_pages| self.reserve(text(name), role, parent, pages + own_pages);
        // With less memory of its own it can do less.
        let number = reserve(policy.own_pages).or_else(|_| reserve(policy.own_pages / 8))?;
        match self.begin(archive, number) {
            Ok(()) => Ok(number),
            Err(error) => {
                self.empty(number);
                self.programs.remove(number);
                Err(error)
            }
        }
    }

    // ANCHOR: begin
    /// Loads and starts the program with a number, for the first time or anew. Its compartment is empty.
    pub(super) fn begin(&mut self, archive: &TarArchiveRef<'_>, number: u8) -> Done {
        self.programs.start(number, time_stamp());
        let program = *self.programs.get(number.into())?;
        let mut name = [0; TEXT_BYTES];
        let name = str::from_utf8(program.name.copy_to(&mut name)).map_err(|_| Error::InvalidArgument)?;
        let image = find_image(archive, name)?;
        let loaded = Program::load(&image, memory_of(number.into()), LOADING)?;
        let policy = program.role.policy();
        let spare_pages = self.programs.pages(number)?.saturating_sub(pages_of(&image, &policy));
        if let own_pages @ 1.. = policy.own_pages.min(spare_pages) {
            memory_of(number.into()).split(own_pages, loaded.table, slots::MEMORY)?;
        }
        self.give(&loaded, number, &policy)?;
        self.adopt(&loaded, number, &policy)?;
        loaded.start(self.argument(program.role))?;
        // Whatever happens to it now is a request that waits, until this one is through.
        Table(RESTS).move_here(number.into(), LOADING)
    }
    // ANCHOR_END: begin

    /// Keeps what is needed of a program: how it is reached, and who handles its faults.
    pub(super) fn adopt(&self, loaded: &Program, number: u8, policy: &Policy) -> Done {
        Table(TABLES).copy(number.into(), loaded.table.0, Rights::all())?;
        Table(TASKS).copy(number.into(), loaded.task.0, Rights::all())?;
        loaded.task.set_priority(policy.priority)?;
        OWN_TABLE.mint(SCRATCH, FAULTS, Rights::CALL, self.identity_word(number)?)?;
        let result = loaded.task.set_fault_handler(Some(Endpoint(SCRATCH)), MissingCapability::IsError);
        OWN_TABLE.delete(SCRATCH)?;
        result
    }

    fn identity_word(&self, number: u8) -> Result<u64, Error> {
        self.programs.identity(number).map(Identity::to_word)
    }

    // ANCHOR: give
    /// Gives a program what it is to have, and nothing else.
    fn give(&self, loaded: &Program, number: u8, policy: &Policy) -> Done {
        let table = loaded.table;
        if policy.kernel_console {
            table.copy(slots::CONSOLE, slots::CONSOLE, Rights::WRITE)?;
        } else if let Some(terminal) = self.terminal() {
            table.copy(slots::CONSOLE, terminal, Rights::CALL)?;
        }
        if policy.supervisor {
            table.mint(slots::SUPERVISOR, REQUESTS, CALLERS_RIGHTS, self.identity_word(number)?)?;
        }
        if let Some(ports) = &policy.ports {
            let range = u64::from(*ports.start()) | u64::from(*ports.end()) << 16;
            table.mint(slots::PORTS, slots::PORTS, Rights::READ | Rights::WRITE, range)?;
        }
        if let Some(line) = policy.line {
            table.mint(slots::LINES, flatmk_abi::slots::INTERRUPTS, Rights::MANAGE, 1 << line)?;
        }
        match policy.device {
            Some(Device::Framebuffer) => give_if_there(table, flatmk_abi::slots::FRAMEBUFFER)?,
            Some(Device::Firmware) => give_if_there(table, flatmk_abi::slots::DEVICES)?,
            None => {}
        }
        if policy.power {
            table.copy(slots::POWER, slots::POWER, Rights::MANAGE)?;
        }
        if policy.trace {
            table.copy(slots::TRACE, flatmk_abi::slots::TRACE, Rights::READ | Rights::MANAGE)?;
        }
        if policy.signals_input {
            table.copy(slots::NOTIFICATION, INPUT, Rights::WRITE)?;
        }
        if policy.waits_for_input {
            table.copy(slots::NOTIFICATION, INPUT, Rights::READ)?;
        }
        Ok(())
    }
    // ANCHOR_END: give

    /// What a program is told when it starts.
    fn argument(&self, role: Role) -> u64 {
        match role {
            Role::Shell => self.mode as u64 | self.started_ticks << 1,
            Role::Service(Service::Keyboard) => self.layout as u64,
            Role::Service(Service::Power) => self.is_emulated.into(),
            _ => 0,
        }
    }

    /// Ends whatever is in a compartment.
    pub(super) fn empty(&self, number: u8) {
        // It has a memory since it has a number.
        Table(MEMORIES).revoke(number.into()).unwrap_or_default();
    }

    /// Whether the ramdisk has a program that may be run from the shell: not the supervisor, nor a service, of which there is one.
    pub(super) fn check_may_run(&self, archive: &TarArchiveRef<'_>, name: &str) -> Done {
        let is_special = name == crate::system::SHELL || name == "root-task" || name == "boot-options";
        let is_service = Service::from_name(name).is_some();
        if is_special || is_service {
            return Err(Error::MissingRight);
        }
        find(archive, name).map(|_| ()).ok_or(Error::InvalidArgument)
    }
}

/// A machine without the device has no capability to it: the driver finds out.
fn give_if_there(table: Table, device: u64) -> Done {
    const ALL: Rights = Rights::READ.union(Rights::WRITE).union(Rights::GRANT).union(Rights::MANAGE);
    match table.copy(slots::DEVICE, device, ALL) {
        Err(Error::InvalidCapability) => Ok(()),
        result => result,
    }
}
