//! The memory-sharing daemon, and its clients: programs and threads that do what they are told.

use flatmk_abi::slots::{self, SLOTS_PER_TABLE, WINDOW, WINDOW_SLOTS, nested};
use flatmk_abi::{Access, Error, Kind, Rights, Words};
use flatmk_runtime::object::{Endpoint, Frame, Memory, OWN_SPACE, OWN_TABLE, OWN_TASK, Table, identify};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::service;
use flatmk_runtime::sharing::{Region, Sharing, SharingRequest};

use crate::harness::{MEMORY, SCRATCH, at, make, with_scratch, yield_once};
use crate::servers::{load_from, server, start_server, status};

/// Slots of this program; those of the threads 0 to 5 end before.
const DAEMON_MEMORY: u64 = 56;
const DAEMON: u64 = 57;
const CHILD_MEMORY: u64 = 58;
const CHILD: u64 = 59;

/// Enough for the pages of a program.
const PROGRAM_PAGES: u64 = 500;

/// The first slot of the window, as a bit.
pub(super) const FIRST: u64 = 1;

/// Slots that are free in the table of every client.
pub(super) const REGION: u64 = 51;
pub(super) const FRAME: u64 = 52;

/// Where a child finds its endpoint to the daemon.
const CHILD_SHARING: u64 = 10;

/// An address at which the page tables of this program are there from the start.
pub(super) const AREA: u64 = 0x7001_0000;

/// What a client may do with its endpoint: what the root task of the whole system gives it.
const CLIENT_RIGHTS: Rights = Rights::CALL.union(Rights::TRANSFER);
/// What a region's endpoint comes with.
const REGION_RIGHTS: Rights = Rights::CALL.union(Rights::TRANSFER).union(Rights::GRANT);

/// The argument of this program where it is a client, and not the root task, whose argument is the length of the ramdisk.
const IS_CLIENT: u64 = 1 << 63;

/// If this program is a client: waits to be told what to do.
pub(crate) fn run_if_client(argument: u64) {
    if argument == IS_CLIENT {
        OWN_TASK.make_endpoint(obey_entry, CHILD_SHARING, OWN_TABLE, SERVICE).expect("the service's slot is free");
        flatmk_runtime::finish_start()
    }
}

/// What a client is told: word 0 of the message; the arguments follow.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Command {
    Query,
    Attach,
    Detach,
    Create,
    Map,
    Frame,
    MapFrame,
    Read,
    Write,
}

fn word_at(address: u64) -> *mut u64 {
    core::ptr::with_exposed_provenance_mut(address as usize)
}

fn do_as_told(sharing: Sharing, [command, a, b, c]: Words) -> Result<u64, Error> {
    use Command::{Attach, Create, Detach, Map, MapFrame, Query, Read, Write};
    let known = [Query, Attach, Detach, Create, Map, Command::Frame, MapFrame, Read, Write];
    let region = Region(Endpoint(a));
    let access = || Access::from_number(c).ok_or(Error::InvalidArgument);
    match known.into_iter().find(|&known| known as u64 == command).ok_or(Error::UnknownOperation)? {
        Query => return sharing.query(),
        Attach => sharing.attach()?,
        Detach => sharing.detach()?,
        Create => sharing.create(a, b, c).map(|_| ())?,
        Map => region.map(b, access()?)?,
        Command::Frame => region.frame(b, c).map(|_| ())?,
        MapFrame => OWN_SPACE.map(Frame(a), b, access()?)?,
        // SAFETY: an address at which the test that tells it has mapped a frame, or wants a fault.
        Read => return Ok(unsafe { word_at(a).read_volatile() }),
        // SAFETY: as above.
        Write => unsafe { word_at(a).write_volatile(b) },
    }
    Ok(0)
}

/// The context is the pointer to the client's endpoint.
fn obey(context: u64, message: &mut Words) {
    *message = match do_as_told(Sharing(Endpoint(context)), *message) {
        Ok(value) => [0, value, 0, 0],
        Err(error) => [status(error), 0, 0, 0],
    };
}

service!(fn obey_entry = obey);

