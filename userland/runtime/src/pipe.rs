//! Pipes between programs: the memory-sharing daemon makes them, and keeps their memory as long as one of their ends is there.
//!
//! A client that has attached creates a pipe, and gets an invitation for either end: a capability that it may hand to any program. Who opens an end
//! has its memory mapped, and from then on exchanges data with the other end without the kernel. Only an end that has to wait calls it: to wait for a
//! notification, and from time to time to ask the daemon whether the other one is still there.
//!
//! An end is gone when it was closed, when the daemon's capability to its address space was taken back ([`Program::end`](crate::program::Program::end) does
//! that, and whoever takes back the memory of the space), or when nobody had opened it before the client was gone who created the pipe. The other end receives what was sent until then. What it has mapped stays until it is closed itself.
//!
//! Nobody can tell whether an end that was not opened yet ever will be: whoever has an invitation may hand it on. So who hands one to a program keeps a copy,
//! and withdraws it ([`ProducerEnd::withdraw`], [`ConsumerEnd::withdraw`]) when that program is gone. Where the end was opened, this does nothing.

use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::{Ordering, fence};

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{self, SLOTS_PER_TABLE, WINDOW};
use flatmk_abi::{Error, Rights};
use flatmk_pipe::{Bell, Consumer, EndPage, FrameConsumer, FrameProducer, Item, Memory, Peer, Producer, SizeError};

use crate::object::{Done, Endpoint, Notification, OWN_TABLE, Table};
use crate::sharing::{Sharing, SharingRequest, check_is_free, outcome};

/// The most frames with data of a pipe.
pub const MOST_DATA_FRAMES: u64 = 8;

/// In which slots of the window, one bit each, new ends come: the producer's, the consumer's.
pub const WINDOW_OF_NEW_ENDS: u64 = 0b11;
/// In which slots an open end comes: what it waits on, what it signals, and its endpoint.
pub const WINDOW_OF_OPEN_END: u64 = 0b111;

/// How long an end sleeps before it asks whether the other one is still there.
const PATIENCE_NS: u64 = 100_000_000;

/// Why an end was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// What the kernel or the daemon says. Nothing has changed.
    Refused(Error),
    /// The buffer is too small for an item. The end is closed now.
    TooSmall(SizeError),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(formatter),
            Self::TooSmall(error) => error.fmt(formatter),
        }
    }
}

impl core::error::Error for OpenError {}

impl Sharing {
    /// Makes a pipe with so many frames of data, and puts the invitations to its ends into two slots.
    ///
    /// Two ends that are equally urgent call the kernel four times for each time around the buffer, and a little more often where a time slice ends in
    /// between: 4000 divided by the number of items that fit, for 1000 items. Of 8 bytes 512 fit into a frame.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] before [`attach`](Self::attach), [`Error::InvalidArgument`] where the frames are not 1, 2, 4 or 8,
    /// [`Error::OutOfMemory`] also where there are too many pipes, [`Error::SlotOccupied`] where the slots or the first two of the window are not
    /// empty. Nothing has changed then.
    pub fn create_pipe(
        self,
        data_frames: u64,
        producer_slot: u64,
        consumer_slot: u64,
    ) -> Result<(ProducerEnd, ConsumerEnd), Error> {
        check_is_free(producer_slot)?;
        check_is_free(consumer_slot)?;
        if producer_slot == consumer_slot {
            return Err(Error::SlotOccupied);
        }
        let (answer, came) = self.0.call_with_window([SharingRequest::CreatePipe as u64, data_frames, 0, 0], 0)?;
        outcome(answer)?;
        if came != WINDOW_OF_NEW_ENDS {
            return Err(Error::InvalidCapability);
        }
        OWN_TABLE.move_here(producer_slot, WINDOW)?;
        OWN_TABLE.move_here(consumer_slot, WINDOW + 1)?;
        Ok((ProducerEnd(Endpoint(producer_slot)), ConsumerEnd(Endpoint(consumer_slot))))
    }
}

/// The invitation to the producer's end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerEnd(pub Endpoint);

