//! The functions of the header: the system call, and one for each operation.

use std::fmt::Write;

use flatmk_abi::{MESSAGE_WORDS, OPERATIONS, OperationInfo};
use heck::ToSnakeCase;

use super::member;
use crate::operations::{errors_of, invoked_on, parameters, wrap};

/// What is the same whatever the operations are. It is a file of its own, which the book shows.
const SYSTEM_CALL: &str = include_str!("system_call.h");

/// Where lines end, in columns.
const WIDTH: usize = 110;

/// All functions.
pub(super) fn all() -> String {
    let system_call = SYSTEM_CALL.lines().filter(|line| !line.contains("ANCHOR"));
    let mut text = system_call.collect::<Vec<_>>().join("\n");
    OPERATIONS.iter().for_each(|info| text.push_str(&wrapper(info)));
    text
}

/// The name of the function of an operation.
pub(super) fn function(info: &OperationInfo) -> String {
    format!("flatmk_{}", info.name.to_snake_case())
}

/// A function that makes the system call of one operation. Where there are no results it returns just the status.
fn wrapper(info: &OperationInfo) -> String {
    let (parameters, operation) = (parameters(info), member("OPERATION", info.operation));
    let (kind, member) = if info.results.is_empty() { ("int64_t", ".status") } else { ("struct flatmk_result", "") };
    let declared = parameters.iter().map(|name| format!("uint64_t {name}")).collect();
    let mut passed = parameters;
    passed.insert(1, operation);
    passed.resize(2 + MESSAGE_WORDS, "0".to_owned());
    let declared = list(format!("static inline {kind} {}(", function(info)), declared, ")");
    let passed = list("    return flatmk_invoke(".to_owned(), passed, &format!("){member};"));
    format!("\n\n{}{declared}\n{{\n{passed}\n}}", comment(info))
}

/// Items between parentheses, in lines that begin where the first does.
fn list(head: String, items: Vec<String>, end: &str) -> String {
    let indent = head.len();
    let (mut text, mut column) = (head, indent);
    let last = items.len().saturating_sub(1);
    for (index, item) in items.into_iter().enumerate() {
        let item = item + if index == last { end } else { "," };
        if index > 0 && column + 1 + item.len() > WIDTH {
            let _ = write!(text, "\n{:indent$}", "");
            column = indent;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        column += item.len();
        text.push_str(&item);
    }
    text
}

/// What the operation does, takes and gives, and each error with its causes.
fn comment(info: &OperationInfo) -> String {
    let names = parameters(info);
    let mut text = String::from("/**\n");
    paragraph(&mut text, "", info.description);
    text.push_str(" *\n");
    let capability = names.first().map_or("", String::as_str);
    paragraph(&mut text, &format!("@param {capability} "), &invoked_on(info));
    for (name, argument) in names.iter().skip(1).zip(info.arguments) {
        paragraph(&mut text, &format!("@param {name} "), argument.meaning);
    }
    let results =
        info.results.iter().enumerate().map(|(index, result)| format!("`words[{index}]`: {}", result.meaning));
    let status =
        if info.results.is_empty() { "0, or one of these errors" } else { "`status`: 0, or one of these errors" };
    let results: Vec<_> = std::iter::once(status.to_owned()).chain(results).collect();
    paragraph(&mut text, "@return ", &results.join("; "));
    for (error, cause) in errors_of(info) {
        let cause = cause.replace("`rdi`", &format!("`{capability}`"));
        paragraph(&mut text, &format!("@retval {} ", member("ERROR", error)), &cause);
    }
    text.push_str(" */\n");
    text
}

/// Text in lines of a comment; those after the first are indented if it has a tag.
fn paragraph(text: &mut String, tag: &str, words: &str) {
    let rest = if tag.is_empty() { " * " } else { " *     " };
    text.push_str(&wrap(&format!(" * {tag}"), rest, words, WIDTH));
}
