//! What is told of programs: how they are, and which capabilities they hold.

use flatmk_abi::slots::{POINTER_LIMIT, SLOTS_PER_TABLE, nested};
use flatmk_abi::{Error, Kind, Rights};
use flatmk_runtime::object::{Memory, OWN_TABLE, OWN_TASK, identify};
use flatmk_system::slots::SERVICE;
use flatmk_system::{Phase, Status};

use super::compartment::{slot_of, table_of, task_of};
use super::{SCRATCH, SUPERVISOR, System, memory_of};

impl System {
    /// How a program is.
    pub(super) fn status(&self, number: u64) -> Result<Status, Error> {
        if number == SUPERVISOR {
            return own_status();
        }
        let program = self.programs.get(number)?;
        let number = u8::try_from(number).map_err(|_| Error::InvalidArgument)?;
        let (free, pages) = memory_of(number.into()).measure()?;
        let is_alive = program.phase == Phase::Alive;
        // A program that is not alive has no task.
        let [state, _, task, waits_for] = if is_alive { task_of(number).inspect()? } else { [0; 4] };
        Ok(Status {
            phase: program.phase,
            has_service: is_alive && identify(slot_of(number, SERVICE)).is_ok(),
            restarts: program.restarts,
            priority: program.role.policy().priority,
            used_pages: (pages - free) as u32,
            given_pages: pages as u32,
            task_state: state as u8,
            task: task as u32,
            waits_for: waits_for as u32,
        })
    }

    // ANCHOR: capability
    /// The capability at a pointer of a program's, or at the next one in the same table at which there is one. This task reaches three tables deep, and the
    /// first of them is the one that has the tables of programs: for what lies deeper it takes a copy of the program's table.
    pub(super) fn capability(&self, number: u64, pointer: u64) -> Result<[u64; 3], Error> {
        let program = self.programs.get(number)?;
        if program.phase != Phase::Alive {
            return Err(Error::InvalidState);
        }
        if pointer >= POINTER_LIMIT {
            return Err(Error::InvalidArgument);
        }
        let own = table_of(u8::try_from(number).map_err(|_| Error::InvalidArgument)?);
        let [outer, middle, inner] = [pointer / SLOTS_PER_TABLE / SLOTS_PER_TABLE, pointer / SLOTS_PER_TABLE, pointer]
            .map(|step| step % SLOTS_PER_TABLE);
        let table = match (outer, middle) {
            (0, 0) => return look(own.0, pointer, inner),
            (0, first) => (first, None),
            (first, second) => (first, Some(second)),
        };
        OWN_TABLE.copy(SCRATCH, nested(own.0, table.0), Rights::all())?;
        let result = look(table.1.map_or(SCRATCH, |second| nested(SCRATCH, second)), pointer, inner);
        OWN_TABLE.delete(SCRATCH)?;
        result
    }
    // ANCHOR_END: capability
}

/// How this task is.
fn own_status() -> Result<Status, Error> {
    let [state, priority, task, waits_for] = OWN_TASK.inspect()?;
    Ok(Status {
        phase: Phase::Alive,
        has_service: true,
        restarts: 0,
        priority: priority as u8,
        used_pages: 0,
        given_pages: 0,
        task_state: state as u8,
        task: task as u32,
        waits_for: waits_for as u32,
    })
}

/// Looks for a capability in a table, from a slot on. `pointer` is the program's for that slot.
fn look(table: u64, pointer: u64, from: u64) -> Result<[u64; 3], Error> {
    for slot in from..SLOTS_PER_TABLE {
        let Ok((kind, rights)) = identify(nested(table, slot)) else { continue };
        let details = match kind {
            Kind::Memory => {
                let (free, pages) = Memory(nested(table, slot)).measure()?;
                free | pages << 32
            }
            _ => 0,
        };
        return Ok([pointer - from + slot, kind as u64 | u64::from(rights.bits()) << 8, details]);
    }
    Err(Error::InvalidCapability)
}
