//! Capabilities: slots, the tables that hold them, and the objects that they lead to.
//!
//! - `slot`: one capability, 64 bytes, and its place in the tree of derivation.
//! - `table`: capability tables and the way from a capability pointer to a slot.
//! - `transfer`: copy, mint and move.
//! - `removal`: delete and revoke, in steps.
//! - `memory`: memory capabilities: making objects, splitting, and where pages go back to.
//! - `frame`: frames and the address spaces in which they are mapped.
//! - `destroy`: what happens when the last capability to an object is gone.
//! - `audit`: whether all of it is in order, for tests.
//!
//! Nothing here counts references. All capabilities to an object hang together in the tree, so the last one is known when it goes.

mod audit;
mod demonstration;
mod destroy;
mod frame;
mod memory;
mod removal;
mod slot;
mod table;
mod transfer;

pub use audit::{Disorder, Totals, audit};
pub use destroy::{
    CallSteps, DeviceSteps, TaskStep, TaskSteps, set_call_steps, set_device_steps, set_notification_step,
    set_task_steps,
};
pub use flatmk_abi::{Access, Error, Kind, Rights};
#[cfg(feature = "chapter11")]
pub(crate) use frame::page_tables_from;
pub use frame::{MapRequest, ProtectRequest, UnmapRequest};
pub use memory::{MOST_SPLITS, MakeRequest, Memory, SplitRequest, adopt_page, adopt_region, attach, measure};
pub use removal::{Extent, Progress, Removal, empty_task_slot, finish_destruction_step, forget};
pub use slot::{Content, DeviceWords, Slot};
pub use table::{SlotRange, Table};
pub use transfer::{MoveRequest, TransferRequest, insert_below, insert_new};

pub use demonstration::demonstrate;
