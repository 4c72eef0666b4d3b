//! Drivers that fault, in the place of those that do not: what becomes of them, and of the console.

use std::time::Duration;

use flatmk_abi::{Operation, slots};
use flatmk_image::builder::{CODE_ADDRESS, ElfFile, ElfSegment};
use flatmk_tests::built;
use flatmk_tests::shell::{Keys, Shell};
use flatmk_tools::kernel_file::KernelFile;
use flatmk_tools::machine::Ramdisk;
use flatmk_tools::{LAST_CHAPTER, workspace};
use test_case::test_case;

const LIMIT: Duration = Duration::from_secs(60);

/// The slot in which the supervisor finds a program's service.
const SERVICE: u8 = 6;

const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// An instruction that does not exist.
const UD2: [u8; 2] = [0x0f, 0x0b];

/// What the supervisor calls that.
const FAULT: &str = "An instruction that does not exist, or not on this processor (InvalidOpcode), at 0x400000";

/// What `ps` says of a service that is not started any more.
const GIVEN_UP: &str = "given up: it has failed too often";

/// Moves a small number into a register, by the opcode for that.
fn load(opcode: &[u8], number: u64) -> Vec<u8> {
    let number = u32::try_from(number).expect("it is small");
    [opcode, &number.to_le_bytes()].concat()
}

/// A program that offers a service, at which it faults.
fn faults_when_called() -> Vec<u8> {
    // Its calls begin at its first instruction.
    let start = CODE_ADDRESS + UD2.len() as u64;
    let make_endpoint = [
        load(&[0xbf], slots::SELF),
        load(&[0xbe], Operation::MakeEndpoint as u64),
        load(&[0xba], CODE_ADDRESS),
        load(&[0x41, 0xba], 0),
        load(&[0x41, 0xb8], slots::TABLE),
        load(&[0x41, 0xb9], SERVICE.into()),
        SYSCALL.to_vec(),
    ];
    let end_start = [load(&[0xbf], slots::REPLY), load(&[0xbe], Operation::Return as u64), SYSCALL.to_vec()];
    let code = [UD2.to_vec(), make_endpoint.concat(), end_start.concat()].concat();
    ElfFile::new(start).with(ElfSegment::read_execute(CODE_ADDRESS, &code)).to_bytes()
}

/// A program that faults before it offers anything.
fn faults_at_its_start() -> Vec<u8> {
    ElfFile::new(CODE_ADDRESS).with(ElfSegment::read_execute(CODE_ADDRESS, &UD2)).to_bytes()
}

/// The shell of a machine with another program in the place of a service's.
fn boot_with(service: &str, program: Vec<u8>) -> Shell {
    let kernel = KernelFile::read(built::chapter(LAST_CHAPTER)).expect("it is a kernel");
    let mut files = workspace::user_programs(kernel.root_package(), kernel.chapter).expect("they build");
    let file = files.iter_mut().find(|(name, _)| name == service).expect("it is among the programs");
    file.1 = program;
    Shell::boot_machine(&Shell::machine().ramdisk(Ramdisk::Files(files)), Keys::Serial)
}

/// How `ps` shows a service: how often it was started anew, and what it does.
fn shown(shell: &mut Shell, service: &str) -> (String, String) {
    let programs = shell.command("ps");
    let line = programs.lines().find(|line| line.contains(&format!(" {service} "))).expect("it is there");
    let (columns, state) = line.split_at(58);
    (columns.split_whitespace().last().unwrap_or_default().to_owned(), state.trim().to_owned())
}

#[test_case("screen")]
#[test_case("keyboard")]
#[test_case("clock")]
fn a_driver_that_faults_at_its_start_is_given_up_and_the_console_goes_on(service: &str) {
    let mut shell = boot_with(service, faults_at_its_start());
    assert_eq!(shown(&mut shell, service), ("5".to_owned(), GIVEN_UP.to_owned()));
    // By hand it has all its chances again, and needs them.
    shell.command(&format!("kill {service}"));
    assert_eq!(shown(&mut shell, service), ("11".to_owned(), GIVEN_UP.to_owned()));
    shell.expect("call echo 1", "1 0 0 0");
    let text = shell.running.text();
    for (what, count) in [("it is started anew", 11), ("that was once too often, it is given up", 2)] {
        let told =
            text.lines().filter(|line| line.contains(&format!("supervisor: {service}: ")) && line.ends_with(what));
        assert_eq!(told.count(), count, "{text}");
    }
}

/// Keys are asked for all the time, text is written all the time that `help` takes.
#[test_case("screen")]
#[test_case("keyboard")]
fn a_driver_that_faults_at_each_call_is_given_up_and_the_console_goes_on(service: &str) {
    let mut shell = boot_with(service, faults_when_called());
    // What is told of the faults stands in between the letters.
    shell.type_keys("help\r");
    let line = format!("supervisor: {service}: {FAULT}; that was once too often, it is given up");
    let told = shell.running.wait_for(&line, LIMIT);
    assert!(told.is_ok(), "{}", shell.running.text());
    shell.quiet();
    assert_eq!(shown(&mut shell, service).1, GIVEN_UP);
    shell.expect("call echo 1", "1 0 0 0");
}

#[test]
fn a_driver_that_faults_in_a_call_is_started_anew_and_its_caller_is_told() {
    let mut shell = boot_with("clock", faults_when_called());
    for restarts in ["0", "1", "2"] {
        assert_eq!(shown(&mut shell, "clock"), (restarts.to_owned(), "waits for calls".to_owned()));
        shell.expect("date", "The callee, or what the caller waited for, was destroyed");
    }
    let line = format!("supervisor: clock: {FAULT}; it is started anew");
    assert_eq!(shell.running.text().matches(&line).count(), 3, "{}", shell.running.text());
}
