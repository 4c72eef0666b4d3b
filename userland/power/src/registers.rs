//! Registers that the tables name.

use acpi::address::{AddressSpace, GenericAddress};

use crate::fault::Fault;
use crate::handler::MachineHandler;
use crate::machine::{Machine, Width};
use acpi::Handler;

/// A register of one or two bytes.
pub(crate) struct Register<'a, M> {
    pub(crate) machine: &'a M,
    pub(crate) place: GenericAddress,
    pub(crate) width: Width,
}

impl<M: Machine> Register<'_, M> {
    fn port(&self) -> Result<u16, Fault> {
        u16::try_from(self.place.address).ok().filter(|&port| port != 0).ok_or(Fault::BadRegister)
    }

    pub(crate) fn read(&self) -> Result<u16, Fault> {
        let memory = MachineHandler(self.machine.clone());
        match (self.place.address_space, self.width) {
            (AddressSpace::SystemIo, width) => Ok(self.machine.read_port(self.port()?, width) as u16),
            (AddressSpace::SystemMemory, Width::Byte) => Ok(memory.read_u8(self.place.address as usize).into()),
            (AddressSpace::SystemMemory, _) => Ok(memory.read_u16(self.place.address as usize)),
            _ => Err(Fault::BadRegister),
        }
    }

    pub(crate) fn write(&self, value: u16) -> Result<(), Fault> {
        let memory = MachineHandler(self.machine.clone());
        match (self.place.address_space, self.width) {
            (AddressSpace::SystemIo, width) => self.machine.write_port(self.port()?, width, value.into()),
            (AddressSpace::SystemMemory, Width::Byte) => memory.write_u8(self.place.address as usize, value as u8),
            (AddressSpace::SystemMemory, _) => memory.write_u16(self.place.address as usize, value),
            _ => return Err(Fault::BadRegister),
        }
        Ok(())
    }
}
