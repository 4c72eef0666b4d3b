//! What the shell understands and how it shows things, without the services that it asks.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod calendar;
mod command;
mod editor;
mod moment;
mod show;

pub use calendar::Date;
pub use command::{COMMANDS, Command, LONGEST_LINE, Mistake, Names, Target, parse};
pub use editor::{Editor, Event};
pub use moment::Moment;
pub use show::{Age, Capability, Row, state};
