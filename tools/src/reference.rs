//! The book's reference of operations, errors, kinds and rights: one page, written from the lists in `flatmk-abi`.
//!
//! The page is kept in the repository, so that the book can be read and built without this program. A test says when it is no longer
//! what the lists say.

use std::fmt::Write;
use std::io;
use std::path::Path;

use flatmk_abi::{Error, Kind, OPERATIONS, Operation, OperationInfo, Rights};

use crate::generated;
use crate::operations::{code, errors_of, flags_of, invoked_on, kinds_of, rights_of, takes_reply_slot};

/// Where the page is, from the root of the repository.
pub const PAGE: &str = "book/src/reference/operations.md";

const HEAD: &str = "\
<!-- Written by `./x book` from kernel/abi/src. Changes made here are lost. -->

# Operations and errors

This page is written from the lists in `kernel/abi`, from which the kernel and the programs are compiled, too. How a system call is made is
on the page [System calls](system-calls.md). After an error nothing has changed.
";

/// The registers of the arguments, and of the results.
const WORD_REGISTERS: [&str; 4] = ["rdx", "r10", "r8", "r9"];

/// Writes the page, if it is not what it should be.
///
/// # Errors
///
/// If it cannot be written.
pub fn update(repository: &Path) -> io::Result<()> {
    generated::update(&repository.join(PAGE), &page())
}

/// The whole page.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(HEAD);
    page.push_str(&overview());
    OPERATIONS.iter().for_each(|operation| page.push_str(&section(operation)));
    page.push_str(&errors());
    page.push_str(&kinds());
    page.push_str(&rights());
    page
}

fn overview() -> String {
    let rows = OPERATIONS.iter().map(|info| {
        let switching = if info.operation as u8 <= Operation::LAST_SWITCHING { "yes" } else { "" };
        let OperationInfo { name, operation, .. } = info;
        vec![
            (*operation as u8).to_string(),
            link(name),
            kinds_of(info)
                .unwrap_or_else(|| if takes_reply_slot(info) { "the reply slot" } else { "any kind" }.to_owned()),
            rights_of(info.rights).unwrap_or_default(),
            operation.chapter().to_string(),
            switching.to_owned(),
        ]
    });
    let head = ["number", "operation", "invoked on", "with the right", "chapter", "another task may go on"];
    format!("\n## Operations\n\n{}", table(&head, rows))
}

fn section(info: &OperationInfo) -> String {
    let OperationInfo { operation, name, description, arguments, results, .. } = info;
    let mut text = format!("\n### {name}\n\n{}\n\n", in_one_line(description));
    let (number, on, chapter) = (*operation as u8, invoked_on(info), operation.chapter());
    // Writing to a string does not fail.
    let _ = write!(text, "Number {number}, on {on}; from chapter {chapter} on.");
    let flags: Vec<String> =
        flags_of(info).iter().filter_map(|flag| flag.split_once('_')).map(|(_, name)| code(name)).collect();
    if !flags.is_empty() {
        let _ = write!(text, " Flags: {}.", flags.join(", "));
    }
    text.push('\n');
    let rows = WORD_REGISTERS.iter().enumerate().filter_map(|(index, register)| {
        let argument = arguments.get(index).map(|argument| argument.meaning);
        let result = results.get(index).map(|result| result.meaning);
        (argument.is_some() || result.is_some()).then(|| {
            vec![code(register), argument.unwrap_or_default().to_owned(), result.unwrap_or_default().to_owned()]
        })
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        let _ = write!(text, "\n{}", table(&["register", "argument", "result"], rows));
    }
    let errors = errors_of(info).into_iter().map(|(error, cause)| vec![link(&format!("{error:?}")), cause]);
    let _ = write!(text, "\n{}", table(&["error", "when"], errors));
    text
}

fn errors() -> String {
    let rows = Error::ALL.iter().map(|&error| {
        let returns = |info: &&OperationInfo| errors_of(info).iter().any(|(listed, _)| *listed == error);
        let by: Vec<String> = OPERATIONS.iter().filter(returns).map(|info| link(info.name)).collect();
        let by = match by.len() {
            0 => "any number without an operation, and all operations with a flag that they do not take".to_owned(),
            all if all == OPERATIONS.len() => "all operations".to_owned(),
            most if most > OPERATIONS.len() / 2 => {
                let others = OPERATIONS.iter().filter(|info| !returns(info)).map(|info| link(info.name));
                format!("all but {}", others.collect::<Vec<_>>().join(", "))
            }
            _ => by.join(", "),
        };
        let name = format!("{error:?}");
        vec![
            format!("<span id=\"{}\">`{name}`</span>", name.to_lowercase()),
            error.status().to_string(),
            error.meaning().to_owned(),
            by,
        ]
    });
    format!("\n## Errors\n\n{}", table(&["error", "status", "meaning", "returned by"], rows))
}

fn kinds() -> String {
    let rows = Kind::ALL.iter().map(|&kind| {
        let takes = |info: &&OperationInfo| info.kinds.contains(&kind);
        let operations: Vec<String> = OPERATIONS.iter().filter(takes).map(|info| link(info.name)).collect();
        vec![code(&format!("{kind:?}")), (kind as u8).to_string(), kind.meaning().to_owned(), operations.join(", ")]
    });
    format!("\n## Kinds\n\n{}", table(&["kind", "number", "what it refers to", "operations on it"], rows))
}

fn rights() -> String {
    let rows = Rights::MEANINGS.iter().map(|&(right, meaning)| {
        let needs = |info: &&OperationInfo| info.rights.contains(right);
        let operations: Vec<String> = OPERATIONS.iter().filter(needs).map(|info| link(info.name)).collect();
        vec![rights_of(right).unwrap_or_default(), right.bits().to_string(), meaning.to_owned(), operations.join(", ")]
    });
    let note = "`GRANT` is looked for in the *source* of a copy, mint or move; `READ`, `WRITE` and `EXECUTE` also in the frame that is mapped.";
    format!("\n## Rights\n\n{}\n{note}\n", table(&["right", "value", "what it allows", "needed in `rdi` by"], rows))
}

/// A link to the heading, or the row, of this name on the page.
fn link(name: &str) -> String {
    format!("[`{name}`](#{})", name.to_lowercase())
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace;

    #[test]
    fn the_books_reference_is_what_the_interface_says() {
        let present = fs::read_to_string(workspace::root().join(PAGE)).unwrap_or_default();
        assert!(present == page(), "{PAGE} is not what kernel/abi says: `./x book` writes it anew");
    }

    #[test]
    fn every_operation_has_its_section_and_every_error_its_row() {
        let page = page();
        for info in OPERATIONS {
            assert!(page.contains(&format!("\n### {}\n", info.name)), "{}", info.name);
            assert!(info.arguments.len() <= WORD_REGISTERS.len() && info.results.len() <= WORD_REGISTERS.len());
            assert!(!info.description.contains('|'), "a cell of a table would end there");
        }
        for error in Error::ALL {
            assert!(page.contains(&format!("id=\"{}\"", format!("{error:?}").to_lowercase())), "{error:?}");
        }
    }
}