/// A client, by its endpoint and its table.
#[derive(Clone, Copy)]
pub(super) struct Client {
    endpoint: Endpoint,
    table: Table,
}

impl Client {
    fn tell(self, command: Command, [a, b, c]: [u64; 3]) -> Result<u64, Error> {
        let [status, value, ..] = self.endpoint.call([command as u64, a, b, c])?;
        Error::from_status(status.cast_signed()).map_or(Ok(value), Err)
    }

    pub(super) fn query(self) -> Result<u64, Error> {
        self.tell(Command::Query, [0; 3])
    }

    pub(super) fn attach(self) -> Result<u64, Error> {
        self.tell(Command::Attach, [0; 3])
    }

    pub(super) fn detach(self) -> Result<u64, Error> {
        self.tell(Command::Detach, [0; 3])
    }

    pub(super) fn create(self, frame_count: u64, address: u64, slot: u64) -> Result<u64, Error> {
        self.tell(Command::Create, [frame_count, address, slot])
    }

    pub(super) fn map(self, slot: u64, address: u64, access: Access) -> Result<u64, Error> {
        self.tell(Command::Map, [slot, address, access as u64])
    }

    pub(super) fn frame(self, slot: u64, index: u64, destination: u64) -> Result<u64, Error> {
        self.tell(Command::Frame, [slot, index, destination])
    }

    pub(super) fn map_frame(self, slot: u64, address: u64, access: Access) -> Result<u64, Error> {
        self.tell(Command::MapFrame, [slot, address, access as u64])
    }

    /// [`Error::CalleeFaulted`] where nothing is mapped; then the client is no more.
    pub(super) fn read(self, address: u64) -> Result<u64, Error> {
        self.tell(Command::Read, [address, 0, 0])
    }

    pub(super) fn write(self, address: u64, value: u64) -> Result<u64, Error> {
        self.tell(Command::Write, [address, value, 0])
    }

    /// This program's pointer to a slot of the client.
    pub(super) fn slot(self, slot: u64) -> u64 {
        nested(self.table.0, slot)
    }

    /// Gives another client a copy of the endpoint of a region; both have it in the same slot, unless they have one table.
    pub(super) fn hand_region_to(self, other: Client) {
        if self.table != other.table {
            other.table.copy(REGION, self.slot(REGION), REGION_RIGHTS).expect("a free slot");
        }
    }
}

/// Where this program has its endpoint of the daemon for a client.
pub(super) const fn endpoint_of(number: u64) -> u64 {
    at(2 + number % 8)
}

/// The daemon, loaded anew for each test.
pub(super) struct Daemon {
    pub(super) program: Program,
    /// The free pages with which it has begun.
    pages: u64,
}

/// Runs a test with a daemon that has so many pages to hand out. In the end these must be free again.
pub(super) fn with_daemon(pages: u64, test: impl FnOnce(&Daemon)) {
    with_scratch(|| {
        MEMORY.split(PROGRAM_PAGES, OWN_TABLE, DAEMON_MEMORY).expect("enough memory");
        let memory = Memory(DAEMON_MEMORY);
        memory.split(pages + 2, SCRATCH, 1).expect("enough memory");
        let program = load_from("sharing", memory, DAEMON);
        program.table.move_here(slots::MEMORY, at(1)).expect("a free slot");
        program.start(0).expect("a loaded program can be started");
        yield_once();
        let daemon = Daemon { program, pages };
        assert_eq!(daemon.free_pages(), pages, "it needs two pages itself");
        test(&daemon);
        daemon.look_for_the_dead();
        assert_eq!(daemon.free_pages(), pages, "the daemon has all its pages again");
        OWN_TABLE.delete(DAEMON_MEMORY).expect("the memory is there");
    });
}

impl Daemon {
    pub(super) fn free_pages(&self) -> u64 {
        Memory(self.program.slot(slots::MEMORY)).measure().expect("it was given memory").0
    }

    /// The pages that it has handed out, or needs for what it has handed out.
    pub(super) fn used_pages(&self) -> u64 {
        self.pages - self.free_pages()
    }

