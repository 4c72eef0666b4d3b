//! `flatmk image`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use flatmk_tools::cleanup::TemporaryFolder;
use flatmk_tools::disk::{self, Firmware, LoaderLog};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::machine::write_standard_ramdisk;
use flatmk_tools::session::KernelOptions;
use flatmk_tools::{LAST_CHAPTER, workspace};

/// Make the disk image for a USB stick
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to write it
    #[arg(long, value_name = "FILE", default_value = "flatmk.img")]
    output: PathBuf,
    /// For machines with UEFI firmware, in place of a BIOS
    #[arg(long)]
    uefi: bool,
    #[command(flatten)]
    kernel: KernelOptions,
}

pub(crate) fn image(arguments: &Arguments) -> Result<ExitCode> {
    let output = super::in_callers_folder(&arguments.output);
    if output.exists() {
        // The image replaces what is there, which must not be a device or a folder.
        ensure!(output.is_file(), "{} is there and is not a file", output.display());
    }
    let kernel = KernelFile::read(workspace::build_kernel(LAST_CHAPTER)?)?;
    let folder = output.parent().context("the output needs a folder")?;
    // Beside the result, so that what is moved there in the end is a whole image or nothing.
    let work = TemporaryFolder::new_in(folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    let (ramdisk, disk) = (work.path().join("ramdisk"), work.path().join("disk"));
    let mut options = arguments.kernel.boot_options();
    options.extend([("exit", "none"), ("interactive", "yes")].map(|(key, value)| (key.to_owned(), value.to_owned())));
    write_standard_ramdisk(&kernel, &options, &ramdisk)?;
    let firmware = if arguments.uefi { Firmware::Uefi } else { Firmware::Bios };
    disk::make(&kernel.path, Some(&ramdisk), firmware, LoaderLog::Off, &disk)?;
    std::fs::rename(&disk, &output).with_context(|| format!("cannot write {}", output.display()))?;
    println!("{}", output.display());
    Ok(ExitCode::SUCCESS)
}
