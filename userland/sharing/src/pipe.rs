//! The pipes: their memory, who has opened their ends, and what becomes of an end whose owner is gone.
//!
//! An end begins as an invitation: an endpoint that the creator of the pipe gives to whom it wants. Whoever opens it gets another endpoint, which is
//! the open end. So nobody else can close that, however many copies of the invitation there are. Before it is opened, whoever has the invitation can
//! close it: who could open the end could do so anyway. So the creator, if it keeps a copy, can end what a program has not opened that is gone.

use core::cell::Cell;
use core::ops::Range;
use core::ptr;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{WINDOW, nested};
use flatmk_abi::{Access, Error, Kind, Rights};
use flatmk_pipe::EndPage;
use flatmk_runtime::object::{AddressSpace, Done, Frame, Notification, OWN_SPACE, OWN_TABLE, Table, identify};
use flatmk_runtime::pipe::{MOST_DATA_FRAMES, WINDOW_OF_OPEN_END};
use flatmk_runtime::program::SERVICE;

use crate::client::{CLIENTS, MEMORY};
use crate::{IS_PIPE, Shared, give};

/// The table for one table for each pipe: that of pipe 0 is in slot 1.
const TABLES: Table = Table(10);
const MOST_PIPES: usize = 63;

/// In the table of a pipe: for the producer and the consumer the invitation and the open end, from which the clients' ones are copied; the notifications on
/// which they wait; their pages; the copies of these that the daemon has mapped; the data; and then for each what is mapped for it.
const INVITATION: u64 = 1;
const OPEN_END: u64 = 3;
const NOTIFICATION: u64 = 5;
const END_PAGE: u64 = 7;
const DATA: u64 = END_PAGE + 2;
const OWN_COPY: u64 = DATA + MOST_DATA_FRAMES;
const FIRST_MAPPING: u64 = OWN_COPY + 2;
/// The space, the two pages, and the data twice.
const MAPPING_SLOTS: u64 = 1 + 2 + 2 * MOST_DATA_FRAMES;

/// Where the daemon maps the pages of the ends: below its stack, so that the page table is there.
const OWN_ADDRESS: u64 = 0x7ff0_0000;

/// The two ends, as they are numbered everywhere.
const PRODUCER: u64 = 0;
const SIDES: [u64; 2] = [PRODUCER, 1];

/// In a context, besides the number: which end, and whether it is the open one. The generation is above.
const SIDE_SHIFT: u32 = 6;
const IS_OPEN: u64 = 1 << 7;
const GENERATION_SHIFT: u32 = 8;
const _: () = assert!(MOST_PIPES <= 1 << SIDE_SHIFT);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Somebody may still open it.
    New,
    Open,
    Closed,
}

struct Pipe {
    /// 0 where there is no pipe.
    data_frames: Cell<u64>,
    /// Whom its frames count for; 0 when that client is gone.
    creator: Cell<u64>,
    /// How many pipes have had this number; see the regions.
    generation: Cell<u64>,
    states: [Cell<State>; 2],
}

impl Pipe {
    const fn none() -> Self {
        Self {
            data_frames: Cell::new(0),
            creator: Cell::new(0),
            generation: Cell::new(0),
            states: [const { Cell::new(State::Closed) }; 2],
        }
    }

    fn context(&self, number: u64, side: u64) -> u64 {
        IS_PIPE | self.generation.get() << GENERATION_SHIFT | side << SIDE_SHIFT | number
    }

    fn state(&self, side: u64) -> &Cell<State> {
        let [producer, consumer] = &self.states;
        if side == PRODUCER { producer } else { consumer }
    }

    /// The ends in this state.
    fn sides_in(&self, state: State) -> impl Iterator<Item = u64> {
        SIDES.into_iter().filter(move |&side| self.state(side).get() == state)
    }
}

/// One end of a pipe.
#[derive(Clone, Copy)]
struct End<'a> {
    number: u64,
    side: u64,
    pipe: &'a Pipe,
}

pub(crate) struct Pipes([Pipe; MOST_PIPES]);

pub(crate) static PIPES: Shared<Pipes> = Shared(Pipes([const { Pipe::none() }; MOST_PIPES]));

/// Makes the table for the tables.
pub(crate) fn prepare() -> Done {
    MEMORY.make(Kind::Table, 1, OWN_TABLE, TABLES.0)
}

fn table_of(number: u64) -> Table {
    Table(nested(TABLES.0, 1 + number))
}

fn slot_of(number: u64, slot: u64) -> u64 {
    nested(table_of(number).0, slot)
}

/// The frames that a pipe with so much data has, for its creator's count.
fn frames_with(data_frames: u64) -> u64 {
    SIDES.len() as u64 + data_frames
}

impl Pipes {
    /// The pipes that there are.
    fn numbered(&self) -> impl Iterator<Item = (u64, &Pipe)> {
        (0..).zip(&self.0).filter(|(_, pipe)| pipe.data_frames.get() != 0)
    }

