//! What operations on capabilities, memory and mappings cost.
//!
//! Most come in pairs, one of which undoes the other: a batch does the first [`OBJECTS`] times, each time with another slot, then the
//! second. The first batch also makes page tables that are missing, which the least of all batches leaves out.

use flatmk_abi::slots::{self, nested};
use flatmk_abi::{Access, Error, Kind, Operation, Rights};
use flatmk_runtime::object::{Done, Frame, Memory, OWN_SPACE, OWN_TABLE, OWN_TASK, Table};
use flatmk_runtime::{invoke, marks, println};

use crate::method::{Method, stamp, undisturbed};
use crate::row::{Row, print_head};

/// Memory of this program's own; the root task has put it there.
pub(crate) const MEMORY: Memory = Memory(12);

/// Two tables for the capabilities that are measured, and what these are made from.
const FIRST: Table = Table(13);
const SECOND: Table = Table(14);
const FRAME: u64 = 15;
const ENDPOINT: u64 = 16;

/// How many slots of a table a batch uses.
const OBJECTS: u64 = 50;

/// Where frames are mapped.
const ADDRESS: u64 = 0x2000_0000;

/// Measures all rows and prints them.
pub(crate) fn show() {
    print_head("operation", Method::current().unit());
    if let Err(error) = prepare().and_then(|()| measure()) {
        println!("capabilities failed: {error}");
    }
}

fn prepare() -> Done {
    MEMORY.make(Kind::Table, 2, OWN_TABLE, FIRST.0)?;
    MEMORY.make(Kind::Frame, 1, OWN_TABLE, FRAME)?;
    OWN_TASK.make_endpoint(crate::run_entry, 0, OWN_TABLE, ENDPOINT)
}

fn measure() -> Done {
    let delete = |slot| FIRST.delete(slot);
    let in_first = |slot| nested(FIRST.0, slot);
    pair("copy", Some("delete"), |slot| FIRST.copy(slot, FRAME, Rights::all()), delete)?;
    pair("mint", None, |slot| FIRST.mint(slot, ENDPOINT, Rights::CALL, slot), delete)?;
    pair("make_frame", Some("destroy_frame"), |slot| MEMORY.make(Kind::Frame, 1, FIRST, slot), delete)?;
    pair("make_table", Some("destroy_table"), |slot| MEMORY.make(Kind::Table, 1, FIRST, slot), delete)?;
    pair("make_space", Some("destroy_space"), |slot| MEMORY.make(Kind::AddressSpace, 1, FIRST, slot), delete)?;
    pair("make_task", Some("destroy_task"), |slot| MEMORY.make(Kind::Task, 1, FIRST, slot), delete)?;
    pair("split", Some("unsplit"), |slot| MEMORY.split(1, FIRST, slot), |slot| FIRST.delete(OBJECTS + 1 - slot))?;

    MEMORY.make(Kind::Frame, OBJECTS, FIRST, 1)?;
    pair(
        "move",
        None,
        |slot| SECOND.move_here(slot, in_first(slot)),
        |slot| FIRST.move_here(slot, nested(SECOND.0, slot)),
    )?;
    let frame = |slot| Frame(in_first(slot));
    let address = |slot| ADDRESS + slot * 4096;
    pair(
        "map",
        Some("unmap"),
        |slot| OWN_SPACE.map(frame(slot), address(slot), Access::Read),
        |slot| frame(slot).unmap(),
    )?;
    let map_unmap = |slot| OWN_SPACE.map(frame(slot), address(slot), Access::Read).and_then(|()| frame(slot).unmap());
    pair("map_unmap", None, map_unmap, |_| Ok(()))?;
    for slot in 1..=OBJECTS {
        OWN_SPACE.map(frame(slot), address(slot), Access::Read)?;
    }
    pair("protect", None, |slot| frame(slot).protect(Access::ReadWrite), |slot| frame(slot).protect(Access::Read))?;
    (1..=OBJECTS).try_for_each(delete)?;

    let inner = nested(slots::TABLE, slots::SELF);
    let innermost = nested(nested(slots::TABLE, slots::TABLE), slots::SELF);
    for (name, pointer) in [("lookup_1", slots::SELF), ("lookup_2", inner), ("lookup_3", innermost)] {
        let identify = |_| invoke(pointer, Operation::Identify, [0; 4]).map(|_| ());
        pair(name, None, identify, identify)?;
    }
    revoke()?;
    large_frame()
}

/// Does `first` and `second` for each slot, and prints a row for each that has a name.
#[inline(always)]
fn pair(
    name: &str,
    second_name: Option<&str>,
    mut first: impl FnMut(u64) -> Done,
    mut second: impl FnMut(u64) -> Done,
) -> Done {
    let [mut first_row, mut second_row] = [Row::default(), Row::default()];
    let mut batch = || {
        let ticks = time(name, OBJECTS, OBJECTS, &mut first)?;
        Ok((ticks, time(second_name.unwrap_or(""), OBJECTS, OBJECTS, &mut second)?))
    };
    for _ in 0..Method::current().warm_up() {
        batch()?;
    }
    for _ in 0..Method::current().batches() {
        let (first_ticks, second_ticks) = undisturbed(&mut batch)?;
        first_row.add(first_ticks);
        second_row.add(second_ticks);
    }
    first_row.print(name);
    if let Some(name) = second_name {
        second_row.print(name);
    }
    Ok(())
}

/// One batch. `share`: for how many operations all rounds together stand. Returns ticks for one operation.
#[inline(always)]
fn time(name: &str, rounds: u64, share: u64, operation: &mut impl FnMut(u64) -> Done) -> Result<u64, Error> {
    marks::begin();
    let started = stamp();
    for slot in 1..=rounds {
        operation(slot)?;
    }
    let ticks = stamp() - started;
    marks::end(name, share);
    Ok(ticks / share)
}

/// What revocation costs for each capability that goes.
fn revoke() -> Done {
    let row = Row::measure(|| {
        (1..=OBJECTS).try_for_each(|slot| FIRST.copy(slot, FRAME, Rights::all()))?;
        time("revoke_each", 1, OBJECTS, &mut |_| OWN_TABLE.revoke(FRAME))
    })?;
    row.print("revoke_each");
    Ok(())
}

/// A machine with little memory has no 2 MiB in a row.
fn large_frame() -> Done {
    let row = Row::measure(|| {
        let ticks = time("make_large_frame", 1, 1, &mut |_| MEMORY.make(Kind::LargeFrame, 1, FIRST, 1))?;
        FIRST.delete(1)?;
        // With everything back, the pages are in a row again.
        OWN_TABLE.delete(FRAME)?;
        OWN_TABLE.delete(FIRST.0)?;
        OWN_TABLE.delete(SECOND.0)?;
        OWN_TABLE.delete(ENDPOINT)?;
        prepare()?;
        Ok(ticks)
    });
    match row {
        Ok(row) => row.print("make_large_frame"),
        Err(Error::OutOfMemory) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
