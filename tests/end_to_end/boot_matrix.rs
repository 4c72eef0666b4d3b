//! Chapter 12's kernel boots, measures and ends by itself on every machine that it is made for.

use std::thread;
use std::time::Duration;

use flatmk_tests::machines::{Seat, TIME_LIMIT, assert_says, assert_status, boot, boot_for, start};
use flatmk_tests::{built, figures};
use flatmk_tools::disk::Firmware::{self, Bios, Uefi};
use flatmk_tools::disk::LoaderLog;
use flatmk_tools::machine::MachineType::{self, Pc, Q35};
use flatmk_tools::machine::{Clock, Devices, Disk, Emulator, ExitReason, Machine, Outcome};
use image::RgbImage;
use test_case::{test_case, test_matrix};

/// The least memory that boots, in MiB and in steps of [`STEP_MIB`], on all machines and processors of the matrix. Found by going
/// down until the boot loader gave up: it needs 4 MiB for page tables of all the addresses that a processor of QEMU has (1 TiB),
/// and room for the kernel twice. To the MiB it was 22 with the BIOS and 18 in Bochs. With UEFI the firmware scatters its own
/// pages, differently for each processor, and the boot loader gives up what lies before the last piece it has used. So a little
/// more in the ramdisk can take much: with 1.7 MiB there all booted with 41, with 2.7 MiB some do not with 52.
const LEAST_WITH_BIOS: u32 = 24;
const LEAST_WITH_UEFI: u32 = 64;
const LEAST_IN_BOCHS: u32 = 20;
/// One step below where some processor boots with UEFI.
const TOO_LITTLE_WITH_UEFI: u32 = 36;
const STEP_MIB: u32 = 4;

const USUAL: u32 = 512;
/// Some of it is above 4 GiB, behind the hole for devices.
const MUCH: u32 = 8 * 1024;
/// The same in Bochs, which keeps what is beyond 2 GiB in a file.
const MUCH_IN_BOCHS: u32 = 5 * 1024;

/// Every feature that QEMU knows.
const EVERY_FEATURE: &str = "max";
/// Nothing beyond the first x86-64 processors, and of that only what the kernel needs and what compilers take for granted.
const PLAIN: &str = "qemu64,-sse3,-cx16,-lahf-lm,-svm,-hypervisor,-x2apic,-pge,-mce,-mca,-mtrr,-pat,-vme,-de,-pse36,-sep,\
    -apic,-acpi,-clflush,-pse";

/// The features in the banner of a processor that has no more than is needed.
const NEEDED_FEATURES: &str = ", with tsc msr syscall nx\n";
const WANTED_FEATURES: &str = ", with tsc msr syscall nx pge smep smap umip";

fn machine(firmware: Firmware) -> Machine {
    // Nothing is measured here, so the tables are those of fewer batches, whatever their unit.
    let clock = if firmware == Uefi { Clock::Host } else { Clock::Instructions };
    Machine::new(built::chapter(12)).firmware(firmware).clock(clock).boot_option("units", "instructions")
}

/// `reachable_mib`: what of the memory the firmware can tell of.
#[track_caller]
fn assert_complete(outcome: &Outcome, reachable_mib: u32) {
    assert_status(outcome, 0);
    if let Err(fault) = figures::read(&outcome.serial()) {
        panic!("{fault}\n{}", outcome.serial());
    }
    assert_says(outcome, "root task: benchmark is done");
    let usable = usable_mib(&outcome.serial()).expect("the banner tells the memory");
    // Firmware keeps some, the more the more it has.
    assert!(
        usable <= reachable_mib && usable + 16 + reachable_mib / 64 >= reachable_mib,
        "{usable} of {reachable_mib} MiB are usable"
    );
}

fn usable_mib(serial: &str) -> Option<u32> {
    let (_, rest) = serial.split_once("memory: ")?;
    rest.split_once(" MiB usable")?.0.parse().ok()
}

#[test_matrix([Pc, Q35], [LEAST_WITH_BIOS, MUCH], [EVERY_FEATURE, PLAIN])]
fn boots_with_bios_in_qemu(machine_type: MachineType, memory_mib: u32, cpu: &str) {
    boots_in_qemu(Bios, machine_type, memory_mib, cpu);
}

#[test_matrix([Pc, Q35], [LEAST_WITH_UEFI, MUCH], [EVERY_FEATURE, PLAIN])]
fn boots_with_uefi_in_qemu(machine_type: MachineType, memory_mib: u32, cpu: &str) {
    boots_in_qemu(Uefi, machine_type, memory_mib, cpu);
}

