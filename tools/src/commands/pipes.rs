//! `flatmk pipes`, and the process that it starts.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flatmk_pipes::{Cores, Experiment, SharedMemory};
use flatmk_tools::pipes::{self, Report};
use flatmk_tools::workspace;
use serde_json::{Value, json};

/// Compare pipes in shared memory with Unix pipes, between two processes of this machine
///
/// Items of 8 bytes to 64 KiB are sent one by one and in batches, with both processes on one core and on two; and between two threads, beside the crate `rtrb`.
/// All are measured in turn, round by round; a ratio is taken in each round, and the table shows the median and the quartiles. It takes about a minute, and
/// no round begins after 100 s.
///
/// Beside a Unix pipe, an end of ours that cannot go on looks again for a while before it sleeps, and on one core lets the other one have its turn; a Unix pipe's sleeps at once.
/// Beside `rtrb` nobody sleeps: neither ring has a bell, and both ends look again until they can go on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the results as JSON, too, with all samples
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where to write the plot, a picture in the format SVG [default: beside the JSON, or in the target folder]
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// How many rounds
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
}

/// The hidden command of the other process.
pub(crate) const RECEIVER: &str = "pipes-receiver";

/// Receive what another process sends; it is on standard input
#[derive(clap::Args)]
pub(crate) struct Receiver;

/// How long a sample is.
const SAMPLE: Duration = Duration::from_millis(25);

/// After so long no further round begins, so that it ends within two minutes on a busy machine, too.
const LIMIT: Duration = Duration::from_secs(100);

pub(crate) fn pipes(arguments: &Arguments) -> Result<ExitCode> {
    // All that can be wrong is found before anybody waits.
    let json = arguments.json.as_deref().map(super::in_callers_folder);
    let plot = match (&arguments.plot, &json) {
        (Some(path), _) => super::in_callers_folder(path),
        (None, Some(json)) => json.with_extension("svg"),
        (None, None) => workspace::metadata()?.target_directory.join("pipes.svg").into_std_path_buf(),
    };
    ensure!(json.as_deref() != Some(&plot), "the plot and the JSON cannot both be {}", plot.display());
    for path in json.iter().chain([&plot]) {
        check_writable(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    SharedMemory::new(flatmk_pipes::PAGE_BYTES).context("this kernel gives no memory to share (memfd_create)")?;
    let cores = Cores::choose().context("cannot find out which cores this program may use")?;
    match cores.second {
        Some(second) => eprintln!("one core: {}; two cores: {0} and {second}", cores.first),
        None => eprintln!("there is one core only for this program: the rows for two are left out"),
    }

    let rows = flatmk_pipes::rows(cores);
    // By this name, it is the same program even if another one was built since.
    let mut receiver = Command::new("/proc/self/exe");
    receiver.arg(RECEIVER);
    let start = Instant::now();
    let sample_ns = SAMPLE.as_nanos() as u64;
    let mut experiment = Experiment::new(receiver, cores, pipes::contestants(&rows), sample_ns)?;
    let mut progress = Progress::new(arguments.rounds);
    let mut rounds = Vec::new();
    for _ in 0..arguments.rounds {
        if !rounds.is_empty() && start.elapsed() > LIMIT {
            break;
        }
        rounds.push(experiment.round()?);
        progress.show(rounds.len());
    }
    progress.finish();
    drop(experiment);
    if rounds.len() < arguments.rounds.into() {
        eprintln!("stopped after {} s: {} of {} rounds were done", LIMIT.as_secs(), rounds.len(), arguments.rounds);
    }

    let report = Report::new(&rows, &rounds);
    let write =
        |path: &Path, text: String| fs::write(path, text).with_context(|| format!("cannot write {}", path.display()));
    if let Some(path) = &json {
        write(path, format!("{:#}\n", pipes::json(&machine(cores), &report)))?;
    }
    write(&plot, pipes::plot(&report)?)?;
    print!("{}", pipes::table(&report));
    json.iter().chain([&plot]).for_each(|path| println!("written: {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn receive() -> Result<ExitCode> {
    let control = io::stdin().as_fd().try_clone_to_owned()?;
    flatmk_pipes::serve(UnixStream::from(control))?;
    Ok(ExitCode::SUCCESS)
}

/// Finds out whether a file can be written, and leaves everything as it is.
pub(super) fn check_writable(path: &Path) -> io::Result<()> {
    let is_new = !path.exists();
    OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    if is_new { fs::remove_file(path) } else { Ok(()) }
}

fn machine(cores: Cores) -> BTreeMap<&'static str, Value> {
    let line = |path, start: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default();
        value.trim_start_matches([' ', '\t', ':']).to_owned()
    };
    BTreeMap::from([
        ("processor", json!(line("/proc/cpuinfo", "model name"))),
        ("kernel", json!(format!("Linux {}", line("/proc/sys/kernel/osrelease", "")))),
        ("first_core", json!(cores.first)),
        ("second_core", json!(cores.second)),
    ])
}

/// Says on stderr how far it is: on a terminal, in one line.
struct Progress {
    rounds: usize,
    start: Instant,
    is_terminal: bool,
    said: usize,
}

impl Progress {
    fn new(rounds: u16) -> Self {
        eprintln!("measuring, {rounds} rounds");
        Self { rounds: rounds.into(), start: Instant::now(), is_terminal: io::stderr().is_terminal(), said: 0 }
    }

    fn show(&mut self, done: usize) {
        let tenth = 10 * done / self.rounds;
        if !self.is_terminal && tenth == self.said {
            return;
        }
        self.said = tenth;
        let left = self.start.elapsed().as_secs_f64() / done as f64 * (self.rounds - done) as f64;
        let (begin, end) = if self.is_terminal { ("\r", "") } else { ("", "\n") };
        // Nobody may be listening any more.
        let _ = write!(io::stderr(), "{begin}    {done} of {} rounds, {left:.0} s left    {end}", self.rounds);
    }

    fn finish(&self) {
        if self.is_terminal {
            eprintln!();
        }
    }
}
