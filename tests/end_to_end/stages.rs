//! Boot stages: how far boot has come, at port 0x80 and in the corner of the screen.

use std::fs;

use flatmk_tests::built;
use flatmk_tests::machines::{assert_status, boot};
use flatmk_tests::screen_text::{CONSOLE, ScreenText};
use flatmk_tools::machine::Machine;

use crate::debug;

/// The stages of the book's table, in their order.
const STAGES: [(u8, &str); 9] = [
    (0x10, "Console"),
    (0x20, "Interrupts"),
    (0x30, "Memory"),
    (0x40, "Tasks"),
    (0x50, "Devices"),
    (0x60, "LocalApic"),
    (0x61, "Calibration"),
    (0x62, "Timer"),
    (0x70, "RootTask"),
];

/// What the kernel has shown at the port, in a machine with a card that keeps it. The zeros are those with which the kernel waits for the 8259 controllers.
fn shown_at_the_port(timer: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let card = folder.path().join("card");
    let keeper = format!("file,id=card,path={}", card.display());
    let options = ["-chardev", &keeper, "-device", "isa-debugcon,iobase=0x80,chardev=card"];
    let machine = Machine::new(built::chapter(12)).boot_option("demonstration", "no").boot_option("timer", timer);
    assert_status(&boot(&machine.qemu_options(&options)), 0);
    let shown = fs::read(card).expect("the card has kept something");
    // Firmware shows stages of its own.
    let shown: Vec<u8> = shown.into_iter().filter(|&code| code != 0).collect();
    let first = shown.iter().rposition(|code| *code == 0x10).expect("the first stage is shown");
    shown.get(first..).unwrap_or_default().to_vec()
}

#[test]
fn the_stages_come_in_their_order_at_the_port() {
    let codes = STAGES.map(|(code, _)| code);
    assert_eq!(shown_at_the_port("auto"), codes);
    let without_local_apic: Vec<u8> = codes.into_iter().filter(|code| code >> 4 != 6).collect();
    assert_eq!(shown_at_the_port("pit"), without_local_apic);
}

/// A machine that stands still where a stage begins shows the one before.
#[test]
fn a_machine_that_stands_still_shows_its_stage_in_the_corner() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let pictures: Vec<_> = STAGES.iter().map(|(code, _)| folder.path().join(format!("{code:x}.ppm"))).collect();
    let dumps: Vec<String> = pictures.iter().map(|path| format!("monitor screendump {}", path.display())).collect();
    let mut commands = vec!["break kernel::hardware::stages::reach"];
    for dump in &dumps {
        commands.extend(["continue", "print stage", dump]);
    }
    let run = debug::session(&[], &commands);
    let names = STAGES
        .iter()
        .zip(1..)
        .map(|((_, name), number)| format!("${number} = kernel::hardware::stages::Stage::{name}\n"));
    names.for_each(|name| run.assert_printed(&name));
    // The first begins when there is no screen yet, so nothing shows it where the second does.
    let before = std::iter::once("  ".to_owned()).chain(STAGES.iter().skip(1).map(|(code, _)| format!("{code:x}")));
    for ((path, expected), (stage, _)) in pictures.iter().skip(1).zip(before).zip(STAGES.iter().skip(1)) {
        let picture = image::open(path).unwrap_or_else(|error| panic!("{error}\n{run}")).into_rgb8();
        let screen = ScreenText::read(&picture, CONSOLE);
        assert_eq!(screen.corner(), expected, "where {stage:#x} begins\n{screen}");
    }
}
