//! `flatmk image`.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use flatmk_tools::cleanup::TemporaryFolder;
use flatmk_tools::disk::{self, LoaderLog};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::machine::write_standard_ramdisk;
use flatmk_tools::session::KernelOptions;
use flatmk_tools::stick::write::{self, Phase, WriteError};
use flatmk_tools::stick::{Device, System, guards};
use flatmk_tools::{LAST_CHAPTER, workspace};
use indicatif::{ProgressBar, ProgressStyle};

/// Make the disk image for a USB stick, and write it to one
///
/// One image starts by a classic BIOS and by UEFI firmware. With --write it goes to a device, of which everything is erased: the command
/// refuses one that is in use, says what it is, asks for its name, and reads back what it has written.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to write it
    #[arg(long, value_name = "FILE", default_value = "flatmk.img")]
    output: PathBuf,
    /// Write it to this device, too, such as /dev/sdb
    #[arg(long, value_name = "DEVICE")]
    write: Option<PathBuf>,
    /// In place of asking: the name of the device, such as sdb
    #[arg(long, value_name = "NAME", requires = "write")]
    yes_erase: Option<String>,
    /// Every image starts by UEFI firmware; this option is from when there were two
    #[arg(long, hide = true)]
    uefi: bool,
    #[command(flatten)]
    kernel: KernelOptions,
}

pub(crate) fn image(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.uefi {
        eprintln!("--uefi is not needed: the image starts by BIOS and by UEFI");
    }
    // Refused before anything is built.
    let device = arguments.write.as_deref().map(|path| chosen(path, arguments.yes_erase.as_deref())).transpose()?;
    let output = make(arguments)?;
    println!("{}", output.display());
    if let (Some(path), Some(device)) = (&arguments.write, device) {
        write_to(path, &device, &output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn make(arguments: &Arguments) -> Result<PathBuf> {
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
    disk::make(&kernel.path, Some(&ramdisk), LoaderLog::Errors, &disk)?;
    std::fs::rename(&disk, &output).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(output)
}

/// The device, if it may be written and its name was given.
fn chosen(path: &Path, name: Option<&str>) -> Result<Device> {
    let device = System::default().device(path)?;
    guards::allow(&device, 0)?;
    let Device { name: own_name, model, size_bytes, is_usb, partitions, .. } = &device;
    let model = if model.is_empty() { "of unknown make" } else { model };
    let size = indicatif::DecimalBytes(*size_bytes);
    let bus = if *is_usb { "on a USB bus" } else { "NOT on a USB bus: is it the right one?" };
    let partitions = if partitions.is_empty() { "no partitions".to_owned() } else { partitions.join(", ") };
    eprintln!("{own_name}: {model}, {size}, {bus}; it has {partitions}. All of it will be erased.");
    let typed = match name {
        Some(name) => name.to_owned(),
        None => ask(own_name)?,
    };
    ensure!(typed == *own_name, "`{typed}` is not the name of the device, which is {own_name}: nothing was written");
    Ok(device)
}

fn ask(name: &str) -> Result<String> {
    let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    ensure!(is_terminal, "there is nobody to ask: say --yes-erase {name} if that is what you want");
    eprint!("Type the device's name to go on: ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Writes the image. `before` is what the user has agreed to erase.
fn write_to(path: &Path, before: &Device, output: &Path) -> Result<()> {
    let mut image = File::open(output).with_context(|| format!("cannot read {}", output.display()))?;
    let image_bytes = image.metadata()?.len();
    // The image took its time to build, and sticks come and go.
    let device = System::default().device(path)?;
    let Device { name, model, size_bytes, .. } = &device;
    ensure!(
        (name, model, size_bytes) == (&before.name, &before.model, &before.size_bytes),
        "{} is another device now: nothing was written",
        path.display()
    );
    guards::allow(&device, image_bytes)?;
    let mut file = match write::open(path) {
        Err(WriteError::Open(path, error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            bail!(
                "you may not write to {path}; this gives you the right until the stick is pulled out: sudo setfacl -m u:$USER:rw {path}"
            )
        }
        opened => opened?,
    };
    let bar = ProgressBar::new(2 * image_bytes);
    bar.set_style(ProgressStyle::with_template("{msg:10} [{bar:40}] {bytes}/{total_bytes}, {eta} left")?);
    let result = write::write(&mut image, &mut file, |phase, done| match phase {
        Phase::Writing => {
            bar.set_message("writing");
            bar.set_position(done);
        }
        Phase::Verifying => {
            bar.set_message("verifying");
            bar.set_position(image_bytes + done);
        }
    });
    bar.finish_and_clear();
    result.with_context(|| format!("{name} has no image"))?;
    println!("{name} has the image: {image_bytes} bytes, read back and compared");
    Ok(())
}