fn boots_in_qemu(firmware: Firmware, machine_type: MachineType, memory_mib: u32, cpu: &str) {
    let outcome = boot(&machine(firmware).machine_type(machine_type).memory_mib(memory_mib).cpu(cpu));
    assert_complete(&outcome, memory_mib);
    assert_says(&outcome, if cpu == PLAIN { NEEDED_FEATURES } else { WANTED_FEATURES });
}

#[test_case(LEAST_IN_BOCHS, "corei7_skylake_x", " smep smap pcid invpcid"; "least memory and every feature")]
#[test_case(LEAST_IN_BOCHS, "athlon64_clawhammer", ", with tsc msr syscall nx pge\n"; "least memory and a plain processor")]
#[test_case(USUAL, "corei7_skylake_x", " smep smap pcid invpcid"; "512 MiB and every feature")]
#[test_case(USUAL, "athlon64_clawhammer", ", with tsc msr syscall nx pge\n"; "512 MiB and a plain processor")]
#[test_case(MUCH_IN_BOCHS, "corei7_skylake_x", " smep smap pcid invpcid"; "5 GiB and every feature")]
fn boots_with_bios_in_bochs(memory_mib: u32, cpu: &str, features: &str) {
    let outcome = boot(&machine(Bios).emulator(Emulator::Bochs).memory_mib(memory_mib).cpu(cpu));
    // What the hole for devices covers is lost in Bochs.
    const HOLE_MIB: u32 = 1024;
    assert_complete(&outcome, if memory_mib == MUCH_IN_BOCHS { memory_mib - HOLE_MIB } else { memory_mib });
    assert_says(&outcome, features);
}

/// The image on a stick, which is what `./x image` is for. The stick keeps the host's time, and firmware waits for it: with time that counts
/// instructions it takes minutes.
#[test_matrix([Bios, Uefi], [Pc, Q35])]
fn boots_from_a_usb_stick(firmware: Firmware, machine_type: MachineType) {
    let outcome = boot(&machine(firmware).clock(Clock::Host).machine_type(machine_type).disk(Disk::UsbStick));
    assert_complete(&outcome, USUAL);
}

/// No keyboard controller, no drives for floppies and compact disks, no network: nothing that is not needed.
#[test_matrix([Bios, Uefi], [Pc, Q35])]
fn boots_with_the_fewest_devices(firmware: Firmware, machine_type: MachineType) {
    let outcome = boot(&machine(firmware).machine_type(machine_type).devices(Devices::Fewest));
    assert_complete(&outcome, USUAL);
}

/// A machine that goes to the shell at once.
fn unmeasured(cpu: &str) -> Machine {
    machine(Bios).emulator(Emulator::Bochs).cpu(cpu).boot_option("demonstration", "no")
}

/// The second of the processors has no `INVPCID`, which nothing needs.
#[test_case("corei7_skylake_x", "on", "on"; "there")]
#[test_case("corei7_sandy_bridge_2600k", "on", "on"; "there without invpcid")]
#[test_case("corei7_skylake_x", "off", "off (boot option)"; "not wanted")]
#[test_case("athlon64_clawhammer", "on", "off (the processor has none)"; "not there")]
fn identifiers_are_used_where_they_are_there_and_wanted(cpu: &str, option: &str, said: &str) {
    let outcome = boot(&unmeasured(cpu).boot_option("pcid", option));
    assert_status(&outcome, 0);
    assert_says(&outcome, &format!("address spaces: pcid {said}, "));
}

/// `tigerlake` says that it has no Meltdown, and `ryzen` is AMD's.
#[test_case("corei7_skylake_x", "auto", "on (the processor needs it) but for 5 pages"; "needed")]
#[test_case("corei7_skylake_x", "off", "off (boot option)"; "needed and not wanted")]
#[test_case("tigerlake", "auto", "off (the processor does not need it)"; "not needed")]
#[test_case("ryzen", "auto", "off (the processor does not need it)"; "not needed by another maker's")]
#[test_case("ryzen", "on", "on (boot option) but for 5 pages"; "not needed and wanted")]
#[test_case("p4_prescott_celeron_336", "auto", "on (the processor needs it) but for 5 pages"; "needed by one without features")]
fn the_kernel_is_isolated_where_that_is_needed_and_wanted(cpu: &str, option: &str, said: &str) {
    let outcome = boot(&unmeasured(cpu).boot_option("meltdown", option));
    assert_status(&outcome, 0);
    assert_says(&outcome, &format!(", isolation {said}\n"));
}

