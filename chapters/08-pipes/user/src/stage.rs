//! The memory-sharing daemon, and programs that use pipes: they are copies of this program, and each runs one function of it.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::slots;
use flatmk_abi::{Error, Rights, Words};
use flatmk_pipe::{Consumer, FrameConsumer, FrameProducer, Item, Producer};
use flatmk_runtime::object::{Endpoint, Memory, OWN_TABLE, OWN_TASK, identify};
use flatmk_runtime::pipe::{ConsumerEnd, NotificationBell, ProducerEnd};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::service;
use flatmk_runtime::sharing::Sharing;

use crate::harness::{MEMORY, SCRATCH, at, with_scratch, yield_once};
use crate::servers::load_from;

/// Slots of this program: the objects of the daemon, and those of each child from `CHILD` on.
const DAEMON: u64 = 48;
const CHILD: u64 = 49;
/// How many children there can be at a time.
const CHILDREN: u64 = 2;

/// The slots in which this program keeps the ends of a pipe, its endpoint to the daemon, and the notifications of ends that it has opened itself.
pub(crate) const PRODUCER: u64 = 51;
pub(crate) const CONSUMER: u64 = 52;
pub(crate) const SHARING: u64 = 53;
pub(crate) const PRODUCER_BELL: u64 = 54;
pub(crate) const CONSUMER_BELL: u64 = 56;
/// Free for what a test needs.
pub(crate) const SPARE: u64 = 58;

/// Slots of the scratch table: the memory of the daemon, and that of each child.
const DAEMON_MEMORY: u64 = 10;
const CHILD_MEMORY: u64 = 11;

/// In the scratch table: copies of the invitations that children were given, the producer's and the consumer's.
const INVITATIONS: u64 = 13;

/// The numbers of this program as a client, and of another client.
pub(crate) const CLIENT: u64 = 1;
pub(crate) const OTHER_CLIENT: u64 = 2;

/// Slots of a child: the end that it is given, and where its notifications go.
pub(crate) const END: u64 = 10;
pub(crate) const NOTIFICATIONS: u64 = 11;

/// Where a producer is mapped, and a consumer. The page tables of this program are there from the start.
pub(crate) const PRODUCER_AREA: u64 = 0x7001_0000;
pub(crate) const CONSUMER_AREA: u64 = 0x7004_0000;

/// Enough for the pages of a program.
const PROGRAM_PAGES: u64 = 600;
/// How many pages the daemon has to hand out, if it does not matter.
pub(crate) const MANY_PAGES: u64 = 100;

/// In nanoseconds.
const MILLISECOND: u64 = 1_000_000;

/// The argument of this program where it is a child, besides the number of what it does; else that is the length of the ramdisk.
const IS_CHILD: u64 = 1 << 63;
const NUMBER_SHIFT: u32 = 48;
const NUMBER: u64 = 0xff;

/// What a child does: a function of its argument, which has 48 bits. What it returns is what `join` returns.
pub(crate) type Part = fn(u64) -> Words;

/// All that children do, in an order that all copies of this program have.
const PARTS: &[&[Part]] = &[
    crate::exchange::PARTS,
    crate::mapping::PARTS,
    crate::endings::PARTS,
    crate::deaths::PARTS,
    crate::mediated::PARTS,
];

fn all_parts() -> impl Iterator<Item = Part> {
    PARTS.iter().copied().flatten().copied()
}

static RESULT: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// If this program is a child: plays its part.
pub(crate) fn run_if_child(argument: u64) {
    if argument & IS_CHILD != 0 {
        let number = (argument >> NUMBER_SHIFT & NUMBER) as usize;
        let part = all_parts().nth(number).expect("the part was found by its number");
        let result = part(argument & ((1 << NUMBER_SHIFT) - 1));
        RESULT.iter().zip(result).for_each(|(place, word)| place.store(word, Relaxed));
        flatmk_runtime::finish_start()
    }
}

/// A child is called when it has done its part: before, a call waits.
fn report(_: u64, message: &mut Words) {
    *message = [0, 1, 2, 3].map(|index: usize| RESULT.get(index).map_or(0, |word| word.load(Relaxed)));
}

service!(fn report_entry = report);

/// A child, by its number.
#[derive(Clone, Copy)]
pub(crate) struct Child {
    number: u64,
    pub(crate) program: Program,
}

impl Child {
    /// Loads a child that will have this capability as its end. The capability is moved.
    pub(crate) fn load(number: u64, end: u64) -> Self {
        let child = Self::load_without_end(number);
        child.invite(end);
        child
    }

