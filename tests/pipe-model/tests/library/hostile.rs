//! An end that writes into its page what cannot be: the other one says so, stays within the buffer, and never goes back on it.

use std::sync::atomic::Ordering::Relaxed;

use flatmk_pipe::{Error, NoBell};
use proptest::prelude::*;

use crate::memory::{End, PAGE_BYTES, PipeMemory};

/// How many words fit.
const CAPACITY: u32 = (PAGE_BYTES / 8) as u32;

/// A consumer that knows of two items of three which were sent is told this position.
fn consumer_told(position: u32) -> Result<usize, Error> {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends::<u64, _, _>(NoBell, NoBell);
    assert_eq!(producer.push_slice(&[1, 2, 3]), Ok(3));
    assert_eq!(consumer.pop(), Ok(1));
    memory.position(End::Producer).store(position, Relaxed);
    let outcome = consumer.peek_up_to(CAPACITY as usize).map(|filled| filled.len());
    if outcome.is_err() {
        memory.position(End::Producer).store(3, Relaxed);
        assert_eq!(consumer.pop(), outcome.map(|_| 0), "it stays so when the position is mended");
        assert_eq!(consumer.pop_waiting(), Err(Error::Corrupt));
        assert_eq!(consumer.pop_slice(&mut [0; 2]), Err(Error::Corrupt));
        assert_eq!(memory.position(End::Consumer).load(Relaxed), 1, "nothing is taken");
    }
    outcome
}

#[test]
fn a_consumer_believes_what_can_be() {
    assert_eq!(consumer_told(3), Ok(2));
    assert_eq!(consumer_told(1 + CAPACITY), Ok(CAPACITY as usize), "as much as fits");
}

#[test]
fn a_producer_that_goes_back_or_too_far_has_corrupted_the_pipe() {
    for position in [2, 1, 0, 2 + CAPACITY, 1 << 31, u32::MAX] {
        assert_eq!(consumer_told(position), Err(Error::Corrupt), "{position}");
    }
}

/// A producer that has filled the buffer, and knows that four items of it were taken, is told this position.
fn producer_told(position: u32) -> Result<usize, Error> {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends::<u64, _, _>(NoBell, NoBell);
    producer.reserve(CAPACITY as usize).unwrap().commit();
    consumer.peek(4).unwrap().release();
    assert_eq!(producer.push(0), Ok(()));
    memory.position(End::Consumer).store(position, Relaxed);
    let outcome = producer.reserve_up_to(CAPACITY as usize).map(|reserved| reserved.len());
    if outcome.is_err() {
        memory.position(End::Consumer).store(4, Relaxed);
        assert_eq!(producer.push(0).map(|()| 0), outcome, "it stays so when the position is mended");
        assert_eq!(producer.push_waiting(0), Err(Error::Corrupt));
        assert_eq!(producer.push_slice(&[0; 2]), Err(Error::Corrupt));
        assert_eq!(memory.position(End::Producer).load(Relaxed), CAPACITY + 1, "nothing is sent");
    }
    outcome
}

#[test]
fn a_producer_believes_what_can_be() {
    assert_eq!(producer_told(4), Ok(3));
    assert_eq!(producer_told(CAPACITY + 1), Ok(CAPACITY as usize), "all of it was taken");
}

