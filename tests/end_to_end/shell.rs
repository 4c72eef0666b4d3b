//! The shell, typed at; and the supervisor behind it: programs come and go, services are killed, and nothing else is disturbed.

use std::thread;
use std::time::Duration;

use flatmk_tests::machines::assert_status;
use flatmk_tests::screen_text::{CONSOLE, wait_until};
use flatmk_tests::shell::{Keys, PROMPT, Shell};
use flatmk_tests::shown;
use flatmk_tools::machine::{Clock, ExitReason};
use test_case::test_case;

use crate::debug;

const LIMIT: Duration = Duration::from_secs(60);

/// The services that are there in the usual machine.
const SERVICES: [&str; 7] = ["terminal", "screen", "serial", "keyboard", "clock", "power", "sharing"];

#[test_case(Keys::Serial)]
#[test_case(Keys::Keyboard)]
fn commands_are_typed_and_answered(keys: Keys) {
    let mut shell = Shell::boot(keys);
    let help = shell.command("help");
    for name in [
        "bench", "call", "caps", "clear", "date", "help", "kill", "layout", "mem", "pipe", "poweroff", "ps", "run",
        "trace",
    ] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(name)), "{name} is missing:\n{help}");
    }
    let programs = shell.expect("ps", " 63 ");
    for name in SERVICES {
        let line = programs.lines().find(|line| line.contains(&format!(" {name} ")));
        assert!(line.is_some_and(|line| line.ends_with("waits for calls")), "{name} is missing:\n{programs}");
    }
    assert!(programs.contains("in a call of supervisor"), "{programs}");
    // A driver has its device and no more: the keyboard's has ports and a line, and no memory.
    let capabilities = shell.expect("caps keyboard", "Ports: read write");
    assert!(capabilities.contains("11 Interrupts: manage") && !capabilities.contains("Memory"), "{capabilities}");
    shell.expect("caps sharing", "Memory, ");
    shell.expect("mem", "pages are free");
    shell.expect("date", ":");
    shell.expect("uptime", " s");
    shell.expect("layout", "us");
    shell.expect("call echo 1 2 0x10", "1 2 16 0");
    shell.expect("call softuser-forth \"12 dup * 102 -\"", "0 42 1 0");
    shell.expect("pipe generator | filter | checksum", "4032 items have come out, with the sum 0x81bb79052283b668");
    shell.expect("pipe generator | checksum", "12000 items have come out");
}

/// All that is typed on the page is one session.
#[test]
fn the_books_session_goes_as_the_page_shows() {
    let mut shell = Shell::boot(Keys::Serial);
    let typed = shown::session("chapters/userland.md", PROMPT);
    for shown in &typed {
        let printed = shell.command(&shown.command);
        shown::assert_agrees(shown, &printed);
    }
}

#[test]
fn mistakes_are_told_and_change_nothing() {
    let mut shell = Shell::boot(Keys::Serial);
    let memory = shell.command("mem");
    shell.expect("dir", "there is no command dir; help shows those that there are");
    shell.expect("kill", "usage: kill NAME|NUMBER");
    shell.expect("kill nobody", "no program nobody is running");
    shell.expect("kill 0", "out of range");
    shell.expect("caps 63", "no program has the number 63");
    shell.expect("run nothing", "there is no program nothing");
    shell.expect("run keyboard", "keyboard is started by the supervisor, and by nobody else");
    shell.expect("run root-task", "root-task is started by the supervisor");
    shell.expect("run boot-options", "boot-options is started by the supervisor");
    shell.expect("layout xx", "there is no layout xx; there are us uk de");
    shell.expect("pipe generator", "usage: pipe");
    shell.expect("pipe generator | nothing", "there is no program nothing");
    // What was loaded before the mistake is gone.
    assert!(!shell.command("ps").contains("generator"));
    shell.expect("call echo one", "neither up to four numbers");
    shell.expect("", "");
    for _ in 0..3 {
        // In pieces: the driver has room for a few hundred bytes, and each of these writes the line anew.
        for _ in 0..20 {
            shell.type_keys("xxxxxxxxxx");
            thread::sleep(Duration::from_millis(50));
        }
        shell.type_keys("\r");
        shell.wait_for("the line is too long: 160 bytes are the most", LIMIT);
    }
    // All control bytes but those that end a line, and sequences that do not end.
    shell.quiet();
    shell.send(&(0..32).filter(|byte| !b"\r\n\x03".contains(byte)).collect::<Vec<u8>>());
    shell.send(b"\x1b]0;title\x1b[999999999;1\x1bP\x03");
    shell.settle();
    // The numbers that programs have used are kept with their memory; no page is lost.
    assert_eq!(pages(&shell.command("mem")), pages(&memory));
}