    /// Gives it this capability as its end. The capability is moved.
    pub(crate) fn invite(self, end: u64) {
        self.program.table.move_here(END, end).expect("a free slot");
    }

    /// Loads a child that has no end.
    pub(crate) fn load_without_end(number: u64) -> Self {
        assert!(number < CHILDREN);
        MEMORY.split(PROGRAM_PAGES, SCRATCH, CHILD_MEMORY + number).expect("enough memory");
        let program = load_from("root-task", Memory(at(CHILD_MEMORY + number)), CHILD + number);
        // It is the same program, so its entries are at the same addresses.
        program.task.make_endpoint(report_entry, 0, program.table, SERVICE).expect("a free slot");
        Self { number, program }
    }

    /// Starts it, with a part from the list of all parts.
    pub(crate) fn start(self, part: Part, argument: u64) -> Self {
        let number =
            all_parts().position(|known| core::ptr::fn_addr_eq(known, part)).expect("it is in the list") as u64;
        self.program.start(IS_CHILD | number << NUMBER_SHIFT | argument).expect("a loaded program can be started");
        self
    }

    /// Waits until it has done its part, and returns what it has found. It keeps its own priority meanwhile.
    pub(crate) fn join(self) -> Result<Words, Error> {
        self.join_with(&mut || {})
    }

    /// The same, doing something again and again meanwhile.
    pub(crate) fn join_with(self, meanwhile: &mut dyn FnMut()) -> Result<Words, Error> {
        for _ in 0..60_000 {
            match Endpoint(self.program.slot(SERVICE)).call_without_waiting([0; 4]) {
                Err(Error::Busy) => OWN_TASK.sleep(MILLISECOND).expect("a task may sleep"),
                outcome => return outcome,
            }
            meanwhile();
        }
        panic!("a child does not come to an end")
    }

    /// Ends it, for all that the daemon can see: what others have of its space goes. It can be started again, which takes less time than to load it.
    pub(crate) fn end_for_others(self) {
        // It may have stopped.
        self.program.task.stop().unwrap_or_default();
        self.program.table.revoke(slots::SPACE).expect("it is there");
    }

    /// Ends it, whatever it does: everything goes that was made from its memory.
    pub(crate) fn end(self) {
        SCRATCH.delete(CHILD_MEMORY + self.number).expect("the memory is there");
    }
}

/// One of the ends of a pipe. It is the number of the child that has it, too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Producer = 0,
    Consumer = 1,
}

impl Side {
    /// The slot of its invitation.
    const fn slot(self) -> u64 {
        PRODUCER + self as u64
    }
}

/// Keeps a copy of an invitation. It goes with the pipe.
fn keep_copy(side: Side) {
    SCRATCH.copy(INVITATIONS + side as u64, side.slot(), Rights::all()).expect("it may be copied");
}

/// The daemon, loaded anew for each test, with this program as an attached client.
pub(crate) struct Daemon {
    pub(crate) program: Program,
    pub(crate) sharing: Sharing,
    /// The free pages with which it has begun.
    pages: u64,
}

/// Runs a test with a daemon that has so many pages to hand out. In the end these must be free again.
pub(crate) fn with_daemon(pages: u64, test: impl FnOnce(&Daemon)) {
    with_scratch(|| {
        MEMORY.split(PROGRAM_PAGES + pages, SCRATCH, DAEMON_MEMORY).expect("enough memory");
        let memory = Memory(at(DAEMON_MEMORY));
        memory.split(pages + 2, SCRATCH, 1).expect("enough memory");
        let program = load_from("sharing", memory, DAEMON);
        program.table.move_here(slots::MEMORY, at(1)).expect("a free slot");
        program.start(0).expect("a loaded program can be started");
        yield_once();
        let rights = Rights::CALL | Rights::TRANSFER;
        OWN_TABLE.mint(SHARING, program.slot(SERVICE), rights, CLIENT).expect("it offers its service");
        let daemon = Daemon { program, sharing: Sharing(Endpoint(SHARING)), pages };
        assert_eq!(daemon.used_pages(), 0, "it needs two pages itself");
        daemon.sharing.attach().expect("nobody else is this client");
        test(&daemon);
        daemon.sharing.detach().expect("it is attached");
        assert_eq!(daemon.used_pages(), 0, "the daemon has all its pages again");
        SCRATCH.delete(DAEMON_MEMORY).expect("the memory is there");
    });
}

