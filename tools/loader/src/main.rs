//! Makes a disk image that boots a kernel, with the `bootloader` crate: one image for a classic BIOS and for UEFI firmware.

mod hybrid;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{io, panic};

use anyhow::{Result, ensure};
use bootloader::{BootConfig, DiskImageBuilder};
use bootloader_boot_config::LevelFilter;
use clap::{Parser, ValueEnum};

/// Make a disk image that boots a kernel.
#[derive(Parser)]
#[command(name = "flatmk-loader")]
struct Arguments {
    /// The kernel: an ELF file that the `bootloader_api` crate's macro gave its configuration
    #[arg(long, value_name = "ELF")]
    kernel: PathBuf,
    /// The file handed to the kernel as its ramdisk
    #[arg(long, value_name = "TAR")]
    ramdisk: Option<PathBuf>,
    /// Where to write the image
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// What the boot loader logs
    #[arg(long, value_enum, default_value_t)]
    log: Log,
}

/// What the boot loader logs.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Log {
    /// Nothing
    #[default]
    Off,
    /// Why it gives up, on the screen
    Errors,
    /// All that it does, on the screen and on the first serial port
    All,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The `bootloader` crate panics on some errors.
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("the boot loader's library gave up");
        eprintln!("{}", message.replace('\n', " "));
    }));
    match make_image(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", sentence(&error, &arguments.output));
            ExitCode::FAILURE
        }
    }
}

/// For a full disk, the end of the chain of errors says it all.
fn sentence(error: &anyhow::Error, output: &Path) -> String {
    match error.root_cause().downcast_ref::<io::Error>() {
        Some(cause) => format!("cannot write {}: {cause}", output.display()),
        None => format!("{error:#}"),
    }
}

fn make_image(arguments: &Arguments) -> Result<()> {
    // The crate panics on a file that it cannot read.
    for file in std::iter::once(&arguments.kernel).chain(&arguments.ramdisk) {
        ensure!(file.is_file(), "{} is not a file", file.display());
    }
    let mut builder = DiskImageBuilder::new(arguments.kernel.clone());
    if let Some(ramdisk) = &arguments.ramdisk {
        builder.set_ramdisk(ramdisk.clone());
    }
    let mut config = BootConfig::default();
    config.frame_buffer_logging = arguments.log != Log::Off;
    config.serial_logging = arguments.log == Log::All;
    config.log_level = if arguments.log == Log::All { LevelFilter::Trace } else { LevelFilter::Error };
    builder.set_boot_config(&config);
    hybrid::create(&mut builder, &arguments.output)
}
