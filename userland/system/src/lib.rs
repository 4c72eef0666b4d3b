//! What the programs of the system say to each other: drivers, terminal, shell and the supervisor that starts them.
//!
//! Every message and every answer is four words. Word 0 of a request is its number; word 0 of an answer is 0 or the status of an [`Error`], but for
//! [`TextRequest::Read`]. A service answers a request that it does not know with [`Error::InvalidArgument`], and never does anything else about it.
//!
//! How the messages are sent is in the runtime library, in its module `connection`.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod layout;
mod power;
mod request;
mod service;
pub mod slots;
mod status;
mod text;

pub use answer::{answer, outcome};
pub use layout::Layout;
pub use power::PowerFault;
pub use request::{ClockRequest, KeyboardRequest, PowerRequest, ScreenRequest, SupervisorRequest, TextRequest};
pub use service::Service;
pub use status::{Cause, Ending, Phase, Status};
pub use text::{TEXT_BYTES, Text};

#[cfg(doc)]
use flatmk_abi::Error;
