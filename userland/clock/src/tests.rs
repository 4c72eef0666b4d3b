//! The clock against a model of its registers that changes them while they are read.

use super::*;

/// How a clock writes its numbers.
#[derive(Clone, Copy)]
struct Mode {
    binary: bool,
    hours_24: bool,
}

const ALL_MODES: [Mode; 4] = [
    Mode { binary: false, hours_24: true },
    Mode { binary: false, hours_24: false },
    Mode { binary: true, hours_24: true },
    Mode { binary: true, hours_24: false },
];

/// A clock that goes on by a second after so many reads, and is not to be read in some of those before.
struct Model {
    now: PrimitiveDateTime,
    mode: Mode,
    reads: usize,
    reads_a_second: usize,
    century: Option<u8>,
}

/// For how many reads a change is announced.
const WARNING_READS: usize = 8;

impl Model {
    fn at(seconds: i64, mode: Mode) -> Self {
        let now = time::OffsetDateTime::from_unix_timestamp(seconds).expect("it is a time");
        let now = PrimitiveDateTime::new(now.date(), now.time());
        Self { now, mode, reads: 0, reads_a_second: 1000, century: None }
    }

    fn number(&self, value: u8) -> u8 {
        if self.mode.binary { value } else { ((value / 10) << 4) | (value % 10) }
    }

    fn hours(&self) -> u8 {
        let hours = self.now.hour();
        if self.mode.hours_24 {
            return self.number(hours);
        }
        let twelve = self.number(if hours.is_multiple_of(12) { 12 } else { hours % 12 });
        if hours < 12 { twelve } else { twelve | AFTER_NOON }
    }
}

impl Registers for Model {
    fn read(&mut self, register: u8) -> u8 {
        self.reads += 1;
        if self.reads.is_multiple_of(self.reads_a_second) {
            self.now += time::Duration::SECOND;
        }
        let year = self.now.year().unsigned_abs();
        match register {
            SECONDS => self.number(self.now.second()),
            MINUTES => self.number(self.now.minute()),
            HOURS => self.hours(),
            DAY => self.number(self.now.day()),
            MONTH => self.number(self.now.month() as u8),
            YEAR => self.number((year % 100) as u8),
            CENTURY => self.century.unwrap_or_else(|| self.number((year / 100) as u8)),
            STATUS_A if self.reads % self.reads_a_second >= self.reads_a_second - WARNING_READS => UPDATE_IN_PROGRESS,
            STATUS_A => 0x26,
            STATUS_B => (u8::from(self.mode.hours_24) << 1) | (u8::from(self.mode.binary) << 2),
            _ => 0,
        }
    }
}

/// 2026-11-22 00:00:00, 12:30:59 and 23:59:59; 1999-12-31 23:59:59; 2024-02-29 11:59:59; 2099-12-31 13:00:00.
const TIMES: [i64; 6] = [1_795_305_600, 1_795_350_659, 1_795_391_999, 946_684_799, 1_709_207_999, 4_102_405_200];

#[test]
fn every_time_is_read_in_every_mode() {
    for seconds in TIMES {
        for mode in ALL_MODES {
            let mut model = Model::at(seconds, mode);
            assert_eq!(seconds_since_1970(&mut model), u64::try_from(seconds).ok());
        }
    }
}

#[test]
fn a_time_that_changes_while_it_is_read_is_never_mixed() {
    for start in 0..1000 {
        let mut model = Model { reads: start, ..Model::at(946_684_799, ALL_MODES[1]) };
        let read = seconds_since_1970(&mut model).expect("it is a time");
        let now = model.now.assume_utc().unix_timestamp().unsigned_abs();
        assert!(read == now || read + 1 == now, "{read} at {now}");
    }
}

#[test]
fn a_clock_without_a_century_is_of_this_one() {
    for century in [0, 0xff, 0x50] {
        let mut model = Model { century: Some(century), ..Model::at(TIMES[0], ALL_MODES[0]) };
        assert_eq!(seconds_since_1970(&mut model), u64::try_from(TIMES[0]).ok());
    }
}

/// A clock whose registers all read the same.
struct Same(u8);

impl Registers for Same {
    fn read(&mut self, _register: u8) -> u8 {
        self.0
    }
}

#[test]
fn no_clock_and_no_time_are_none() {
    for value in 0..=u8::MAX {
        // With all the same the day is the hour is the month: for some values that is a time.
        let read = seconds_since_1970(&mut Same(value));
        assert!(read.is_none() || (1..=0x12).contains(&value), "{value:#x}: {read:?}");
    }
    assert_eq!(seconds_since_1970(&mut Same(0xff)), None);
}

#[test]
fn a_clock_that_is_never_ready_is_given_up() {
    let mut model = Model { reads_a_second: WARNING_READS, ..Model::at(TIMES[0], ALL_MODES[0]) };
    assert_eq!(seconds_since_1970(&mut model), None);
}
