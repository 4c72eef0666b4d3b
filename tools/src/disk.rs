//! Disk images: a kernel and its ramdisk, made bootable by the loader.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::cache::{self, CacheError};
use crate::strip;

/// The firmware that starts a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Firmware {
    /// A classic BIOS, reading the first sector of a disk.
    #[default]
    Bios,
    /// UEFI, reading a file system.
    Uefi,
}

/// What the boot loader says before the kernel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoaderLog {
    /// Nothing.
    #[default]
    Off,
    /// Why it gives up, on the screen.
    Errors,
    /// All that it does, on the screen and on the serial port.
    All,
}

impl LoaderLog {
    /// The name in the loader's options.
    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Errors => "errors",
            Self::All => "all",
        }
    }
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The loader is missing.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file cannot be written.
    #[error("cannot write {path}: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The loader said no.
    #[error("cannot make the disk image: {0}")]
    Loader(String),
}

impl ImageError {
    /// For `map_err`: the file that cannot be written.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Write { path, cause }
    }
}

/// The granularity that both emulators accept for a disk: Bochs counts in cylinders of 16 heads and 63 sectors.
pub(crate) const CYLINDER_BYTES: u64 = 16 * 63 * 512;

/// Makes a disk image, which either firmware starts.
///
/// # Errors
///
/// If the loader cannot be built, or refuses, or there is no room.
pub fn make(kernel: &Path, ramdisk: Option<&Path>, log: LoaderLog, output: &Path) -> Result<(), ImageError> {
    let loader = cache::loader()?;
    let folder = output.parent().unwrap_or(Path::new("."));
    let small = folder.join("kernel");
    let mut command = Command::new(&loader);
    command.arg("--output").arg(output).arg("--kernel").arg(shrink(kernel, &small)?);
    if let Some(ramdisk) = ramdisk {
        command.arg("--ramdisk").arg(ramdisk);
    }
    command.args(["--log", log.name()]);
    // The loader's own temporary files are removed with the image's folder.
    command.env("TMPDIR", folder);
    let result = command.output().map_err(|error| ImageError::Loader(format!("{}: {error}", loader.display())))?;
    if !result.status.success() {
        return Err(ImageError::Loader(String::from_utf8_lossy(&result.stderr).trim().to_owned()));
    }
    pad(output).map_err(ImageError::write(output))
}

/// Writes a smaller copy of a kernel and returns its path. A file that cannot be taken apart goes to the loader as it is.
fn shrink<'a>(kernel: &'a Path, copy: &'a Path) -> Result<&'a Path, ImageError> {
    let stripped = std::fs::read(kernel).ok().and_then(|elf| strip::without_symbols(&elf).ok());
    let Some(stripped) = stripped else {
        return Ok(kernel);
    };
    std::fs::write(copy, stripped).map_err(ImageError::write(copy))?;
    Ok(copy)
}

fn pad(image: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(image)?;
    file.set_len(file.metadata()?.len().next_multiple_of(CYLINDER_BYTES))
}
