//! The system calls in the words of Rust, for the runtime library: one function for each operation of the list in `flatmk-abi`.
//!
//! An operation on capabilities of one kind is a method of that kind's type in the library; what the list says of an argument or a result
//! gives it its type. What the list does not say, such as shorter forms for common uses, is written by hand in the library, and goes through
//! these functions.
//!
//! Like the book's reference, the file is kept in the repository, and a test says when it is no longer what the list says.

#[cfg(test)]
mod tests;
mod types;

use std::fmt::Write;
use std::io;
use std::path::Path;

use flatmk_abi::{Kind, OPERATIONS, Operation, OperationInfo};
use heck::ToSnakeCase;

use crate::generated;
use crate::operations::{errors_of, invoked_on, wrap};
use types::{Arguments, Results, object_of};

/// Where the wrappers are, from the root of the repository.
pub const WRAPPERS: &str = "userland/runtime/src/operations.rs";

const HEAD: &str = "\
//! The system calls: one function for each operation.
//!
//! Made from the list in kernel/abi/src/operation.rs, by `./x book`. Changes made here are lost. What the list does not
//! say is in object.rs.

use flatmk_abi::{Access, Error, Kind, MissingCapability, Operation, Rights, Words, slots};

";

/// The functions that are not called after their operations: two names are keywords of Rust, and three belong to shorter forms, which the
/// library has by hand. Functions with flags have shorter forms, too; to their names it is added that they take flags.
const OTHER_NAMES: [(Operation, &str); 5] = [
    (Operation::Move, "move_here"),
    (Operation::Yield, "yield_now"),
    (Operation::Wait, "wait_for"),
    (Operation::MakeEndpoint, "make_endpoint_at"),
    (Operation::Read, "read_raw"),
];

/// What is always compiled into the caller: of these the benchmark counts every instruction, so a call of a function would show.
const INLINE: [Operation; 5] =
    [Operation::Identify, Operation::Yield, Operation::Call, Operation::Signal, Operation::Wait];

/// What the book shows, under its name.
const SHOWN: Operation = Operation::Map;

/// Where lines end, in columns, as in all sources.
const WIDTH: usize = 120;

/// Writes the wrappers, if they are not what they should be.
///
/// # Errors
///
/// If they cannot be written.
pub fn update(repository: &Path) -> io::Result<()> {
    generated::update(&repository.join(WRAPPERS), &wrappers(OPERATIONS))
}

/// The text of the whole file: the functions, then the methods of each type.
#[must_use]
pub fn wrappers(operations: &[OperationInfo]) -> String {
    let on = |object: Option<&'static str>| operations.iter().filter(move |info| object_of(info.kinds) == object);
    let mut objects: Vec<&str> = Kind::ALL.iter().filter_map(|&kind| object_of(&[kind])).collect();
    objects.sort_unstable();
    objects.dedup();
    let mut text = HEAD.to_owned();
    text.push_str(&imports(&objects));
    on(None).for_each(|info| text.push_str(&format!("\n{}", wrapper(info, ""))));
    for object in objects {
        let methods: Vec<String> = on(Some(object)).map(|info| wrapper(info, "    ")).collect();
        if !methods.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(text, "\nimpl {object} {{\n{}}}\n", methods.join("\n"));
        }
    }
    text
}

fn imports(objects: &[&str]) -> String {
    let mut names = [objects, &["Done"]].concat();
    names.sort_unstable();
    let names = wrap("    ", "    ", &format!("{},", names.join(", ")), WIDTH);
    format!("use crate::object::{{\n{names}}};\nuse crate::syscall::{{invoke, invoke_with_flags}};\n")
}

/// The name of the function of an operation.
fn function(info: &OperationInfo) -> String {
    let other = OTHER_NAMES.iter().find(|(operation, _)| *operation == info.operation);
    let name = other.map_or_else(|| info.name.to_snake_case(), |&(_, name)| name.to_owned());
    if info.flags == 0 { name } else { name + "_with_flags" }
}

/// The function of an operation, indented.
fn wrapper(info: &OperationInfo, indent: &str) -> String {
    let arguments = Arguments::of(info);
    let Arguments { pointer, words, .. } = &arguments;
    let (invoke, flags) = if info.flags == 0 { ("invoke", "") } else { ("invoke_with_flags", "flags, ") };
    let invocation = format!("{invoke}({pointer}, Operation::{}, {flags}{words})", info.name);
    let results = Results::of(info, &invocation);
    let inline = if INLINE.contains(&info.operation) { format!("{indent}#[inline(always)]\n") } else { String::new() };
    let head = head(&function(info), &arguments.declared, &results.kind, indent);
    let statements = arguments.statements.iter().chain(&results.statements);
    let body: String = statements.map(|statement| format!("{indent}    {statement}\n")).collect();
    let text = format!("{}{inline}{head}{body}{indent}}}\n", comment(info, &arguments, &results, indent));
    if info.operation == SHOWN {
        let name = function(info);
        format!("{indent}// ANCHOR: {name}\n{text}{indent}// ANCHOR_END: {name}\n")
    } else {
        text
    }
}

/// The head of a function: in one line if that is not too long, as rustfmt has it.
fn head(name: &str, parameters: &[String], result: &str, indent: &str) -> String {
    let line = format!("{indent}pub fn {name}({}) -> {result} {{", parameters.join(", "));
    if line.len() <= WIDTH {
        return line + "\n";
    }
    let lines: String = parameters.iter().map(|parameter| format!("{indent}    {parameter},\n")).collect();
    format!("{indent}pub fn {name}(\n{lines}{indent}) -> {result} {{\n")
}

/// What the operation does, takes and gives, and each error with its causes.
fn comment(info: &OperationInfo, arguments: &Arguments, results: &Results, indent: &str) -> String {
    let (line, item) = (format!("{indent}/// "), format!("{indent}///   "));
    let paragraph = |words: &str| wrap(&line, &line, words, WIDTH);
    let list = |words: &str| wrap(&format!("{line}- "), &item, words, WIDTH);
    let empty = format!("{indent}///\n");
    let on = format!("On {}; from chapter {} on.", invoked_on(info), info.operation.chapter());
    let mut parts = vec![paragraph(info.description), paragraph(&on)];
    let explained = arguments.meanings.iter().map(|(name, meaning)| list(&format!("`{name}`: {meaning}")));
    parts.push(explained.collect());
    if !results.meaning.is_empty() {
        parts.push(paragraph(&format!("Returns: {}.", results.meaning)));
    }
    parts.push(paragraph("# Errors"));
    let capability = format!("`{}`", arguments.pointer.trim_end_matches(".0"));
    let errors = errors_of(info).into_iter().map(|(error, cause)| {
        let cause = cause.replace("the pointer in `rdi`", &capability).replace("the capability in `rdi`", &capability);
        list(&format!("[`Error::{error:?}`]: {cause}"))
    });
    parts.push(errors.collect());
    parts.retain(|part| !part.is_empty());
    parts.join(&empty)
}
