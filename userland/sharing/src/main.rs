//! The memory-sharing daemon: hands out frames by capability transfer, maps them into its clients, and takes them back when a client is gone. What it
//! is asked is described in [`flatmk_runtime::sharing`].
//! It also makes pipes; see [`flatmk_runtime::pipe`].
//!
//! It is in user space and has no privilege: all it does, it does with the memory that it was given and the spaces that its clients have sent.
#![no_std]
#![no_main]

mod client;
mod pipe;
mod region;

use flatmk_abi::slots::{WINDOW, WINDOW_SLOTS};
use flatmk_abi::{Error, Words};
use flatmk_runtime::answer_with_window;
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;
use flatmk_runtime::sharing::SharingRequest;

use client::CLIENTS;
use pipe::PIPES;
use region::REGIONS;

flatmk_runtime::entry!(main);
flatmk_runtime::transfer_service!(fn serve_entry = serve);

/// A table of the daemon. It is entered by one call after the other.
pub(crate) struct Shared<T>(T);

// SAFETY: the program is one task.
unsafe impl<T> Sync for Shared<T> {}

impl<T> core::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

fn main(_argument: u64, _words: Words) {
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
    client::prepare().expect("memory for a table");
    pipe::prepare().expect("memory for a table");
}

/// The endpoint of a region has this bit in its context, that of an end of a pipe the next one; that of a client has the client's number there.
pub(crate) const IS_REGION: u64 = 1 << 63;
pub(crate) const IS_PIPE: u64 = 1 << 62;

// ANCHOR: serve
fn serve(context: u64, message: &mut Words, window: u64) {
    let [number, first, second, _] = *message;
    let request_kind = SharingRequest::from_number(number);
    // The most frequent one does not look for clients that are gone.
    if request_kind == Some(SharingRequest::Query) {
        empty_window(window);
        *message = [0, CLIENTS.frames_of(context), 0, 0];
        return;
    }
    empty_window(window & !FIRST);
    CLIENTS.forget_the_dead();
    PIPES.forget_the_dead();
    let result = match request_kind {
        Some(SharingRequest::Attach) => CLIENTS.attach(context),
        Some(SharingRequest::Create) => CLIENTS.create(context, first, second),
        Some(SharingRequest::Detach) => CLIENTS.detach(context),
        Some(SharingRequest::Map) => REGIONS.map(context, first, second),
        Some(SharingRequest::Frame) => REGIONS.give_frame(context, first),
        Some(SharingRequest::CreatePipe) => CLIENTS.create_pipe(context, first),
        Some(SharingRequest::OpenPipe) => PIPES.open(context, first),
        Some(SharingRequest::ClosePipe) => PIPES.close(context),
        Some(SharingRequest::LookForPeer) => PIPES.look_for_peer(context),
        _ => Err(Error::InvalidArgument),
    };
    // Whatever has come and is not kept goes, and what was to be given; so the next client finds the window empty.
    empty_window(if result.is_ok() { FIRST } else { ALL });
    *message = [result.err().map_or(0, |error| error.status().cast_unsigned()), 0, 0, 0];
}

/// Answers with what is in these slots of the window, which ends the work on this call. It comes back only where the kernel refuses that: the
/// client is gone, or its own window is not empty.
pub(crate) fn give(answer: Words, window: u64) -> Error {
    answer_with_window(answer, window)
}
// ANCHOR_END: serve

/// The first slot of the window, as a bit; and all.
pub(crate) const FIRST: u64 = 1;
const ALL: u64 = (1 << WINDOW_SLOTS) - 1;

/// Deletes what is in these slots of the window, one bit each.
fn empty_window(slots: u64) {
    if slots == 0 {
        return;
    }
    for slot in (0..WINDOW_SLOTS).filter(|slot| slots >> slot & 1 != 0) {
        OWN_TABLE.delete(WINDOW + slot).unwrap_or_default();
    }
}
