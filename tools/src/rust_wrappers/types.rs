//! What the list says of arguments and results, as types and expressions of Rust.

use flatmk_abi::{ArgumentSort, Kind, MESSAGE_WORDS, OperationInfo, ResultSort};

use crate::operations::{flags_of, name_after, parameters, takes_reply_slot};

/// The type of the library for capabilities of these kinds, if there is one for them all.
pub(super) fn object_of(kinds: &[Kind]) -> Option<&'static str> {
    let object = |kind: &Kind| match kind {
        Kind::Empty => None,
        Kind::Memory => Some("Memory"),
        Kind::Table => Some("Table"),
        Kind::AddressSpace => Some("AddressSpace"),
        Kind::Frame | Kind::LargeFrame | Kind::DeviceMemory => Some("Frame"),
        Kind::Task => Some("Task"),
        Kind::Endpoint | Kind::SoftuserEndpoint => Some("Endpoint"),
        Kind::Reply => Some("Reply"),
        Kind::Console => Some("Console"),
        Kind::Power => Some("Power"),
        Kind::Notification => Some("Notification"),
        Kind::FloatingPoint => Some("FloatingPoint"),
        Kind::Softuser => Some("Softuser"),
        Kind::Interrupts => Some("Interrupts"),
        Kind::Ports => Some("Ports"),
        Kind::Trace => Some("Trace"),
    };
    let (first, others) = kinds.split_first()?;
    object(first).filter(|_| others.iter().all(|kind| object(kind) == object(first)))
}

/// What a function takes, and what of it goes to the kernel.
pub(super) struct Arguments {
    /// The parameters as they are declared.
    pub(super) declared: Vec<String>,
    /// What they mean, by their names, where that says more than the name. The capability is not among them.
    pub(super) meanings: Vec<(String, String)>,
    /// The capability pointer.
    pub(super) pointer: String,
    /// The argument words: an array.
    pub(super) words: String,
    /// Statements that make words of parameters.
    pub(super) statements: Vec<String>,
}

impl Arguments {
    pub(super) fn of(info: &OperationInfo) -> Self {
        let mut names = parameters(info).into_iter();
        let capability = names.next().unwrap_or_default();
        let (declared, pointer) = match object_of(info.kinds) {
            _ if takes_reply_slot(info) => (vec![], "slots::REPLY".to_owned()),
            Some(_) => (vec!["self".to_owned()], "self.0".to_owned()),
            None => (vec![format!("{capability}: u64")], capability),
        };
        let mut arguments = Self { declared, meanings: vec![], pointer, words: String::new(), statements: vec![] };
        let flags = flags_of(info);
        if !flags.is_empty() {
            let links = flags.iter().map(|flag| format!("[`{flag}`](flatmk_abi::{flag})"));
            arguments.declare("flags", "u64", &format!("{}, or 0", links.collect::<Vec<_>>().join(", ")));
        }
        match message(info) {
            Some(message) => {
                arguments.declare(&message, "Words", "four words");
                arguments.words = message;
            }
            None => arguments.add_words(info, names),
        }
        arguments
    }

    /// A parameter for each word. Those that the operation does not use are 0.
    fn add_words(&mut self, info: &OperationInfo, names: impl Iterator<Item = String>) {
        let mut words = Vec::new();
        for (argument, name) in info.arguments.iter().zip(names) {
            let (kind, word) = self.type_and_word(argument.sort, &name);
            self.declare(&name, &kind, argument.meaning);
            words.push(word);
        }
        self.words = if words.is_empty() {
            format!("[0; {MESSAGE_WORDS}]")
        } else {
            words.resize(MESSAGE_WORDS, "0".to_owned());
            format!("[{}]", words.join(", "))
        };
    }

    fn declare(&mut self, name: &str, kind: &str, meaning: &str) {
        self.declared.push(format!("{name}: {kind}"));
        // What the name and the type say is not said again: the first words of most meanings, and that an `Option` may be none.
        let is_said = name_after(meaning) == name && !(kind == "u64" && meaning.contains(" capability pointer"));
        let more = meaning.split_once([':', ',', ';']).map_or("", |(_, more)| more.trim_start());
        let explanation = match is_said {
            true if kind.starts_with("Option") => "",
            true => more,
            false => meaning,
        };
        if !explanation.is_empty() {
            self.meanings.push((name.to_owned(), explanation.to_owned()));
        }
    }