impl Daemon {
    /// The pages that it has handed out, or needs for what it has handed out.
    pub(crate) fn used_pages(&self) -> u64 {
        self.pages - Memory(self.program.slot(slots::MEMORY)).measure().expect("it was given memory").0
    }

    /// An endpoint of the daemon for another client.
    pub(crate) fn other_client(&self) -> Sharing {
        let rights = Rights::CALL | Rights::TRANSFER;
        SCRATCH.mint(2, self.program.slot(SERVICE), rights, OTHER_CLIENT).expect("it offers its service");
        Sharing(Endpoint(at(2)))
    }

    /// The next client must find the window empty.
    pub(crate) fn check_window(&self) {
        for slot in slots::WINDOW..slots::WINDOW + slots::WINDOW_SLOTS {
            assert_eq!(identify(self.program.slot(slot)), Err(Error::InvalidCapability), "slot {slot} of the daemon");
        }
    }

    /// Goes, as the creator of all pipes, and comes again. Afterwards there is no pipe none of whose ends is open.
    pub(crate) fn come_again(&self) {
        self.sharing.detach().expect("it is attached");
        self.sharing.attach().expect("it is not attached any more");
    }

    /// A request that does nothing else.
    pub(crate) fn look_for_the_dead(&self) {
        let answer = self.sharing.0.call([u64::MAX; 4]);
        assert_eq!(answer, Ok([Error::InvalidArgument.status().cast_unsigned(), 0, 0, 0]));
    }

    /// Makes a pipe. Its ends are in the slots for them.
    pub(crate) fn create_pipe(&self, data_frames: u64) -> (ProducerEnd, ConsumerEnd) {
        self.sharing.create_pipe(data_frames, PRODUCER, CONSUMER).expect("pages for a pipe")
    }

    /// Says, by the copy of its invitation, that an end is closed: who has the invitation is gone, and perhaps had not opened it. If it had, this is refused,
    /// but the daemon looks for the dead.
    pub(crate) fn withdraw(&self, side: Side) {
        let copy = Endpoint(at(INVITATIONS + side as u64));
        let withdrawn =
            if side == Side::Producer { ProducerEnd(copy).withdraw() } else { ConsumerEnd(copy).withdraw() };
        withdrawn.unwrap_or_default();
        self.look_for_the_dead();
    }

    /// Makes a pipe, and gives a child the invitation to this end.
    pub(crate) fn create_pipe_for(&self, child: Child, side: Side) {
        self.create_pipe(1);
        keep_copy(side);
        child.invite(side.slot());
    }

    /// A pipe between two children, with these priorities.
    pub(crate) fn start_pair(
        &self,
        data_frames: u64,
        [producer, consumer]: [Part; 2],
        argument: u64,
        priorities: [u8; 2],
    ) -> [Child; 2] {
        let (producer_end, consumer_end) = self.create_pipe(data_frames);
        [Side::Producer, Side::Consumer].into_iter().for_each(keep_copy);
        let children = [Child::load(0, producer_end.0.0), Child::load(1, consumer_end.0.0)];
        for (child, priority) in children.into_iter().zip(priorities) {
            child.program.task.set_priority(priority).expect("this program is the most urgent");
        }
        let [first, second] = children;
        [first.start(producer, argument), second.start(consumer, argument)]
    }
}

/// The priority of children, below that of this program.
pub(crate) const MIDDLE: u8 = 20;

/// The end of a child that sends.
pub(crate) fn own_producer<T: Item>() -> Producer<'static, T, NotificationBell> {
    ProducerEnd(Endpoint(END)).open(PRODUCER_AREA, NOTIFICATIONS).expect("a new end")
}

/// The end of a child that receives.
pub(crate) fn own_consumer<T: Item>() -> Consumer<'static, T, NotificationBell> {
    ConsumerEnd(Endpoint(END)).open(CONSUMER_AREA, NOTIFICATIONS).expect("a new end")
}

/// The same for frames.
pub(crate) fn own_frame_producer() -> FrameProducer<'static, NotificationBell> {
    ProducerEnd(Endpoint(END)).open_frames(PRODUCER_AREA, NOTIFICATIONS).expect("a new end")
}

/// The same for frames.
pub(crate) fn own_frame_consumer() -> FrameConsumer<'static, NotificationBell> {
    ConsumerEnd(Endpoint(END)).open_frames(CONSUMER_AREA, NOTIFICATIONS).expect("a new end")
}
