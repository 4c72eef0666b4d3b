//! The real-time clock of the PC: a Motorola MC146818 or what behaves like one.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(test)]
mod tests;

use time::{Date, Month, PrimitiveDateTime, Time};

/// The clock's registers.
pub trait Registers {
    /// Reads one, by its number.
    fn read(&mut self, register: u8) -> u8;
}

const SECONDS: u8 = 0x00;
const MINUTES: u8 = 0x02;
const HOURS: u8 = 0x04;
const DAY: u8 = 0x07;
const MONTH: u8 = 0x08;
const YEAR: u8 = 0x09;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
/// Not the clock's own: most firmware keeps the century there.
const CENTURY: u8 = 0x32;

/// Bit of status A: the time is being changed, or will be within 244 µs.
const UPDATE_IN_PROGRESS: u8 = 1 << 7;
/// Bits of status B: hours go to 23, not to 12; numbers are binary, not decimal digits.
const HOURS_24: u8 = 1 << 1;
const BINARY: u8 = 1 << 2;
/// Bit of the hours that go to 12: it is after noon.
const AFTER_NOON: u8 = 1 << 7;

/// How often the clock is asked whether its time is being changed. That takes 2 ms at most, and asking takes two system calls, a microsecond at least.
const PATIENCE_POLLS: usize = 10_000;

/// The registers of a time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Snapshot {
    seconds: u8,
    minutes: u8,
    hours: u8,
    day: u8,
    month: u8,
    year: u8,
    century: u8,
}

// ANCHOR: read
/// Seconds since 1970 on the clock; `None` where there is no clock, or where it has no time that could be.
///
/// The registers change one by one: they are read while no change is near, and once more, until they are the same.
pub fn seconds_since_1970(registers: &mut impl Registers) -> Option<u64> {
    // ANCHOR: exercise-11-1
    let mut last = None;
    for _ in 0..PATIENCE_POLLS {
        match registers.read(STATUS_A) {
            u8::MAX => return None,
            status if status & UPDATE_IN_PROGRESS != 0 => last = None,
            _ => {
                let now = Snapshot::take(registers);
                if last == Some(now) {
                    return now.decode(registers.read(STATUS_B));
                }
                last = Some(now);
            }
        }
    }
    None
    // ANCHOR_END: exercise-11-1
}
// ANCHOR_END: read

impl Snapshot {
    fn take(registers: &mut impl Registers) -> Self {
        Self {
            seconds: registers.read(SECONDS),
            minutes: registers.read(MINUTES),
            hours: registers.read(HOURS),
            day: registers.read(DAY),
            month: registers.read(MONTH),
            year: registers.read(YEAR),
            century: registers.read(CENTURY),
        }
    }

    fn decode(self, status: u8) -> Option<u64> {
        let number = |value: u8| if status & BINARY != 0 { Some(value) } else { from_digits(value) };
        let hours = if status & HOURS_24 != 0 {
            number(self.hours)?
        } else {
            // It is 12 before 1.
            let hours = number(self.hours & !AFTER_NOON).filter(|hours| (1..=12).contains(hours))? % 12;
            if self.hours & AFTER_NOON != 0 { hours + 12 } else { hours }
        };
        let century = number(self.century).filter(|century| (19..=21).contains(century)).unwrap_or(20);
        let year = i32::from(century) * 100 + i32::from(number(self.year).filter(|year| *year < 100)?);
        let date =
            Date::from_calendar_date(year, Month::try_from(number(self.month)?).ok()?, number(self.day)?).ok()?;
        let time = Time::from_hms(hours, number(self.minutes)?, number(self.seconds)?).ok()?;
        u64::try_from(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp()).ok()
    }
}

/// A number of two decimal digits, four bits each.
fn from_digits(value: u8) -> Option<u8> {
    let (tens, ones) = (value >> 4, value & 0xf);
    (tens < 10 && ones < 10).then_some(tens * 10 + ones)
}
