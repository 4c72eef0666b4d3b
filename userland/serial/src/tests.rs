//! The port against a model of one that loses what is written to it when it is full.

extern crate std;

use std::collections::VecDeque;
use std::vec::Vec;
use std::{assert_eq, vec};

use super::*;

/// How many status reads it takes until a byte is sent.
const POLLS_A_BYTE: u32 = 20;

/// A port with a queue of sixteen bytes.
#[derive(Default)]
struct Model {
    scratch: u8,
    interrupts: u8,
    line_control: u8,
    divisor: [u8; 2],
    has_queue: bool,
    is_stuck: bool,
    waiting: VecDeque<u8>,
    polls: u32,
    sent: Vec<u8>,
    arrived: VecDeque<u8>,
}

impl Registers for &mut Model {
    fn read(&mut self, register: u8) -> u8 {
        match usize::from(register) {
            offsets::DATA => self.arrived.pop_front().unwrap_or(0),
            offsets::ISR => {
                if self.has_queue {
                    0xc1
                } else {
                    0x01
                }
            }
            offsets::LCR => self.line_control,
            offsets::LSR => {
                self.polls += 1;
                if self.polls.is_multiple_of(POLLS_A_BYTE) && !self.is_stuck {
                    let byte = self.waiting.pop_front();
                    self.sent.extend(byte);
                }
                let empty = if self.waiting.is_empty() { 0x60 } else { 0 };
                empty | u8::from(!self.arrived.is_empty())
            }
            offsets::SPR => self.scratch,
            _ => 0,
        }
    }

    fn write(&mut self, register: u8, value: u8) {
        let divides = self.line_control & 0x80 != 0;
        match usize::from(register) {
            offsets::DATA if divides => self.divisor[0] = value,
            offsets::IER if divides => self.divisor[1] = value,
            offsets::DATA => {
                let room = if self.has_queue { 16 } else { 1 };
                assert!(self.waiting.len() < room, "a byte was lost");
                self.waiting.push_back(value);
            }
            offsets::IER => self.interrupts = value,
            offsets::ISR if value & 4 != 0 => self.waiting.clear(),
            offsets::LCR => self.line_control = value,
            offsets::SPR => self.scratch = value,
            _ => {}
        }
    }
}

fn model(has_queue: bool) -> Model {
    Model { has_queue, ..Model::default() }
}

/// No port at all: nobody drives the bus.
struct Nobody;

impl Registers for Nobody {
    fn read(&mut self, _register: u8) -> u8 {
        u8::MAX
    }

    fn write(&mut self, _register: u8, _value: u8) {}
}

#[test]
fn a_missing_port_is_not_found() {
    assert!(Port::find(Nobody).is_none());
}

#[test]
fn the_port_is_set_up_for_115200_baud_and_interrupts() {
    let mut model = model(true);
    assert!(Port::find(&mut model).is_some());
    assert_eq!((model.divisor, model.line_control, model.interrupts), ([1, 0], 3, 1));
}

#[test]
fn what_was_being_sent_is_not_lost() {
    let mut model = model(true);
    model.waiting.extend(b"kernel");
    assert!(Port::find(&mut model).is_some());
    assert_eq!(model.sent, b"kernel");
}

#[test]
fn no_byte_is_written_to_a_full_transmitter() {
    for has_queue in [false, true] {
        let mut model = model(has_queue);
        let text: Vec<u8> = (b' '..b'~').cycle().take(500).collect();
        let mut port = Port::find(&mut model).expect("it is there");
        assert_eq!(port.send(&text), Ok(()));
        assert_eq!(port.send(b""), Ok(()));
        let all: Vec<u8> = model.sent.iter().chain(&model.waiting).copied().collect();
        assert_eq!(all, text);
    }
}

#[test]
fn a_line_feed_has_one_carriage_return() {
    let mut model = model(true);
    let mut port = Port::find(&mut model).expect("it is there");
    for part in ["a\nb\r\n\n", "c\r", "\nd", "\n"] {
        assert_eq!(port.send(part.as_bytes()), Ok(()));
    }
    let all: Vec<u8> = model.sent.iter().chain(&model.waiting).copied().collect();
    assert_eq!(all, b"a\r\nb\r\n\r\nc\r\nd\r\n");
}

#[test]
fn a_transmitter_that_is_stuck_is_given_up() {
    let mut model = model(true);
    let mut port = Port::find(&mut model).expect("it is there");
    assert_eq!(port.send(b"0123456789abcdef"), Ok(()));
    port.uart.backend_mut().registers.is_stuck = true;
    assert_eq!(port.send(b"x"), Err(DeadLine));
    assert!(model.polls < 2 * PATIENCE_POLLS);
}

#[test]
fn a_port_that_never_becomes_empty_is_not_found() {
    let mut model = Model { is_stuck: true, waiting: VecDeque::from(vec![1]), ..model(true) };
    assert!(Port::find(&mut model).is_none());
}

#[test]
fn bytes_are_received_in_order() {
    let mut model = model(true);
    let mut port = Port::find(&mut model).expect("it is there");
    port.uart.backend_mut().registers.arrived.extend([3, 1, 2]);
    assert_eq!([(); 4].map(|()| port.receive()), [Some(3), Some(1), Some(2), None]);
}
