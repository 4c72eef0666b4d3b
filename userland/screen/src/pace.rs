//! How far the screen scrolls when it is full.

/// Lines that come one after the other within this time are more than anybody reads.
const FAST_NS: u64 = 10_000_000;

/// How far to scroll: one line at a time where somebody types, half a screen where text pours out. Redrawing a screen is what costs most, so it is made rare.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    now_ns: u64,
    last_ns: Option<u64>,
}

impl Pace {
    /// Tells the time at which text comes.
    pub(crate) fn set_time(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
    }

    /// Tells the time at which it is on the screen. Scrolling takes time, which is not to count as the text's.
    pub(crate) fn set_end(&mut self, now_ns: u64) {
        if self.last_ns == Some(self.now_ns) {
            self.last_ns = Some(now_ns);
        }
    }

    /// By how many of so many rows to scroll: at least one, at most all.
    pub(crate) fn step(&mut self, rows: usize) -> usize {
        let is_fast = self.last_ns.is_some_and(|last_ns| self.now_ns.saturating_sub(last_ns) < FAST_NS);
        self.last_ns = Some(self.now_ns);
        if is_fast { rows.div_ceil(2).max(1) } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_pours_scrolls_by_half_a_screen() {
        let mut pace = Pace::default();
        let mut step_at = |now_ns| {
            pace.set_time(now_ns);
            pace.step(25)
        };
        assert_eq!([step_at(0), step_at(1000), step_at(FAST_NS), step_at(3 * FAST_NS)], [1, 13, 13, 1]);
    }

    #[test]
    fn the_time_that_scrolling_takes_is_not_the_texts() {
        let mut pace = Pace::default();
        pace.set_time(0);
        assert_eq!(pace.step(25), 1);
        pace.set_end(5 * FAST_NS);
        pace.set_time(5 * FAST_NS + 1000);
        assert_eq!(pace.step(25), 13);
    }
}