    /// This program's pointer to an endpoint of the daemon for a client, which is made if it is not there.
    pub(super) fn endpoint(&self, number: u64) -> u64 {
        if is_empty(endpoint_of(number)) {
            let slot = endpoint_of(number) % SLOTS_PER_TABLE;
            SCRATCH.mint(slot, self.program.slot(SERVICE), CLIENT_RIGHTS, number).expect("it offers its service");
        }
        endpoint_of(number)
    }

    /// A client that is a program of its own. There can be one at a time.
    pub(super) fn start_program(&self, number: u64) -> Client {
        MEMORY.split(PROGRAM_PAGES, OWN_TABLE, CHILD_MEMORY).expect("enough memory");
        let program = load_from("root-task", Memory(CHILD_MEMORY), CHILD);
        let service = self.program.slot(SERVICE);
        program.table.mint(CHILD_SHARING, service, CLIENT_RIGHTS, number).expect("it offers its service");
        program.start(IS_CLIENT).expect("a loaded program can be started");
        yield_once();
        Client { endpoint: Endpoint(program.slot(SERVICE)), table: program.table }
    }

    /// A client that is a thread of this program, with its space and table.
    pub(super) fn start_thread(&self, thread: u64, number: u64) -> Client {
        let started = start_server(thread, obey_entry, self.endpoint(number));
        Client { endpoint: Endpoint(started.near()), table: OWN_TABLE }
    }

    /// Calls it as this client, with this window. Returns what came in the window.
    pub(super) fn call(&self, number: u64, message: Words, window: u64) -> Result<u64, Error> {
        let ([status, ..], came) = Endpoint(self.endpoint(number)).call_with_window(message, window)?;
        Error::from_status(status.cast_signed()).map_or(Ok(came), Err)
    }

    /// A request that does nothing else.
    pub(super) fn look_for_the_dead(&self) {
        assert_eq!(self.call(1, [u64::MAX; 4], 0), Err(Error::InvalidArgument));
        self.check_window();
    }

    /// The next client must find it empty.
    pub(super) fn check_window(&self) {
        for slot in WINDOW..WINDOW + WINDOW_SLOTS {
            let found = identify(self.program.slot(slot));
            assert_eq!(found, Err(Error::InvalidCapability), "slot {slot} of the daemon");
        }
    }
}

/// Ends the program that is a client: everything goes that was made from its memory.
pub(super) fn end_program() {
    OWN_TABLE.delete(CHILD_MEMORY).expect("the memory is there");
}

/// Ends a thread that is a client, whether it has faulted or not.
pub(super) fn end_threads<const N: usize>(threads: [u64; N]) {
    threads.into_iter().for_each(|thread| server(thread).end());
}

/// Deletes slots of this program.
pub(super) fn delete<const N: usize>(slots: [u64; N]) {
    slots.into_iter().for_each(|slot| OWN_TABLE.delete(slot).expect("it is there"));
}

/// Attaches a space as that of this client, which is gone then.
pub(super) fn attach_space_that_goes(daemon: &Daemon, number: u64) {
    let space = make(Kind::AddressSpace, 31);
    OWN_TABLE.copy(WINDOW, space, Rights::all()).expect("the window is empty");
    assert_eq!(daemon.call(number, message(SharingRequest::Attach, 0, 0), FIRST), Ok(0));
    SCRATCH.revoke(31).expect("it is there");
}

/// Puts a copy of this program's address space into a slot of its window, with these rights.
pub(super) fn put_space_into_window(slot: u64, rights: Rights) {
    OWN_TABLE.copy(WINDOW + slot, slots::SPACE, rights | Rights::GRANT).expect("the window is empty");
}

/// The message that asks for this.
pub(super) fn message(request: SharingRequest, first: u64, second: u64) -> Words {
    [request as u64, first, second, 0]
}

/// Whether a slot is empty.
pub(super) fn is_empty(pointer: u64) -> bool {
    identify(pointer) == Err(Error::InvalidCapability)
}

/// Makes an object in a slot of this program's window.
pub(super) fn make_in_window(kind: Kind, slot: u64) {
    MEMORY.make(kind, 1, OWN_TABLE, WINDOW + slot).expect("the window is empty");
}
