//! A machine that runs: its serial port, keyboard and screen, and its end.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use image::RgbImage;
use serde_json::{Value, json};

use super::preface::Preface;
use super::process::{Process, Tail};
use super::qmp::{self, Qmp, QmpError};
use super::{Emulator, ExitReason, Machine, MachineError, Serial, bochs, exit};
use crate::cleanup::TemporaryFolder;
use crate::counts;
use crate::disk::{Firmware, LoaderLog};
use crate::kernel_file::KernelFile;
use crate::protocol::Parser;

/// How long a machine may run.
#[derive(Debug, Clone, Copy)]
pub enum Limits {
    /// So long in all.
    Total(Duration),
    /// So long without a new line of the test protocol: each test has this time.
    EachTest(Duration),
    /// So long without output, and ten times as long in all.
    Silence(Duration),
    /// As long as it likes.
    None,
}

/// Why something awaited did not come.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The machine ended first.
    #[error("the machine ended before it printed {0:?}")]
    Ended(String),
    /// The time is over.
    #[error("{text:?} did not appear within {} s", limit.as_secs())]
    TimedOut {
        /// What was awaited.
        text: String,
        /// For how long.
        limit: Duration,
    },
}

/// A run that has ended.
#[derive(Debug)]
pub struct Outcome {
    /// What ran.
    pub kernel: KernelFile,
    /// Who ran it.
    pub emulator: Emulator,
    /// How it ended.
    pub reason: ExitReason,
    /// What it said.
    pub protocol: Parser,
    /// The emulator's own log: QEMU's last interrupts and resets, or Bochs's messages.
    pub log: String,
    /// What the instruction counter wrote; nothing if nothing was counted.
    pub counted: String,
    /// The registers of a machine that was stopped, in the emulator's words.
    pub registers: Option<String>,
    /// Its stack, likewise.
    pub stack: Option<String>,
}

impl Outcome {
    /// All it wrote to the serial port, without the line `[exit N]`.
    #[must_use]
    pub fn serial(&self) -> String {
        self.protocol.text()
    }
}

/// The ends of an emulator's wires.
pub(super) struct Wires {
    pub(super) input: Box<dyn Write + Send>,
    pub(super) output: Box<dyn Read + Send>,
    pub(super) log: Tail,
}

/// A machine that runs. Dropping it ends it.
pub struct Running {
    emulator: Emulator,
    serial: Serial,
    memory_mib: u32,
    /// The kernel halts after `[exit N]` instead of ending the emulator.
    halts: bool,
    kernel: KernelFile,
    input: Sender<Vec<u8>>,
    output: Receiver<Vec<u8>>,
    parser: Parser,
    pub(super) preface: Preface,
    log: Tail,
    qmp: Option<Qmp>,
    process: Process,
    /// The X server of a machine without a window of its own.
    screen: Option<Process>,
    // The last field: the processes are gone before their folder.
    folder: TemporaryFolder,
}

/// How the kernel's first line begins, and that of its panic screen.
const BANNER: &str = "FlatMk ";

/// Where the processor was.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) registers: Option<String>,
    pub(super) stack: Option<String>,
}

pub(super) enum Poll {
    Output(Vec<u8>),
    Quiet,
    Ended,
}

impl Running {
    pub(super) fn new(
        machine: &Machine,
        kernel: KernelFile,
        folder: TemporaryFolder,
        process: Process,
        wires: Wires,
    ) -> Self {
        Self {
            emulator: machine.emulator,
            serial: machine.serial,
            memory_mib: machine.memory_mib,
            halts: machine.boot_options.get("exit").is_some_and(|exit| exit == "none"),
            kernel,
            input: write_in_background(wires.input),
            output: read_in_background(wires.output),
            parser: Parser::default(),
            preface: match (machine.firmware, machine.loader_log) {
                (Firmware::Uefi, LoaderLog::Off | LoaderLog::Errors) => Preface::expected(),
                _ => Preface::none(),
            },
            log: wires.log,
            qmp: None,
            process,
            screen: None,
            folder,
        }
    }

    pub(super) fn with_screen(mut self, screen: Option<Process>) -> Self {
        self.screen = screen;
        self
    }

