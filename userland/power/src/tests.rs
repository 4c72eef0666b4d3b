//! Tables of a machine that is a piece of memory: good ones, and ones with mistakes.

extern crate std;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const MEMORY_BYTES: usize = 0x8000;
const RSDP: usize = 0x100;
const XSDT: usize = 0x1000;
const FADT: usize = 0x2000;
const DSDT: usize = 0x3000;
const SSDT: usize = 0x4000;

const CONTROL_PORT: u16 = 0x604;
const SECOND_CONTROL_PORT: u16 = 0x704;
const COMMAND_PORT: u16 = 0xb2;
const HAND_OVER: u8 = 0xa1;
const RESET_PORT: u16 = 0x5f0;
const RESET_VALUE: u8 = 0x4d;

/// `Name (_S5, Package () { 5, 6, 0, 0 })`.
const S5: &[u8] = &[0x08, b'_', b'S', b'5', b'_', 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x06, 0x00, 0x00];

struct Model {
    /// Eight-byte words, so that structures are aligned in it as in a page.
    memory: Vec<u64>,
    mapped: usize,
    written: Vec<(u16, u32)>,
    is_handed_over: bool,
    now_ns: u64,
}

#[derive(Clone)]
struct ModelMachine(Rc<RefCell<Model>>);

// SAFETY: what is mapped lies in a vector that is never resized; only the tables' reader uses it.
unsafe impl Machine for ModelMachine {
    fn map(&self, physical: u64, length_bytes: usize) -> Option<NonNull<u8>> {
        let end = usize::try_from(physical).ok()?.checked_add(length_bytes)?;
        let mut model = self.0.borrow_mut();
        if end > MEMORY_BYTES {
            return None;
        }
        model.mapped += 1;
        // SAFETY: it was found to lie within the vector.
        NonNull::new(unsafe { model.memory.as_mut_ptr().cast::<u8>().add(physical as usize) })
    }

    fn unmap(&self, _start: NonNull<u8>) {
        self.0.borrow_mut().mapped -= 1;
    }

    fn read_port(&self, port: u16, _width: Width) -> u32 {
        match port {
            CONTROL_PORT => 0x200 | u32::from(self.0.borrow().is_handed_over),
            SECOND_CONTROL_PORT => 0x2000,
            _ => u32::MAX,
        }
    }

    fn write_port(&self, port: u16, _width: Width, value: u32) {
        let mut model = self.0.borrow_mut();
        model.is_handed_over |= (port, value) == (COMMAND_PORT, HAND_OVER.into());
        model.written.push((port, value));
    }

    fn now_ns(&self) -> u64 {
        self.0.borrow().now_ns
    }

    fn sleep(&self, time_ns: u64) {
        self.0.borrow_mut().now_ns += time_ns;
    }
}

impl ModelMachine {
    fn new(dsdt: &[u8], ssdt: &[u8]) -> Self {
        let model =
            Model { memory: vec![0; MEMORY_BYTES / 8], mapped: 0, written: vec![], is_handed_over: false, now_ns: 0 };
        let machine = Self(Rc::new(RefCell::new(model)));
        machine.put(RSDP, b"RSD PTR \0FLATMK\x02");
        machine.put(RSDP + 20, &36_u32.to_le_bytes());
        machine.put(RSDP + 24, &(XSDT as u64).to_le_bytes());
        machine.seal(RSDP, 20, 8);
        machine.seal(RSDP, 36, 32);
        let entries = [FADT as u64, SSDT as u64].map(u64::to_le_bytes).concat();
        machine.put_table(XSDT, b"XSDT", &entries);
        machine.put_table(FADT, b"FACP", &[0; 276 - 36]);
        machine.put(FADT + 40, &(DSDT as u32).to_le_bytes());
        machine.put(FADT + 48, &u32::from(COMMAND_PORT).to_le_bytes());
        machine.put(FADT + 52, &[HAND_OVER]);
        machine.put(FADT + 56, &0x600_u32.to_le_bytes());
        machine.put(FADT + 64, &u32::from(CONTROL_PORT).to_le_bytes());
        machine.put(FADT + 68, &u32::from(SECOND_CONTROL_PORT).to_le_bytes());
        machine.put(FADT + 88, &[4, 2]);
        // A reset register: eight bits of a port.
        machine.put(FADT + 112, &(1_u32 << 10).to_le_bytes());
        machine.put(FADT + 116, &[1, 8, 0, 1]);
        machine.put(FADT + 120, &u64::from(RESET_PORT).to_le_bytes());
        machine.put(FADT + 128, &[RESET_VALUE]);
        machine.seal(FADT, 276, 9);
        machine.put_table(DSDT, b"DSDT", dsdt);
        machine.put_table(SSDT, b"SSDT", ssdt);
        machine
    }

