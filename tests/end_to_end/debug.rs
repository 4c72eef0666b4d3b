//! `./x debug`: GDB comes to the kernel's entry, and its helpers tell what is so.

use std::time::Duration;

use flatmk_abi::layout::{ROOT_RAMDISK, ROOT_STACK_PAGES, ROOT_STACK_TOP};
use flatmk_abi::{Kind, slots};
use flatmk_tests::built;
use flatmk_tests::machines::Seat;
use flatmk_tests::program::{Finished, Program};
use flatmk_tests::shown;
use test_case::test_case;

/// A kernel may have to be built, and others build at the same time.
const LIMIT: Duration = Duration::from_secs(600);

fn flatmk(arguments: &[&str]) -> Finished {
    let program = Program::new(built::host_program()).argument("debug").arguments(arguments);
    let _seat = Seat::take();
    program.run(LIMIT)
}

/// Lets GDB perform commands at the kernel's entry, one after the other, whatever becomes of each.
pub(crate) fn session(arguments: &[&str], commands: &[&str]) -> Finished {
    let mut arguments = arguments.to_vec();
    arguments.extend(["--", "-nx", "-batch"]);
    let marks: Vec<String> = commands.iter().map(|command| format!("echo > {command}\\n")).collect();
    for (mark, command) in marks.iter().zip(commands) {
        arguments.extend(["-ex", mark, "-ex", command]);
    }
    let run = flatmk(&arguments);
    run.assert_printed("Temporary breakpoint 1, ");
    run.assert_printed("__impl_start (");
    run
}

/// What a command has printed, in lines, each in words.
#[track_caller]
fn printed<'a>(run: &'a Finished, command: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = run.output().split_once(&format!("\n> {command}\n")).unwrap_or_else(|| panic!("{command}: {run}"));
    let lines = rest.lines().take_while(|line| !line.starts_with("> ") && !line.starts_with("[Inferior "));
    lines.map(|line| line.split_whitespace().collect()).collect()
}

/// The line of which a word is this.
#[track_caller]
fn line<'a>(run: &'a Finished, command: &str, place: usize, word: &str) -> Vec<&'a str> {
    let mut lines = printed(run, command).into_iter();
    lines.find(|line| line.get(place) == Some(&word)).unwrap_or_else(|| panic!("{command}, {word}: {run}"))
}

fn number(word: &str) -> u64 {
    word.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()).expect("a hexadecimal number")
}

/// What is allowed where an address is, as a line `START to END SIZE KiB ACCESS MODE` says.
#[track_caller]
fn access<'a>(run: &'a Finished, command: &str, address: u64) -> [&'a str; 2] {
    let ranges = printed(run, command).into_iter().filter_map(|line| <[&str; 7]>::try_from(line).ok());
    let mut found = ranges.filter(|[start, _, end, ..]| (number(start)..=number(end)).contains(&address));
    let [.., access, mode] = found.next().unwrap_or_else(|| panic!("{command}, {address:#x}: {run}"));
    [access, mode]
}

/// How many instructions the kernel takes from the boot loader's hand-over to the first system call of the root task, with debug assertions: a machine's nanoseconds,
/// by its ACPI timer.
pub(crate) fn instructions_of_the_kernel() -> u64 {
    const READ_TIMER: &str = "monitor i/w 0x608";
    const TIMER_HZ: u64 = 3_579_545;
    // It has 24 bits.
    const TIMER_MASK: u64 = 0xff_ffff;
    let run = session(&[], &[READ_TIMER, "tbreak kernel::syscall::plain", "continue", READ_TIMER]);
    // An answer is `portl[0x0608] = 0x004f1c2e`.
    let read = run.errors().lines().filter_map(|line| line.strip_prefix("portl[0x0608] = "));
    let counts: Vec<u64> = read.map(number).collect();
    let [first, last] = counts.as_slice() else { panic!("two answers were expected\n{run}") };
    (last.wrapping_sub(*first) & TIMER_MASK) * 1_000_000_000 / TIMER_HZ
}

