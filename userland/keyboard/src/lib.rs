//! What the PS/2 keyboard's driver knows: how the controller is set up, and which bytes a key sends.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod controller;
mod keys;

pub use controller::{Bus, Controller};
pub use keys::{KEY_BYTES, Keys};