/// The invitation to the consumer's end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerEnd(pub Endpoint);

/// The ways to open and to close an end, in the words of either.
macro_rules! ends {
    ($($end:ident: $items:ident $frames:ident;)+) => {$(
        impl $end {
            /// Opens the end, for items. The invitation must come from the daemon: whoever answers there gets a capability to map into the caller's
            /// space. From the address on its pages are mapped into the caller's space: two, and twice the data. What it waits on
            /// and what it signals come into a slot and the next one. In the slot of the invitation is the open end then.
            ///
            /// # Errors
            ///
            /// [`OpenError::Refused`] with [`Error::InvalidState`] where the end was opened or closed before; [`Error::InvalidCapability`] where the
            /// pipe is gone, [`Error::CalleeGone`] where it went while the call waited; [`Error::SlotOccupied`] where the slots or the first
            /// three of the window are not empty; and those of mapping.
            ///
            /// [`OpenError::TooSmall`] for items that are larger than the buffer.
            pub fn open<T: Item>(
                self,
                address: u64,
                slot: u64,
            ) -> Result<$items<'static, T, NotificationBell>, OpenError> {
                let (memory, bell) = open(self.0, address, slot)?;
                $items::new(memory, bell).map_err(|error| bell.give_up(error))
            }

            /// Opens the end, for frames; see [`open`](Self::open).
            ///
            /// # Errors
            ///
            /// As for [`open`](Self::open).
            pub fn open_frames(self, address: u64, slot: u64) -> Result<$frames<'static, NotificationBell>, OpenError> {
                let (memory, bell) = open(self.0, address, slot)?;
                $frames::new(memory, bell).map_err(|error| bell.give_up(error))
            }

            /// Closes the end before anybody has opened it, so that nobody can any more. Whoever has a copy of the invitation may do so; for an end that was
            /// opened it is good for nothing. The slot is empty then.
            ///
            /// # Errors
            ///
            /// [`Error::InvalidState`] where the end was opened or closed before, [`Error::InvalidCapability`] where the pipe is gone, and
            /// [`Error::CalleeGone`] where it went while the call waited. Nothing has changed then.
            pub fn withdraw(self) -> Done {
                close(self.0)?;
                delete_if_there(self.0.0)
            }

            /// Closes an end for items: its memory is unmapped, and its slots are empty. An end that is only dropped is closed for the other one, and
            /// keeps its memory as long as its program is there.
            ///
            /// # Errors
            ///
            /// What the kernel says, where the daemon is not there any more.
            pub fn close<T: Item>(end: $items<'static, T, NotificationBell>) -> Done {
                let bell = *end.bell();
                drop(end);
                bell.close()
            }

            /// Closes an end for frames; see [`close`](Self::close).
            ///
            /// # Errors
            ///
            /// As for [`close`](Self::close).
            pub fn close_frames(end: $frames<'static, NotificationBell>) -> Done {
                let bell = *end.bell();
                drop(end);
                bell.close()
            }
        }
    )+};
}

ends! {
    ProducerEnd: Producer FrameProducer;
    ConsumerEnd: Consumer FrameConsumer;
}