    /// The type of a parameter, and the parameter as a word.
    fn type_and_word(&mut self, sort: ArgumentSort, name: &str) -> (String, String) {
        let plain = name.to_owned();
        match sort {
            ArgumentSort::Pointer(kinds) if let Some(object) = object_of(kinds) => {
                (object.to_owned(), format!("{name}.0"))
            }
            ArgumentSort::Optional(kinds) if let Some(object) = object_of(kinds) => {
                self.statements.push(format!("let {name} = {name}.map_or(0, |{object}(pointer)| pointer);"));
                (format!("Option<{object}>"), plain)
            }
            ArgumentSort::Rights => ("Rights".to_owned(), format!("{name}.bits().into()")),
            ArgumentSort::Access | ArgumentSort::Kind | ArgumentSort::MissingCapability => {
                (format!("{sort:?}"), format!("{name} as u64"))
            }
            ArgumentSort::Priority => ("u8".to_owned(), format!("{name}.into()")),
            ArgumentSort::Port => ("u16".to_owned(), format!("{name}.into()")),
            _ => ("u64".to_owned(), plain),
        }
    }
}

/// The name of the message, if the operation carries one. Then its words are one parameter.
fn message(info: &OperationInfo) -> Option<String> {
    let is_message = info.arguments.iter().all(|argument| argument.sort == ArgumentSort::Word);
    let (name, _) = info.arguments.first().filter(|_| is_message)?.meaning.split_once(" word ")?;
    Some(name_after(name))
}

/// What a function returns.
pub(super) struct Results {
    /// The type.
    pub(super) kind: String,
    /// What it means.
    pub(super) meaning: String,
    /// The statements that make it of `invocation`, which is a call that gives the words and, where there are flags, the window.
    pub(super) statements: Vec<String>,
}

impl Results {
    pub(super) fn of(info: &OperationInfo, invocation: &str) -> Self {
        let meanings: Vec<_> = info.results.iter().map(|result| result.meaning).collect();
        let mut meaning = match meanings.first().and_then(|first| first.strip_suffix(" word 0")) {
            Some(message) => format!("the words of the {message}"),
            None => meanings.join("; "),
        };
        let takes_flags = info.flags != 0;
        if info.results.is_empty() {
            let statements = vec![format!("{invocation}?;"), "Ok(())".to_owned()];
            return Self { kind: "Done".to_owned(), meaning, statements };
        }
        // Where each word counts, they stay together.
        if info.results.len() == MESSAGE_WORDS {
            if takes_flags {
                meaning += ", and which slots of the window have come along, one bit each";
            }
            let kind = if takes_flags { "Result<(Words, u64), Error>" } else { "Result<Words, Error>" };
            return Self { kind: kind.to_owned(), meaning, statements: vec![invocation.to_owned()] };
        }
        let names: Vec<_> = meanings.iter().map(|meaning| name_after(meaning)).collect();
        let mut statements = vec![format!("let [{}, ..] = {invocation}?;", names.join(", "))];
        let mut kinds = Vec::new();
        for (result, name) in info.results.iter().zip(&names) {
            kinds.push(match result.sort {
                ResultSort::Kind => {
                    statements.push(format!("let {name} = Kind::from_number({name}).ok_or(Error::WrongKind)?;"));
                    "Kind"
                }
                ResultSort::Rights => {
                    statements.push(format!(
                        "let {name} = u8::try_from({name}).map_or(Rights::empty(), Rights::from_bits_truncate);"
                    ));
                    "Rights"
                }
                _ => "u64",
            });
        }
        let together = |parts: Vec<&str>| {
            if let [one] = &parts[..] { (*one).to_owned() } else { format!("({})", parts.join(", ")) }
        };
        statements.push(format!("Ok({})", together(names.iter().map(String::as_str).collect())));
        Self { kind: format!("Result<{}, Error>", together(kinds)), meaning, statements }
    }
}
