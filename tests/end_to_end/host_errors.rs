//! What the host program cannot work with ends in one clear sentence on stderr and exit code 1. What `./x` itself finds out
//! before it hands over is tested in `tools/setup/test.sh`.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use flatmk_tests::built;
use flatmk_tests::program::{Finished, Program};
use test_case::test_case;

const LIMIT: Duration = Duration::from_secs(60);

fn flatmk(arguments: &[&str]) -> Finished {
    Program::new(built::host_program()).arguments(arguments).run(LIMIT)
}

#[test]
fn an_unknown_command_is_named() {
    flatmk(&["fly"]).assert_one_sentence("unrecognized subcommand 'fly'");
}

#[test_case("0")]
#[test_case("13")]
#[test_case("x")]
fn an_unknown_chapter_is_named(chapter: &str) {
    let run = flatmk(&["run", "--chapter", chapter]);
    run.assert_one_sentence(&format!("invalid value '{chapter}' for '--chapter <N>': there are chapters 1 to 12"));
}

#[test]
fn a_file_that_is_not_an_elf_file_is_named() {
    flatmk(&["boot", "Cargo.toml"]).assert_one_sentence("Cargo.toml is not a kernel: it is not an ELF file for x86-64");
}

#[test]
fn a_program_that_is_no_kernel_is_named() {
    let program = built::host_program();
    flatmk(&["boot", &program.display().to_string()])
        .assert_one_sentence("is not a FlatMk kernel: it has no section `.flatmk`");
}

#[test]
fn a_kernel_that_is_not_there_is_named() {
    flatmk(&["boot", "no-such-kernel"])
        .assert_one_sentence("cannot read the kernel no-such-kernel: No such file or directory");
}

#[test]
fn a_kernel_larger_than_memory_is_named() {
    let kernel = built::broken("too-large");
    let run = Program::new(built::host_program()).argument("boot").argument(&kernel).run(LIMIT);
    run.assert_one_sentence("does not fit in memory: it needs 1025 MiB, and the machine has 512");
}

#[test]
fn a_machine_with_next_to_no_memory_is_refused() {
    let kernel = built::chapter(1);
    let program = Program::new(built::host_program()).argument("boot").argument(&kernel);
    program.variable("FLATMK_MEMORY", "15").run(LIMIT).assert_one_sentence("15 MiB of memory are too little");
}

#[test_case("qemu", "QEMU (qemu-system-x86_64) is not installed: run ./x doctor"; "QEMU")]
#[test_case("bochs", "Bochs (bochs) is not installed: run ./x doctor"; "Bochs")]
fn a_missing_emulator_is_named(emulator: &str, sentence: &str) {
    let kernel = built::chapter(1);
    // The compiler is there: the host program asks for its version.
    let path = tempfile::tempdir().expect("there is a folder for temporary files");
    for tool in ["rustc", "cargo"] {
        symlink(find(tool), path.path().join(tool)).expect("temporary files can be written");
    }
    let program = Program::new(built::host_program()).argument("boot").argument(&kernel);
    program
        .variable("PATH", path.path())
        .variable("FLATMK_EMULATOR", emulator)
        .run(LIMIT)
        .assert_one_sentence(sentence);
}

fn find(tool: &str) -> PathBuf {
    let path = env::var_os("PATH").expect("there is a PATH");
    let found = env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.is_file());
    found.expect("the tool that runs this test is in the PATH")
}

#[test]
fn a_processor_that_bochs_does_not_have_is_named() {
    let kernel = built::chapter(1).display().to_string();
    let run = flatmk(&["boot", "--emulator", "bochs", "--cpu", "core2", &kernel]);
    run.assert_one_sentence("Bochs has no processor `core2`; it has bx_generic, ");
    run.assert_complained(", corei7_skylake_x, ");
}

#[test]
fn a_processor_that_qemu_does_not_have_is_named() {
    let kernel = built::chapter(1).display().to_string();
    let run = flatmk(&["boot", "--cpu", "corei7_skylake_x", &kernel]);
    run.assert_one_sentence("the emulator gave up: unable to find CPU model 'corei7_skylake_x'");
}

#[test]
fn firmware_that_bochs_does_not_have_is_named() {
    let kernel = built::chapter(1).display().to_string();
    let run = flatmk(&["boot", "--emulator", "bochs", "--uefi", &kernel]);
    run.assert_one_sentence("Bochs has no UEFI firmware: leave out --uefi or take QEMU");
}

#[test_case("run")]
#[test_case("test")]
#[test_case("bench")]
fn an_emulator_that_is_not_known_is_named(command: &str) {
    let run = flatmk(&[command, "--emulator", "vmware"]);
    run.assert_one_sentence("invalid value 'vmware' for '--emulator <EMULATOR>' [possible values: qemu, bochs]");
}

/// FlatMk needs PCI, where the screen is; so do the firmware's tables, of which such a machine has none.
#[test_case("run")]
#[test_case("bench")]
fn a_machine_without_pci_is_refused(command: &str) {
    let run = flatmk(&[command, "--machine", "isapc"]);
    run.assert_one_sentence("invalid value 'isapc' for '--machine <pc|q35>' [possible values: pc, q35]");
}

#[test]
fn a_disk_of_this_system_is_not_written() {
    for (device, words) in [("/dev/null", "/dev/null is not a block device"), ("/dev/none", "there is no /dev/none")] {
        flatmk(&["image", "--write", device, "--yes-erase", "none"]).assert_one_sentence(words);
    }
}

#[test_case("run")]
#[test_case("bench")]
fn a_switch_is_on_or_off(command: &str) {
    let run = flatmk(&[command, "--pcid", "maybe"]);
    run.assert_one_sentence("invalid value 'maybe' for '--pcid <PCID>' [possible values: on, off]");
    let run = flatmk(&[command, "--meltdown", "maybe"]);
    run.assert_one_sentence("invalid value 'maybe' for '--meltdown <MELTDOWN>' [possible values: auto, on, off]");
}

#[test]
fn a_missing_c_compiler_is_named() {
    let kernel = built::chapter(12);
    let program = Program::new(built::host_program()).argument("boot").argument(&kernel).variable("CC", "/nowhere/cc");
    program.run(LIMIT).assert_one_sentence("cannot run the C compiler /nowhere/cc (No such file or directory");
}

#[test]
fn a_full_disk_is_named() {
    let kernel = built::chapter(1);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let run =
        on_small_disk(folder.path()).argument(built::host_program()).argument("boot").argument(&kernel).run(LIMIT);
    run.assert_one_sentence("No space left on device");
    let left = fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(left, 0, "the disk was not where it should have been");
}

/// Runs a program for which the folder of temporary files is a disk of 256 KiB, which nobody else sees.
fn on_small_disk(folder: &Path) -> Program {
    const SCRIPT: &str = "mount -t tmpfs -o size=256k none \"$TMPDIR\" && exec \"$@\"";
    let namespace = ["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"];
    Program::new("unshare").arguments(namespace).variable("TMPDIR", folder)
}

/// A fresh folder of one's own makes no difference: the image of a read-only checkout goes to the folder of temporary files.
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let run = flatmk(&["image", "--output", "/proc/flatmk.img"]);
    run.assert_code(1);
    run.assert_complained("error: cannot write to /proc");
}
