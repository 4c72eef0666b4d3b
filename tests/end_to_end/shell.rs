//! The shell, typed at.

use flatmk_tests::shell::{Keys, Shell};
use flatmk_tools::machine::Clock;
use test_case::test_case;

#[test_case(Keys::Serial)]
#[test_case(Keys::Keyboard)]
fn commands_are_typed_and_answered(keys: Keys) {
    let mut shell = Shell::boot(keys);
    let help = shell.command("help");
    for (name, ..) in
        ["bench", "caps", "clear", "help", "kill", "mem", "pipe", "poweroff", "ps", "reboot", "run"].map(|name| (name,))
    {
        assert!(help.lines().any(|line| line.trim().starts_with(name)), "{name} is missing:\n{help}");
    }
    println!("{help}");
    println!("{}", shell.command("ps"));
    println!("{}", shell.command("mem"));
    println!("{}", shell.command("caps keyboard"));
    println!("{}", shell.command("date"));
    println!("{}", shell.command("uptime"));
    println!("{}", shell.command("run crash divide"));
    println!("{}", shell.command("run crash stack"));
    println!("{}", shell.command("run crash panic"));
    println!("{}", shell.command("call softuser-forth \"12 dup * 102 -\""));
    println!("{}", shell.command("pipe generator | filter | checksum"));
    println!("{}", shell.command("kill keyboard"));
    println!("{}", shell.command("kill serial"));
    println!("{}", shell.command("kill screen"));
    println!("{}", shell.command("kill terminal"));
    println!("{}", shell.command("mem"));
    println!("{}", shell.command("ps"));
    println!("{}", shell.command("nonsense"));
}

/// How many thousand instructions the root task may take to start the system. The rest of the 30 million from the boot loader's hand-over on is the kernel's.
const MOST_THOUSAND_TICKS: u64 = 15_000;

#[test]
fn the_prompt_comes_soon() {
    let machine = Shell::machine().clock(Clock::Instructions);
    let shell = Shell::boot_machine(&machine, Keys::Serial);
    let text = shell.running.text();
    let (_, rest) = text.split_once("The system has started in ").expect("the shell says so");
    let (ticks, _) = rest.split_once(" thousand ticks").expect("the shell says so");
    let ticks: u64 = ticks.parse().expect("it is a number");
    assert!((1..=MOST_THOUSAND_TICKS).contains(&ticks), "{ticks} thousand ticks");
}
