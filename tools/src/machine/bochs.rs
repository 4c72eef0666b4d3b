//! Bochs: its configuration, and the X server it draws on.
//!
//! Bochs is the build with a debugger, which ends the run on a triple fault and shows the registers on demand. It needs a
//! screen even where nobody looks: an X server without one, which chooses a free display number by itself.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::process::{Process, Tail};
use super::running::{Running, State, Wires, start_error};
use super::{Counting, Devices, Disk, Display, Machine, MachineError, MachineType, Serial, need_program};
use crate::cleanup::TemporaryFolder;
use crate::disk::{CYLINDER_BYTES, Firmware, ImageError};
use crate::kernel_file::KernelFile;

const PROGRAM: &str = "bochs";
const X_SERVER: &str = "Xvfb";

/// What comes with a library that shows a program another time than the host's.
const FAKETIME: &str = "faketime";

/// That library, where the dynamic loader replaces `$LIB` by the folder of its distribution, and the time that it shows, which does not pass.
/// Bochs 2.7 has one timer that follows the host's clock, for the lamps below the machine's screen, and by mistake the ratio of the two
/// clocks counts for the next event of all timers: on a busy host the machine's own timer was late, by up to 20 ms.
const STILL_CLOCK: [(&str, &str); 2] =
    [("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1"), ("FAKETIME", "2020-01-01 00:00:00")];

/// Bochs keeps no more of a machine's memory in that of the host; what is beyond goes to a file when it is used.
const MOST_HOST_MEMORY_MIB: u32 = 2048;

/// What the debugger does when the processor shuts down after a triple fault, or when a signal stops Bochs: it shows the
/// registers and the stack, and ends.
const COMMANDS_WHEN_STOPPED: &[u8] = b"regs\ncreg\nprint-stack 64\nquit\n";

pub(super) fn start(machine: &Machine, kernel: KernelFile, folder: TemporaryFolder) -> Result<Running, MachineError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(start_error(PROGRAM))?;
    let address = listener.local_addr().map_err(start_error(PROGRAM))?;
    let configuration = folder.path().join("bochsrc");
    fs::write(&configuration, text(machine, folder.path(), &address.to_string())?)
        .map_err(ImageError::write(&configuration))?;
    // The debugger waits for the command to start, and takes the rest from stdin when it stops.
    let commands = folder.path().join("commands");
    fs::write(&commands, "c\n").map_err(ImageError::write(&commands))?;

    let mut command = Command::new(PROGRAM);
    command.arg("-q").arg("-f").arg(&configuration).arg("-rc").arg(&commands).current_dir(folder.path());
    command.envs(STILL_CLOCK);
    let screen = match machine.display {
        Display::Hidden => {
            let (screen, display) = start_x_server()?;
            command.env("DISPLAY", display);
            Some(screen)
        }
        Display::Window => None,
    };
    let messages = folder.path().join("stderr");
    let errors = fs::File::create(&messages).map_err(ImageError::write(&messages))?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
    let mut process = Process::spawn(&mut command).map_err(start_error(PROGRAM))?;
    let child = process.child();
    let (Some(mut commands), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(start_error(PROGRAM)(io::ErrorKind::BrokenPipe.into()));
    };
    commands.write_all(COMMANDS_WHEN_STOPPED).map_err(start_error(PROGRAM))?;
    let log = Tail::of(output);
    let wire = match machine.serial {
        Serial::Present => accept(&listener, &mut process),
        Serial::Absent => None,
    };
    let wires = match wire.and_then(|wire| Some((wire.try_clone().ok()?, wire))) {
        Some((input, output)) => Wires { input: Box::new(input), output: Box::new(output), log },
        None => Wires { input: Box::new(io::sink()), output: Box::new(UntilEnd(log.clone())), log },
    };
    Ok(Running::new(machine, kernel, folder, process, wires).with_screen(screen))
}

/// Fails early if the machine cannot be had.
pub(super) fn refuse_what_it_lacks(machine: &Machine) -> Result<(), MachineError> {
    need_program(PROGRAM, "Bochs (bochs)")?;
    need_program(FAKETIME, "libfaketime (faketime), with which Bochs keeps a machine's time exactly,")?;
    if machine.display == Display::Hidden {
        need_program(X_SERVER, "Xvfb, the X server that Bochs draws on,")?;
    }
    if machine.firmware == Firmware::Uefi {
        return Err(MachineError::Unsupported("Bochs has no UEFI firmware: leave out --uefi or take QEMU"));
    }
    if machine.machine_type == MachineType::Q35 {
        return Err(MachineError::Unsupported("Bochs has no machine with the Q35 chip set: take QEMU"));
    }
    if machine.disk != Disk::BuiltIn || machine.devices != Devices::Usual {
        return Err(MachineError::Unsupported("Bochs has always the same devices: take QEMU"));
    }
    if machine.counting == Counting::On {
        return Err(MachineError::Unsupported("Bochs does not count instructions by their kinds: take QEMU"));
    }
    match &machine.cpu {
        Some(model) => check_cpu(model),
        None => Ok(()),
    }
}

/// Refuses a processor that Bochs does not have. Bochs itself would only say that a line of its configuration is malformed.
fn check_cpu(model: &str) -> Result<(), MachineError> {
    let answer = Command::new(PROGRAM).args(["-help", "cpu"]).stdin(Stdio::null()).output();
    let answer = answer.map_err(start_error(PROGRAM))?;
    let known = cpu_models(&String::from_utf8_lossy(&answer.stderr));
    // Another version of Bochs may answer in another way. Then it has the last word.
    if known.is_empty() || known.iter().any(|known| known == model) {
        return Ok(());
    }
    Err(MachineError::UnknownCpu { model: model.to_owned(), known })
}

