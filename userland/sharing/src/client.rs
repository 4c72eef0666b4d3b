//! The clients: their spaces.

use core::cell::Cell;

use flatmk_abi::slots::{WINDOW, nested};
use flatmk_abi::{Error, Kind, Rights};
use flatmk_runtime::object::{AddressSpace, Done, Memory, OWN_TABLE, Table, identify};
use flatmk_runtime::pipe::WINDOW_OF_NEW_ENDS;

use crate::pipe::PIPES;
use crate::region::REGIONS;
use crate::{FIRST, Shared, give};

/// The memory that the daemon hands out.
pub(crate) const MEMORY: Memory = Memory(8);

/// The table for the spaces of the clients, and how many there can be: each has the slot of its number.
const SPACES: Table = Table(9);
const MOST_CLIENTS: usize = 63;

/// Which clients have attached, and how many frames each has.
pub(crate) struct Clients {
    is_attached: [Cell<bool>; MOST_CLIENTS + 1],
    frames: [Cell<u64>; MOST_CLIENTS + 1],
}

pub(crate) static CLIENTS: Shared<Clients> = Shared(Clients {
    is_attached: [const { Cell::new(false) }; MOST_CLIENTS + 1],
    frames: [const { Cell::new(0) }; MOST_CLIENTS + 1],
});

/// Makes the table for the spaces.
pub(crate) fn prepare() -> Done {
    MEMORY.make(Kind::Table, 1, OWN_TABLE, SPACES.0)
}

fn space_of(client: u64) -> AddressSpace {
    AddressSpace(nested(SPACES.0, client))
}

impl Clients {
    /// Clients have the numbers from 1 on; the context of a region is above them all.
    fn flag(&self, client: u64) -> Result<&Cell<bool>, Error> {
        let index = usize::try_from(client).ok().filter(|&index| index != 0);
        index.and_then(|index| self.is_attached.get(index)).ok_or(Error::InvalidArgument)
    }

    /// How many frames a client has.
    pub(crate) fn frames_of(&self, client: u64) -> u64 {
        self.frames.get(client as usize).map_or(0, Cell::get)
    }

    fn count(&self, client: u64, frames: u64) {
        self.frames.get(client as usize).inspect(|count| count.set(frames));
    }

    /// Keeps the space in the window.
    pub(crate) fn attach(&self, client: u64) -> Done {
        let flag = self.flag(client)?;
        if flag.get() {
            return Err(Error::InvalidState);
        }
        match identify(WINDOW)? {
            (Kind::AddressSpace, rights) if rights.contains(Rights::MANAGE) => {}
            (Kind::AddressSpace, _) => return Err(Error::MissingRight),
            _ => return Err(Error::WrongKind),
        }
        SPACES.move_here(client, WINDOW)?;
        flag.set(true);
        Ok(())
    }

    /// Makes a region for a client, and answers with its endpoint. Comes back only with an error.
    pub(crate) fn create(&self, client: u64, frame_count: u64, address: u64) -> Done {
        if !self.flag(client)?.get() {
            return Err(Error::InvalidState);
        }
        let number = REGIONS.create(client, space_of(client), frame_count, address)?;
        self.count(client, self.frames_of(client) + frame_count);
        let refused = give([0; 4], FIRST);
        // The client could never give back what it has no name for.
        self.count(client, self.frames_of(client) - frame_count);
        REGIONS.destroy(number);
        Err(refused)
    }

    /// Makes a pipe for a client, and answers with its ends. Comes back only with an error.
    pub(crate) fn create_pipe(&self, client: u64, data_frames: u64) -> Done {
        if !self.flag(client)?.get() {
            return Err(Error::InvalidState);
        }
        let (number, frame_count) = PIPES.create(client, data_frames)?;
        self.count(client, self.frames_of(client) + frame_count);
        let refused = give([0; 4], WINDOW_OF_NEW_ENDS);
        PIPES.destroy(number);
        Err(refused)
    }

    /// A client has so many frames less. There is no client 0.
    pub(crate) fn discount(&self, client: u64, frame_count: u64) {
        self.count(client, self.frames_of(client).saturating_sub(frame_count));
    }

    /// Takes back what a client has. The pipes whose ends others have opened stay with these.
    pub(crate) fn detach(&self, client: u64) -> Done {
        if !self.flag(client)?.replace(false) {
            return Err(Error::InvalidState);
        }
        REGIONS.destroy_those_of(client);
        PIPES.orphan_those_of(client);
        self.count(client, 0);
        // A client that is gone has taken it along.
        SPACES.delete(client).or_else(|error| if error == Error::InvalidCapability { Ok(()) } else { Err(error) })
    }

    /// A client whose space is gone is gone.
    pub(crate) fn forget_the_dead(&self) {
        for (client, flag) in (0..).zip(&self.is_attached) {
            if flag.get() && identify(space_of(client).0) == Err(Error::InvalidCapability) {
                // The client was attached, so this cannot be refused.
                self.detach(client).unwrap_or_default();
            }
        }
    }
}
