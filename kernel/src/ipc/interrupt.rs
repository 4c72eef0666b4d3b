//! Interrupts as calls: a task in user mode handles a device's interrupts.
//!
//! An endpoint is bound to a line. At an interrupt its task begins at the entry, without a caller, at its own priority: so the task that was interrupted
//! need not wait for it, whatever the handler does. While the handler is at work the line is masked; an interrupt that comes before the task
//! can be called, or while the timer's handler is at work, waits.

use core::cell::Cell;

use flatmk_abi::{Error, Kind, Rights};

use super::later;
use crate::capability::{Content, Slot, empty_task_slot, insert_below, insert_new};
use crate::interrupts::{self, Line};
use crate::memory::{PageKind, take_boot_page};
use crate::stop::{StopCode, stop};
use crate::task::{State, TaskRef, scheduler};

/// The slots that hold what is bound to each line, in a page of their own, as all capabilities are in pages.
#[repr(C)]
struct Bindings([Slot; Line::COUNT]);

struct Lines {
    bindings: Cell<Option<&'static Bindings>>,
    /// The lines with an interrupt that has to wait for its handler, one bit each.
    waiting: Cell<u16>,
}

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Lines {}

static LINES: Lines = Lines { bindings: Cell::new(None), waiting: Cell::new(0) };

/// Takes the page for the bindings.
pub(super) fn initialize() {
    let Some(page) = take_boot_page(PageKind::Bindings) else {
        stop(StopCode::TooLittleMemory, format_args!("no page for the handlers of interrupts"));
    };
    // SAFETY: the page is zeroed and stays what it is; a zeroed slot is an empty one.
    LINES.bindings.set(Some(unsafe { &*(page.frame().window_address() as *const Bindings) }));
}

/// Puts the capabilities to all lines and to all ports into these slots.
pub(crate) fn give_devices(lines: &Slot, ports: &Slot) {
    let all = u64::from(u16::MAX);
    insert_new(lines, Content { words: [all, 0, 0], ..Content::to_device(Kind::Interrupts, Rights::all()) });
    insert_new(ports, Content { words: [0, all, 0], ..Content::to_device(Kind::Ports, Rights::all()) });
}

fn slot_of(line: Line) -> Option<&'static Slot> {
    LINES.bindings.get()?.0.get(line.index())
}

/// The task that handles a line, if one is bound.
fn handler_of(line: Line) -> Option<(TaskRef, &'static Slot)> {
    let slot = slot_of(line).filter(|slot| !slot.is_empty())?;
    Some((TaskRef::of(slot).ok()?, slot))
}

// ANCHOR: bind
/// Binds an endpoint to a line, or unbinds what is bound to it.
///
/// # Errors
///
/// Those that the interface lists for `Bind`.
pub(crate) fn bind(lines: &Slot, line: u64, endpoint: Option<&Slot>) -> Result<(), Error> {
    let lines = lines.require(Kind::Interrupts, Rights::MANAGE)?.word::<0>();
    let line =
        Line::from_number(line).filter(|line| lines & u64::from(line.bit()) != 0).ok_or(Error::InvalidArgument)?;
    let slot = slot_of(line).ok_or(Error::InvalidState)?;
    match endpoint.map(|slot| slot.require_endpoint(Rights::CALL)).transpose()? {
        None => empty_task_slot(slot),
        Some(_) if !slot.is_empty() => return Err(Error::AlreadyBound),
        Some(endpoint) => {
            insert_below(slot, endpoint, endpoint.content());
            interrupts::claim(line);
        }
    }
    Ok(())
}
// ANCHOR_END: bind

/// What is bound to a line is about to go: the kernel has the line again.
pub(super) fn unbind(slot: &Slot) {
    let is_here = |&line: &Line| slot_of(line).is_some_and(|other| core::ptr::eq(other, slot));
    let Some(line) = Line::in_bits(u16::MAX).find(is_here) else { return };
    if let Some((handler, _)) = handler_of(line) {
        handler.calls.lines.set(handler.calls.lines.get() & !line.bit());
    }
    LINES.waiting.set(LINES.waiting.get() & !line.bit());
    interrupts::hand_back(line);
}

/// Whether an interrupt can make a task ready.
pub(crate) fn is_interrupt_bound() -> bool {
    interrupts::claimed() != 0
}

// ANCHOR: deliver
/// Lets the handler of an interrupt that has come begin, unless it is busy; then the interrupt waits. `None` if there is no more of them.
#[inline(always)]
pub(crate) fn next_handler() -> Option<TaskRef> {
    while let Some(line) = interrupts::take_arrived() {
        let Some((handler, endpoint)) = handler_of(line) else { continue };
        if handler.state() == State::Accepting {
            begin(handler, endpoint, line);
            return Some(handler);
        }
        LINES.waiting.set(LINES.waiting.get() | line.bit());
        handler.calls.has_more.set(true);
    }
    None
}

/// The handler is set to begin at its entry, for itself.
fn begin(handler: TaskRef, endpoint: &Slot, line: Line) {
    handler.calls.lines.set(line.bit());
    let message = [line.index() as u64, 0, 0, 0];
    handler.context.enter(endpoint.word::<0>(), handler.stack.get(), endpoint.word::<1>(), message);
    // It is called no more, though it stands in no queue yet: another line of its own may have an interrupt, too.
    handler.state.set(State::Ready);
    later::reset_priority(handler);
    later::note_handler(handler, line);
}

/// An interrupt that has waited for this task begins. Tells whether there was one.
pub(super) fn begin_waiting(task: TaskRef) -> bool {
    let Some((line, endpoint)) = first_waiting(task) else { return false };
    LINES.waiting.set(LINES.waiting.get() & !line.bit());
    begin(task, endpoint, line);
    scheduler::make_ready_first(task);
    true
}

/// Whether an interrupt waits for this task.
pub(super) fn waits_for(task: TaskRef) -> bool {
    first_waiting(task).is_some()
}

fn first_waiting(task: TaskRef) -> Option<(Line, &'static Slot)> {
    Line::in_bits(LINES.waiting.get()).find_map(|line| {
        let (handler, slot) = handler_of(line)?;
        (handler == task).then_some((line, slot))
    })
}

/// A handler is done, or has ended: its line lets interrupts through again.
pub(super) fn finish(task: TaskRef) {
    Line::in_bits(task.calls.lines.take()).for_each(interrupts::unmask);
}
// ANCHOR_END: deliver

const _: () = assert!(size_of::<Bindings>() <= flatmk_abi::layout::PAGE_SIZE as usize);
