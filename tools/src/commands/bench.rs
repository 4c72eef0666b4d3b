//! `flatmk bench`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::machine::{Counting, Emulator};
use flatmk_tools::session::{self, MachineOptions};
use flatmk_tools::{LAST_CHAPTER, bench, counts, report, workspace};
use serde_json::json;

/// Measure what the kernel's operations cost
///
/// The unit is an instruction, of the user program and of the kernel together, for one round. Beside it stands how many
/// instructions of a round are of an expensive kind; a kind that is not named does not occur.
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
    let machine = options.machine(&kernel).counting(Counting::On);
    let outcome = machine.start()?.watch(options.limits(kernel.kind), |_| {});
    let code = session::exit_code(&outcome);
    if code != 0 {
        print!("{}", outcome.serial());
        if let Some(report) = report::on(&outcome) {
            eprintln!("\n{report}");
        }
        return Ok(code.into());
    }
    let rows = counts::read(&outcome.counted)?;
    ensure!(!rows.is_empty(), "nothing was measured: the machine said\n{}", outcome.serial());
    print!("{}", bench::table(&rows));
    if let Some(path) = &arguments.json {
        let described = BTreeMap::from([
            ("emulator", json!(if options.emulator == Emulator::Qemu { "qemu" } else { "bochs" })),
            ("cpu", json!(options.cpu.as_deref().unwrap_or("max"))),
            ("memory_mib", json!(options.memory)),
            ("kernel_chapter", json!(LAST_CHAPTER)),
        ]);
        let path = super::in_callers_folder(path);
        let text = format!("{:#}\n", bench::json(&described, &rows));
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // A row that cannot be measured is named by the program, and is missing above.
    let serial = outcome.serial();
    let failed: Vec<&str> = serial.lines().filter(|line| line.contains(" failed: ")).collect();
    ensure!(failed.is_empty(), "not everything was measured: {}", failed.join("; "));
    Ok(ExitCode::SUCCESS)
}
