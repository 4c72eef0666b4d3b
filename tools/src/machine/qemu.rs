//! QEMU: the command that starts it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{Process, Tail};
use super::running::{Running, Wires, start_error};
use super::{Clock, Counting, Devices, Disk, Display, Machine, MachineError, MachineType, Serial, need_program};
use crate::cleanup::TemporaryFolder;
use crate::counts;
use crate::disk::{Firmware, ImageError};
use crate::kernel_file::KernelFile;
use crate::workspace;

const PROGRAM: &str = "qemu-system-x86_64";

/// Firmware in one file, as different distributions place it.
const COMBINED_FIRMWARE: [&str; 7] = [
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/OVMF/OVMF.fd",
    "/usr/share/edk2/x64/OVMF.4m.fd",
    "/usr/share/edk2-ovmf/x64/OVMF.fd",
    "/usr/share/edk2/ovmf/OVMF.fd",
    "/usr/share/ovmf/x64/OVMF.fd",
    "/usr/share/qemu/ovmf-x86_64.bin",
];

/// Firmware in two files, code and variables.
const SPLIT_FIRMWARE: [(&str, &str); 4] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
];

/// Fails early if the machine cannot be had.
pub(super) fn refuse_what_it_lacks(machine: &Machine) -> Result<(), MachineError> {
    need_program(PROGRAM, "QEMU (qemu-system-x86_64)")?;
    if machine.firmware == Firmware::Uefi && find_firmware().is_none() {
        return Err(MachineError::NoFirmware);
    }
    Ok(())
}

pub(super) fn start(machine: &Machine, kernel: KernelFile, folder: TemporaryFolder) -> Result<Running, MachineError> {
    let mut command = Command::new(PROGRAM);
    command
        .args(["-machine", machine_of(machine)])
        .args(["-cpu", machine.cpu_model()])
        .arg("-m")
        .arg(format!("{}M", machine.memory_mib))
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot", "-net", "none", "-monitor", "none"])
        // The last interrupts, for the report on a failed run. They come on stderr, of which only the end is kept.
        .args(["-d", "int,cpu_reset"])
        .arg("-qmp")
        .arg(option("unix:", &folder.path().join("qmp")).into_string().unwrap_or_default() + ",server=on,wait=off");
    if machine.devices == Devices::Fewest {
        command.args(["-nodefaults", "-device", "VGA"]);
    }
    let (drive, device): (_, &[&str]) = match machine.disk {
        Disk::BuiltIn => ("", &[]),
        Disk::UsbStick => {
            ("if=none,id=stick,", &["-device", "qemu-xhci", "-device", "usb-storage,drive=stick,bootindex=0"])
        }
    };
    let drive = format!("{drive}format=raw,cache=unsafe,file=");
    command.arg("-drive").arg(option(&drive, &folder.path().join("disk"))).args(device);
    match machine.clock {
        Clock::Instructions => command.args(["-icount", "shift=0,sleep=off"]),
        Clock::Interactive => command.args(["-icount", "shift=0,sleep=on"]),
        Clock::Host => &mut command,
    };
    if machine.counting == Counting::On {
        let plugin = workspace::build_counter()?;
        let file = option(",out=", &folder.path().join(counts::FILE));
        let mut plugin = option("file=", &plugin);
        plugin.push(file);
        command.arg("-plugin").arg(plugin);
    }
    if machine.display == Display::Hidden {
        command.args(["-display", "none"]);
    }
    if machine.firmware == Firmware::Uefi {
        add_firmware(&mut command, folder.path())?;
    }
    match machine.serial {
        Serial::Present => command.args(["-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]),
        Serial::Absent => command.args(["-serial", "none"]),
    };
    if let Some(socket) = &machine.debugger {
        command.arg("-chardev").arg(option("socket,id=debugger,server=on,wait=off,path=", socket));
        command.args(["-gdb", "chardev:debugger", "-S", "-no-shutdown"]);
    }
    command.args(&machine.qemu_options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command).map_err(start_error(PROGRAM))?;
    let child = process.child();
    let (Some(input), Some(output), Some(log)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        return Err(MachineError::Start { program: PROGRAM, cause: std::io::ErrorKind::BrokenPipe.into() });
    };
    let wires = Wires { input: Box::new(input), output: Box::new(output), log: Tail::of(log) };
    Ok(Running::new(machine, kernel, folder, process, wires))
}

/// The chip set, and whether it has a keyboard controller.
fn machine_of(machine: &Machine) -> &'static str {
    match (machine.machine_type, machine.devices) {
        (MachineType::Pc, Devices::Usual) => "pc",
        (MachineType::Pc, Devices::Fewest) => "pc,i8042=off",
        (MachineType::Q35, Devices::Usual) => "q35",
        (MachineType::Q35, Devices::Fewest) => "q35,i8042=off",
    }
}

/// An option with a path, in which QEMU wants a comma written twice.
fn option(prefix: &str, path: &Path) -> OsString {
    format!("{prefix}{}", path.display().to_string().replace(',', ",,")).into()
}

enum FirmwareFiles {
    Combined(&'static str),
    Split { code: &'static str, variables: &'static str },
}

fn find_firmware() -> Option<FirmwareFiles> {
    let exists = |file: &str| Path::new(file).is_file();
    let combined = COMBINED_FIRMWARE.into_iter().find(|file| exists(file));
    let split = || SPLIT_FIRMWARE.into_iter().find(|(code, variables)| exists(code) && exists(variables));
    combined
        .map(FirmwareFiles::Combined)
        .or_else(|| split().map(|(code, variables)| FirmwareFiles::Split { code, variables }))
}

fn add_firmware(command: &mut Command, folder: &Path) -> Result<(), MachineError> {
    match find_firmware().ok_or(MachineError::NoFirmware)? {
        FirmwareFiles::Combined(file) => {
            command.args(["-bios", file]);
        }
        FirmwareFiles::Split { code, variables } => {
            // The firmware writes its variables.
            let copy = folder.join("variables");
            fs::copy(variables, &copy).map_err(ImageError::write(&copy))?;
            command.arg("-drive").arg(option("if=pflash,format=raw,readonly=on,file=", Path::new(code)));
            command.arg("-drive").arg(option("if=pflash,format=raw,file=", &copy));
        }
    }
    Ok(())
}
