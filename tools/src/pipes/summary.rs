//! The samples of all rounds, brought together.

use flatmk_pipes::{BetweenCores, Contestant, Limits, Placement, Round, Row};

use super::limit::Parts;

/// Three numbers that divide samples into quarters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    /// A quarter of the samples is less.
    pub first: f64,
    /// Half of the samples are less.
    pub median: f64,
    /// Three quarters of the samples are less.
    pub third: f64,
}

impl Quartiles {
    /// Those of some samples, interpolated between the two nearest ones; zeros if there are none.
    #[must_use]
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * sorted.len().saturating_sub(1) as f64;
            let sample = |place: f64| sorted.get(place as usize).copied().unwrap_or(0.0);
            let (below, above) = (sample(place.floor()), sample(place.ceil()));
            below + (above - below) * place.fract()
        };
        Self { first: at(0.25), median: at(0.5), third: at(0.75) }
    }
}

/// What was measured of one contestant.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Which.
    pub contestant: Contestant,
    /// Nanoseconds for an item, round by round.
    pub ns: Vec<f64>,
    /// Their quartiles.
    pub quartiles: Quartiles,
    /// System calls for an item, of the producer and the consumer.
    pub calls: [f64; 2],
    /// How many times for an item the producer and the consumer have left their core.
    pub switches: [f64; 2],
    /// What the median is made of.
    pub parts: Parts,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What is compared.
    pub row: Row,
    /// What was measured of the pipe in shared memory.
    pub ours: Measured,
    /// What was measured of the other one.
    pub theirs: Measured,
    /// How many times as long the other one takes: the ratio is taken in each round.
    pub ratio: Quartiles,
}

/// The whole experiment.
#[derive(Clone, Debug)]
pub struct Report {
    /// The rows, in the order of the table.
    pub rows: Vec<Compared>,
    /// The medians of what the machine itself takes.
    pub limits: Limits,
    /// How many rounds there were.
    pub rounds: usize,
}

/// All contestants of some rows, each once, those that are compared side by side.
#[must_use]
pub fn contestants(rows: &[Row]) -> Vec<Contestant> {
    let mut contestants = Vec::new();
    for contestant in rows.iter().flat_map(|row| [row.ours, row.theirs]) {
        if !contestants.contains(&contestant) {
            contestants.push(contestant);
        }
    }
    contestants
}

impl Report {
    /// Of rounds in which the [`contestants`] of the rows were measured.
    #[must_use]
    pub fn new(rows: &[Row], rounds: &[Round]) -> Self {
        let limits = limits(rounds);
        let mut measured: Vec<Measured> = Vec::new();
        for (index, contestant) in contestants(rows).into_iter().enumerate() {
            let of = |what: fn(&flatmk_pipes::Sample) -> f64| -> Vec<f64> {
                rounds.iter().filter_map(|round| round.samples.get(index).map(what)).collect()
            };
            let median = |what| Quartiles::of(&of(what)).median;
            let ns = of(|sample| sample.ns);
            let calls = [median(|sample| sample.calls[0]), median(|sample| sample.calls[1])];
            let switches = [median(|sample| sample.switches[0]), median(|sample| sample.switches[1])];
            // What the same takes on one core was measured before.
            let alone = Contestant { placement: Placement::OneCore, ..contestant };
            let alone = measured.iter().find(|measured| measured.contestant == alone).map(|measured| measured.parts);
            let quartiles = Quartiles::of(&ns);
            let parts = Parts::of(contestant, quartiles.median, calls, switches, limits, alone);
            measured.push(Measured { contestant, ns, quartiles, calls, switches, parts });
        }
        let find = |contestant| measured.iter().find(|measured| measured.contestant == contestant).cloned();
        let compare = |row: &Row| {
            let (ours, theirs) = (find(row.ours)?, find(row.theirs)?);
            let ratios: Vec<f64> = ours.ns.iter().zip(&theirs.ns).map(|(ours, theirs)| theirs / ours).collect();
            Some(Compared { row: row.clone(), ours, theirs, ratio: Quartiles::of(&ratios) })
        };
        Self { rows: rows.iter().filter_map(compare).collect(), limits, rounds: rounds.len() }
    }
}

fn limits(rounds: &[Round]) -> Limits {
    let median = |what: &dyn Fn(&Limits) -> Option<f64>| {
        Quartiles::of(&rounds.iter().filter_map(|round| what(&round.limits)).collect::<Vec<_>>()).median
    };
    let between = |what: fn(BetweenCores) -> f64| median(&|limits| limits.between_cores.map(what));
    Limits {
        system_call: median(&|limits| Some(limits.system_call)),
        switch: median(&|limits| Some(limits.switch)),
        copy_kib: median(&|limits| Some(limits.copy_kib)),
        between_cores: rounds.iter().all(|round| round.limits.between_cores.is_some()).then(|| BetweenCores {
            line_round_trip: between(|between| between.line_round_trip),
            copy_kib: between(|between| between.copy_kib),
        }),
    }
}