    pub(super) fn poll(&mut self, timeout: Duration) -> Poll {
        match self.output.recv_timeout(timeout) {
            Ok(bytes) => Poll::Output(self.parser.feed(&bytes)),
            Err(RecvTimeoutError::Timeout) => Poll::Quiet,
            Err(RecvTimeoutError::Disconnected) => Poll::Ended,
        }
    }

    /// What the machine wrote to its serial port so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.parser.text()
    }

    /// Something that writes to the machine's serial port, from any thread. Bytes to a machine that has ended are lost.
    #[must_use]
    pub fn serial_input(&self) -> Sender<Vec<u8>> {
        self.input.clone()
    }

    /// Waits until the serial output contains a text.
    ///
    /// # Errors
    ///
    /// If it does not, in this time or at all.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<(), WaitError> {
        self.wait_for_behind(0, text, limit)
    }

    /// Waits until the serial output behind its first `offset` bytes contains a text.
    ///
    /// # Errors
    ///
    /// If it does not, in this time or at all.
    pub fn wait_for_behind(&mut self, offset: usize, text: &str, limit: Duration) -> Result<(), WaitError> {
        let deadline = Instant::now() + limit;
        loop {
            if self.parser.text().get(offset..).is_some_and(|rest| rest.contains(text)) {
                return Ok(());
            }
            match self.poll(deadline.saturating_duration_since(Instant::now())) {
                Poll::Output(_) => {}
                Poll::Quiet => return Err(WaitError::TimedOut { text: text.to_owned(), limit }),
                Poll::Ended => return Err(WaitError::Ended(text.to_owned())),
            }
        }
    }

    /// Waits for the end, at most for this time in all.
    #[must_use]
    pub fn wait(self, limit: Duration) -> Outcome {
        self.watch(Limits::Total(limit), |_| {})
    }

    /// Waits for the end and hands out what the machine writes, as it comes.
    #[must_use]
    pub fn watch(mut self, limits: Limits, mut show: impl FnMut(&[u8])) -> Outcome {
        let start = Instant::now();
        let mut last = start;
        let mut progress = self.parser.progress();
        loop {
            let (limit, since) = match limits {
                Limits::Total(limit) => (limit, start),
                Limits::EachTest(limit) => (limit, last),
                Limits::Silence(limit) if start.elapsed() > limit.saturating_mul(10) => {
                    (limit.saturating_mul(10), start)
                }
                Limits::Silence(limit) => (limit, last),
                Limits::None => (Duration::MAX, start),
            };
            let Some(left) = limit.checked_sub(since.elapsed()) else {
                show(&self.preface.rest());
                return self.hung(limit);
            };
            match self.poll(left.min(Duration::from_secs(1))) {
                Poll::Output(bytes) => {
                    show(&self.preface.pass(bytes));
                    if matches!(limits, Limits::Silence(_)) || self.parser.progress() != progress {
                        progress = self.parser.progress();
                        last = Instant::now();
                    }
                }
                Poll::Quiet => {}
                Poll::Ended => {
                    show(&self.preface.rest());
                    return self.ended();
                }
            }
            if self.halts
                && let Some(status) = self.parser.exit()
            {
                return self.outcome(ExitReason::Exited(status), State::default());
            }
        }
    }

    fn hung(mut self, limit: Duration) -> Outcome {
        let state = match self.emulator {
            Emulator::Qemu => self.qemu_state().unwrap_or_default(),
            Emulator::Bochs => {
                bochs::stop(&mut self.process);
                bochs::state(&self.log.finish())
            }
        };
        self.outcome(ExitReason::Hang(limit), state)
    }

    fn ended(mut self) -> Outcome {
        // The wire is cut a moment before the process ends.
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut status = self.process.try_wait();
        while status.is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
            status = self.process.try_wait();
        }
        self.process.kill();
        let line = self.parser.exit();
        let log = self.log.finish();
        let (reason, state) = match self.emulator {
            Emulator::Qemu => (exit::of_qemu(status, &log, line, self.serial), State::default()),
            Emulator::Bochs => {
                let messages = bochs::messages(self.folder.path());
                (exit::of_bochs(&messages, line, self.serial), bochs::state(&log))
            }
        };
        self.outcome(reason, state)
    }

    fn outcome(mut self, reason: ExitReason, state: State) -> Outcome {
        self.process.kill();
        let log = match self.emulator {
            Emulator::Qemu => self.log.finish(),
            Emulator::Bochs => bochs::messages(self.folder.path()),
        };
        let counted = std::fs::read_to_string(self.folder.path().join(counts::FILE)).unwrap_or_default();
        let State { registers, stack } = state;
        let kernel = self.kernel.clone();
        let protocol = std::mem::take(&mut self.parser);
        // A machine without a serial port does not say how far it came.
        let silent = self.serial == Serial::Present && !protocol.text().contains(BANNER);
        let reason = if silent { reason.before_kernel(self.memory_mib) } else { reason };
        Outcome { kernel, emulator: self.emulator, reason, protocol, log, counted, registers, stack }
    }

    fn qemu_state(&mut self) -> Result<State, QmpError> {
        let registers = self.registers()?;
        let mut stack = None;
        if let Some(pointer) = registers.split_whitespace().find_map(|word| word.strip_prefix("RSP=")) {
            stack = Some(self.monitor(&format!("x/64gx 0x{pointer}"))?);
        }
        Ok(State { registers: Some(registers), stack })
    }

    /// Runs a QMP command.
    ///
    /// # Errors
    ///
    /// If the machine is not QEMU's, or QEMU refuses.
    pub fn qmp(&mut self, command: &str, arguments: &Value) -> Result<Value, QmpError> {
        if self.emulator != Emulator::Qemu {
            return Err(QmpError::NotQemu);
        }
        let mut qmp = match self.qmp.take() {
            Some(qmp) => qmp,
            None => Qmp::connect(&self.folder.path().join("qmp"))?,
        };
        let result = qmp.execute(command, arguments);
        self.qmp = Some(qmp);
        result
    }

    fn monitor(&mut self, command: &str) -> Result<String, QmpError> {
        let answer = self.qmp("human-monitor-command", &json!({ "command-line": command }))?;
        Ok(answer.as_str().unwrap_or_default().replace("\r\n", "\n"))
    }

    /// The processor's registers, in QEMU's words.
    ///
    /// # Errors
    ///
    /// If QEMU does not answer, or the emulator is not QEMU.
    pub fn registers(&mut self) -> Result<String, QmpError> {
        self.monitor("info registers")
    }

    /// Types a text on the machine's keyboard (US layout), one key after the other.
    ///
    /// # Errors
    ///
    /// If a character has no key, or the emulator is not QEMU.
    pub fn type_text(&mut self, text: &str) -> Result<(), QmpError> {
        for character in text.chars() {
            let keys = qmp::keys(character)?;
            let keys: Vec<Value> = keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
            self.qmp("send-key", &json!({ "keys": keys, "hold-time": 10 }))?;
            // The keyboard controller has room for 16 bytes, about three keys.
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What the machine's screen shows.
    ///
    /// # Errors
    ///
    /// If QEMU cannot write or this program cannot read the picture, or the emulator is not QEMU.
    pub fn screen(&mut self) -> Result<RgbImage, QmpError> {
        let path = self.folder.path().join("screen.ppm");
        self.qmp("screendump", &json!({ "filename": path }))?;
        let picture = image::open(&path).map_err(|error| QmpError::Answer(format!("a picture: {error}")))?;
        Ok(picture.into_rgb8())
    }
}

/// For `map_err`: the program that does not start.
pub(super) fn start_error(program: &'static str) -> impl FnOnce(std::io::Error) -> MachineError {
    move |cause| MachineError::Start { program, cause }
}

fn read_in_background(mut output: Box<dyn Read + Send>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut part = vec![0; 4096];
        while let Ok(count @ 1..) = output.read(&mut part) {
            if sender.send(part.get(..count).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn write_in_background(mut input: Box<dyn Write + Send>) -> Sender<Vec<u8>> {
    let (sender, receiver) = channel::<Vec<u8>>();
    thread::spawn(move || {
        for bytes in receiver {
            if input.write_all(&bytes).and_then(|()| input.flush()).is_err() {
                break;
            }
        }
    });
    sender
}