    /// The end for which an endpoint with this context is, and whether it is the endpoint of an open one.
    fn find(&self, context: u64) -> Result<(End<'_>, bool), Error> {
        if context & IS_PIPE == 0 {
            return Err(Error::InvalidArgument);
        }
        let mut ends = self.numbered().flat_map(|(number, pipe)| SIDES.map(|side| End { number, side, pipe }));
        let found = ends.find(|end| end.pipe.context(end.number, end.side) == context & !IS_OPEN);
        found.map(|end| (end, context & IS_OPEN != 0)).ok_or(Error::CalleeGone)
    }

    /// The open end for which an endpoint with this context is.
    fn find_open(&self, context: u64) -> Result<End<'_>, Error> {
        match self.find(context)? {
            (end, true) if end.pipe.state(end.side).get() == State::Open => Ok(end),
            _ => Err(Error::InvalidState),
        }
    }

    /// Makes a pipe, and puts the invitations to its ends into the window. Returns its number, and how many frames it has.
    pub(crate) fn create(&self, client: u64, data_frames: u64) -> Result<(u64, u64), Error> {
        if !data_frames.is_power_of_two() || data_frames > MOST_DATA_FRAMES {
            return Err(Error::InvalidArgument);
        }
        let free = (0..).zip(&self.0).find(|(_, pipe)| pipe.data_frames.get() == 0);
        let (number, pipe) = free.ok_or(Error::OutOfMemory)?;
        pipe.generation.set(pipe.generation.get() + 1);
        if let Err(error) = fill(number, pipe, data_frames) {
            empty(number);
            return Err(error);
        }
        pipe.creator.set(client);
        pipe.data_frames.set(data_frames);
        pipe.states.iter().for_each(|state| state.set(State::New));
        Ok((number, frames_with(data_frames)))
    }

    /// Opens an end: maps it into the space in the window, which is kept. Answers with the notifications and the open end; comes back only with an
    /// error.
    pub(crate) fn open(&self, context: u64, address: u64) -> Done {
        let (end, is_open) = self.find(context)?;
        let state = end.pipe.state(end.side);
        if is_open || state.get() != State::New {
            return Err(Error::InvalidState);
        }
        let refused = end.map(address).and_then(|()| end.fill_window()).err().unwrap_or_else(|| {
            state.set(State::Open);
            give([0, end.pipe.data_frames.get() * PAGE_SIZE, 0, 0], WINDOW_OF_OPEN_END)
        });
        state.set(State::New);
        end.unmap();
        Err(refused)
    }

    /// Is the other end there? [`Error::CalleeGone`] if it is not.
    pub(crate) fn look_for_peer(&self, context: u64) -> Done {
        let end = self.find_open(context)?;
        let peer = end.pipe.state(1 - end.side).get();
        if peer == State::Closed { Err(Error::CalleeGone) } else { Ok(()) }
    }

    /// Closes an end: an open one at the wish of its owner, a new one at that of anybody who was invited.
    pub(crate) fn close(&self, context: u64) -> Done {
        let (end, is_open) = self.find(context)?;
        let closable = if is_open { State::Open } else { State::New };
        if end.pipe.state(end.side).get() != closable {
            return Err(Error::InvalidState);
        }
        self.close_end(end);
        Ok(())
    }

    /// The creator of these pipes is gone, and so are the ends that nobody has opened.
    pub(crate) fn orphan_those_of(&self, client: u64) {
        for (number, pipe) in self.numbered().filter(|(_, pipe)| pipe.creator.get() == client) {
            pipe.creator.set(0);
            pipe.sides_in(State::New).for_each(|side| self.close_end(End { number, side, pipe }));
        }
    }

    /// An end is gone when the space is into which it was mapped.
    pub(crate) fn forget_the_dead(&self) {
        for (number, pipe) in self.numbered() {
            let ends = pipe.sides_in(State::Open).map(|side| End { number, side, pipe });
            ends.filter(|end| end.is_dead()).for_each(|end| self.close_end(end));
        }
    }

    // ANCHOR: close_end
    fn close_end(&self, end: End<'_>) {
        end.pipe.state(end.side).set(State::Closed);
        // In this order, as what still runs in the space of the end could take it back.
        end.unmap();
        end.say_that_it_is_closed();
        if end.pipe.sides_in(State::Closed).count() == SIDES.len() {
            self.destroy(end.number);
        }
    }
    // ANCHOR_END: close_end

    /// Takes back a pipe: all capabilities to what it is made of go, whoever has them, and with them the mappings.
    pub(crate) fn destroy(&self, number: u64) {
        if let Some(pipe) = self.0.get(number as usize) {
            CLIENTS.discount(pipe.creator.replace(0), frames_with(pipe.data_frames.replace(0)));
            empty(number);
        }
    }
}