#[test]
fn a_program_is_traced() {
    let mut shell = Shell::boot(Keys::Serial);
    // The first program that is run takes memory for its number, which is kept.
    shell.expect("run crash null", "crash: page fault");
    let memory = shell.command("mem");
    let events = shell.expect("trace crash null", "crash: page fault: write to 0x8");
    let fault = events.lines().find(|line| line.ends_with("faults (Page) at 0x8: calls supervisor"));
    assert!(fault.is_some_and(|line| line.contains(" crash ")), "{events}");
    let mut shown = shown::text("chapters/userland.md", "ticks task");
    // An interrupt may come between any two events.
    shown.output = shown.output.into_iter().flat_map(|line| ["…".to_owned(), line]).chain(["…".to_owned()]).collect();
    shown::assert_agrees(&shown, &events);
    assert!(events.lines().any(|line| line.contains(" shell ") && line.contains("goes on, after")), "{events}");
    shell.expect("trace", "usage: trace PROGRAM [ARGUMENTS]");
    shell.expect("trace nothing", "there is no program nothing");
    // One that does not end by itself.
    shell.type_keys("trace spin\r");
    thread::sleep(Duration::from_secs(1));
    shell.send(b"\x03");
    let events = shell.wait_for("spin: killed", LIMIT);
    shell.wait_for(PROMPT, LIMIT);
    assert!(events.contains("is interrupted by line 0"), "{events}");
    assert_eq!(pages(&shell.command("mem")), pages(&memory));
}

/// How many pages are free, or kept for programs to come.
fn pages(memory: &str) -> u64 {
    let number = |before: &str, behind: &str| -> u64 {
        let place = memory.find(behind).unwrap_or_else(|| panic!("{behind:?} is missing:\n{memory}"));
        let head = &memory[..place];
        let start = if before.is_empty() {
            head.rfind('\n').map_or(0, |line| line + 1)
        } else {
            head.rfind(before).expect("it is there") + before.len()
        };
        head[start..].trim().parse().unwrap_or_else(|_| panic!("no number:\n{memory}"))
    };
    number("", " of ") + number("; ", " are kept")
}

#[test]
fn ten_thousand_random_bytes_do_no_harm() {
    let mut shell = Shell::boot(Keys::Serial);
    // SplitMix64, so that a run can be repeated.
    let mut state = 8_u64;
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 24) as u8
    };
    for _ in 0..100 {
        shell.send(&(0..100).map(|_| random()).collect::<Vec<u8>>());
        thread::sleep(Duration::from_millis(20));
    }
    shell.settle();
    let programs = shell.command("ps");
    for name in SERVICES {
        assert!(programs.contains(&format!(" {name} ")), "{programs}");
    }
    // Nobody was started anew.
    let restarts = |line: &str| line.get(50..58).map(|column| column.trim().to_owned());
    assert!(programs.lines().skip(1).filter_map(restarts).all(|count| count == "0"), "{programs}");
}

#[test]
fn lines_are_edited_and_come_back() {
    let mut shell = Shell::boot(Keys::Serial);
    shell.type_keys("layoux\x08t\r");
    shell.wait_for("us", LIMIT);
    shell.quiet();
    shell.type_keys("call echo 2\x1b[D1\x1b[C3\r");
    shell.wait_for("123 0 0 0", LIMIT);
    shell.quiet();
    shell.type_keys("\x1b[A\x1b[A\r");
    shell.wait_for("us\n", LIMIT);
    shell.quiet();
    shell.type_keys("\x1b[A\x1b[A 4\r");
    shell.wait_for("123 4 0 0", LIMIT);
    shell.quiet();
    // A line that is given up is not carried out.
    shell.type_keys("call echo 77\x03");
    shell.wait_for("^C", LIMIT);
    assert!(!shell.command("mem").contains("77 0 0 0"));
    // The screen is empty then, but for the prompt.
    shell.send(b"\x0c");
    let is_clear =
        |text: &flatmk_tests::screen_text::ScreenText| text.rows.iter().filter(|row| !row.is_empty()).count() == 1;
    wait_until(&mut shell.running, CONSOLE, LIMIT, is_clear).unwrap_or_else(|found| panic!("{found}"));
}

#[test]
fn a_program_that_faults_says_why() {
    let mut shell = Shell::boot(Keys::Serial);
    for (what, why) in [
        ("null", "crash: page fault: write to 0x8, where nothing is mapped, at 0x4"),
        ("code", "crash: page fault: write to 0x400000, which is not allowed, at 0x4"),
        ("divide", "crash: Division by zero"),
        ("stack", "crash: page fault: write to 0x7fff7ff8, where nothing is mapped"),
        ("privilege", "crash: A privileged instruction"),
        ("panic", "as it was told to"),
        ("otherwise", "crash: ended with exit code 1"),
    ] {
        shell.expect(&format!("run crash {what}"), why);
    }
    // In the background it is told at one of the next prompts.
    let mut told = shell.command("run crash divide &");
    for _ in 0..20 {
        if told.contains("): Division by zero") {
            break;
        }
        told += &shell.command("");
    }
    assert!(told.contains("): Division by zero"), "{told}");
    assert!(!shell.command("ps").contains("crash"));
}

