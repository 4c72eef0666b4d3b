//! The ends of the pipes: the capabilities that belong to each.

use core::ptr::{self, NonNull};

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::WINDOW;
use flatmk_abi::{Access, Error, Kind, Rights};
use flatmk_runtime::mediated::PIPES;
use flatmk_runtime::object::{Done, Frame, Notification, OWN_SPACE, OWN_TABLE, identify};

use crate::pipe::Pipe;

/// Where the frames are mapped, one after the other.
const FRAMES_ADDRESS: u64 = 0x2000_0000;

/// Which end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Producer,
    Consumer,
}

/// An end, by its number: the context word of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    /// How many there are.
    pub(crate) const COUNT: u64 = PIPES * 2;

    /// The slots of the notifications, and of the frames, in the order of the places.
    const FIRST_NOTIFICATION: u64 = 16;
    pub(crate) const FIRST_FRAME: u64 = Self::FIRST_NOTIFICATION + Self::COUNT;

    #[inline(always)]
    pub(crate) fn from_context(context: u64) -> Option<Self> {
        (context < Self::COUNT).then_some(Self(context))
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    #[inline(always)]
    pub(crate) fn side(self) -> Side {
        if self.0 & 1 == 0 { Side::Producer } else { Side::Consumer }
    }

    /// The other end of the same pipe.
    #[inline(always)]
    pub(crate) fn other(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// The pipe that it is an end of.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "a place is of a pipe that there is")]
    pub(crate) fn pipe_in(self, pipes: &mut [Pipe; PIPES as usize]) -> &mut Pipe {
        &mut pipes[(self.0 / 2) as usize]
    }

    /// The notification at which the client wants to be signalled.
    pub(crate) fn notification(self) -> Notification {
        Notification(Self::FIRST_NOTIFICATION + self.0)
    }

    fn frame(self) -> Frame {
        Frame(Self::FIRST_FRAME + self.0)
    }

    pub(crate) fn map_frame(self) -> Done {
        OWN_SPACE.map(self.frame(), FRAMES_ADDRESS + self.0 * PAGE_SIZE, Access::ReadWrite)
    }

    /// Where its frame is mapped, for as long as the server lives.
    pub(crate) fn frame_start(self) -> NonNull<u8> {
        let address = FRAMES_ADDRESS + self.0 * PAGE_SIZE;
        NonNull::new(ptr::with_exposed_provenance_mut(address as usize)).expect("that is not address 0")
    }

    /// Puts the frame into the window, with nothing in it that others have left there.
    pub(crate) fn lend_frame(self) -> Done {
        // SAFETY: it is mapped there, and nobody else has it.
        unsafe { self.frame_start().write_bytes(0, PAGE_SIZE as usize) };
        OWN_TABLE.copy(WINDOW, self.frame().0, Rights::READ | Rights::WRITE | Rights::GRANT)
    }

    /// Keeps the notification that has come in the window.
    pub(crate) fn keep_notification(self) -> Done {
        match identify(WINDOW)? {
            (Kind::Notification, rights) if rights.contains(Rights::WRITE) => {}
            (Kind::Notification, _) => return Err(Error::MissingRight),
            _ => return Err(Error::WrongKind),
        }
        OWN_TABLE.move_here(self.notification().0, WINDOW)
    }

    /// Gives up what the client has brought, and takes back what it was lent.
    pub(crate) fn forget(self) {
        // A notification that is gone, and a frame that was not lent, are no errors.
        OWN_TABLE.delete(self.notification().0).unwrap_or_default();
        OWN_TABLE.revoke(self.frame().0).unwrap_or_default();
    }

    /// Whether the client has taken its notification away.
    pub(crate) fn is_deserted(self) -> bool {
        identify(self.notification().0).is_err()
    }
}
