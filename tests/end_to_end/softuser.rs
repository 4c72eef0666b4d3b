//! `./x softuser`: RISC-V programs on this machine, good ones and bad.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flatmk_image::Machine;
use flatmk_image::builder::{CODE_ADDRESS, ElfFile, ElfSegment};
use flatmk_tests::built;
use flatmk_tests::program::{Finished, Program};
use flatmk_tools::c_program::Target;
use tempfile::TempDir;
use test_case::test_case;

/// What none of these programs takes, on a busy machine either.
const LIMIT: Duration = Duration::from_secs(60);

const DATA_ADDRESS: u64 = CODE_ADDRESS + 0x1000;

/// Some instructions.
const LI_A0_1: u32 = 0x0010_0513;
const LI_A0_7: u32 = 0x0070_0513;
const LI_A2_6: u32 = 0x0060_0613;
const LI_A7_WRITE: u32 = 0x0400_0893;
const LI_A7_EXIT: u32 = 0x05d0_0893;
/// `lui a1, 0x401`: the address of the data.
const LUI_A1_DATA: u32 = 0x0040_15b7;
/// `sw a0, 0(zero)`
const SW_NULL: u32 = 0x00a0_2023;
const ECALL: u32 = 0x73;
/// `j .`
const LOOP: u32 = 0x6f;

/// A program with these instructions and six bytes of text.
fn program(words: &[u32]) -> ElfFile {
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    ElfFile::new_for(Machine::RiscV32, CODE_ADDRESS)
        .with(ElfSegment::read_execute(CODE_ADDRESS, &code))
        .with(ElfSegment::read_write(DATA_ADDRESS, b"hello\n"))
}

fn greeting() -> ElfFile {
    program(&[LI_A0_1, LUI_A1_DATA, LI_A2_6, LI_A7_WRITE, ECALL, LI_A0_7, LI_A7_EXIT, ECALL])
}

fn flatmk(arguments: &[&str]) -> Finished {
    Program::new(built::host_program()).argument("softuser").arguments(arguments).run(LIMIT)
}

/// Runs a file with these contents, named `program` in its folder.
fn run(file: &[u8], arguments: &[&str]) -> Finished {
    let folder = TempDir::new().expect("there is a folder for temporary files");
    let path = folder.path().join("program");
    fs::write(&path, file).expect("it can be written");
    let path = path.display().to_string();
    flatmk(&[&[path.as_str()], arguments].concat())
}

#[test]
fn a_program_writes_and_exits() {
    let run = run(&greeting().to_bytes(), &[]);
    run.assert_code(7);
    assert_eq!((run.output(), run.errors()), ("hello\n", ""));
}

#[test]
fn its_instructions_are_counted() {
    let run = run(&greeting().to_bytes(), &["--count"]);
    run.assert_code(7);
    let count = "8 instructions, counted one by one as they were done; 0 of them are of 16 bits\n  computing                6\n  system                   2\n";
    assert_eq!((run.output(), run.errors()), ("hello\n", count));
}

/// That takes some seconds at most, however much room there is for translated code.
#[test]
fn millions_of_instructions_are_counted() {
    // t0 counts down from 2^20.
    let words = [0x0010_02b7, 0xfff2_8293, 0xfe02_9ee3, LI_A0_7, LI_A7_EXIT, ECALL];
    let run = run(&program(&words).to_bytes(), &["--count"]);
    run.assert_code(7);
    run.assert_complained("2097156 instructions, counted one by one as they were done; ");
}

#[test]
fn its_instructions_are_shown() {
    let run = run(&greeting().to_bytes(), &["--trace"]);
    run.assert_code(7);
    assert_eq!((run.output(), run.errors().lines().count()), ("hello\n", 8));
    run.assert_complained("00400004: 004015b7  lui a1, 0x401                a1 = 0x00401000\n");
    run.assert_complained("00400010: 00000073  ecall                        a0 = 0x00000006\n");
}

