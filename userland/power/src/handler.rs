//! The machine as the crate `acpi` asks for it.

use core::ptr::NonNull;

use acpi::aml::AmlError;
use acpi::{Handle, Handler, PciAddress, PhysicalMapping};

use crate::machine::{Machine, Width};

/// What is mapped in place of memory that cannot be had: it reads as zeros, as which no table passes.
#[repr(align(4096))]
struct Zeros([u8; 4096]);

static ZEROS: Zeros = Zeros([0; 4096]);

/// The longest time for which the tables' code may let the machine rest at a time.
const MOST_SLEEP_NS: u64 = 100_000_000;

/// Where a PCI device's registers are named, and where they are read and written (PCI Local Bus 3.0, 3.2.2.3.2).
const PCI_ADDRESS_PORT: u16 = 0xcf8;
const PCI_DATA_PORT: u16 = 0xcfc;

/// A machine that the crate `acpi` uses.
#[derive(Clone)]
pub(crate) struct MachineHandler<M>(pub(crate) M);

impl<M: Machine> MachineHandler<M> {
    /// Uses memory for an access of so many bytes; `None` where it cannot be had.
    fn access<R>(&self, address: usize, length_bytes: usize, use_it: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        let start = self.0.map(address as u64, length_bytes)?;
        let result = use_it(start);
        self.0.unmap(start);
        Some(result)
    }

    fn read<T: Copy + Default>(&self, address: usize) -> T {
        // SAFETY: so many bytes are mapped there, and these numbers may have any value.
        let read = |start: NonNull<u8>| unsafe { start.cast::<T>().as_ptr().read_volatile() };
        if !address.is_multiple_of(size_of::<T>()) {
            return T::default();
        }
        self.access(address, size_of::<T>(), read).unwrap_or_default()
    }

    fn write<T: Copy>(&self, address: usize, value: T) {
        // SAFETY: so many bytes are mapped there, of memory that is not a program's.
        let write = |start: NonNull<u8>| unsafe { start.cast::<T>().as_ptr().write_volatile(value) };
        if address.is_multiple_of(size_of::<T>()) {
            self.access(address, size_of::<T>(), write).unwrap_or_default();
        }
    }

    /// Chooses a register of a PCI device; the port at which it is then.
    fn choose_pci(&self, address: PciAddress, offset: u16) -> Option<u16> {
        if address.segment() != 0 || offset > 0xff {
            return None;
        }
        let place = u32::from(address.bus()) << 16
            | u32::from(address.device()) << 11
            | u32::from(address.function()) << 8
            | u32::from(offset & 0xfc);
        self.0.write_port(PCI_ADDRESS_PORT, Width::DoubleWord, 1 << 31 | place);
        Some(PCI_DATA_PORT + offset % 4)
    }

    fn read_pci(&self, address: PciAddress, offset: u16, width: Width) -> u32 {
        self.choose_pci(address, offset).map_or(u32::MAX, |port| self.0.read_port(port, width))
    }

    fn write_pci(&self, address: PciAddress, offset: u16, width: Width, value: u32) {
        if let Some(port) = self.choose_pci(address, offset) {
            self.0.write_port(port, width, value);
        }
    }
}

impl<M: Machine> Handler for MachineHandler<M> {
    // SAFETY: whoever calls it promises that the memory has a `T`; nothing more is needed here.
    unsafe fn map_physical_region<T>(&self, physical_address: usize, size: usize) -> PhysicalMapping<Self, T> {
        // A structure may be longer than the table of an older firmware; what lies behind that is mapped where it can be, and not looked at.
        let whole = self.0.map(physical_address as u64, size.max(size_of::<T>()));
        let mapped = whole.or_else(|| self.0.map(physical_address as u64, size));
        let virtual_start = mapped.unwrap_or_else(|| {
            // The crate has no way to be told that there is no such memory. More than this it asks for only where the table was checked.
            assert!(size <= ZEROS.0.len(), "an ACPI table lies in memory that cannot be mapped");
            NonNull::from(&ZEROS).cast()
        });
        PhysicalMapping {
            physical_start: physical_address,
            virtual_start: virtual_start.cast(),
            region_length: size,
            mapped_length: size,
            handler: self.clone(),
        }
    }

    fn unmap_physical_region<T>(region: &PhysicalMapping<Self, T>) {
        let start = region.virtual_start.cast();
        if start != NonNull::from(&ZEROS).cast() {
            region.handler.0.unmap(start);
        }
    }

    fn read_u8(&self, address: usize) -> u8 {
        self.read(address)
    }

    fn read_u16(&self, address: usize) -> u16 {
        self.read(address)
    }

    fn read_u32(&self, address: usize) -> u32 {
        self.read(address)
    }

    fn read_u64(&self, address: usize) -> u64 {
        self.read(address)
    }

    fn write_u8(&self, address: usize, value: u8) {
        self.write(address, value);
    }

    fn write_u16(&self, address: usize, value: u16) {
        self.write(address, value);
    }

    fn write_u32(&self, address: usize, value: u32) {
        self.write(address, value);
    }

    fn write_u64(&self, address: usize, value: u64) {
        self.write(address, value);
    }

    fn read_io_u8(&self, port: u16) -> u8 {
        self.0.read_port(port, Width::Byte) as u8
    }

    fn read_io_u16(&self, port: u16) -> u16 {
        self.0.read_port(port, Width::Word) as u16
    }

    fn read_io_u32(&self, port: u16) -> u32 {
        self.0.read_port(port, Width::DoubleWord)
    }

    fn write_io_u8(&self, port: u16, value: u8) {
        self.0.write_port(port, Width::Byte, value.into());
    }

    fn write_io_u16(&self, port: u16, value: u16) {
        self.0.write_port(port, Width::Word, value.into());
    }

    fn write_io_u32(&self, port: u16, value: u32) {
        self.0.write_port(port, Width::DoubleWord, value);
    }

    fn read_pci_u8(&self, address: PciAddress, offset: u16) -> u8 {
        self.read_pci(address, offset, Width::Byte) as u8
    }

    fn read_pci_u16(&self, address: PciAddress, offset: u16) -> u16 {
        self.read_pci(address, offset, Width::Word) as u16
    }

    fn read_pci_u32(&self, address: PciAddress, offset: u16) -> u32 {
        self.read_pci(address, offset, Width::DoubleWord)
    }

    fn write_pci_u8(&self, address: PciAddress, offset: u16, value: u8) {
        self.write_pci(address, offset, Width::Byte, value.into());
    }

    fn write_pci_u16(&self, address: PciAddress, offset: u16, value: u16) {
        self.write_pci(address, offset, Width::Word, value.into());
    }

    fn write_pci_u32(&self, address: PciAddress, offset: u16, value: u32) {
        self.write_pci(address, offset, Width::DoubleWord, value);
    }

    fn nanos_since_boot(&self) -> u64 {
        self.0.now_ns()
    }

    fn stall(&self, microseconds: u64) {
        self.0.sleep(microseconds.saturating_mul(1000).min(MOST_SLEEP_NS));
    }

    fn sleep(&self, milliseconds: u64) {
        self.0.sleep(milliseconds.saturating_mul(1_000_000).min(MOST_SLEEP_NS));
    }

    /// One task runs the code, so nobody ever waits for a mutex.
    fn create_mutex(&self) -> Handle {
        Handle(0)
    }

    fn acquire(&self, _mutex: Handle, _timeout: u16) -> Result<(), AmlError> {
        Ok(())
    }

    fn release(&self, _mutex: Handle) {}
}
