//! The system: drivers, terminal and shell, and the programs that are run from there. This task loads them, handles their faults, and starts services anew
//! that have ended. It does so in answer to calls, and calls nobody itself: no program can keep it waiting.
//!
//! What it decides is in the library `flatmk-supervisor`; here are the system calls that carry it out.

mod bench;
mod compartment;
mod inspect;
mod life;
mod serve;

use flatmk_abi::{Error, Kind, Rights, slots};
use flatmk_runtime::object::{Done, Memory, Notification, OWN_TABLE, OWN_TASK, Table};
use flatmk_runtime::{OneTask, println, time_stamp};
use flatmk_supervisor::{Arguments, Programs, Role};
use flatmk_system::{Layout, Service, Text};
use tar_no_std::TarArchiveRef;

use crate::{FIRST_FREE_SLOT, boot_options, find, has_option};

/// The shell's program.
const SHELL: &str = "shell";

/// This task among the programs, by number and by name.
const SUPERVISOR: u64 = 0;
const SUPERVISORS_NAME: &str = "supervisor";

/// The slots of this task that have to do with the system. In the tables everything of a program is in the slot with its number: its memory, which is split off
/// once, its capability table, its task, and the table of the rest. The numbers of these slots overlap with those of the demonstration, which is over.
const MEMORIES: u64 = FIRST_FREE_SLOT + 15;
const TABLES: u64 = MEMORIES - 1;
const TASKS: u64 = MEMORIES - 2;
const RESTS: u64 = MEMORIES - 3;
/// A program while it is loaded, and a capability that is needed for a moment.
const LOADING: u64 = MEMORIES - 4;
const SCRATCH: u64 = MEMORIES - 5;
/// The endpoints of this task, of which every program has its own with its identity: for requests and for faults.
const REQUESTS: u64 = MEMORIES - 6;
const FAULTS: u64 = MEMORIES - 7;
/// The notification of the shell.
const INPUT: u64 = FIRST_FREE_SLOT + 3;
const INPUT_NOTIFICATION: Notification = Notification(INPUT);

/// The slot in the table of memories that no program has.
const BORROWED: u64 = 63;

/// How many pages stay with this task when its memory is lent: for tables of its own.
const OWN_PAGES: u64 = 64;

/// How the run goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Somebody sits at the machine.
    Interactive = 0,
    /// The shell runs a script.
    Scripted = 1,
}

/// What this task knows of the system.
struct System {
    ramdisk: &'static [u8],
    memory_count: u64,
    started_ticks: u64,
    mode: Mode,
    layout: Layout,
    /// Whether an emulator waits for the result of the run, which only the kernel can tell it.
    is_emulated: bool,
    programs: Programs,
    /// What the next program that is run will be told.
    arguments: Arguments,
}

// SAFETY: this program is one task.
static SYSTEM: OneTask<System> = unsafe {
    OneTask::new(System {
        ramdisk: &[],
        memory_count: 0,
        started_ticks: 0,
        mode: Mode::Scripted,
        layout: Layout::Us,
        is_emulated: false,
        programs: Programs::new(),
        arguments: Arguments::EMPTY,
    })
};

/// Whether the ramdisk has the programs: it does from chapter 11 on.
pub(crate) fn is_there(archive: &TarArchiveRef<'_>) -> bool {
    find(archive, SHELL).is_some()
}

/// Lends nearly all memory to a function. Everything that it makes of it is gone afterwards.
pub(crate) fn with_borrowed_memory(memory: Memory, function: impl FnOnce(Memory) -> Done) -> Done {
    memory.make(Kind::Table, 1, OWN_TABLE, MEMORIES)?;
    let (free, _) = memory.measure()?;
    memory.split(free.saturating_sub(OWN_PAGES), Table(MEMORIES), BORROWED)?;
    let result = function(memory_of(BORROWED));
    // The memory goes with the table, and with it everything that was made of it.
    OWN_TABLE.delete(MEMORIES)?;
    result
}

// ANCHOR: start
/// Starts the system: the services, which begin to run when this task has done its part, then the shell.
pub(crate) fn start(
    ramdisk: &'static [u8],
    archive: &TarArchiveRef<'_>,
    memory: Memory,
    memory_count: u64,
) -> Result<(), Error> {
    let started_ticks = time_stamp();
    for slot in [MEMORIES, TABLES, TASKS, RESTS] {
        memory.make(Kind::Table, 1, OWN_TABLE, slot)?;
    }
    memory.make(Kind::Notification, 1, OWN_TABLE, INPUT)?;
    OWN_TASK.make_endpoint(serve::request_entry, 0, OWN_TABLE, REQUESTS)?;
    OWN_TASK.make_endpoint(life::fault_entry, 0, OWN_TABLE, FAULTS)?;
    SYSTEM.with(|system| {
        system.ramdisk = ramdisk;
        system.memory_count = memory_count;
        system.started_ticks = started_ticks;
        if has_option(archive, "interactive=yes") {
            system.mode = Mode::Interactive;
        }
        system.layout = layout(archive);
        system.is_emulated = has_option(archive, "exit=qemu") || has_option(archive, "exit=bochs");
        let (last, first) = (Role::Service(Service::Power), Service::ALL.map(Role::Service));
        for role in first.into_iter().filter(|&role| role != last) {
            system.launch_service(archive, role);
        }
        system.launch(archive, SHELL, Role::Shell, SUPERVISOR as u8)?;
        // It asks for much memory, and can do with little.
        system.launch_service(archive, last);
        Ok(())
    })
}
// ANCHOR_END: start

impl System {
    /// Starts a service, if the ramdisk has it. Without one service the others do, too.
    fn launch_service(&mut self, archive: &TarArchiveRef<'_>, role: Role) {
        let Role::Service(service) = role else { return };
        if find(archive, service.name()).is_some()
            && let Err(error) = self.launch(archive, service.name(), role, SUPERVISOR as u8)
        {
            println!("supervisor: {} cannot be started: {error}", service.name());
        }
    }
}

/// The keyboard's layout, by the boot option.
fn layout(archive: &TarArchiveRef<'_>) -> Layout {
    let Some(name) = boot_options(archive).find_map(|line| line.strip_prefix("layout=")) else {
        return Layout::default();
    };
    Layout::from_name(name).unwrap_or_else(|| {
        println!("supervisor: there is no keyboard layout {name}");
        Layout::default()
    })
}

fn memory_of(number: u64) -> Memory {
    Memory(slots::nested(MEMORIES, number))
}

/// A name as the messages have it.
fn text(name: &str) -> Text {
    Text::take(name.as_bytes()).0
}

/// What a program may do with an endpoint that it is given: call it, with capabilities. It can neither change nor copy it.
const CALLERS_RIGHTS: Rights = Rights::CALL.union(Rights::TRANSFER);