#[test_case(&[0], 132, "trap 4, illegal instruction: pc 0x00400000"; "an illegal instruction")]
#[test_case(&[0x0010_0073], 133, "trap 5, breakpoint: pc 0x00400000"; "a breakpoint")]
#[test_case(&[0x0010_0293, 0x0002_a52f], 135, "trap 7, misaligned atomic access: pc 0x00400004, address 0x00000001"; "a misaligned access")]
#[test_case(&[LI_A0_1, SW_NULL], 139, "trap 11, access to memory that is not there for it: pc 0x00400004, address 0x00000000"; "a null pointer")]
#[test_case(&[LUI_A1_DATA, 0x0005_8067], 140, "trap 12, code that cannot be executed: pc 0x00401000, address 0x00401000"; "data as code")]
#[test_case(&[0x1050_0073], 142, "trap 14, waits for an interrupt, which never comes: pc 0x00400000"; "a wait")]
fn a_trap_is_one_line_and_an_exit_code(words: &[u32], code: i32, line: &str) {
    for options in [&[][..], &["--count"]] {
        let run = run(&program(words).to_bytes(), options);
        run.assert_code(code);
        run.assert_complained(&format!("program: {line}\n"));
        if options.is_empty() {
            assert_eq!(run.errors().lines().count(), 1, "{run}");
        }
    }
}

fn cut_off() -> Vec<u8> {
    let mut file = greeting().to_bytes();
    file.truncate(file.len() - 1);
    file
}

fn with_segment(segment: ElfSegment) -> Vec<u8> {
    greeting().with(segment).to_bytes()
}

#[test_case(b"#!/bin/sh\n", "the file is not an ELF file"; "not an elf file")]
#[test_case(&[], "the file is not an ELF file"; "an empty file")]
#[test_case(&ElfFile::program().to_bytes(), "the file is not for a 32-bit processor"; "64 bits")]
#[test_case(&ElfFile { machine: 40, ..greeting() }.to_bytes(), "the file is for another processor: ELF machine 40"; "another machine")]
#[test_case(&ElfFile { byte_order: 2, ..greeting() }.to_bytes(), "not for a little-endian processor"; "big endian")]
#[test_case(&ElfFile { kind: 3, ..greeting() }.to_bytes(), "the file is not a static executable"; "a dynamic file")]
#[test_case(&ElfFile { flags: 5, ..greeting() }.to_bytes(), "the program needs floating-point registers"; "floating point")]
#[test_case(&ElfFile { entry: DATA_ADDRESS, ..greeting() }.to_bytes(), "the entry point 0x401000 is not in an executable segment"; "the entry outside")]
#[test_case(&cut_off(), "the file is cut off"; "cut off")]
#[test_case(&with_segment(ElfSegment::dynamic(0x60_0000)), "the program is not static"; "a dynamic section")]
#[test_case(&with_segment(ElfSegment::read_write(DATA_ADDRESS + 8, b"x")), "shares a page with segment 1"; "overlapping segments")]
#[test_case(&with_segment(ElfSegment::load(7, 0x60_0000, b"x")), "is both writable and executable"; "writable code")]
#[test_case(&with_segment(ElfSegment::read_write(0x60_0000, b"").sized(0xffff_0000)), "is outside of a RISC-V program's memory"; "beyond the end")]
#[test_case(&with_segment(ElfSegment::read_write(0x7ff0_0000, b"").sized(0x2000_0000)), "lies where the stack goes"; "around the stack")]
#[test_case(&with_segment(ElfSegment::read_write(0x8000_0000, b"").sized(0x7000_0000)), "the program takes 1793 MiB of memory"; "too large")]
fn a_bad_file_is_refused_in_one_sentence(file: &[u8], words: &str) {
    let run = run(file, &[]);
    run.assert_one_sentence(words);
    run.assert_complained("program: ");
}

#[test_case("/nowhere/at-all", "cannot read /nowhere/at-all: No such file"; "nothing")]
#[test_case("/", "cannot read /: it is not a file"; "a folder")]
#[test_case("/dev/zero", "cannot read /dev/zero: it is not a file"; "a device")]
fn what_is_no_file_is_refused(path: &str, words: &str) {
    flatmk(&[path]).assert_one_sentence(words);
}