#[test]
fn the_helpers_tell_what_the_kernel_knows_of_the_root_task() {
    let commands = [
        "tbreak kernel::syscall::plain",
        "continue",
        "backtrace 1",
        "flatmk tasks",
        "flatmk caps current",
        "flatmk pagetable current",
        "flatmk pagetable kernel",
        "flatmk page $rip",
        "flatmk page 0x1",
        // The kernel takes these pages first: that of the table, of the space and of the task.
        "flatmk page number 3",
        "flatmk pagetable 5",
        "flatmk page number 5",
        "flatmk page number 0xffffffff",
        "flatmk caps 0",
        "flatmk caps x",
        "flatmk caps",
        "flatmk pagetable",
        "flatmk page nothing::at::all",
        "flatmk tasks 1",
        "flatmk trace",
        "flatmk frob",
    ];
    let run = session(&["--chapter", "7"], &commands);
    run.assert_printed("#0  kernel::syscall::plain (pointer=");

    let tasks = printed(&run, "flatmk tasks");
    let [headings, root] = tasks.as_slice() else { panic!("one task was expected\n{run}") };
    assert_eq!(headings.join(" "), "task state rip space priority waits for");
    let [task, "Running", rip, space, "63"] = root.as_slice() else { panic!("the root task was expected\n{run}") };

    let kinds = [
        (slots::SELF, Kind::Task),
        (slots::TABLE, Kind::Table),
        (slots::SPACE, Kind::AddressSpace),
        (slots::CONSOLE, Kind::Console),
        (slots::POWER, Kind::Power),
        (slots::INTERRUPTS, Kind::Interrupts),
        (slots::PORTS, Kind::Ports),
        (slots::MEMORY, Kind::Memory),
    ];
    for (slot, kind) in kinds {
        let found = line(&run, "flatmk caps current", 0, &slot.to_string());
        assert_eq!(found.get(1), Some(&format!("{kind:?}").as_str()), "{run}");
        assert!(found.ends_with(&["read", "write", "execute", "grant", "call", "manage", "transfer"]), "{run}");
    }
    assert_eq!(line(&run, "flatmk caps current", 1, "Task").get(3), Some(task), "{run}");
    assert_eq!(line(&run, "flatmk caps current", 1, "AddressSpace").get(3), Some(space), "{run}");

    let stack = ROOT_STACK_TOP - ROOT_STACK_PAGES * 4096;
    for (address, expected) in
        [(number(rip), "r-x"), (stack, "rw-"), (ROOT_STACK_TOP - 1, "rw-"), (ROOT_RAMDISK, "r--")]
    {
        assert_eq!(access(&run, "flatmk pagetable 5", address), [expected, "user"], "{run}");
        assert_eq!(access(&run, "flatmk pagetable current", address), [expected, "user"], "{run}");
    }
    // The kernel's stack, and the page below it, which guards it.
    let kernels = "flatmk pagetable kernel";
    assert_eq!(access(&run, kernels, 0xffff_9000_0000_1000), ["rw-", "kernel"], "{run}");
    line(&run, kernels, 0, "0xffff900000001000");
    for command in [kernels, "flatmk pagetable current"] {
        assert!(printed(&run, command).iter().flatten().all(|&word| word != "rwx"), "{run}");
    }
    assert!(printed(&run, kernels).iter().flatten().all(|&word| word != "user"), "{run}");

    let code = printed(&run, "flatmk page $rip").iter().map(|line| line.join(" ")).collect::<Vec<_>>();
    assert!(code.iter().any(|line| line.starts_with("level 1: ") && line.ends_with(" r-x kernel")), "{run}");
    assert!(code.iter().any(|line| line.ends_with(": Reserved")), "{run}");
    run.assert_printed("0x1 is not mapped\n");
    run.assert_printed("page 0x3, at 0x3000: Table\n");
    run.assert_printed("page 0x5, at 0x5000: Task\n");
    run.assert_printed("  anchor: slot 1 of table 0x3 (Task)\n");

    run.assert_complained("there is no page 0xffffffff in the table of pages");
    run.assert_complained("page 0x0 is no task but Reserved: `flatmk tasks` lists the tasks\n");
    run.assert_complained("`x` is not a number: ");
    run.assert_complained("name one task: ");
    run.assert_complained("name one address space: ");
    run.assert_complained("`nothing::at::all` is not an address: ");
    run.assert_complained("`flatmk tasks` takes no argument\n");
    run.assert_complained("chapter 7 has no traces yet: chapter 11 brings that\n");
    run.assert_complained("there is no command `flatmk frob`: ");
    assert!(!run.errors().contains("Traceback"), "{run}");
}

