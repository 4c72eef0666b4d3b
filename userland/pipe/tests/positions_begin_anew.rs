//! Frames go through a pipe where its positions begin anew at 2^32. To get there, 2^32 words are sent and received.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

#[path = "../../../tests/pipe-model/tests/library/memory.rs"]
#[expect(dead_code, reason = "shared with the tests of pipes against their models")]
mod memory;

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use flatmk_pipe::{Error, HEADER_BYTES};
use memory::{End, PAGE_BYTES, PipeMemory};

/// How many words fit, and the longest frame, which fills the buffer.
const CAPACITY: u64 = PAGE_BYTES as u64 / 8;
const LONGEST: usize = PAGE_BYTES - HEADER_BYTES;

/// Lengths that do not divide the buffer, so that one of the frames lies across the end of the last lap, wherever the first begins.
fn frame(number: usize) -> Vec<u8> {
    (0..number * 37 % 300).map(|index| (number * 7 + index) as u8).collect()
}

#[test]
fn frames_are_a_queue_where_positions_begin_anew() {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.frame_ends();
    let mut room = vec![0; LONGEST];
    for _ in 0..(1 << 32) / CAPACITY - 1 {
        producer.push(&room).unwrap();
        consumer.pop(&mut room).unwrap();
    }
    assert_eq!(memory.position(End::Producer).load(Relaxed), u32::MAX - CAPACITY as u32 + 1, "a lap is left");
    let mut queue = VecDeque::new();
    for number in 0..100 {
        // As many as fit are in the pipe.
        while let Err(error) = producer.push(&frame(number)) {
            assert_eq!(error, Error::Full);
            let expected: Vec<u8> = queue.pop_front().unwrap();
            assert_eq!(consumer.pop(&mut room), Ok(expected.len()));
            assert_eq!(room[..expected.len()], expected);
        }
        queue.push_back(frame(number));
    }
    assert!(memory.position(End::Consumer).load(Relaxed) < 1 << 31, "both have begun anew");
    drop(producer);
    for expected in queue {
        assert_eq!(consumer.pop(&mut room), Ok(expected.len()));
        assert_eq!(room[..expected.len()], expected);
    }
    assert_eq!(consumer.pop(&mut room), Err(Error::Closed));
}
