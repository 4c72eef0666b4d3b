//! What the shell shows of programs and memory.

use core::fmt::Write;

use flatmk_abi::Kind;
use flatmk_abi::slots::{POINTER_LIMIT, SLOTS_PER_TABLE, TABLE, nested};
use flatmk_system::{Phase, SupervisorRequest};
use shell::{Capability, Row};

use crate::Failure;
use crate::console::Console;
use crate::requests::{MOST_PROGRAMS, Name, SUPERVISOR, status, supervisor};

type Done = Result<(), Failure>;

/// How many tables are looked into, one below the other: pointers have three steps.
const DEEPEST: usize = 2;

/// The list of programs.
pub(crate) fn programs(console: &mut Console) -> Done {
    writeln!(console, "{}", Row::HEADING)?;
    for number in SUPERVISOR..=MOST_PROGRAMS {
        let (Ok(name), Ok(status)) = (Name::of(number), status(number)) else { continue };
        let waits_for = if status.waits_for == 0 { None } else { with_task(status.waits_for) };
        let waits_for = waits_for.as_ref().map(Name::as_str);
        writeln!(console, "{}", Row { number, name: name.as_str(), status, waits_for })?;
    }
    Ok(())
}

/// The program that has a task.
pub(crate) fn with_task(task: u32) -> Option<Name> {
    let has_it = |&number: &u64| status(number).is_ok_and(|status| status.phase == Phase::Alive && status.task == task);
    (SUPERVISOR..=MOST_PROGRAMS).find(has_it).and_then(|number| Name::of(number).ok())
}

/// The tree of capabilities of a program.
pub(crate) fn capabilities(number: u64, console: &mut Console) -> Done {
    table(number, 0, 0, console)
}

// ANCHOR: table
/// What is in a table, and in those below it.
fn table(number: u64, pointer_to_table: u64, depth: usize, console: &mut Console) -> Done {
    let first = pointer_to_table * SLOTS_PER_TABLE;
    let mut next = first;
    while next < first + SLOTS_PER_TABLE {
        let Ok([pointer, kind_and_rights, details]) = supervisor(SupervisorRequest::Capability, [number, next]) else {
            break;
        };
        let capability = Capability { pointer, depth, kind_and_rights, details };
        writeln!(console, "{capability}")?;
        // The program's own table is in a slot of itself.
        let is_own = depth == 0 && pointer == TABLE;
        if capability.kind() == Some(Kind::Table) && !is_own && depth < DEEPEST && nested(pointer, 0) < POINTER_LIMIT {
            table(number, pointer, depth + 1, console)?;
        }
        next = pointer + 1;
    }
    Ok(())
}
// ANCHOR_END: table

/// How much memory there is: what the supervisor has not given to anybody, and what programs use of what they were given.
pub(crate) fn memory(console: &mut Console) -> Done {
    let (mut free, mut pages, mut kept, mut index) = (0, 0, 0, 0);
    while let Ok([its_free, its_pages, its_kept]) = supervisor(SupervisorRequest::Memory, [index, 0]) {
        (free, pages, kept, index) = (free + its_free, pages + its_pages, kept + its_kept, index + 1);
    }
    let (mut used, mut given) = (0, 0);
    for status in (1..=MOST_PROGRAMS).filter_map(|number| status(number).ok()) {
        used += u64::from(status.used_pages);
        given += u64::from(status.given_pages);
    }
    writeln!(console, "{free} of {pages} pages are free ({} of {} MiB)", free / 256, pages / 256)?;
    Ok(writeln!(console, "programs use {used} of the {given} pages that they were given; {kept} are kept for others")?)
}
