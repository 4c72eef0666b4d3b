//! I/O ports: a capability opens its ports, for the accesses that lie within them, and no other.

use flatmk_abi::{Error, Kind, Operation, Rights, slots};
use flatmk_runtime::object::{OWN_TABLE, Ports, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{SCRATCH, at, with_scratch};
use crate::registers::system_call;

pub(crate) const TESTS: &[Test] = tests![
    a_port_is_read_and_written_in_each_width,
    an_access_beyond_the_ports_of_a_capability_is_refused,
    an_unknown_width_and_a_value_that_does_not_fit_are_refused,
    reading_needs_the_read_right_and_writing_the_write_right,
    ports_are_minted_as_ranges_of_those_of_the_source,
    minted_ports_go_when_the_source_is_revoked,
];

/// The PCI bus's configuration (PCI Local Bus Specification 3.0, 3.2.2.3.2): the first port chooses a register, the second one is it.
const ADDRESS: u64 = 0xcf8;
const DATA: u64 = 0xcfc;
/// Register 0 of the host bridge of this machine, an Intel 440FX: its device and its vendor.
const HOST_BRIDGE: u64 = 0x1237_8086;
const ENABLE: u64 = 1 << 31;

fn read(pointer: u64, port: u64, width: u64) -> Result<u64, Error> {
    system_call(pointer, Operation::ReadPort as u64, [port, width, 0, 0]).map(|[value, ..]| value)
}

fn write(pointer: u64, port: u64, width: u64, value: u64) -> Result<(), Error> {
    system_call(pointer, Operation::WritePort as u64, [port, width, value, 0]).map(|_| ())
}

fn mint(slot: u64, source: u64, rights: Rights, first: u64, last: u64) -> Result<(), Error> {
    let context = last << 16 | first;
    system_call(SCRATCH.0, Operation::Mint as u64, [slot, source, rights.bits().into(), context]).map(|_| ())
}

fn a_port_is_read_and_written_in_each_width() {
    assert_eq!(write(slots::PORTS, ADDRESS, 4, ENABLE), Ok(()));
    assert_eq!(read(slots::PORTS, ADDRESS, 4), Ok(ENABLE));
    assert_eq!([1, 2, 4].map(|width| read(slots::PORTS, DATA, width)), [Ok(0x86), Ok(0x8086), Ok(HOST_BRIDGE)]);
    assert_eq!(read(slots::PORTS, DATA + 2, 2), Ok(0x1237));
    // The index of the clock's memory is one byte wide; register 15 is nobody's.
    let ports = Ports(slots::PORTS);
    for value in [0xa5, 0x5a] {
        ports.write_byte(0x70, 0x8f).expect("the root task has all ports");
        ports.write_byte(0x71, value).expect("the root task has all ports");
        ports.write_byte(0x70, 0x8f).expect("the root task has all ports");
        assert_eq!(ports.read_byte(0x71), Ok(value));
    }
    assert_eq!(write(slots::PORTS, ADDRESS, 2, 0xffff), Ok(()), "of no consequence");
}

fn an_access_beyond_the_ports_of_a_capability_is_refused() {
    with_scratch(|| {
        mint(1, slots::PORTS, Rights::all(), ADDRESS, DATA + 3).expect("a free slot");
        assert_eq!(write(at(1), ADDRESS, 4, ENABLE), Ok(()));
        assert_eq!(read(at(1), DATA, 4), Ok(HOST_BRIDGE));
        let outside = [
            (ADDRESS - 1, 1),
            (ADDRESS - 1, 2),
            (DATA + 4, 1),
            (DATA + 3, 2),
            (DATA + 1, 4),
            (0, 1),
            (ADDRESS | 1 << 16, 1),
            (u64::MAX, 1),
            (u64::MAX, 4),
        ];
        for (port, width) in outside {
            assert_eq!(read(at(1), port, width), Err(Error::InvalidArgument), "{port:#x} {width}");
            assert_eq!(write(at(1), port, width, 0), Err(Error::InvalidArgument), "{port:#x} {width}");
        }
        assert_eq!(
            [(65535, 2), (65536, 1)].map(|(port, width)| read(slots::PORTS, port, width)),
            [Err(Error::InvalidArgument); 2]
        );
    });
}

fn an_unknown_width_and_a_value_that_does_not_fit_are_refused() {
    for width in [0, 3, 8, u64::MAX] {
        assert_eq!(read(slots::PORTS, DATA, width), Err(Error::InvalidArgument));
        assert_eq!(write(slots::PORTS, DATA, width, 0), Err(Error::InvalidArgument));
    }
    for (width, value) in [(1, 0x100), (2, 0x1_0000), (4, 1 << 32), (4, u64::MAX)] {
        assert_eq!(write(slots::PORTS, ADDRESS, width, value), Err(Error::InvalidArgument));
    }
}

fn reading_needs_the_read_right_and_writing_the_write_right() {
    with_scratch(|| {
        SCRATCH.copy(1, slots::PORTS, Rights::all().difference(Rights::READ)).expect("a free slot");
        SCRATCH.copy(2, slots::PORTS, Rights::all().difference(Rights::WRITE)).expect("a free slot");
        assert_eq!(read(at(1), ADDRESS, 4), Err(Error::MissingRight));
        assert_eq!(write(at(1), ADDRESS, 4, ENABLE), Ok(()));
        assert_eq!(read(at(2), ADDRESS, 4), Ok(ENABLE));
        assert_eq!(write(at(2), ADDRESS, 4, 0), Err(Error::MissingRight));
        assert_eq!(read(slots::INTERRUPTS, ADDRESS, 4), Err(Error::WrongKind));
        assert_eq!(write(slots::CONSOLE, ADDRESS, 4, 0), Err(Error::WrongKind));
    });
}

fn ports_are_minted_as_ranges_of_those_of_the_source() {
    with_scratch(|| {
        let rights = Rights::all();
        mint(1, slots::PORTS, rights, ADDRESS, DATA + 3).expect("a free slot");
        mint(2, at(1), rights, DATA, DATA + 3).expect("a free slot");
        mint(3, at(2), Rights::READ, DATA, DATA).expect("one port");
        assert_eq!(identify(at(3)), Ok((Kind::Ports, Rights::READ)));
        write(at(1), ADDRESS, 4, ENABLE).expect("within the range");
        assert_eq!([read(at(3), DATA, 1), read(at(3), DATA, 2)], [Ok(0x86), Err(Error::InvalidArgument)]);
        for (first, last) in [
            (ADDRESS, DATA),
            (DATA, DATA + 4),
            (DATA - 1, DATA - 1),
            (DATA + 1, DATA),
            (0, 0xffff),
            (DATA, 0x1_0000 | DATA),
        ] {
            assert_eq!(mint(4, at(2), rights, first, last), Err(Error::InvalidArgument), "{first:#x} {last:#x}");
        }
        SCRATCH.copy(5, at(1), Rights::READ | Rights::GRANT).expect("a free slot");
        assert_eq!(mint(4, at(5), rights, DATA, DATA), Err(Error::MissingRight), "no manage right");
        assert_eq!(mint(4, at(3), rights, DATA, DATA), Err(Error::MissingRight), "no grant right");
    });
}

fn minted_ports_go_when_the_source_is_revoked() {
    with_scratch(|| {
        mint(1, slots::PORTS, Rights::all(), ADDRESS, DATA + 3).expect("a free slot");
        mint(2, at(1), Rights::all(), DATA, DATA).expect("a free slot");
        SCRATCH.revoke(1).expect("it is there");
        assert_eq!([identify(at(1)).is_ok(), identify(at(2)).is_ok()], [true, false]);
        OWN_TABLE.revoke(slots::PORTS).expect("it is there");
        assert_eq!(identify(at(1)), Err(Error::InvalidCapability));
        assert!(read(slots::PORTS, ADDRESS, 4).is_ok());
    });
}