/// All that is typed on the page is one session.
#[test]
fn the_books_session_goes_as_the_page_shows() {
    const PAGE: &str = "reference/debugging.md";
    let typed = shown::session(PAGE, "(gdb) ");
    let commands: Vec<&str> = typed.iter().map(|shown| shown.command.as_str()).collect();
    let run = session(&["--chapter", "7"], &commands);
    let mut start = shown::below(PAGE, "./x debug --chapter 7");
    start.output.retain(|line| !line.is_empty());
    let is_typed = |line: &String| line.starts_with("(gdb) ");
    start.output.truncate(start.output.iter().position(is_typed).unwrap_or_default());
    let printed = |from: &str, to: Option<&str>| {
        let (_, behind) = run.output().split_once(from).unwrap_or_else(|| panic!("{from}: {run}"));
        let to = to.map_or("[Inferior ".to_owned(), |next| format!("> {next}\n"));
        behind.split_once(&to).map_or(behind, |(printed, _)| printed).to_owned()
    };
    let where_to =
        run.errors().lines().find(|line| line.starts_with("the machine's serial output")).unwrap_or_default();
    shown::assert_agrees(&start, &format!("{where_to}\n{}", printed("", commands.first().copied())));
    for (index, shown) in typed.iter().enumerate() {
        let next = commands.get(index + 1).copied();
        shown::assert_agrees(shown, &printed(&format!("\n> {}\n", shown.command), next));
    }
}

#[test]
fn the_last_events_of_a_trace_are_shown_and_what_tasks_wait_for() {
    let commands = [
        "break kernel::trace::system_call",
        "continue",
        "flatmk trace",
        "continue",
        "flatmk tasks",
        "flatmk trace 9",
        "flatmk trace 1",
    ];
    let run = session(&["--trace"], &commands);
    // A call is traced before it is made.
    run.assert_printed("tracing is on; 0 events were written\n");
    let tasks = printed(&run, "flatmk tasks");
    let word = |line: &[&str], place: usize| line.get(place).copied().unwrap_or_default().to_owned();
    let state =
        |state: &str| tasks.iter().find(|line| word(line, 1) == state).unwrap_or_else(|| panic!("{state}: {run}"));
    let (caller, callee) = (state("Calling"), state("Running"));
    assert!(caller.join(" ").ends_with(&format!(" the answer of task {}", word(callee, 0))), "{run}");
    assert!(tasks.iter().any(|line| line.join(" ").contains("Blocked") && line.contains(&"notification")), "{run}");
    let events = printed(&run, "flatmk trace 9");
    let happened =
        |task: &str, event: &str, first: &str| events.iter().any(|line| line.get(1..4) == Some(&[task, event, first]));
    let (caller, callee) = (word(caller, 0), word(callee, 0));
    assert!(happened(&caller, "Call", &callee) && happened(&callee, "Switch", &caller), "{run}");
    assert!(events.iter().any(|line| line.get(2..4) == Some(&["SystemCall", "Call"])), "{run}");
    assert_eq!(printed(&run, "flatmk trace 1").len(), 3, "{run}");
}

#[test]
fn what_a_chapter_has_not_yet_is_said_and_tests_can_be_debugged() {
    let commands =
        ["flatmk tasks", "flatmk caps 5", "flatmk pagetable kernel", "flatmk page number 1", "flatmk page $rip"];
    let run = session(&["--chapter", "2", "--test", "chapter02_interrupts"], &commands);
    run.assert_complained("chapter 2 has no tasks yet: chapter 5 brings that\n");
    run.assert_complained("chapter 2 has no page table of the kernel's own (`flatmk pagetable current` shows the boot loader's) yet: chapter 3");
    run.assert_complained("chapter 2 has no table of pages yet: chapter 3 brings that\n");
    run.assert_printed(" is physical address 0x");
}

/// A machine that would reset stands still instead.
#[test]
fn after_a_triple_fault_the_place_can_be_looked_at() {
    let kernel = built::broken("triple-fault").display().to_string();
    let run = session(&["--kernel", &kernel], &["continue", "backtrace 2"]);
    run.assert_printed("Program received signal SIGQUIT");
    run.assert_printed("::fault_without_a_table () at tests/kernels/src/bin/triple-fault.rs:");
    run.assert_printed("::main () at tests/kernels/src/bin/triple-fault.rs:");
}

#[test_case(&["--emulator", "bochs"], "works with QEMU only")]
#[test_case(&["--kernel", "/nowhere"], "cannot read the kernel /nowhere")]
#[test_case(&["--kernel", "/bin/sh"], "is not a FlatMk kernel")]
#[test_case(&["--kernel", "a", "--chapter", "3"], "cannot be used with")]
#[test_case(&["--chapter", "13"], "there are chapters 1 to 12")]
fn what_cannot_be_debugged_is_named(arguments: &[&str], words: &str) {
    flatmk(arguments).assert_one_sentence(words);
}