#[test]
fn a_consumer_that_goes_back_or_too_far_has_corrupted_the_pipe() {
    for position in [3, 0, u32::MAX, CAPACITY + 2, 1 << 31] {
        assert_eq!(producer_told(position), Err(Error::Corrupt), "{position}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// Anything may be in the page of the other end, at any time.
    #[test]
    fn whatever_is_told_an_end_stays_within_the_buffer(
        told in prop::collection::vec((prop_oneof![any::<u32>(), 0..2 * CAPACITY], 0..3_u32), 1..40),
    ) {
        let memory = PipeMemory::new(PAGE_BYTES);
        let (mut producer, mut consumer) = memory.ends::<u64, _, _>(NoBell, NoBell);
        let (mut sent_corrupt, mut received_corrupt) = (false, false);
        let (mut sent, mut received) = (0_u32, 0_u32);
        for (position, closed) in told {
            for end in [End::Producer, End::Consumer] {
                memory.position(end).store(position, Relaxed);
                memory.closed(end).store(closed & 1, Relaxed);
            }
            // Each position tells for itself what is to come of it.
            let filled = position.wrapping_sub(received);
            let outcome = consumer.peek_up_to(usize::MAX).map(|filled| { let len = filled.len(); filled.release(); len });
            match outcome {
                Ok(count) => prop_assert!(count as u32 == filled && filled <= CAPACITY && !received_corrupt),
                Err(Error::Corrupt) => {
                    prop_assert!(received_corrupt || filled > CAPACITY);
                    received_corrupt = true;
                }
                Err(error) => prop_assert!(matches!(error, Error::Empty | Error::Closed) && !received_corrupt),
            }
            received += outcome.unwrap_or(0) as u32;
            let used = sent.wrapping_sub(position);
            memory.position(End::Consumer).store(position, Relaxed);
            let outcome = producer.reserve_up_to(usize::MAX).map(|room| { let len = room.len(); room.commit(); len });
            match outcome {
                Ok(count) => prop_assert!(count as u32 == CAPACITY - used && used <= CAPACITY && !sent_corrupt),
                Err(Error::Corrupt) => {
                    prop_assert!(sent_corrupt || used > CAPACITY);
                    sent_corrupt = true;
                }
                Err(error) => prop_assert!(matches!(error, Error::Full | Error::Closed) && !sent_corrupt),
            }
            sent = sent.wrapping_add(outcome.unwrap_or(0) as u32);
            // Who has learnt that the other end is closed does not learn anything else.
            if outcome == Err(Error::Closed) || received_corrupt {
                break;
            }
        }
    }
}

#[test]
fn what_was_sent_before_the_end_is_received_and_the_end_is_for_ever() {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends::<u64, _, _>(NoBell, NoBell);
    assert_eq!(producer.push_slice(&[1, 2]), Ok(2));
    drop(producer);
    assert!(matches!(consumer.peek(3), Err(Error::Closed)), "there will never be so many");
    assert_eq!(consumer.pop(), Ok(1), "but those that are left are there");
    assert_eq!(consumer.pop_waiting(), Ok(2));
    assert_eq!(consumer.pop(), Err(Error::Closed));
    memory.position(End::Producer).store(3, Relaxed);
    memory.closed(End::Producer).store(0, Relaxed);
    assert_eq!(consumer.pop(), Err(Error::Closed), "whatever is said later");
}

/// What becomes of a frame of 20 bytes of which the header says this length.
fn frame_said_to_have(length: u32, room: usize) -> Result<usize, Error> {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.frame_ends();
    producer.push(&[7; 20]).unwrap();
    length.to_le_bytes().into_iter().enumerate().for_each(|(index, byte)| memory.poke(index, byte));
    let outcome = consumer.pop(&mut vec![0; room]);
    if outcome == Err(Error::Corrupt) {
        memory.poke(0, 20);
        (1..4).for_each(|index| memory.poke(index, 0));
        assert_eq!(consumer.pop(&mut [0; 20]), outcome, "it stays so when the length is mended");
    }
    outcome
}

#[test]
fn a_frame_is_not_longer_than_what_was_sent() {
    for length in [25, 32, PAGE_BYTES as u32 - 8, PAGE_BYTES as u32, 1 << 31, u32::MAX - 7, u32::MAX] {
        assert_eq!(frame_said_to_have(length, 2 * PAGE_BYTES), Err(Error::Corrupt), "{length}");
    }
    assert_eq!(frame_said_to_have(24, 24), Ok(24), "what was sent are whole words");
    assert_eq!(frame_said_to_have(24, 20), Err(Error::TooLong), "the memory is the receiver's choice");
}