/// Opens an end.
fn open(invitation: Endpoint, address: u64, slot: u64) -> Result<(Memory<'static>, NotificationBell), Error> {
    check_is_free(slot)?;
    check_is_free(slot + 1)?;
    OWN_TABLE.copy(WINDOW, slots::SPACE, Rights::MANAGE | Rights::GRANT)?;
    let answer = invitation.call_with_window([SharingRequest::OpenPipe as u64, address, 0, 0], 1);
    let opened = answer.and_then(|(answer, came)| outcome(answer).map(|size| (size, came)));
    let Ok((size, WINDOW_OF_OPEN_END)) = opened else {
        // The space is there still if the call was refused.
        delete_if_there(WINDOW)?;
        return Err(opened.err().unwrap_or(Error::InvalidCapability));
    };
    OWN_TABLE.move_here(slot, WINDOW)?;
    OWN_TABLE.move_here(slot + 1, WINDOW + 1)?;
    if !size.is_power_of_two() || size > MOST_DATA_FRAMES * PAGE_SIZE {
        return Err(Error::InvalidArgument);
    }
    // The invitation is of no use any more; what takes its place is for this program alone.
    delete_if_there(invitation.0)?;
    let (table, place) = table_and_slot(invitation.0);
    table.move_here(place, WINDOW + 2)?;
    let page = |index| ptr::with_exposed_provenance_mut::<EndPage>((address + index * PAGE_SIZE) as usize);
    let data = NonNull::new(page(2)).ok_or(Error::InvalidAddress)?.cast();
    // SAFETY: the daemon has mapped the pages and the data there, for this end, which nobody else can open. It unmaps them when this program closes
    // the end, before which the end is dropped. The words are atomic, whatever the other end writes.
    let memory = unsafe { Memory::new(&*page(0), &*page(1), data, size as usize) };
    let bell = NotificationBell { wait: Notification(slot), signal: Notification(slot + 1), end: invitation };
    memory.map(|memory| (memory, bell)).map_err(|_| Error::InvalidArgument)
}

/// Asks the daemon to close an end, by its invitation or as its owner.
fn close(end: Endpoint) -> Done {
    loop {
        match end.call([SharingRequest::ClosePipe as u64, 0, 0, 0]).and_then(outcome) {
            // This task was stopped while it asked. If it was heard nevertheless, the end cannot be closed any more.
            Err(Error::Interrupted) => {}
            closed => return closed.map(|_| ()),
        }
    }
}

/// The table in which a slot is, and which of its slots it is.
fn table_and_slot(pointer: u64) -> (Table, u64) {
    let (table, slot) = (pointer / SLOTS_PER_TABLE, pointer % SLOTS_PER_TABLE);
    (if table == 0 { OWN_TABLE } else { Table(table) }, slot)
}

fn delete_if_there(pointer: u64) -> Done {
    let (table, slot) = table_and_slot(pointer);
    table.delete(slot).or_else(|error| if error == Error::InvalidCapability { Ok(()) } else { Err(error) })
}

/// What an open end waits on, what it signals, and how it asks for the other one.
#[derive(Clone, Copy, Debug)]
pub struct NotificationBell {
    wait: Notification,
    signal: Notification,
    end: Endpoint,
}

impl NotificationBell {
    /// Closes the end, and empties its slots, whatever the daemon says.
    fn close(self) -> Done {
        let closed = close(self.end);
        for pointer in [self.wait.0, self.signal.0, self.end.0] {
            delete_if_there(pointer)?;
        }
        closed
    }

    /// Closes the end after it could not be used.
    fn give_up(self, error: SizeError) -> OpenError {
        self.close().err().map_or(OpenError::TooSmall(error), OpenError::Refused)
    }

    /// Asks the daemon for the other end, as one that never sleeps has to do by itself: only at a request the daemon looks who is gone. The other end is there, too,
    /// where this task was stopped while it asked.
    #[must_use]
    pub fn look_for_peer(self) -> Peer {
        match self.end.call([SharingRequest::LookForPeer as u64, 0, 0, 0]).and_then(outcome) {
            Ok(_) | Err(Error::Interrupted) => Peer::There,
            Err(_) => Peer::Gone,
        }
    }
}

// ANCHOR: notification_bell
impl Bell for NotificationBell {
    /// There is one processor: whoever runs sees what was written before.
    fn sleeper_barrier(&mut self) {
        fence(Ordering::SeqCst);
    }

    fn sleep(&mut self) -> Peer {
        match self.wait.wait_for(PATIENCE_NS) {
            Ok(_) | Err(Error::Interrupted) => Peer::There,
            Err(Error::TimedOut) => self.look_for_peer(),
            // With the notification the pipe is gone.
            Err(_) => Peer::Gone,
        }
    }

    fn ring(&mut self) {
        // Where the notification is gone nobody waits for it.
        self.signal.signal(1).unwrap_or_default();
    }
}
// ANCHOR_END: notification_bell
