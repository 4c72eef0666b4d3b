//! The regions: frames, and where they are mapped.

use core::cell::Cell;
use core::ops::Range;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{SLOTS_PER_TABLE, WINDOW, nested};
use flatmk_abi::{Access, Error, Kind, Rights};
use flatmk_runtime::object::{AddressSpace, Done, Frame, OWN_TABLE, Table, identify};
use flatmk_runtime::program::SERVICE;
use flatmk_runtime::sharing::REGION_FRAMES;

use crate::client::MEMORY;
use crate::{FIRST, IS_REGION, Shared, give};

/// The slots of the daemon's table that hold one table for each region.
const FIRST_TABLE: u64 = 16;
const MOST_REGIONS: usize = 32;

/// In the table of a region: the endpoint from which clients' ones are minted, the frames, and then the spaces into which it was mapped, each
/// followed by the copies of the frames that are mapped there.
const ENDPOINT: u64 = 1;
const FIRST_FRAME: u64 = 2;
const FIRST_MAPPING: u64 = FIRST_FRAME + REGION_FRAMES;

/// Frames that one client has made, and that others can map.
struct Region {
    /// The client; 0 where there is no region.
    client: Cell<u64>,
    frame_count: Cell<u64>,
    /// How many regions have had this number. It is in the context of the endpoint: a call that waited while its region went must not reach
    /// the next one.
    generation: Cell<u64>,
}

impl Region {
    const fn none() -> Self {
        Self { client: Cell::new(0), frame_count: Cell::new(0), generation: Cell::new(0) }
    }

    fn context(&self, number: u64) -> u64 {
        IS_REGION | self.generation.get() << GENERATION_SHIFT | number
    }
}

/// Where the generation begins in the context of a region, above the number.
const GENERATION_SHIFT: u32 = 8;
const _: () = assert!(MOST_REGIONS <= 1 << GENERATION_SHIFT);

pub(crate) struct Regions([Region; MOST_REGIONS]);

pub(crate) static REGIONS: Shared<Regions> = Shared(Regions([const { Region::none() }; MOST_REGIONS]));

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
        if context & IS_REGION == 0 {
            return Err(Error::InvalidArgument);
        }
        let has_context = |&(number, region): &(u64, &Region)| region.context(number) == context;
        let found = self.numbered().find(has_context).filter(|(_, region)| region.client.get() != 0);
        found.ok_or(Error::CalleeGone)
    }

    // ANCHOR: create
    /// Makes a region, maps it, and puts its endpoint into the window. Returns its number.
    pub(crate) fn create(
        &self,
        client: u64,
        space: AddressSpace,
        frame_count: u64,
        address: u64,
    ) -> Result<u64, Error> {
        if frame_count == 0 || frame_count > REGION_FRAMES {
            return Err(Error::InvalidArgument);
        }
        let free = self.numbered().find(|(_, region)| region.client.get() == 0);
        let (number, region) = free.ok_or(Error::OutOfMemory)?;
        region.generation.set(region.generation.get() + 1);
        if let Err(error) = fill(number, region.context(number), space, frame_count, address) {
            empty(number);
            return Err(error);
        }
        region.client.set(client);
        region.frame_count.set(frame_count);
        Ok(number)
    }
    // ANCHOR_END: create

    /// Maps a region into the space in the window, which is kept.
    pub(crate) fn map(&self, context: u64, address: u64, access: u64) -> Done {
        let (number, region) = self.find(context)?;
        let access = Access::from_number(access).ok_or(Error::InvalidArgument)?;
        let table = table_of(number);
        let count = region.frame_count.get();
        let slots = free_mapping(table, count).ok_or(Error::OutOfMemory)?;
        let space = AddressSpace(nested(table.0, slots.start));
        // One mapping is one capability, so each further space takes copies of its own.
        let map_one = |index| {
            let slot = slots.start + 1 + index;
            table.copy(slot, frame(number, index).0, Rights::READ | Rights::WRITE)?;
            space.map(Frame(nested(table.0, slot)), address_of(address, index), access)
        };
        delete_all(table, slots.clone());
        let mapped = table.move_here(slots.start, WINDOW).and_then(|()| (0..count).try_for_each(map_one));
        if mapped.is_err() {
            delete_all(table, slots);
        }
        mapped
    }

    /// Answers with a copy of a frame. Comes back only with an error.
    pub(crate) fn give_frame(&self, context: u64, index: u64) -> Done {
        let (number, region) = self.find(context)?;
        if index >= region.frame_count.get() {
            return Err(Error::InvalidArgument);
        }
        OWN_TABLE.copy(WINDOW, frame(number, index).0, Rights::READ | Rights::WRITE | Rights::GRANT)?;
        Err(give([0; 4], FIRST))
    }

    /// Takes back a region: all capabilities to its frames go, whoever has them, and with them the mappings.
    pub(crate) fn destroy(&self, number: u64) {
        if let Some(region) = self.0.get(number as usize) {
            region.client.set(0);
            empty(number);
        }
    }

    /// Takes back the regions of a client.
    pub(crate) fn destroy_those_of(&self, client: u64) {
        let those = self.numbered().filter(|(_, region)| region.client.get() == client);
        those.for_each(|(number, _)| self.destroy(number));
    }
}

/// Where a frame of a region is mapped. The first one comes first, and only an address in user space goes on to the next: the sum
/// does not overflow.
fn address_of(address: u64, index: u64) -> u64 {
    address + index * PAGE_SIZE
}

fn fill(number: u64, context: u64, space: AddressSpace, frame_count: u64, address: u64) -> Done {
    let table = table_of(number);
    MEMORY.make(Kind::Table, 1, OWN_TABLE, table.0)?;
    MEMORY.make(Kind::Frame, frame_count, table, FIRST_FRAME)?;
    (0..frame_count)
        .try_for_each(|index| space.map(frame(number, index), address_of(address, index), Access::ReadWrite))?;
    table.mint(ENDPOINT, SERVICE, Rights::all(), context)?;
    OWN_TABLE.copy(WINDOW, nested(table.0, ENDPOINT), Rights::CALL | Rights::GRANT | Rights::TRANSFER)
}

// ANCHOR: empty
/// Takes back what was made for a region, as far as it was.
fn empty(number: u64) {
    let table = table_of(number);
    for slot in ENDPOINT..FIRST_MAPPING {
        // A slot that was not filled yet has nothing to take back.
        table.revoke(slot).unwrap_or_default();
    }
    OWN_TABLE.delete(table.0).unwrap_or_default();
}
// ANCHOR_END: empty

fn delete_all(table: Table, slots: Range<u64>) {
    slots.for_each(|slot| table.delete(slot).unwrap_or_default());
}

/// Slots for one more space and the copies of so many frames: none was there yet, or the space that was there is gone.
fn free_mapping(table: Table, frame_count: u64) -> Option<Range<u64>> {
    let is_free = |&first: &u64| identify(nested(table.0, first)) == Err(Error::InvalidCapability);
    let length = 1 + frame_count;
    let first = (FIRST_MAPPING..=SLOTS_PER_TABLE - length).step_by(length as usize).find(is_free)?;
    Some(first..first + length)
}
