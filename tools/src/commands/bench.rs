//! `flatmk bench`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::machine::{Counting, Emulator, Outcome};
use flatmk_tools::session::{self, KernelOptions, MachineOptions, Switch};
use flatmk_tools::{LAST_CHAPTER, bench, counts, figures, report, workspace};
use serde_json::json;

/// Measure what the kernel's operations cost
///
/// The unit is an instruction, of the user program and of the kernel together, for one round. In QEMU there stands beside it
/// how many instructions of a round are of an expensive kind; a kind that is not named does not occur. Bochs does not count
/// them. Where the kernel can use process-context identifiers, which is in Bochs, everything is measured twice, without them
/// and with them, unless --pcid chooses.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the results as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineOptions,
}

pub(crate) fn bench(arguments: &Arguments) -> Result<ExitCode> {
    let options = &arguments.machine;
    let kernel = KernelFile::read(workspace::build_kernel(LAST_CHAPTER)?)?;
    let settings = options.kernel.pcid.map_or(vec![Switch::On, Switch::Off], |pcid| vec![pcid]);
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for pcid in settings {
        let told = KernelOptions { pcid: Some(pcid), ..options.kernel.clone() };
        let outcome = measure(&kernel, &MachineOptions { kernel: told, ..options.clone() })?;
        let code = session::exit_code(&outcome);
        if code != 0 {
            print!("{}", outcome.serial());
            if let Some(report) = report::on(&outcome) {
                eprintln!("\n{report}");
            }
            return Ok(code.into());
        }
        let serial = outcome.serial();
        let figures = figures::read(&serial)?;
        ensure!(!figures.rows.is_empty(), "nothing was measured: the machine said\n{serial}");
        let counted = counts::read(&outcome.counted)?;
        ensure!(options.emulator != Emulator::Qemu || !counted.is_empty(), "no instruction was counted");
        let uses_pcid = bench::uses_pcid(&serial);
        rows.extend(bench::rows(figures.rows, uses_pcid, &counted));
        failures.extend(figures.failures);
        if pcid == Switch::On && !uses_pcid {
            if options.kernel.pcid.is_some() {
                eprintln!("--pcid on makes no difference: this kernel on this processor works without");
            }
            // Asked to do without, it would do the same again.
            break;
        }
    }
    let rows = bench::side_by_side(rows);
    print!("{}", bench::table(&rows));
    if let Some(path) = &arguments.json {
        let described = BTreeMap::from([
            ("emulator", json!(options.emulator.name())),
            ("cpu", json!(options.cpu.as_deref().unwrap_or(options.emulator.default_cpu()))),
            ("memory_mib", json!(options.memory)),
            ("kernel_chapter", json!(LAST_CHAPTER)),
        ]);
        let path = super::in_callers_folder(path);
        let text = format!("{:#}\n", bench::json(&described, &rows));
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // A row that cannot be measured is named by the program, and is missing above.
    ensure!(failures.is_empty(), "not everything was measured: {}", failures.join("; "));
    Ok(ExitCode::SUCCESS)
}

/// Boots the benchmark once.
fn measure(kernel: &KernelFile, options: &MachineOptions) -> Result<Outcome> {
    let counting = match options.emulator {
        Emulator::Qemu => Counting::On,
        Emulator::Bochs => Counting::Off,
    };
    let machine = options.machine(kernel).counting(counting);
    Ok(machine.start()?.watch(options.limits(kernel.kind), |_| {}))
}
