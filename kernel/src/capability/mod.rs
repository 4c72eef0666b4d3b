//! Capabilities: slots, the tables that hold them, and the objects that they lead to.
//!
//! - `slot`: one capability, 64 bytes, and its place in the list of all capabilities to the same object.
//! - `table`: capability tables and the way from a capability pointer to a slot.
//! - `transfer`: copy, mint, move and delete.
//! - `memory`: memory capabilities: making objects, and where their pages go back to.
//! - `destroy`: what happens when the last capability to an object is deleted.
//! - `mapping`: frames and the address spaces in which they are mapped.
//!
//! Nothing here counts references. Every object knows its capabilities by a list, so the last one is known when it goes.

mod demonstration;
mod destroy;
mod mapping;
mod memory;
mod slot;
mod table;
mod transfer;

pub use destroy::{Destroyer, set_task_destroyer};
pub use flatmk_abi::{Access, Error, Kind, Rights};
pub use mapping::{MapRequest, unmap};
pub use memory::{MakeRequest, adopt_page, adopt_region, measure};
pub use slot::{Content, Slot};
pub use table::{SlotRange, Table};
pub use transfer::{MoveRequest, TransferRequest, delete, delete_slot, insert_new};

pub use demonstration::demonstrate;