#[test]
fn a_program_is_interrupted() {
    let mut shell = Shell::boot(Keys::Serial);
    for _ in 0..2 {
        shell.type_keys("run spin\r");
        thread::sleep(Duration::from_millis(500));
        shell.send(b"\x03");
        shell.wait_for("spin: killed", LIMIT);
        shell.quiet();
    }
    // It may spin as long as it likes: everybody else is more urgent.
    shell.expect("run spin &", "spin runs in the background, as number");
    shell.expect("ps", "ready");
    shell.expect("call echo 5", "5 0 0 0");
    shell.command("kill spin");
    shell.expect("", "");
    assert!(!shell.command("ps").contains("spin"));
    // A program that waits for calls does not hold up the shell.
    shell.expect("run echo", "echo waits for calls in the background");
    shell.expect("ps", "echo");
    shell.command("kill echo");
    shell.type_keys("pipe filter | generator\r");
    thread::sleep(Duration::from_millis(500));
    shell.send(b"\x03");
    shell.quiet();
    assert!(!shell.command("ps").contains("filter"));
}

#[test_case(Keys::Serial)]
#[test_case(Keys::Keyboard)]
fn a_service_is_killed_and_nothing_else_is_disturbed(keys: Keys) {
    let mut shell = Shell::boot(keys);
    for name in SERVICES {
        shell.command(&format!("kill {name}"));
        let echo = format!("call echo {}", name.len());
        shell.expect(&echo, &format!("{} 0 0 0", name.len()));
        // On the screen, too, and by the keyboard.
        let is_there = |text: &flatmk_tests::screen_text::ScreenText| text.rows.iter().any(|row| row.ends_with(&echo));
        wait_until(&mut shell.running, CONSOLE, LIMIT, is_there).unwrap_or_else(|found| panic!("{name}: {found}"));
        shell.running.type_text("layout\n").expect("QEMU takes keys");
        shell.wait_for("us\n", LIMIT);
        shell.quiet();
    }
    let programs = shell.command("ps");
    for name in SERVICES {
        let line = programs.lines().find(|line| line.contains(&format!(" {name} "))).expect("it is there");
        assert_eq!(line.get(50..58).map(str::trim), Some("1"), "{programs}");
    }
    shell.expect("date", ":");
    // The shell itself is no exception.
    shell.type_keys("kill shell");
    shell.press_enter();
    shell.wait_for("help shows what can be typed", LIMIT);
    shell.wait_for("flatmk> ", LIMIT);
    shell.expect("call echo 8", "8 0 0 0");
}

#[test]
fn killing_services_fifty_times_each_loses_no_page() {
    let mut shell = Shell::boot(Keys::Serial);
    let before = shell.command("mem");
    for name in SERVICES {
        for _ in 0..50 {
            shell.command(&format!("kill {name}"));
        }
        assert_eq!(shell.command("mem"), before, "{name}");
    }
}

#[test]
fn the_benchmark_runs_from_the_shell() {
    let mut shell = Shell::boot(Keys::Serial);
    let table = shell.command("bench");
    for row in ["null_syscall", "call_other_space", "call_sharing_daemon", "pipe_item", "softuser_enter_leave"] {
        assert!(table.lines().any(|line| line.starts_with(row)), "{row} is missing:\n{table}");
    }
    shell.expect("call echo 1", "1 0 0 0");
}

#[test]
fn the_machine_is_switched_off() {
    let outcome = Shell::boot(Keys::Serial).end("poweroff");
    assert_status(&outcome, 0);
}

#[test]
fn the_machine_starts_anew() {
    let outcome = Shell::boot(Keys::Serial).end("reboot");
    // QEMU was told to end then.
    assert_eq!(outcome.reason, ExitReason::Reset, "{}", outcome.serial());
}

/// How many instructions it may take from the boot loader's hand-over to the prompt, and how many of these the root task may, to start the system.
const MOST_INSTRUCTIONS: u64 = 30_000_000;
const MOST_OF_THE_ROOT_TASK: u64 = 15_000_000;

#[test]
fn the_prompt_comes_soon() {
    let machine = Shell::machine().clock(Clock::Instructions);
    let shell = Shell::boot_machine(&machine, Keys::Serial);
    let text = shell.running.text();
    drop(shell);
    let (_, rest) = text.split_once("The system has started in ").expect("the shell says so");
    let (ticks, _) = rest.split_once(" thousand ticks").expect("the shell says so");
    let root_task = 1000 * ticks.parse::<u64>().expect("it is a number");
    assert!((1..=MOST_OF_THE_ROOT_TASK).contains(&root_task), "{root_task} instructions");
    let kernel = debug::instructions_of_the_kernel();
    assert!((100_000..=MOST_INSTRUCTIONS - root_task).contains(&kernel), "{kernel} and {root_task} instructions");
}
