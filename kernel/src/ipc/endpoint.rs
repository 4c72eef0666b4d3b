//! Endpoints: entries into a task.

use flatmk_abi::{Error, Kind, Rights};

use crate::capability::{Content, Slot, Table, insert_new};
use crate::memory::Frame;
use crate::task::{TaskRef, check_code_address};

/// The making of an endpoint, checked. An endpoint is a capability to its task's page; its words are the entry address and the
/// context.
pub struct EndpointRequest<'a> {
    page: Frame,
    entry: u64,
    context: u64,
    destination: &'a Slot,
}

impl<'a> EndpointRequest<'a> {
    /// Checks it.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `MakeEndpoint`.
    pub fn decode(task: TaskRef, entry: u64, context: u64, table: &'a Table, index: u64) -> Result<Self, Error> {
        let page = task.page().ok_or(Error::InvalidCapability)?;
        let entry = check_code_address(entry)?;
        Ok(Self { page, entry, context, destination: table.free_slot(index)? })
    }

    /// Does it.
    pub fn perform(self) {
        let rights = Rights::CALL | Rights::GRANT | Rights::MANAGE;
        let content = Content::to_page(Kind::Endpoint, rights, self.page);
        insert_new(self.destination, Content { words: [self.entry, self.context], ..content });
    }
}
