//! From what a program executes to the lines of the file.

use std::fmt::Write;

use flatmk_abi::marks;

use crate::kinds::{KIND_COUNT, KINDS};

/// How often each kind of [`KINDS`] was executed.
pub type Counts = [u64; KIND_COUNT];

/// Longer names are none: the marks were lost somewhere.
const NAME_LIMIT_BYTES: usize = 64;

/// Follows the programs, of which one is measured at a time.
#[derive(Default)]
pub struct Recorder(State);

#[derive(Default)]
enum State {
    /// Nothing is measured.
    #[default]
    Idle,
    /// The counts at the last read of the time stamp but one, and at the last, as far as there were any.
    Open([Option<Counts>; 2]),
    /// What was counted, and what a program has told about it so far.
    Told { counts: Counts, bytes: Vec<u8>, bit: u32 },
}

impl Recorder {
    /// Nothing is measured yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(State::Idle)
    }

    /// The time stamp counter is read; so much was executed before.
    pub fn read_time_stamp(&mut self, counts: Counts) {
        if let State::Open(reads) = &mut self.0 {
            let [_, last] = *reads;
            *reads = [last, Some(counts)];
        }
    }

    /// A mark is executed. Returns a line if this was the last of a batch.
    pub fn mark(&mut self, mark: u32) -> Option<String> {
        match (mark, &mut self.0) {
            (marks::BEGIN, state) => *state = State::Open([None; 2]),
            (marks::END, State::Open([Some(first), Some(last)])) => {
                let counts = std::array::from_fn(|kind| last.get(kind).unwrap_or(&0) - first.get(kind).unwrap_or(&0));
                self.0 = State::Told { counts, bytes: Vec::new(), bit: 0 };
            }
            (marks::ZERO | marks::ONE, State::Told { counts, bytes, bit }) => {
                if *bit == 0 {
                    bytes.push(0);
                }
                if let Some(byte) = bytes.last_mut() {
                    *byte |= u8::from(mark == marks::ONE) << *bit;
                }
                *bit = (*bit + 1) % u8::BITS;
                if *bit == 0
                    && let Some((rounds, name)) = bytes.split_first_chunk()
                    && let Some((0, name)) = name.split_last()
                {
                    let line = (!name.is_empty())
                        .then(|| line(&String::from_utf8_lossy(name), u64::from_le_bytes(*rounds), counts));
                    self.0 = State::Idle;
                    return line;
                }
                if bytes.len() > NAME_LIMIT_BYTES {
                    self.0 = State::Idle;
                }
            }
            (_, state) => *state = State::Idle,
        }
        None
    }
}

fn line(name: &str, rounds: u64, counts: &Counts) -> String {
    let mut line = format!("{name} {rounds}");
    for ((kind, _), count) in KINDS.iter().zip(counts) {
        // Writing to a string does not fail.
        let _ = write!(line, " {kind}={count}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: u64, cr_accesses: u64) -> Counts {
        let mut counts = [0; KIND_COUNT];
        let [all, control, ..] = &mut counts;
        (*all, *control) = (instructions, cr_accesses);
        counts
    }

    /// What the recorder returns for the last mark; none of the others may return anything.
    fn tell(recorder: &mut Recorder, bytes: &[u8]) -> Option<String> {
        let marks: Vec<u32> = bytes
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| if byte >> bit & 1 == 1 { marks::ONE } else { marks::ZERO }))
            .collect();
        let (last, others) = marks.split_last().expect("there are bytes");
        for mark in others {
            assert_eq!(recorder.mark(*mark), None);
        }
        recorder.mark(*last)
    }

    const ROW: &[u8] = b"\xe8\x03\0\0\0\0\0\0row\0";

    /// A program that waits for an interrupt reads many times, and its handler once.
    #[test]
    fn what_is_between_the_last_two_time_stamps_counts() {
        let mut recorder = Recorder::new();
        recorder.read_time_stamp(counts(1, 1));
        recorder.mark(marks::BEGIN);
        for (instructions, cr_accesses) in [(50, 3), (100, 5), (1100, 7)] {
            recorder.read_time_stamp(counts(instructions, cr_accesses));
        }
        recorder.mark(marks::END);
        recorder.read_time_stamp(counts(9999, 9));
        let line = tell(&mut recorder, ROW).expect("the text is whole");
        assert!(line.starts_with("row 1000 instructions=1000 cr_accesses=2 cr0_cr4_accesses=0 "), "{line}");
        assert_eq!(tell(&mut recorder, ROW), None, "it was told once");
    }

    #[test]
    fn a_batch_that_is_given_up_is_not_mixed_with_the_next() {
        let mut recorder = Recorder::new();
        recorder.mark(marks::BEGIN);
        recorder.read_time_stamp(counts(10, 0));
        recorder.mark(marks::BEGIN);
        recorder.read_time_stamp(counts(100, 0));
        recorder.read_time_stamp(counts(107, 0));
        recorder.mark(marks::END);
        assert!(tell(&mut recorder, ROW).is_some_and(|line| line.starts_with("row 1000 instructions=7 ")));
    }

    #[test]
    fn what_has_no_name_is_not_recorded() {
        let mut recorder = Recorder::new();
        recorder.mark(marks::BEGIN);
        recorder.read_time_stamp(counts(10, 0));
        recorder.read_time_stamp(counts(20, 0));
        recorder.mark(marks::END);
        assert_eq!(tell(&mut recorder, &[0; 9]), None);
    }

    #[test]
    fn an_end_without_a_beginning_or_time_stamps_is_nothing() {
        let mut recorder = Recorder::new();
        recorder.mark(marks::END);
        assert_eq!(tell(&mut recorder, ROW), None);
        recorder.read_time_stamp(counts(10, 0));
        recorder.mark(marks::BEGIN);
        recorder.mark(marks::END);
        assert_eq!(tell(&mut recorder, ROW), None);
        recorder.mark(marks::BEGIN);
        recorder.read_time_stamp(counts(20, 0));
        recorder.mark(marks::END);
        assert_eq!(tell(&mut recorder, ROW), None, "one time stamp encloses nothing");
    }
}