    fn put(&self, address: usize, bytes: &[u8]) {
        let start = self.map(address as u64, bytes.len()).expect("it fits");
        // SAFETY: so many bytes are there.
        unsafe { start.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.unmap(start);
    }

    fn put_table(&self, address: usize, signature: &[u8; 4], contents: &[u8]) {
        let length = 36 + contents.len();
        self.put(address, signature);
        self.put(address + 4, &(length as u32).to_le_bytes());
        self.put(address + 8, &[3]);
        self.put(address + 36, contents);
        self.seal(address, length, 9);
    }

    /// Makes the sum of a structure's bytes 0.
    fn seal(&self, address: usize, length: usize, checksum: usize) {
        self.put(address + checksum, &[0]);
        let sum = self
            .with_memory(address as u64, length, |bytes| bytes.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte)));
        self.put(address + checksum, &[sum.expect("it fits").wrapping_neg()]);
    }

    fn written(&self) -> Vec<(u16, u32)> {
        self.0.borrow().written.clone()
    }
}

#[test]
fn the_registers_get_what_the_tables_say() {
    let machine = ModelMachine::new(S5, &[]);
    assert!(matches!(switch_off(&machine, RSDP as u64), Fault::NothingHappened));
    let sleep = [0x200 | 1 | 5 << 10, 6 << 10];
    let expected = [
        (COMMAND_PORT, HAND_OVER.into()),
        (CONTROL_PORT, sleep[0]),
        (SECOND_CONTROL_PORT, sleep[1]),
        (CONTROL_PORT, sleep[0] | 0x2000),
        (SECOND_CONTROL_PORT, sleep[1] | 0x2000),
    ];
    assert_eq!(machine.written(), expected);
    assert_eq!(machine.0.borrow().mapped, 0, "what is mapped is unmapped");
}

#[test]
fn the_second_table_may_say_it_too() {
    // `Name (X___, 1)` alone in the first.
    let machine = ModelMachine::new(b"\x08X___\x01", S5);
    assert!(matches!(switch_off(&machine, RSDP as u64), Fault::NothingHappened));
    assert!(machine.written().contains(&(SECOND_CONTROL_PORT, 6 << 10 | 0x2000)));
}

#[test]
fn tables_that_do_not_say_it_are_no_reason_to_write_anything() {
    for code in [&b""[..], b"\x08X___\x01", b"\x08_S5_\x01", b"\x08_S5_\x12\x02\x00"] {
        let machine = ModelMachine::new(code, &[]);
        assert!(matches!(switch_off(&machine, RSDP as u64), Fault::NoSleepType | Fault::Code(_)), "{code:x?}");
        assert_eq!(machine.written(), []);
    }
}

#[test]
fn no_tables_and_damaged_tables_are_told() {
    let machine = ModelMachine::new(S5, &[]);
    assert!(matches!(switch_off(&machine, 0), Fault::NoTables));
    assert!(matches!(switch_off(&machine, 0x500), Fault::BadTable));
    assert!(matches!(switch_off(&machine, u64::MAX - 8), Fault::BadTable));
    for (address, length) in [(RSDP, 20), (XSDT, 52), (FADT, 276), (DSDT, 36 + S5.len())] {
        for offset in 0..length {
            let machine = ModelMachine::new(S5, &[]);
            let old = machine.with_memory((address + offset) as u64, 1, |bytes| bytes[0]).expect("it is there");
            machine.put(address + offset, &[old ^ 0x10]);
            let fault = switch_off(&machine, RSDP as u64);
            assert!(!matches!(fault, Fault::NothingHappened), "{address:#x} + {offset}: {fault}");
            assert_eq!(machine.written(), [], "{address:#x} + {offset}");
        }
    }
}

#[test]
fn the_machine_is_started_anew_by_the_tables_register_and_two_others() {
    let machine = ModelMachine::new(S5, &[]);
    assert!(matches!(start_anew(&machine, RSDP as u64), Fault::NothingHappened));
    assert_eq!(machine.written(), [(RESET_PORT, RESET_VALUE.into()), (0xcf9, 2), (0xcf9, 6), (0x64, 0xfe)]);
    let machine = ModelMachine::new(S5, &[]);
    assert!(matches!(start_anew(&machine, 0), Fault::NoTables));
    assert_eq!(machine.written(), [(0xcf9, 2), (0xcf9, 6), (0x64, 0xfe)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// The checksums are right, the contents of the tables that say where everything is are not. The crate that reads them may panic, for which the
    /// driver has its own way out.
    #[test]
    fn wrong_contents_come_to_an_end(
        changes in proptest::collection::vec((0_usize..2, 10_usize..276, any::<u8>()), 1..6),
    ) {
        let machine = ModelMachine::new(S5, S5);
        let tables = [(XSDT, 52), (FADT, 276)];
        for (table, offset, value) in changes {
            let (address, length) = tables[table];
            machine.put(address + 10 + offset % (length - 10), &[value]);
        }
        for (address, length) in tables {
            machine.seal(address, length, 9);
        }
        let use_both = || (switch_off(&machine, RSDP as u64), start_anew(&machine, RSDP as u64));
        let ended = catch_unwind(AssertUnwindSafe(use_both));
        prop_assert!(ended.is_err() || machine.0.borrow().now_ns < 20_000_000_000);
    }
}