impl End<'_> {
    /// The slots for the space, and for the copies of the frames that are mapped there.
    fn mapping(self) -> Range<u64> {
        let first = FIRST_MAPPING + self.side * MAPPING_SLOTS;
        first..first + MAPPING_SLOTS
    }

    /// The space into which it is mapped.
    fn space(self) -> AddressSpace {
        AddressSpace(slot_of(self.number, self.mapping().start))
    }

    fn is_dead(self) -> bool {
        identify(self.space().0) == Err(Error::InvalidCapability)
    }

    // ANCHOR: map
    /// Maps the end's own page, the other one's, and the data twice. Neither the mapping nor the copy that it is made with allows more than
    /// the end may do.
    fn map(self, address: u64) -> Done {
        let table = table_of(self.number);
        table.move_here(self.mapping().start, WINDOW)?;
        let data_access = if self.side == PRODUCER { Access::ReadWrite } else { Access::Read };
        let data = (0..self.pipe.data_frames.get()).map(|index| (DATA + index, data_access));
        let pages = [(END_PAGE + self.side, Access::ReadWrite), (END_PAGE + 1 - self.side, Access::Read)];
        let frames = pages.into_iter().chain(data.clone()).chain(data);
        for (slot, (offset, (frame, access))) in
            self.mapping().skip(1).zip((0..).step_by(PAGE_SIZE as usize).zip(frames))
        {
            let rights = if access == Access::Read { Rights::READ } else { Rights::READ | Rights::WRITE };
            table.copy(slot, slot_of(self.number, frame), rights)?;
            // The first one comes first, and only an address in user space goes on to the next: the sum does not overflow.
            self.space().map(Frame(slot_of(self.number, slot)), address + offset, access)?;
        }
        Ok(())
    }
    // ANCHOR_END: map

    /// Undoes the mapping, as far as there is one.
    fn unmap(self) {
        self.mapping().for_each(|slot| table_of(self.number).delete(slot).unwrap_or_default());
    }

    /// What to wait on, what to signal, and the endpoint of the open end.
    fn fill_window(self) -> Done {
        let capabilities = [
            (NOTIFICATION + self.side, Rights::READ),
            (NOTIFICATION + 1 - self.side, Rights::WRITE),
            (OPEN_END + self.side, Rights::CALL | Rights::TRANSFER),
        ];
        (WINDOW..).zip(capabilities).try_for_each(|(slot, (source, rights))| {
            OWN_TABLE.copy(slot, slot_of(self.number, source), rights | Rights::GRANT)
        })
    }

    /// Tells the other end, in this one's page, and wakes it.
    fn say_that_it_is_closed(self) {
        let page = ptr::with_exposed_provenance::<EndPage>(own_address(self.number, self.side) as usize);
        // SAFETY: the page is mapped there as long as there is the pipe, and it has nothing but atomic words.
        unsafe { &*page }.close_for_the_dead();
        // The notification is there: the pipe is.
        Notification(slot_of(self.number, NOTIFICATION + 1 - self.side)).signal(1).unwrap_or_default();
    }
}

/// Where the daemon has mapped the page of an end.
fn own_address(number: u64, side: u64) -> u64 {
    OWN_ADDRESS + (number * SIDES.len() as u64 + side) * PAGE_SIZE
}

fn fill(number: u64, pipe: &Pipe, data_frames: u64) -> Done {
    let table = table_of(number);
    MEMORY.make(Kind::Table, 1, TABLES, 1 + number)?;
    MEMORY.make(Kind::Notification, SIDES.len() as u64, table, NOTIFICATION)?;
    MEMORY.make(Kind::Frame, frames_with(data_frames), table, END_PAGE)?;
    for side in SIDES {
        let context = pipe.context(number, side);
        table.mint(INVITATION + side, SERVICE, Rights::all(), context)?;
        table.mint(OPEN_END + side, SERVICE, Rights::all(), context | IS_OPEN)?;
        table.copy(OWN_COPY + side, slot_of(number, END_PAGE + side), Rights::READ | Rights::WRITE)?;
        let own_copy = Frame(slot_of(number, OWN_COPY + side));
        OWN_SPACE.map(own_copy, own_address(number, side), Access::ReadWrite)?;
        let rights = Rights::CALL | Rights::TRANSFER | Rights::GRANT;
        OWN_TABLE.copy(WINDOW + side, slot_of(number, INVITATION + side), rights)?;
    }
    Ok(())
}

/// Takes back what was made for a pipe, as far as it was.
fn empty(number: u64) {
    let table = table_of(number);
    for slot in INVITATION..FIRST_MAPPING {
        // A slot that was not filled has nothing to take back.
        table.revoke(slot).unwrap_or_default();
    }
    TABLES.delete(1 + number).unwrap_or_default();
}
