//! Boot options: lines `key=value` in the file `boot-options` of the ramdisk.

use tar_no_std::TarArchiveRef;

use crate::{println, sync::Exclusive};

/// How a run ends, which is the business of whoever started the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Through the `isa-debug-exit` device of QEMU.
    Qemu,
    /// Through the shutdown port of Bochs.
    Bochs,
    /// Not at all: the machine stays on, halted, so that the screen can be read.
    Halt,
}

/// Whether user mode runs without the kernel in its page tables, from chapter 9 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// If the processor needs it.
    Auto,
    /// In any case.
    On,
    /// In no case.
    Off,
}

/// Which timer ticks, from chapter 12 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The local APIC's, where there is one; else the 8254.
    Auto,
    /// The 8254.
    Pit,
}

/// The options, with their defaults for a real machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `exit=qemu|bochs|none`.
    pub exit: Exit,
    /// `interactive=yes|no`: somebody sits at a terminal.
    pub interactive: bool,
    /// `fast_path=on|off`: whether calls may take the fast path.
    pub fast_path: bool,
    /// `pcid=on|off`: whether identifiers of address spaces are used where the processor has them.
    pub pcid: bool,
    /// `meltdown=auto|on|off`: whether user mode runs without the kernel in its page tables.
    pub meltdown: Isolation,
    /// `timer=auto|pit`: which timer ticks.
    pub timer: Timer,
}

impl Options {
    const DEFAULT: Options = Options {
        exit: Exit::Halt,
        interactive: false,
        fast_path: true,
        pcid: true,
        meltdown: Isolation::Auto,
        timer: Timer::Auto,
    };

    // ANCHOR: parse
    /// The options in this text. What is unknown is passed to `unknown` and changes nothing.
    pub fn parse<'a>(text: &'a str, mut unknown: impl FnMut(&'a str)) -> Options {
        let mut options = Options::DEFAULT;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line {
                "exit=qemu" => options.exit = Exit::Qemu,
                "exit=bochs" => options.exit = Exit::Bochs,
                "exit=none" => options.exit = Exit::Halt,
                "interactive=yes" => options.interactive = true,
                "interactive=no" => options.interactive = false,
                "fast_path=on" => options.fast_path = true,
                "fast_path=off" => options.fast_path = false,
                "pcid=on" => options.pcid = true,
                "pcid=off" => options.pcid = false,
                "meltdown=auto" => options.meltdown = Isolation::Auto,
                "meltdown=on" => options.meltdown = Isolation::On,
                "meltdown=off" => options.meltdown = Isolation::Off,
                "timer=auto" => options.timer = Timer::Auto,
                "timer=pit" => options.timer = Timer::Pit,
                // These are the root task's.
                "demonstration=yes" | "demonstration=no" | "trace=on" | "trace=off" => {}
                "units=instructions" | "units=cycles" => {}
                _ if line.starts_with("layout=") => {}
                _ => unknown(line),
            }
        }
        options
    }
    // ANCHOR_END: parse
}

static OPTIONS: Exclusive<Options> = Exclusive::new(Options::DEFAULT);

/// The options of this boot.
pub fn options() -> Options {
    OPTIONS.with(|options| *options)
}

/// Reads the options from the ramdisk. Without a ramdisk, or where it is no archive, the defaults hold: the chapter that needs
/// the ramdisk reports it.
pub(super) fn initialize(ramdisk: &[u8]) {
    let Ok(archive) = TarArchiveRef::new(ramdisk) else { return };
    let file = archive.entries().find(|entry| entry.filename().as_str() == Ok("boot-options"));
    let Some(text) = file.and_then(|entry| core::str::from_utf8(entry.data()).ok()) else { return };
    let options = Options::parse(text, |line| println!("warning: unknown boot option: {line}"));
    OPTIONS.with(|current| *current = options);
}
