//! Tracing: what tasks do, written down event by event while they do it.
//!
//! While nobody traces, nobody pays. There is nothing of it on the fast path. To trace is to put another way in before it (`arch::trace`), by
//! which every system call takes the slow path; and other handlers in the place of those for exceptions and interrupts of user mode. In between are the
//! few points at which a call begins or ends, each with one test of a byte.
//!
//! - `ring`: where events are kept.
//! - `note`: the points at which there is one.

mod note;
mod ring;

use core::cell::Cell;

use flatmk_abi::{Error, Kind, Operation, Rights, Words};

pub(crate) use note::{
    note_call, note_enter, note_failed, note_failure, note_handler, note_outcome, note_return, note_start, note_stop,
    note_switch, note_system_call, note_wait,
};
use ring::Ring;

use crate::arch;
use crate::capability::{Content, Slot, insert_new};
use crate::interrupts::{self, Handler};
use crate::syscall::{self, FAULT, Request};
use crate::task::{Task, TaskRef, floating_point, scheduler};

struct Trace {
    is_on: Cell<bool>,
    ring: Ring,
    /// What stood where tracing has put its own: the ways into the kernel, and the handlers.
    entries: Cell<[u64; 2]>,
    handlers: Cell<Option<[Handler; 3]>>,
}

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Trace {}

static TRACE: Trace =
    Trace { is_on: Cell::new(false), ring: Ring::new(), entries: Cell::new([0; 2]), handlers: Cell::new(None) };

/// Prepares for tracing.
pub(crate) fn initialize() {
    TRACE.ring.initialize();
}

/// Puts the capability into this slot.
pub(crate) fn give(slot: &Slot) {
    insert_new(slot, Content::to_device(Kind::Trace, Rights::all()));
}

/// Whether the kernel traces.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    TRACE.is_on.get()
}

// ANCHOR: set
/// A change of what is traced, checked.
pub(crate) struct SetRequest<'a> {
    frame: Option<&'a Slot>,
}

impl<'a> SetRequest<'a> {
    /// Checks it.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `SetTrace`.
    pub(crate) fn decode(slot: &Slot, frame: Option<&'a Slot>) -> Result<Self, Error> {
        slot.require(Kind::Trace, Rights::MANAGE)?;
        if let Some(frame) = frame {
            let kind = if frame.kind() == Kind::LargeFrame { Kind::LargeFrame } else { Kind::Frame };
            frame.require(kind, Rights::READ | Rights::WRITE)?;
            if !TRACE.ring.takes(frame) {
                return Err(Error::AlreadyBound);
            }
        }
        Ok(Self { frame })
    }

    /// Does it.
    pub(crate) fn perform(self) {
        end();
        if let Some(frame) = self.frame {
            TRACE.ring.begin(frame);
            begin();
        }
    }
}

fn begin() {
    TRACE.entries.set(arch::syscall::exchange_entries([arch::trace::entry(), 0]));
    TRACE.handlers.set(Some(interrupts::exchange_handlers(note::HANDLERS)));
    TRACE.is_on.set(true);
}

/// All is as it was before. Called also where an event finds the frame gone.
fn end() {
    if !TRACE.is_on.replace(false) {
        return;
    }
    if let Some(handlers) = TRACE.handlers.take() {
        interrupts::exchange_handlers(handlers);
    }
    arch::syscall::exchange_entries(TRACE.entries.get());
    if floating_point::is_open() {
        arch::syscall::close_fast_path();
    }
}
// ANCHOR_END: set

/// Takes the oldest event that was not read.
///
/// # Errors
///
/// Those that the interface lists for `ReadTrace`.
pub(crate) fn read(slot: &Slot) -> Result<Words, Error> {
    slot.require(Kind::Trace, Rights::READ)?;
    Ok(TRACE.ring.read())
}

// ANCHOR: system_call
/// Called by the stub with a system call of the current task, whose registers are saved, while the kernel traces. Returns the task to go on
/// with.
pub(crate) extern "C" fn system_call(
    pointer: u64,
    operation: u64,
    argument_0: u64,
    argument_1: u64,
    argument_2: u64,
    argument_3: u64,
) -> *const Task {
    let task = scheduler::current();
    let request = Request { pointer, operation, arguments: [argument_0, argument_1, argument_2, argument_3] };
    // Those that begin, read and end a trace are none of its events.
    if [Operation::SetTrace as u64, Operation::ReadTrace as u64].contains(&operation) {
        return perform(task, &request).as_ptr();
    }
    note_system_call(task, &request);
    let next = perform(task, &request);
    note_outcome(task, next);
    next.as_ptr()
}

/// Does what the two stubs do together that are taken else.
fn perform(task: TaskRef, request: &Request) -> TaskRef {
    if request.operation as u8 <= Operation::LAST_SWITCHING {
        return syscall::switch(request);
    }
    let (mut results, [a, b, c, d]) = ([0; 4], request.arguments);
    let status = syscall::plain(request.pointer, request.operation, a, b, c, d, &mut results);
    if status == FAULT {
        return syscall::report_missing(task);
    }
    task.context.set_result(Error::from_status(status).map_or(Ok(results), Err));
    task
}
// ANCHOR_END: system_call
