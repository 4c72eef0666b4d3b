//! What limits a pipe: the parts of what an item takes, from what was measured in the same run.

use flatmk_pipes::{Channel, Contestant, Limits, Placement};

/// What the parts are.
pub const PARTS: [&str; 5] = ["system calls", "switches", "copying", "instructions", "from core to core"];

/// What an item takes, in nanoseconds, part by part in the order of [`PARTS`].
///
/// System calls and switches are counted in the run, and how long one takes is measured beside it, as is copying. What is left on one core are the instructions: those of
/// the two ends, or the kernel's own for a Unix pipe. Each end has half of them, and on two cores the halves are done at the same time; what is left there is that one core has to
/// wait for what the other one has written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts(pub [f64; 5]);

impl Parts {
    /// The parts of an item that takes so long, with so many calls and switches of the producer and the consumer. For two cores, `alone` has what the same takes on one.
    #[must_use]
    pub fn of(
        contestant: Contestant,
        ns: f64,
        calls: [f64; 2],
        switches: [f64; 2],
        limits: Limits,
        alone: Option<Self>,
    ) -> Self {
        let kib = contestant.item_bytes as f64 / 1024.0;
        // On one core what both do adds up; on two the slower one counts.
        let both = |[one, other]: [f64; 2]| match contestant.placement {
            Placement::OneCore => one + other,
            Placement::TwoCores => one.max(other),
        };
        let (calls, switches) = (both(calls) * limits.system_call, both(switches) * limits.switch);
        let copying = match limits.between_cores {
            Some(between) if contestant.placement == Placement::TwoCores => kib * between.copy_kib,
            _ => 2.0 * kib * limits.copy_kib,
        };
        let mut left = ns;
        let mut take = |part: f64| {
            let part = part.min(left);
            left -= part;
            part
        };
        let [calls, switches, copying] = [take(calls), take(switches), take(copying)];
        let instructions = match alone {
            Some(Self([.., instructions, _])) => take(instructions / 2.0),
            None => take(f64::INFINITY),
        };
        Self([calls, switches, copying, instructions, left])
    }

    /// The largest part: its name, and its share of the whole.
    #[must_use]
    pub fn largest(&self, channel: Channel) -> (&'static str, f64) {
        let whole: f64 = self.0.iter().sum();
        let parts = PARTS.into_iter().zip(self.0);
        let (name, part) = parts.max_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap_or_default();
        let name = if name == "instructions" && channel == Channel::UnixPipe { "the kernel's work" } else { name };
        (name, if whole > 0.0 { part / whole } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use flatmk_pipes::BetweenCores;

    use super::*;

    const LIMITS: Limits = Limits {
        system_call: 100.0,
        switch: 1000.0,
        copy_kib: 10.0,
        between_cores: Some(BetweenCores { line_round_trip: 60.0, copy_kib: 40.0 }),
    };

    fn contestant(placement: Placement) -> Contestant {
        Contestant { channel: Channel::UnixPipe, placement, item_bytes: 2048, batch: 1 }
    }

    #[test]
    fn on_one_core_both_ends_add_up() {
        let parts = Parts::of(contestant(Placement::OneCore), 500.0, [1.0, 1.0], [0.01, 0.02], LIMITS, None);
        assert_eq!(parts, Parts([200.0, 30.0, 40.0, 230.0, 0.0]));
        assert_eq!(parts.largest(Channel::UnixPipe), ("the kernel's work", 230.0 / 500.0));
    }

    #[test]
    fn on_two_cores_the_slower_end_counts() {
        let alone = Parts([200.0, 30.0, 40.0, 230.0, 0.0]);
        let parts = Parts::of(contestant(Placement::TwoCores), 600.0, [1.0, 1.5], [0.0, 0.01], LIMITS, Some(alone));
        assert_eq!(parts, Parts([150.0, 10.0, 80.0, 115.0, 245.0]));
        assert_eq!(parts.largest(Channel::Ring), ("from core to core", 245.0 / 600.0));
    }

    #[test]
    fn there_is_no_more_than_was_measured() {
        let parts = Parts::of(contestant(Placement::OneCore), 150.0, [1.0, 1.0], [1.0, 1.0], LIMITS, None);
        assert_eq!(parts, Parts([150.0, 0.0, 0.0, 0.0, 0.0]));
        assert_eq!(parts.largest(Channel::UnixPipe), ("system calls", 1.0));
    }
}
