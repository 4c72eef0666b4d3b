//! Lines and what they mean.

use core::fmt;
use core::str::SplitAsciiWhitespace;

/// The longest line, in bytes.
pub const LONGEST_LINE: usize = 160;

/// The longest name of a program, in bytes.
const LONGEST_NAME: usize = 24;

/// The longest arguments, in bytes.
const LONGEST_ARGUMENTS: usize = 96;

/// The most programs in a pipe.
const MOST_STAGES: usize = 8;

/// Every command: its name, what comes behind it, and what it does.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    ("bench", "", "run the benchmark"),
    ("call", "PROGRAM WORDS", "load a program, call it with up to four numbers or a \"text\", show its answer"),
    ("caps", "NAME|NUMBER", "show which capabilities a program holds"),
    ("clear", "", "clear the screen"),
    ("date", "", "show date and time"),
    ("help", "", "show this list"),
    ("kill", "NAME|NUMBER", "end a program; a service is started anew"),
    ("layout", "[NAME]", "show or choose the keyboard's layout"),
    ("mem", "", "show how much memory there is"),
    ("pipe", "A | B [| C]", "join programs by pipes, the first of them sends"),
    ("poweroff", "", "switch the machine off"),
    ("ps", "", "show services and programs"),
    ("reboot", "", "start the machine anew"),
    ("run", "PROGRAM [ARGUMENTS] [&]", "run a program, with & in the background; Ctrl-C ends it"),
    ("trace", "PROGRAM [ARGUMENTS]", "run a program, and show what the kernel has noted meanwhile"),
    ("uptime", "", "show for how long the machine has been running"),
];

/// A program, as a command names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// By its number.
    Number(u64),
    /// By its name: the first one that has it.
    Name(&'a str),
}

/// The names of programs in a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    names: [&'a str; MOST_STAGES],
    count: usize,
}

impl<'a> Names<'a> {
    /// The names, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.names.into_iter().take(self.count)
    }
}

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the list of commands says what each does")]
pub enum Command<'a> {
    Nothing,
    Bench,
    Call { name: &'a str, arguments: &'a str },
    Caps(Target<'a>),
    Clear,
    Date,
    Help,
    Kill(Target<'a>),
    Layout(Option<&'a str>),
    Memory,
    Pipe(Names<'a>),
    PowerOff,
    Programs,
    Reboot,
    Run { name: &'a str, arguments: &'a str, in_background: bool },
    Trace { name: &'a str, arguments: &'a str },
    Uptime,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake<'a> {
    /// There is no such command.
    UnknownCommand(&'a str),
    /// The command needs something else behind it.
    Usage(&'static str),
    /// It is longer than [`LONGEST_LINE`].
    LongLine,
    /// No program has a name of this length.
    LongName(&'a str),
    /// A program is not told so much.
    LongArguments,
    /// So many programs cannot be joined.
    LongPipe,
}

impl fmt::Display for Mistake<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand(name) => {
                write!(formatter, "there is no command {name}; help shows those that there are")
            }
            Self::Usage(command) => {
                let usage = COMMANDS.iter().find(|(name, ..)| name == command).map_or("", |(_, usage, _)| usage);
                write!(formatter, "usage: {command}{}{usage}", if usage.is_empty() { "" } else { " " })
            }
            Self::LongLine => write!(formatter, "the line is too long: {LONGEST_LINE} bytes are the most"),
            Self::LongName(name) => write!(formatter, "the name {name} is too long: {LONGEST_NAME} bytes are the most"),
            Self::LongArguments => {
                write!(formatter, "the arguments are too long: {LONGEST_ARGUMENTS} bytes are the most")
            }
            Self::LongPipe => write!(formatter, "a pipe joins {MOST_STAGES} programs at most"),
        }
    }
}

// ANCHOR: parse
/// What a line asks for.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(line: &str) -> Result<Command<'_>, Mistake<'_>> {
    if line.len() > LONGEST_LINE {
        return Err(Mistake::LongLine);
    }
    let line = line.trim();
    let (name, rest) = line.split_once(|character: char| character.is_ascii_whitespace()).unwrap_or((line, ""));
    let rest = rest.trim();
    let mut words = rest.split_ascii_whitespace();
    let command = match name {
        "" => Command::Nothing,
        "call" => {
            let (name, arguments) = program(rest, "call")?;
            return Ok(Command::Call { name, arguments });
        }
        "caps" => Command::Caps(target(&mut words, "caps")?),
        "kill" => Command::Kill(target(&mut words, "kill")?),
        "layout" => Command::Layout(words.next()),
        "pipe" => return pipe(rest),
        "run" => return run(rest),
        "trace" => {
            let (name, arguments) = program(rest, "trace")?;
            return Ok(Command::Trace { name, arguments });
        }
        _ => alone(name).ok_or(Mistake::UnknownCommand(name))?,
    };
    match (words.next(), COMMANDS.iter().find(|(known, ..)| *known == name)) {
        (Some(_), Some((known, ..))) => Err(Mistake::Usage(known)),
        _ => Ok(command),
    }
}
// ANCHOR_END: parse

/// The commands behind which nothing comes.
fn alone(name: &str) -> Option<Command<'static>> {
    Some(match name {
        "bench" => Command::Bench,
        "clear" => Command::Clear,
        "date" => Command::Date,
        "help" => Command::Help,
        "mem" => Command::Memory,
        "poweroff" => Command::PowerOff,
        "ps" => Command::Programs,
        "reboot" => Command::Reboot,
        "uptime" => Command::Uptime,
        _ => return None,
    })
}

fn target<'a>(words: &mut SplitAsciiWhitespace<'a>, command: &'static str) -> Result<Target<'a>, Mistake<'a>> {
    let word = words.next().ok_or(Mistake::Usage(command))?;
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().map(Target::Number).map_err(|_| Mistake::Usage(command));
    }
    check_name(word).map(Target::Name)
}

