//! A pipe of frames is a queue of messages.

use std::collections::VecDeque;

use flatmk_pipe::{Error, HEADER_BYTES};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::memory::{PAGE_BYTES, PipeMemory};

/// The longest message that fits.
const LONGEST: usize = PAGE_BYTES - HEADER_BYTES;

/// Something that an end does.
#[derive(Clone, Debug)]
enum Operation {
    /// Sends a message of so many bytes.
    Push(usize),
    /// Receives one into memory for so many bytes.
    Pop(usize),
    CloseProducer,
    CloseConsumer,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let length = || prop_oneof![4 => 0..40_usize, 2 => 0..=LONGEST, 1 => LONGEST - 8..LONGEST + 9];
    let operation = prop_oneof![
        20 => length().prop_map(Operation::Push),
        20 => prop_oneof![3 => Just(LONGEST), 1 => length()].prop_map(Operation::Pop),
        1 => Just(Operation::CloseProducer),
        1 => Just(Operation::CloseConsumer),
    ];
    prop::collection::vec(operation, 1..200)
}

/// What a message takes: its header, and the bytes up to a multiple of 8.
fn size(frame: &[u8]) -> usize {
    HEADER_BYTES + frame.len().next_multiple_of(8)
}

fn config() -> ProptestConfig {
    let default = ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() };
    let seed = if default.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { default.rng_seed };
    ProptestConfig { rng_seed: seed, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn frames_are_a_queue(operations in operations()) {
        let memory = PipeMemory::new(PAGE_BYTES);
        let (producer, consumer) = memory.frame_ends();
        let (mut producer, mut consumer) = (Some(producer), Some(consumer));
        let mut queue = VecDeque::<Vec<u8>>::new();
        let mut knows = false;
        for (number, operation) in operations.into_iter().enumerate() {
            match operation {
                Operation::Push(length) => {
                    let Some(end) = &mut producer else { continue };
                    let frame: Vec<u8> = (0..length).map(|index| (number * 7 + index) as u8).collect();
                    let used: usize = queue.iter().map(|frame| size(frame)).sum();
                    let fits = used + size(&frame) <= PAGE_BYTES;
                    knows |= !fits && length <= LONGEST && consumer.is_none();
                    let expected = match () {
                        () if length > LONGEST => Err(Error::TooLong),
                        () if knows => Err(Error::Closed),
                        () if fits => Ok(()),
                        () => Err(Error::Full),
                    };
                    prop_assert_eq!(end.push(&frame), expected);
                    if expected.is_ok() {
                        queue.push_back(frame);
                    }
                }
                Operation::Pop(room) => {
                    let Some(end) = &mut consumer else { continue };
                    let mut frame = vec![0; room];
                    let outcome = end.pop(&mut frame).map(|length| frame[..length].to_vec());
                    let expected = match queue.front() {
                        Some(first) if first.len() > room => Err(Error::TooLong),
                        Some(_) => Ok(queue.pop_front().unwrap()),
                        None if producer.is_none() => Err(Error::Closed),
                        None => Err(Error::Empty),
                    };
                    prop_assert_eq!(outcome, expected);
                }
                Operation::CloseProducer => producer = None,
                Operation::CloseConsumer => consumer = None,
            }
        }
    }
}