#[test]
fn the_command_needs_a_file() {
    flatmk(&[]).assert_one_sentence("<FILE>");
    let help = flatmk(&["--help"]);
    help.assert_code(0);
    help.assert_printed("139  trap 11");
}

/// Nothing but Ctrl-C ends it, and that does at once.
#[test_case(&[]; "as fast as can be")]
#[test_case(&["--count"]; "counted")]
fn an_endless_program_ends_at_ctrl_c(options: &[&str]) {
    let folder = TempDir::new().expect("there is a folder for temporary files");
    let path = folder.path().join("program");
    fs::write(&path, program(&[LOOP]).to_bytes()).expect("it can be written");
    // Whoever has started the tests in the background lets them, and all that they start, ignore Ctrl-C.
    let mut child = Command::new("env")
        .args(["--default-signal=INT".as_ref(), built::host_program().as_os_str()])
        .args(["softuser".as_ref(), path.as_os_str()])
        .args(options)
        .stdin(Stdio::null())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().expect("it is a child of this program").is_none(), "it has ended by itself");
    let asked = Instant::now();
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is such a command");
    assert!(kill.success());
    while child.try_wait().expect("it is a child of this program").is_none() {
        if asked.elapsed() > Duration::from_secs(10) {
            child.kill().expect("it is a child of this program");
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_program_that_nobody_listens_to_ends() {
    let folder = TempDir::new().expect("there is a folder for temporary files");
    let path = folder.path().join("program");
    // It greets again and again.
    let words = [LI_A0_1, LUI_A1_DATA, LI_A2_6, LI_A7_WRITE, ECALL, 0xfedf_f06f];
    fs::write(&path, program(&words).to_bytes()).expect("it can be written");
    let script =
        format!("{} softuser {} | head -n 3; echo ${{PIPESTATUS[0]}}", built::host_program().display(), path.display());
    let run = Program::new("bash").arguments(["-c", &script]).run(LIMIT);
    assert_eq!(run.output(), "hello\nhello\nhello\n141\n", "{run}");
}

/// Without a library: it begins where Linux begins programs, and asks as it is asked.
const IN_C: &str = r#"
#include <stdint.h>
static long call(long number, long a, long b, long c)
{
    register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}
static void print(const char *text)
{
    long length = 0;
    while (text[length]) length++;
    call(64, 1, (long)text, length);
}
static volatile uint64_t large = UINT64_C(0x123456789abcdef0);
int begin(long *stack)
{
    for (long index = 1; index < stack[0]; index++) { print((const char *)stack[1 + index]); print("\n"); }
    /* A heap of a page, which is zero. */
    char *heap = (char *)call(214, 0, 0, 0);
    if (call(214, (long)(heap + 4096), 0, 0) != (long)(heap + 4096) || heap[4095] != 0) return 1;
    heap[4095] = 1;
    return (int)(large / 10 % 256);
}
__attribute__((naked)) void _start(void) { __asm__("mv a0, sp\n call begin\n li a7, 93\n ecall"); }
"#;

#[test]
fn a_program_in_c_finds_its_arguments_and_its_heap() {
    let folder = TempDir::new().expect("there is a folder for temporary files");
    let [source, program] = ["main.c", "program"].map(|name| folder.path().join(name));
    fs::write(&source, IN_C).expect("it can be written");
    let compile = |program: &Path| {
        let options =
            ["-march=rv32imc", "-mabi=ilp32", "-O1", "-nostdlib", "-static", "-ffreestanding", "-Wl,--no-relax"];
        let mut command = Command::new(Target::Riscv.compiler());
        command.args(options).arg(&source).arg("-lgcc").arg("-o").arg(program).status()
    };
    assert!(compile(&program).expect("there is a compiler").success());
    let run = flatmk(&[&program.display().to_string(), "--", "one", "--two", ""]);
    assert_eq!(run.output(), "one\n--two\n\n", "{run}");
    run.assert_code((0x1234_5678_9abc_def0_u64 / 10 % 256) as i32);
}
