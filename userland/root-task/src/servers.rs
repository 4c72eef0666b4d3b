//! The servers, which all programs may call, as long as the machine runs.

use flatmk_abi::{Error, Rights, slots};
use flatmk_runtime::object::{Memory, Table};
use flatmk_runtime::println;
use flatmk_runtime::program::{Program, SERVICE};
use tar_no_std::TarArchiveRef;

use crate::{FIRST_FREE_SLOT, find, load, wait_for_service};

const ECHO: &str = "echo";
const SHARING: &str = "sharing";
const PIPE_SERVER: &str = "pipe-server";
const PIPE_PEER: &str = "pipe-peer";

/// The slots of these.
const PIPE_SERVER_PROGRAM: u64 = FIRST_FREE_SLOT + 6;
const PIPE_PEER_PROGRAM: u64 = FIRST_FREE_SLOT + 7;

/// How many pages the daemon has to hand out, how many the server of pipes has to share, and how many its peer has for a notification.
const SHARING_PAGES: u64 = 64;
const PIPE_SERVER_PAGES: u64 = 16;
const PIPE_PEER_PAGES: u64 = 4;

/// What a client may do with its endpoint of the daemon: call it, with capabilities.
const CLIENT_RIGHTS: Rights = Rights::CALL.union(Rights::TRANSFER);

/// Which pipes of the server are for whom: two for the benchmark, and two from the last one on for the chain.
pub(crate) const ITEM_PIPE: u64 = 0;
pub(crate) const BYTE_PIPE: u64 = 1;
pub(crate) const FIRST_CHAIN_PIPE: u64 = 2;

/// The servers that are there in every chapter with calls.
pub(crate) struct Servers {
    pub(crate) echo: Program,
    pub(crate) sharing: Program,
    /// Those that are there from chapter 8 on.
    pub(crate) pipes: Option<PipePrograms>,
}

/// The server of kernel-mediated pipes, and the program at the other end of the pipes that are measured.
pub(crate) struct PipePrograms {
    server: Program,
    pub(crate) peer: Program,
}

impl Servers {
    /// Starts all that the ramdisk has.
    pub(crate) fn start(archive: &TarArchiveRef<'_>, memory: Memory) -> Result<Self, Error> {
        let echo = load(archive, ECHO, memory, FIRST_FREE_SLOT)?;
        let sharing = load(archive, SHARING, memory, FIRST_FREE_SLOT + 1)?;
        memory.split(SHARING_PAGES, sharing.table, slots::MEMORY)?;
        println!("root task: starts {ECHO} and {SHARING}");
        for server in [echo, sharing] {
            server.start(0)?;
            wait_for_service(server)?;
        }
        let pipes = find(archive, PIPE_SERVER).map(|_| PipePrograms::start(archive, memory)).transpose()?;
        Ok(Self { echo, sharing, pipes })
    }

    /// All of them.
    pub(crate) fn programs(&self) -> impl Iterator<Item = Program> {
        let pipes = self.pipes.iter().flat_map(|pipes| [pipes.server, pipes.peer]);
        [self.echo, self.sharing].into_iter().chain(pipes)
    }

    /// Puts an endpoint of the daemon for a client of it into a table.
    pub(crate) fn admit(&self, table: Table, slot: u64, client: u64) -> Result<(), Error> {
        table.mint(slot, self.sharing.slot(SERVICE), CLIENT_RIGHTS, client)
    }
}

impl PipePrograms {
    fn start(archive: &TarArchiveRef<'_>, memory: Memory) -> Result<Self, Error> {
        let server = load(archive, PIPE_SERVER, memory, PIPE_SERVER_PROGRAM)?;
        memory.split(PIPE_SERVER_PAGES, server.table, slots::MEMORY)?;
        let peer = load(archive, PIPE_PEER, memory, PIPE_PEER_PROGRAM)?;
        memory.split(PIPE_PEER_PAGES, peer.table, slots::MEMORY)?;
        println!("root task: starts {PIPE_SERVER} and {PIPE_PEER}");
        for program in [server, peer] {
            program.start(0)?;
            wait_for_service(program)?;
        }
        Ok(Self { server, peer })
    }

    /// Puts an endpoint of the server for an end of a pipe into a table. It may be handed on.
    pub(crate) fn mint(&self, table: Table, slot: u64, context: u64) -> Result<(), Error> {
        table.mint(slot, self.server.slot(SERVICE), CLIENT_RIGHTS | Rights::GRANT, context)
    }
}
