//! `flatmk trace`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::session::{self, MachineOptions};
use flatmk_tools::trace::{Trace, chrome, diagram};
use flatmk_tools::{LAST_CHAPTER, workspace};

/// Trace what tasks do in one run, and write it down
///
/// The machine does small pieces of work: a call, one with capabilities, a fault and its handler, signals, an interrupt and its handler, a call of RISC-V code. What
/// the kernel notes of them becomes `trace.json`, in the format of Chrome's tracing, which <https://ui.perfetto.dev> shows, and `sequence.svg`, a diagram.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to write both [default: the folder `trace` in the target folder]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineOptions,
}

pub(crate) fn trace(arguments: &Arguments) -> Result<ExitCode> {
    // All that can be wrong is found before anybody waits.
    let folder = match &arguments.output {
        Some(folder) => super::in_callers_folder(folder),
        None => workspace::metadata()?.target_directory.join("trace").into_std_path_buf(),
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let [json, svg] = ["trace.json", "sequence.svg"].map(|name| folder.join(name));
    for path in [&json, &svg] {
        super::pipes::check_writable(path).with_context(|| format!("cannot write {}", path.display()))?;
    }

    let options = &arguments.machine;
    let kernel = KernelFile::read(workspace::build_kernel(LAST_CHAPTER)?)?;
    eprintln!("booting a machine that traces");
    let machine = options.machine(&kernel).boot_option("trace", "on");
    let outcome = machine.start()?.watch(options.limits(kernel.kind), |_| {});
    if session::exit_code(&outcome) != 0 {
        print!("{}", outcome.serial());
        return Ok(super::finish(&outcome));
    }
    let trace = Trace::read(&outcome.serial())?;
    write(&json, &format!("{:#}\n", chrome::json(&trace)))?;
    write(&svg, &diagram::svg(&trace, &trace.parts.iter().collect::<Vec<_>>()))?;
    for part in &trace.parts {
        println!("{:<16} {} events", part.name, part.events.len());
    }
    for path in [&json, &svg] {
        println!("written: {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