/// The log says which counter of known frequency was used: the best that is there.
#[test_case("hpet=on", "HPET"; "the event timer")]
#[test_case("hpet=off", "ACPI timer"; "the power management timer")]
#[test_case("hpet=off,acpi=off", "8254"; "the first timer of all")]
fn the_best_counter_calibrates(machine_options: &str, counter: &str) {
    let machine = machine(Bios).boot_option("demonstration", "no").qemu_options(&["-machine", machine_options]);
    let outcome = boot(&machine);
    assert_status(&outcome, 0);
    assert_says(&outcome, &format!("\ncalibration: {counter}\n"));
    assert_says(&outcome, "\ntimer: local APIC (xAPIC, periodic) at ");
}

/// The log says what ticks. QEMU has processors without a local APIC, and Bochs one whose timer has deadlines.
#[test_case(Emulator::Qemu, "max,-apic", "the 8254, 1000 ticks a second (the processor has no local APIC that can be used)\n"; "without a local APIC")]
#[test_case(Emulator::Bochs, "athlon64_clawhammer", "local APIC (xAPIC, periodic) at "; "registers in memory")]
#[test_case(Emulator::Bochs, "corei7_skylake_x", "local APIC (x2APIC, TSC deadline) at "; "registers of the newer mode and deadlines")]
fn the_best_timer_ticks(emulator: Emulator, cpu: &str, timer: &str) {
    let outcome = boot(&unmeasured(cpu).emulator(emulator));
    assert_status(&outcome, 0);
    assert_says(&outcome, &format!("\ntimer: {timer}"));
}

#[test_case(Emulator::Qemu, Bios, LEAST_WITH_BIOS - STEP_MIB; "with BIOS in QEMU")]
#[test_case(Emulator::Qemu, Uefi, TOO_LITTLE_WITH_UEFI; "with UEFI in QEMU")]
#[test_case(Emulator::Bochs, Bios, LEAST_IN_BOCHS - STEP_MIB; "with BIOS in Bochs")]
fn below_the_least_memory_the_runner_says_so(emulator: Emulator, firmware: Firmware, memory_mib: u32) {
    // The machine that needs most. Bochs has only the other.
    let machine_type = if emulator == Emulator::Bochs { Pc } else { Q35 };
    let machine = machine(firmware).emulator(emulator).machine_type(machine_type).memory_mib(memory_mib);
    // Long enough for a boot on a busy machine, and the boot loader that has given up stays silent.
    let outcome = boot_for(&machine, TIME_LIMIT / 6);
    let sentence = outcome.reason.to_string();
    assert!(matches!(outcome.reason, ExitReason::NoKernel { .. }), "{sentence}\n{}", outcome.serial());
    assert!(sentence.contains("the boot loader did not start the kernel"), "{sentence}");
    assert!(sentence.contains(&format!("{memory_mib} MiB")), "{sentence}");
    assert!(!sentence.contains('\n'), "{sentence}");
}

/// Where the boot loader's letters are on the screen, a mark each; its letters are larger than the kernel's.
fn marks_of_the_loader(picture: &RgbImage, text: &str) -> String {
    const BORDER: u32 = 1;
    const WIDTH: u32 = 9;
    const HEIGHT: u32 = 16;
    let is_dark = |x: u32, y: u32| picture.get_pixel_checked(x, y).is_none_or(|pixel| pixel.0 == [0; 3]);
    let is_blank = |left: u32| (left..left + WIDTH).all(|x| (BORDER..BORDER + HEIGHT).all(|y| is_dark(x, y)));
    (0..text.len() as u32).map(|column| if is_blank(BORDER + column * WIDTH) { ' ' } else { '#' }).collect()
}

/// As an image for a stick is made. With UEFI there is no such amount of memory: the firmware has too little before the boot loader has.
#[test]
fn below_the_least_memory_the_screen_says_why() {
    const SAID: &str = "ERROR: panicked at /";
    let machine = machine(Bios).machine_type(Q35).memory_mib(LEAST_WITH_BIOS - STEP_MIB).loader_log(LoaderLog::Errors);
    let _seat = Seat::take();
    let mut running = start(&machine);
    let expected: String = SAID.chars().map(|letter| if letter == ' ' { ' ' } else { '#' }).collect();
    let is_said = (0..TIME_LIMIT.as_secs() / 2).any(|_| {
        thread::sleep(Duration::from_secs(1));
        // QEMU is not ready for it at once.
        running.screen().is_ok_and(|picture| marks_of_the_loader(&picture, SAID) == expected)
    });
    assert!(is_said, "the screen shows nothing of the boot loader's\n{}", running.text());
}
