//! `flatmk bench`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use flatmk_tools::bench::baselines::Baselines;
use flatmk_tools::bench::printed::{self, Printed};
use flatmk_tools::bench::{self, Document, Record, accepted, page, table};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::machine::{Counting, Emulator, Outcome};
use flatmk_tools::session::{self, KernelOptions, MachineOptions, Switch};
use flatmk_tools::{LAST_CHAPTER, counts, figures, report, workspace};
use serde_json::json;

/// Measure what the kernel's operations cost
///
/// The unit is an instruction, of the user program and of the kernel together, for one round. In QEMU there stands beside it
/// how many instructions of a round are of an expensive kind; a kind that is not named does not occur. Bochs does not count
/// them. Where the kernel can use process-context identifiers, which is in Bochs, everything is measured twice, without them
/// and with them, unless --pcid chooses. Below the rows there are those that others have measured, too.
///
/// Counts are exact, and the rows of both emulators are kept in tools/benchmarks: --check fails if one is no longer what is kept there.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the results as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with tables and plots into this folder
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// Fail if a row is not what is kept in tools/benchmarks
    #[arg(long, conflicts_with = "accept")]
    check: bool,
    /// Keep the rows in tools/benchmarks, and put them into the book
    #[arg(long)]
    accept: bool,
    /// Read what a machine has printed from this file, and measure nothing; a second time, what it has printed with the other setting of --pcid
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "accept"])]
    from: Vec<PathBuf>,
    #[command(flatten)]
    machine: MachineOptions,
}

pub(crate) fn bench(arguments: &Arguments) -> Result<ExitCode> {
    let Some(measured) = measured(arguments)? else { return Ok(ExitCode::FAILURE) };
    let Printed { document, failures } = measured;
    let baselines = Baselines::read().context("the figures of others make no sense")?;
    print!("{}", table::table(&document.rows));
    print!("{}", table::beside_others(&document.rows, &baselines));
    if let Some(path) = &arguments.json {
        let path = super::in_callers_folder(path);
        std::fs::write(&path, document.text()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(folder) = &arguments.report {
        let folder = super::in_callers_folder(folder);
        page::write(&folder, &document, &baselines)?;
        println!("\n{}", folder.join("index.html").display());
    }
    // A row that cannot be measured is named by the program, and is missing above.
    ensure!(failures.is_empty(), "not everything was measured: {}", failures.join("; "));
    let emulator = arguments.machine.emulator;
    if arguments.accept {
        return accept(emulator, &document);
    }
    if arguments.check { check(emulator, &document) } else { Ok(ExitCode::SUCCESS) }
}

fn measured(arguments: &Arguments) -> Result<Option<Printed>> {
    if !arguments.from.is_empty() {
        return read(&arguments.from).map(Some);
    }
    if arguments.check || arguments.accept {
        ensure!(arguments.machine.is_usual(), "the rows are kept of the usual machine: leave out its options");
    }
    boot(&arguments.machine)
}

/// The rows in what a machine has printed.
fn read(paths: &[PathBuf]) -> Result<Printed> {
    let file = |path: &PathBuf| {
        let path = super::in_callers_folder(path);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()))
    };
    Ok(printed::read(&paths.iter().map(file).collect::<Result<Vec<_>>>()?)?)
}

/// Boots the benchmark once for each setting. Nothing, if it did not end well, which is reported.
fn boot(options: &MachineOptions) -> Result<Option<Printed>> {
    let kernel = KernelFile::read(workspace::build_kernel(LAST_CHAPTER)?)?;
    let settings = options.kernel.pcid.map_or(vec![Switch::On, Switch::Off], |pcid| vec![pcid]);
    let (mut rows, mut failures): (Vec<Record>, _) = (Vec::new(), Vec::new());
    for pcid in settings {
        let told = KernelOptions { pcid: Some(pcid), ..options.kernel.clone() };
        let outcome = run(&kernel, &MachineOptions { kernel: told, ..options.clone() })?;
        if session::exit_code(&outcome) != 0 {
            print!("{}", outcome.serial());
            if let Some(report) = report::on(&outcome) {
                eprintln!("\n{report}");
            }
            return Ok(None);
        }
        let serial = outcome.serial();
        let figures = figures::read(&serial)?;
        ensure!(!figures.rows.is_empty(), "nothing was measured: the machine said\n{serial}");
        let counted = counts::read(&outcome.counted)?;
        ensure!(options.emulator != Emulator::Qemu || !counted.is_empty(), "no instruction was counted");
        let uses_pcid = bench::uses_pcid(&serial);
        rows.extend(bench::records(&figures.rows, uses_pcid, &counted));
        failures.extend(figures.failures);
        if pcid == Switch::On && !uses_pcid {
            if options.kernel.pcid.is_some() {
                eprintln!("--pcid on makes no difference: this kernel on this processor works without");
            }
            // Asked to do without, it would do the same again.
            break;
        }
    }
    let machine = [
        ("emulator", json!(options.emulator.name())),
        ("cpu", json!(options.cpu.as_deref().unwrap_or(options.emulator.default_cpu()))),
        ("memory_mib", json!(options.memory)),
        ("kernel_chapter", json!(LAST_CHAPTER)),
    ];
    let machine = machine.map(|(key, value)| (key.to_owned(), value)).into();
    Ok(Some(Printed { document: Document { machine, rows: bench::side_by_side(rows) }, failures }))
}

/// Boots the benchmark.
fn run(kernel: &KernelFile, options: &MachineOptions) -> Result<Outcome> {
    let counting = match options.emulator {
        Emulator::Qemu => Counting::On,
        Emulator::Bochs => Counting::Off,
    };
    let machine = options.machine(kernel).counting(counting);
    Ok(machine.start()?.watch(options.limits(kernel.kind), |_| {}))
}

fn accept(emulator: Emulator, document: &Document) -> Result<ExitCode> {
    let root = workspace::root();
    // The first time there is nothing to compare with.
    if let Ok(before) = accepted::read(root, emulator) {
        accepted::differences(&before.rows, &document.rows).iter().for_each(|line| println!("{line}"));
    }
    accepted::write(root, emulator, document)?;
    println!("{}", accepted::path(root, emulator).display());
    let others = Emulator::ALL.into_iter().filter(|&other| other != emulator);
    if others.into_iter().all(|other| accepted::path(root, other).is_file()) {
        bench::book::update(root)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(emulator: Emulator, document: &Document) -> Result<ExitCode> {
    let accepted = accepted::read(workspace::root(), emulator)?;
    let differences = accepted::differences(&accepted.rows, &document.rows);
    if differences.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for line in &differences {
        eprintln!("{line}");
    }
    bail!(accepted::refusal(differences.len(), emulator))
}
