//! Delete and revoke in the model, at once.

use flatmk_abi::Kind;

use crate::Page;
use crate::model::{CapabilityId, Model, ObjectKind, Place};

impl Model {
    /// Takes away everything that was derived from a capability. It may go itself by this: with the table in which it is.
    pub(crate) fn revoke(&mut self, id: CapabilityId) {
        while let Some(&child) = self.children(id).first() {
            self.delete(child);
        }
    }

    /// Takes a capability away.
    pub(crate) fn delete(&mut self, id: CapabilityId) {
        if self.capabilities.get(&id).is_some_and(|capability| capability.kind == Kind::Memory) {
            self.revoke(id);
        }
        let Some(capability) = self.capabilities.remove(&id) else { return };
        self.slots.remove(&capability.place);
        for child in self.children(id) {
            if let Some(child) = self.capabilities.get_mut(&child) {
                child.parent = capability.parent;
            }
        }
        if let Some(object) = self.objects.get_mut(&capability.place.home)
            && let ObjectKind::Task { stopped } = &mut object.kind
        {
            *stopped = true;
        }
        if capability.kind == Kind::Memory {
            self.memories.remove(&capability.page);
        } else if !self.is_named(capability.page) {
            self.end(capability.page);
        }
    }

    /// Whether a capability leads to the object on this page. A memory that begins there is not the object.
    fn is_named(&self, page: Page) -> bool {
        self.capabilities.values().any(|capability| capability.kind != Kind::Memory && capability.page == page)
    }

    /// An object ends, with the capabilities in it.
    fn end(&mut self, page: Page) {
        let Some(object) = self.objects.remove(&page) else { return };
        if let ObjectKind::Space(_) = object.kind {
            let mapped = self.capabilities.values_mut();
            mapped
                .filter(|capability| capability.mapping.is_some_and(|mapping| mapping.space == page))
                .for_each(|capability| capability.mapping = None);
            self.current = self.current.filter(|&current| current != page);
        }
        let held = Place { home: page, index: 0 }..Place { home: page + 1, index: 0 };
        let held: Vec<CapabilityId> = self.slots.range(held).map(|(_, &id)| id).collect();
        for id in held {
            self.delete(id);
        }
    }
}