fn check_name(name: &str) -> Result<&str, Mistake<'_>> {
    if name.len() > LONGEST_NAME { Err(Mistake::LongName(name)) } else { Ok(name) }
}

/// A program and its arguments.
fn program<'a>(text: &'a str, command: &'static str) -> Result<(&'a str, &'a str), Mistake<'a>> {
    let (name, arguments) = text.split_once(|character: char| character.is_ascii_whitespace()).unwrap_or((text, ""));
    let arguments = arguments.trim();
    if name.is_empty() {
        return Err(Mistake::Usage(command));
    }
    if arguments.len() > LONGEST_ARGUMENTS {
        return Err(Mistake::LongArguments);
    }
    Ok((check_name(name)?, arguments))
}

fn run(text: &str) -> Result<Command<'_>, Mistake<'_>> {
    let (text, in_background) = text.strip_suffix('&').map_or((text, false), |text| (text.trim(), true));
    let (name, arguments) = program(text, "run")?;
    Ok(Command::Run { name, arguments, in_background })
}

fn pipe(text: &str) -> Result<Command<'_>, Mistake<'_>> {
    let mut names = Names { names: [""; MOST_STAGES], count: 0 };
    for stage in text.split('|').map(str::trim) {
        if stage.is_empty() || stage.contains(|character: char| character.is_ascii_whitespace()) {
            return Err(Mistake::Usage("pipe"));
        }
        *names.names.get_mut(names.count).ok_or(Mistake::LongPipe)? = check_name(stage)?;
        names.count += 1;
    }
    if names.count < 2 { Err(Mistake::Usage("pipe")) } else { Ok(Command::Pipe(names)) }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_command_is_understood() {
        for &(name, usage, _) in COMMANDS {
            let arguments = match usage {
                "" | "[NAME]" => "",
                "NAME|NUMBER" => "clock",
                "PROGRAM WORDS" | "PROGRAM [ARGUMENTS]" | "PROGRAM [ARGUMENTS] [&]" => "echo 1",
                "A | B [| C]" => "generator|checksum",
                other => panic!("{other}: how is that written?"),
            };
            let line = std::format!("  {name}\t{arguments} ");
            assert!(parse(&line).is_ok_and(|command| command != Command::Nothing), "{line}");
        }
        assert_eq!(parse("  \t"), Ok(Command::Nothing));
    }

    #[test]
    fn programs_have_arguments_and_run_in_the_background() {
        let run = |name, arguments, in_background| Ok(Command::Run { name, arguments, in_background });
        assert_eq!(parse("run spin"), run("spin", "", false));
        assert_eq!(parse("run spin&"), run("spin", "", true));
        assert_eq!(parse("run crash  divide by zero &"), run("crash", "divide by zero", true));
        assert_eq!(parse("call forth \"1 2 +\""), Ok(Command::Call { name: "forth", arguments: "\"1 2 +\"" }));
        assert_eq!(parse("run"), Err(Mistake::Usage("run")));
        assert_eq!(parse("run &"), Err(Mistake::Usage("run")));
    }

    #[test]
    fn programs_have_names_and_numbers() {
        assert_eq!(parse("kill 17"), Ok(Command::Kill(Target::Number(17))));
        assert_eq!(parse("kill keyboard"), Ok(Command::Kill(Target::Name("keyboard"))));
        assert_eq!(parse("caps 1x"), Ok(Command::Caps(Target::Name("1x"))));
        assert_eq!(parse("kill 99999999999999999999"), Err(Mistake::Usage("kill")));
        assert_eq!(parse("kill"), Err(Mistake::Usage("kill")));
        assert_eq!(parse("kill 1 2"), Err(Mistake::Usage("kill")));
    }

    #[test]
    fn a_pipe_has_two_programs_at_least() {
        let Ok(Command::Pipe(names)) = parse("pipe generator | filter|checksum") else { panic!("it is a pipe") };
        assert_eq!(names.iter().collect::<Vec<_>>(), ["generator", "filter", "checksum"]);
        for wrong in ["pipe", "pipe a", "pipe a |", "pipe | a", "pipe a | | b", "pipe a b | c"] {
            assert_eq!(parse(wrong), Err(Mistake::Usage("pipe")), "{wrong}");
        }
        assert_eq!(parse("pipe a|b|c|d|e|f|g|h|i"), Err(Mistake::LongPipe));
    }

    #[test]
    fn mistakes_are_told_in_words() {
        let told = |line: &str| parse(line).expect_err("it is wrong").to_string();
        assert_eq!(told("dir"), "there is no command dir; help shows those that there are");
        assert_eq!(told("kill"), "usage: kill NAME|NUMBER");
        assert_eq!(told("ps now"), "usage: ps");
        let long = |count| "x".repeat(count);
        assert!(told(&long(LONGEST_LINE + 1)).starts_with("the line is too long"));
        assert!(told(&(String::from("run ") + &long(25))).ends_with("24 bytes are the most"));
        assert!(told(&(String::from("run a ") + &long(97))).starts_with("the arguments are too long"));
    }

    proptest! {
        #[test]
        fn any_line_is_a_command_or_a_mistake(line in "\\PC*") {
            if let Err(mistake) = parse(&line) {
                prop_assert!(!mistake.to_string().is_empty());
            }
        }

        #[test]
        fn what_a_command_names_fits_into_messages(line in "(run|call|pipe|kill|caps) [a-z0-9&| ]*") {
            match parse(&line) {
                Ok(Command::Run { name, arguments, .. } | Command::Call { name, arguments }) => {
                    prop_assert!((1..=LONGEST_NAME).contains(&name.len()) && arguments.len() <= LONGEST_ARGUMENTS);
                }
                Ok(Command::Pipe(names)) => {
                    prop_assert!(names.iter().all(|name| (1..=LONGEST_NAME).contains(&name.len())));
                }
                _ => {}
            }
        }
    }
}