/// The processors in Bochs's answer to `-help cpu`: a paragraph, one a line, below a heading.
fn cpu_models(answer: &str) -> Vec<String> {
    let below = answer.lines().skip_while(|line| !line.starts_with("Supported CPU models")).skip(1);
    let models = below.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    models.map(str::to_owned).collect()
}

fn text(machine: &Machine, folder: &Path, serial: &str) -> Result<String, MachineError> {
    let disk = folder.join("disk");
    let cylinders = fs::metadata(&disk).map_err(ImageError::write(&disk))?.len() / CYLINDER_BYTES;
    let memory = machine.memory_mib;
    let host_memory = memory.min(MOST_HOST_MEMORY_MIB);
    let cpu = machine.cpu_model();
    let serial = match machine.serial {
        Serial::Present => format!("enabled=1, mode=socket-client, dev={serial}"),
        Serial::Absent => "enabled=0".to_owned(),
    };
    // One instruction advances the time stamp by one: `sync=none`. The screen is drawn by the machine's time, `realtime=0`: the host's
    // stands still. A panic must not be fatal, or Bochs opens a window and waits for a click; it makes the run a failure later on.
    Ok(format!(
        "\
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, e1000=0, parallel=0, serial=1
config_interface: textconfig
display_library: x
memory: guest={memory}, host={host_memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
vga: extension=vbe, update_freq=1, realtime=0
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, mode=flat, path=disk, cylinders={cylinders}, heads=16, spt=63
boot: disk
cpu: model={cpu}, count=1, ips=50000000, reset_on_triple_fault=0
clock: sync=none
com1: {serial}
log: bochs.log
panic: action=report
error: action=report
info: action=ignore
"
    ))
}

/// Starts an X server that shows nothing, and returns it with its name.
fn start_x_server() -> Result<(Process, String), MachineError> {
    let mut command = Command::new(X_SERVER);
    // It writes the number of the display that it found free.
    command.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Process::spawn(&mut command).map_err(start_error(X_SERVER))?;
    let mut number = String::new();
    if let Some(output) = server.child().stdout.take() {
        BufReader::new(output).read_line(&mut number).map_err(start_error(X_SERVER))?;
    }
    if number.trim().is_empty() {
        return Err(start_error(X_SERVER)(io::Error::other("it ended at once")));
    }
    Ok((server, format!(":{}", number.trim())))
}

/// Waits until Bochs connects its serial port, or ends.
fn accept(listener: &TcpListener, process: &mut Process) -> Option<TcpStream> {
    listener.set_nonblocking(true).ok()?;
    while process.try_wait().is_none() {
        if let Ok((wire, _)) = listener.accept() {
            wire.set_nonblocking(false).ok()?;
            return Some(wire);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Ends when the emulator ends; nothing is read from it.
struct UntilEnd(Tail);

impl Read for UntilEnd {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.finish();
        Ok(0)
    }
}

/// What Bochs wrote to its log and to stderr.
pub(super) fn messages(folder: &Path) -> String {
    let read = |name| fs::read(folder.join(name)).unwrap_or_default();
    String::from_utf8_lossy(&[read("bochs.log"), read("stderr")].concat()).into_owned()
}

/// Stops Bochs and waits until its debugger has shown the state. It does not run on after that.
pub(super) fn stop(process: &mut Process) {
    process.interrupt();
    let deadline = Instant::now() + Duration::from_secs(5);
    while process.try_wait().is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    process.kill();
}

/// What the debugger answered to the commands, if it was asked.
pub(super) fn state(output: &str) -> State {
    let answer = |number: u32| {
        let (_, rest) = output.split_once(&format!("<bochs:{number}>"))?;
        let (_, answer) = rest.split_once('\n')?;
        let end = answer.find("<bochs:").unwrap_or(answer.len());
        answer.get(..end)
    };
    State {
        registers: answer(1).zip(answer(2)).map(|(general, control)| format!("{general}{control}")),
        // An address comes in two halves, `[0xffffffff:0x80001234]`.
        stack: answer(3).map(|stack| stack.replace(":0x", "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_are_read_from_the_answer() {
        let answer = "\
00000000000i[      ] LTDL_LIBRARY_PATH not set. using compile time default '/usr/lib/bochs/plugins'
Supported CPU models:

bx_generic
corei7_skylake_x

00000000000i[SIM   ] quit_sim called with exit code 0
";
        assert_eq!(cpu_models(answer), ["bx_generic", "corei7_skylake_x"]);
        assert!(cpu_models("bochs: unknown option\n").is_empty());
    }

    #[test]
    fn the_debuggers_answers_are_told_apart() {
        let output = "\
Next at t=1
<bochs:1> regs
rip: ffffffff_800012d2
<bochs:2> creg
CR0=0xe0010011: PG
<bochs:3> print-stack 64
 | STACK 0xffff900000014fd8 [0xffffffff:0x800012c2] (<unknown>)
<bochs:4> quit
";
        let state = state(output);
        assert_eq!(state.registers.as_deref(), Some("rip: ffffffff_800012d2\nCR0=0xe0010011: PG\n"));
        assert!(state.stack.is_some_and(|stack| stack.contains("[0xffffffff800012c2]")));
        assert!(super::state("Next at t=0\n").registers.is_none());
    }
}
