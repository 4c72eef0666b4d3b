//! The other side: whoever joins programs to a chain.

use flatmk_abi::Error;
use flatmk_abi::slots::WINDOW;
use flatmk_runtime::mediated::BUFFER_BYTES;
use flatmk_runtime::object::{Done, Endpoint, OWN_TABLE};
use flatmk_runtime::sharing::Sharing;

use crate::{ChainRequest, Findings, Way};

/// How many frames of data a pipe has: the buffers of both kinds are of one size.
pub const DATA_FRAMES: u64 = BUFFER_BYTES as u64 / 4096;

/// Makes a pipe in shared memory: its ends come into two slots in a row, the producer's first.
///
/// # Errors
///
/// What the daemon says.
pub fn make_shared_pipe(sharing: Sharing, first_slot: u64) -> Done {
    sharing.create_pipe(DATA_FRAMES, first_slot, first_slot + 1).map(|_| ())
}

/// Starts a program with its pipes: the slots of where items come from, and of where they go to. The first program sends so many items.
///
/// # Errors
///
/// What the kernel says, and [`Error::InvalidState`] where the program has refused.
pub fn start_program(program: Endpoint, way: Way, ends: [Option<u64>; 2], item_count: u64) -> Done {
    let mut window = 0;
    for (index, end) in (0..).zip(ends) {
        if let Some(end) = end {
            OWN_TABLE.move_here(WINDOW + index, end)?;
            window |= 1 << index;
        }
    }
    let message = [ChainRequest::Start as u64, way as u64, item_count, 0];
    let (answer, _) = program.call_with_window(message, window)?;
    if answer[0] == 0 { Ok(()) } else { Err(Error::InvalidState) }
}

/// Waits until a program is through, for what it has found.
///
/// # Errors
///
/// What the kernel says, and [`Error::InvalidState`] where the program has failed.
pub fn report_of(program: Endpoint) -> Result<Findings, Error> {
    let [status, sum, count, _] = program.call([ChainRequest::Report as u64, Way::Shared as u64, 0, 0])?;
    if status == 0 { Ok(Findings { sum, count }) } else { Err(Error::InvalidState) }
}
