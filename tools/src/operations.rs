//! What the list of operations says, in the words and names that all that is made from it shares: the book's reference, the header for C,
//! and the wrappers in Rust.

use flatmk_abi::{Error, FLAG_NO_WAIT, FLAGS_WINDOW, Operation, OperationInfo, Rights};
use heck::ToSnakeCase;

/// The flags, with the names of their constants.
const FLAGS: [(u64, &str); 2] = [(FLAG_NO_WAIT, "FLAG_NO_WAIT"), (FLAGS_WINDOW, "FLAGS_WINDOW")];

/// The names of the parameters of a function: the capability, then the arguments after what they mean. A word that the language keeps
/// for itself would not compile, which a test finds; the list then needs another word.
pub(crate) fn parameters(info: &OperationInfo) -> Vec<String> {
    let capability = match info.kinds {
        [kind] => format!("{kind:?}").to_snake_case(),
        _ => "capability".to_owned(),
    };
    let mut names = vec![capability];
    for (index, argument) in info.arguments.iter().enumerate() {
        let name = name_after(argument.meaning);
        let is_usable = name.starts_with(|first: char| first.is_ascii_alphabetic()) && !names.contains(&name);
        names.push(if is_usable { name } else { format!("argument{index}") });
    }
    names
}

/// The name of an argument or a result, after what it means: of `frame capability pointer` it is `frame`, of `time in nanoseconds; ...`
/// `time_ns`.
pub(crate) fn name_after(meaning: &str) -> String {
    let words = meaning.split([':', ',', ';', '(']).next().unwrap_or_default();
    let words = words.strip_suffix(" capability pointer").unwrap_or(words);
    let words = words.strip_prefix("the ").unwrap_or(words);
    words.replace(" in nanoseconds", " ns").replace(" in bytes", " bytes").to_snake_case()
}

/// What the capability in `rdi` must be.
pub(crate) fn invoked_on(info: &OperationInfo) -> String {
    let on = match kinds_of(info) {
        Some(kinds) => format!("a capability of kind {kinds}"),
        None if takes_reply_slot(info) => "the reply slot, pointer 0".to_owned(),
        None => "a capability of any kind".to_owned(),
    };
    let right = rights_of(info.rights).map_or_else(String::new, |rights| format!(" with the right {rights}"));
    format!("{on}{right}")
}

/// The one operation that is not invoked on a capability in a table.
pub(crate) fn takes_reply_slot(info: &OperationInfo) -> bool {
    info.operation == Operation::Return
}

pub(crate) fn kinds_of(info: &OperationInfo) -> Option<String> {
    let names: Vec<String> = info.kinds.iter().map(|kind| code(&format!("{kind:?}"))).collect();
    (!names.is_empty()).then(|| names.join(" or "))
}

pub(crate) fn rights_of(rights: Rights) -> Option<String> {
    let names: Vec<String> = rights.iter_names().map(|(name, _)| code(name)).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// The names of the constants of the flags that an operation takes.
pub(crate) fn flags_of(info: &OperationInfo) -> Vec<&'static str> {
    FLAGS.iter().filter(|(flag, _)| info.flags & flag != 0).map(|&(_, name)| name).collect()
}

/// The errors of an operation in the order of their numbers: those that it lists, and those for the capability in `rdi`.
pub(crate) fn errors_of(info: &OperationInfo) -> Vec<(Error, String)> {
    let causes = |error: Error| {
        let listed = info.errors.iter().filter(move |(listed, _)| *listed == error).map(|&(_, cause)| cause.to_owned());
        let causes: Vec<String> = general_cause(info, error).into_iter().chain(listed).collect();
        (!causes.is_empty()).then(|| (error, causes.join("; ")))
    };
    Error::ALL.iter().copied().filter_map(causes).collect()
}

/// Why the capability in `rdi` may be refused.
fn general_cause(info: &OperationInfo, error: Error) -> Option<String> {
    match error {
        Error::InvalidCapability if !takes_reply_slot(info) => {
            Some("the pointer in `rdi` names no capability".to_owned())
        }
        Error::WrongKind => {
            kinds_of(info).map(|kinds| format!("the capability in `rdi` is of another kind than {kinds}"))
        }
        Error::MissingRight => {
            rights_of(info.rights).map(|right| format!("the capability in `rdi` lacks the right {right}"))
        }
        _ => None,
    }
}

pub(crate) fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Text in lines of at most `width` columns, of which the first begins with `first` and the others with `rest`.
pub(crate) fn wrap(first: &str, rest: &str, words: &str, width: usize) -> String {
    let (mut text, mut line) = (String::new(), first.to_owned());
    for (index, word) in words.split_whitespace().enumerate() {
        if index > 0 && line.len() + 1 + word.len() > width {
            text.push_str(&line);
            text.push('\n');
            line = rest.to_owned();
        } else if index > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    text + &line + "\n"
}
