//! Endpoints: entries into a task.

use flatmk_abi::{Error, Rights};

use super::later;
use crate::capability::{Content, Slot, Table, insert_below};
use crate::memory::Frame;
use crate::task::later::check_entry;

/// The making of an endpoint, checked. An endpoint is a capability to its task's page, derived from that to the task; its words are the
/// entry address and the context.
pub struct EndpointRequest<'a> {
    task: &'a Slot,
    page: Frame,
    entry: u64,
    context: u64,
    destination: &'a Slot,
}

impl<'a> EndpointRequest<'a> {
    /// Checks it. The first is a capability to a task, with the right to manage it.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `MakeEndpoint`.
    pub fn decode(task: &'a Slot, entry: u64, context: u64, table: &'a Table, index: u64) -> Result<Self, Error> {
        let page = task.page().ok_or(Error::InvalidCapability)?;
        let entry = check_entry(entry)?;
        Ok(Self { task, page, entry, context, destination: table.free_slot(index)? })
    }

    /// Does it. The endpoint has the rights of the task capability, as far as they mean something for it.
    pub fn perform(self) {
        let rights = self.task.rights() & (Rights::CALL | Rights::GRANT | Rights::MANAGE | Rights::TRANSFER);
        let content = Content::to_page(later::endpoint_kind(self.entry), rights, self.page);
        insert_below(self.destination, self.task, Content { words: [self.entry, self.context, 0], ..content });
    }
}
