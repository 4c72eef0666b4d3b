//! I/O ports: what drivers reach their devices with.

use flatmk_abi::{Error, Kind, Rights, Words};
use x86_64::instructions::port::Port;

use crate::capability::Slot;

/// How wide an access is.
#[derive(Clone, Copy)]
enum Width {
    Byte,
    Word,
    Double,
}

// ANCHOR: check
/// Checks that a capability covers an access.
fn check(slot: &Slot, right: Rights, port: u64, width: u64) -> Result<(u16, Width), Error> {
    let ports = slot.require(Kind::Ports, right)?;
    let access = match width {
        1 => Width::Byte,
        2 => Width::Word,
        4 => Width::Double,
        _ => return Err(Error::InvalidArgument),
    };
    let (first, last) = (ports.word::<0>(), ports.word::<1>());
    let is_inside = port >= first && port.checked_add(width - 1).is_some_and(|end| end <= last);
    let port = u16::try_from(port).ok().filter(|_| is_inside).ok_or(Error::InvalidArgument)?;
    Ok((port, access))
}
// ANCHOR_END: check

/// Reads a port.
///
/// # Errors
///
/// Those that the interface lists for `ReadPort`.
pub(crate) fn read_port(slot: &Slot, port: u64, width: u64) -> Result<Words, Error> {
    let (port, width) = check(slot, Rights::READ, port, width)?;
    // SAFETY: the device behind the port is the business of whoever was given the capability.
    let value = unsafe {
        match width {
            Width::Byte => u32::from(Port::<u8>::new(port).read()),
            Width::Word => u32::from(Port::<u16>::new(port).read()),
            Width::Double => Port::<u32>::new(port).read(),
        }
    };
    Ok([value.into(), 0, 0, 0])
}

/// Writes a port.
///
/// # Errors
///
/// Those that the interface lists for `WritePort`.
pub(crate) fn write_port(slot: &Slot, port: u64, width: u64, value: u64) -> Result<(), Error> {
    let (port, width) = check(slot, Rights::WRITE, port, width)?;
    let too_wide = |_| Error::InvalidArgument;
    // SAFETY: as above. With all ports that includes whatever stops the machine.
    unsafe {
        match width {
            Width::Byte => Port::<u8>::new(port).write(u8::try_from(value).map_err(|_| Error::InvalidArgument)?),
            Width::Word => Port::<u16>::new(port).write(u16::try_from(value).map_err(|_| Error::InvalidArgument)?),
            Width::Double => Port::<u32>::new(port).write(u32::try_from(value).map_err(too_wide)?),
        }
    }
    Ok(())
}
