//! The kernel's `capability`: slots, tables, and the tree of derivation.

#[path = "../../../../kernel/src/capability/audit.rs"]
mod audit;
#[path = "../../../../kernel/src/capability/destroy.rs"]
mod destroy;
#[path = "../../../../kernel/src/capability/frame.rs"]
mod frame;
#[path = "../../../../kernel/src/capability/memory.rs"]
mod memory;
#[path = "../../../../kernel/src/capability/removal.rs"]
mod removal;
#[path = "../../../../kernel/src/capability/slot.rs"]
mod slot;
#[path = "../../../../kernel/src/capability/table.rs"]
mod table;
#[path = "../../../../kernel/src/capability/transfer.rs"]
mod transfer;

pub use audit::{Disorder, Totals, audit};
pub use destroy::{
    CallSteps, DeviceSteps, TaskStep, TaskSteps, set_call_steps, set_device_steps, set_notification_step,
    set_task_steps,
};
pub use flatmk_abi::{Access, Error, Kind, Rights};
pub use frame::{MapRequest, ProtectRequest, UnmapRequest};
pub use memory::{MOST_SPLITS, MakeRequest, Memory, SplitRequest, adopt_page, adopt_region, attach, measure};
pub use removal::{Extent, Progress, Removal, empty_task_slot, finish_destruction_step, forget};
pub use slot::{Content, DeviceWords, Slot};
pub use table::{SlotRange, Table};
pub use transfer::{MoveRequest, TransferRequest, insert_below, insert_new};
