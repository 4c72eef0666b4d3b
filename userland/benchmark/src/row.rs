//! The batches of a row, and how they are printed.

use core::fmt::Display;

use flatmk_runtime::{print, println};

use crate::method::{MOST_BATCHES, Method, undisturbed};

/// The batches of a row, in ticks for one operation.
pub(crate) struct Row {
    ticks: [u64; MOST_BATCHES],
    count: usize,
}

/// The least, the median, the 99th percentile and the most.
pub(crate) type Figures = [u64; 4];

impl Default for Row {
    fn default() -> Self {
        Self { ticks: [0; MOST_BATCHES], count: 0 }
    }
}

impl Row {
    /// Measures as many batches as the method has, undisturbed.
    #[inline(always)]
    pub(crate) fn measure<E>(mut batch: impl FnMut() -> Result<u64, E>) -> Result<Self, E> {
        let method = Method::current();
        for _ in 0..method.warm_up() {
            batch()?;
        }
        let mut row = Self::default();
        for _ in 0..method.batches() {
            row.add(undisturbed(&mut batch)?);
        }
        Ok(row)
    }

    /// One more batch; more than [`MOST_BATCHES`] are not kept.
    pub(crate) fn add(&mut self, ticks: u64) {
        if let Some(place) = self.ticks.get_mut(self.count) {
            *place = ticks;
            self.count += 1;
        }
    }

    pub(crate) fn print(self, name: &str) {
        print_row(name, self.figures());
    }

    pub(crate) fn figures(mut self) -> Figures {
        let ticks = self.ticks.get_mut(..self.count).unwrap_or_default();
        ticks.sort_unstable();
        // The least that 99 of 100 do not exceed: of up to 99 it is the most.
        let places =
            [0, ticks.len() / 2, (ticks.len() * 99).div_ceil(100).saturating_sub(1), ticks.len().saturating_sub(1)];
        places.map(|place| ticks.get(place).copied().unwrap_or(0))
    }
}

/// The first line of a table: what its columns are, in which unit, and of how many samples.
pub(crate) fn print_head(name: &str, unit: &str) {
    print_columns(name, ["min", "median", "p99", "max"]);
    println!("  {unit}, {} samples", Method::current().batches());
}

pub(crate) fn print_row(name: &str, figures: Figures) {
    print_columns(name, figures);
    println!();
}

/// Of few samples the 99th percentile is the most.
fn print_columns(name: &str, [least, median, p99, most]: [impl Display; 4]) {
    print!("{name:<24} {least:>8} {median:>8} ");
    if Method::current() == Method::Cycles {
        print!("{p99:>8} ");
    }
    print!("{most:>8}");
}
