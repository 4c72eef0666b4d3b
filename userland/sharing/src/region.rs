//! The regions: frames, and where they are mapped.

use core::cell::Cell;

use flatmk_abi::slots::{SLOTS_PER_TABLE, WINDOW, nested};
use flatmk_abi::{Access, Error, Kind, Rights};
use flatmk_runtime::object::{AddressSpace, Done, Frame, OWN_TABLE, Table};
use flatmk_runtime::program::SERVICE;
use flatmk_runtime::sharing::REGION_FRAMES;

use crate::client::MEMORY;
use crate::{IS_REGION, Shared};

/// The slots of the daemon's table that hold one table for each region.
const FIRST_TABLE: u64 = 16;
const MOST_REGIONS: usize = 32;

/// In the table of a region: the endpoint from which clients' ones are minted, the frames, and copies of the frames, which are mapped into further spaces.
const ENDPOINT: u64 = 1;
const FIRST_FRAME: u64 = 2;
const FIRST_COPY: u64 = FIRST_FRAME + REGION_FRAMES;

/// Frames that one client has made, and that others can map.
struct Region {
    /// The client; 0 where there is no region.
    client: Cell<u64>,
    frame_count: Cell<u64>,
}

pub(crate) struct Regions([Region; MOST_REGIONS]);

pub(crate) static REGIONS: Shared<Regions> =
    Shared(Regions([const { Region { client: Cell::new(0), frame_count: Cell::new(0) } }; MOST_REGIONS]));

fn table_of(number: u64) -> Table {
    Table(FIRST_TABLE + number)
}

fn frame(number: u64, index: u64) -> Frame {
    Frame(nested(table_of(number).0, FIRST_FRAME + index))
}

impl Regions {
    fn numbered(&self) -> impl Iterator<Item = (u64, &Region)> {
        (0..).zip(&self.0)
    }

    /// The region that an endpoint with this context is for.
    fn find(&self, context: u64) -> Result<(u64, &Region), Error> {
        let number = context & !IS_REGION;
        let region = self.0.get(number as usize).filter(|_| context & IS_REGION != 0).ok_or(Error::InvalidArgument)?;
        if region.client.get() == 0 { Err(Error::CalleeGone) } else { Ok((number, region)) }
    }

    // ANCHOR: create
    /// Makes a region, maps it, and puts its endpoint into the window.
    pub(crate) fn create(&self, client: u64, space: AddressSpace, frame_count: u64, address: u64) -> Done {
        if frame_count == 0 || frame_count > REGION_FRAMES {
            return Err(Error::InvalidArgument);
        }
        let free = self.numbered().find(|(_, region)| region.client.get() == 0);
        let (number, region) = free.ok_or(Error::OutOfMemory)?;
        let made = fill(number, space, frame_count, address);
        if made.is_err() {
            empty(number);
            return made;
        }
        region.client.set(client);
        region.frame_count.set(frame_count);
        Ok(())
    }
    // ANCHOR_END: create

    /// Maps a region into the space in the window.
    pub(crate) fn map(&self, context: u64, address: u64, access: u64) -> Done {
        let (number, region) = self.find(context)?;
        let access = Access::from_number(access).ok_or(Error::InvalidArgument)?;
        let table = table_of(number);
        let count = region.frame_count.get();
        // One mapping is one capability, so each further space takes copies of its own.
        let first = first_free(table, count).ok_or(Error::OutOfMemory)?;
        let map_one = |index| {
            table.copy(first + index, frame(number, index).0, Rights::READ | Rights::WRITE)?;
            AddressSpace(WINDOW).map(Frame(nested(table.0, first + index)), address + index * 4096, access)
        };
        let mapped = (0..count).try_for_each(map_one);
        if mapped.is_err() {
            (first..first + count).for_each(|slot| table.delete(slot).unwrap_or_default());
        }
        mapped
    }

    /// Puts a copy of a frame into the window.
    pub(crate) fn give_frame(&self, context: u64, index: u64) -> Done {
        let (number, region) = self.find(context)?;
        if index >= region.frame_count.get() {
            return Err(Error::InvalidArgument);
        }
        OWN_TABLE.copy(WINDOW, frame(number, index).0, Rights::READ | Rights::WRITE | Rights::GRANT)
    }

    /// Takes back the regions of a client: all capabilities to their frames go, whoever has them, and with them the mappings.
    pub(crate) fn destroy_those_of(&self, client: u64) {
        for (number, region) in self.numbered().filter(|(_, region)| region.client.get() == client) {
            region.client.set(0);
            empty(number);
        }
    }
}

fn fill(number: u64, space: AddressSpace, frame_count: u64, address: u64) -> Done {
    let table = table_of(number);
    MEMORY.make(Kind::Table, 1, OWN_TABLE, table.0)?;
    MEMORY.make(Kind::Frame, frame_count, table, FIRST_FRAME)?;
    (0..frame_count)
        .try_for_each(|index| space.map(frame(number, index), address + index * 4096, Access::ReadWrite))?;
    table.mint(ENDPOINT, SERVICE, Rights::all(), IS_REGION | number)?;
    OWN_TABLE.copy(WINDOW, nested(table.0, ENDPOINT), Rights::CALL | Rights::GRANT | Rights::TRANSFER)
}

// ANCHOR: empty
/// Takes back what was made for a region, as far as it was.
fn empty(number: u64) {
    let table = table_of(number);
    for slot in [ENDPOINT].into_iter().chain(FIRST_FRAME..FIRST_COPY) {
        // A slot that was not filled yet has nothing to take back.
        table.revoke(slot).unwrap_or_default();
    }
    OWN_TABLE.delete(table.0).unwrap_or_default();
}
// ANCHOR_END: empty

/// The first of so many empty slots in a row.
fn first_free(table: Table, count: u64) -> Option<u64> {
    let is_free = |slot| flatmk_runtime::object::identify(nested(table.0, slot)).is_err();
    (FIRST_COPY..=SLOTS_PER_TABLE - count).step_by(count as usize).find(|&first| (first..first + count).all(is_free))
}
