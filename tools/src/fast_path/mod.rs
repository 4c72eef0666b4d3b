//! The book's listing of the fast path: every instruction of the kernel's file, and what it is for.
//!
//! The listing begins at a stub in assembly and goes on with all to which it leads, up to the slow path. What an instruction of a
//! stub is for say the comments in the source, which goes line by line with the machine code ([`stub`]). What one of a function is
//! for says the line it was compiled from ([`lines`]).
//!
//! The page is kept in the repository, so that the book can be read and built without a kernel. A test says when it is no longer
//! what the kernel is.

mod code;
mod lines;
mod stub;

use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};
use std::{fs, io};

use code::{Binary, Line};
use lines::{Lines, Origin};

use crate::generated;

/// Where the page is, from the root of the repository.
pub const PAGE: &str = "book/src/reference/fast-path.md";

/// Where the listing begins.
const ENTRY: &str = "fast_entry";

/// Where it ends: the slow path, what is not done for most calls and returns, and RISC-V code, by the last part of the name.
const ENDS: [&str; 6] = ["syscall_slow", "syscall_saved", "answer_fault", "update", "softuser_call", "softuser_resume"];

/// What is written in assembly: the symbol, and the file with its text. All else is compiled.
const STUBS: [(&str, &str); 3] = [
    (ENTRY, "kernel/src/ipc/fast_path.rs"),
    ("further_fast_entry", "kernel/src/scheduling/fast_path.rs"),
    ("resume_task", SHARED),
];

/// The file with the macros and operands that stubs share.
const SHARED: &str = "kernel/src/arch/syscall.rs";

const HEAD: &str = "\
<!-- Written by `./x book` from the kernel. Changes made here are lost. -->

# The fast path, instruction by instruction

This page is written from the kernel's file, as `./x run` boots it, and from its source. It has every instruction of the fast path, that of
[calls](../chapters/calls.md#the-usual-case-faster) and that of [notifications](../chapters/scheduling.md#notifications-faster): of the stub
through which a system call enters, and of all to which it leads, up to the return to a program. Where the fast path gives up, it jumps to
`syscall_slow` or `syscall_saved`, and this page ends. So it does where RISC-V code is called or goes on, at `softuser_call` and
`softuser_resume`. Two functions to which it leads are left out, too: `answer_fault`, by which the handler of a
fault returns, and `update`, which makes a task's [content of CR3](../chapters/pcid.md) valid again.

Offsets are hexadecimal, from the beginning of the function; a jump names the offset it leads to. For a stub, a third column says what a
number in the instruction is, and the last what the instruction is for. For a function, the compiler only knows which line an instruction
comes from, and of which function that was inlined there. ″ is the same as above.
";

/// Why there is no listing.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// A file cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The kernel is not an ELF file with symbols and lines.
    #[error("the kernel cannot be disassembled: {0}")]
    Kernel(String),
    /// A function is not in the kernel, or a jump leads to an address that is the beginning of none.
    #[error("the kernel has no symbol `{0}`")]
    NoSymbol(String),
    /// The text of a stub is not in the source.
    #[error("{file} has no assembly text that begins with `{label}:`")]
    NoStub {
        /// The source.
        file: &'static str,
        /// Its label.
        label: &'static str,
    },
    /// Nobody says what an instruction of the stub is for.
    #[error("this instruction needs a comment, on its line or on one before: `{0}`")]
    NoComment(String),
    /// The source does not go with the machine code.
    #[error("the source has `{written}` where the kernel has `{found}`")]
    Mismatch {
        /// The line of the source; nothing if it has fewer instructions.
        written: String,
        /// The instruction of the kernel; nothing if it has fewer.
        found: String,
    },
}

/// For `map_err`: what became of a file.
fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ListingError {
    move |cause| ListingError::File { path: path.to_owned(), cause }
}

/// For `map_err`: what is wrong with the kernel.
fn kernel_error(error: impl Display) -> ListingError {
    ListingError::Kernel(error.to_string())
}

/// Writes the page, if it is not what it should be.
///
/// # Errors
///
/// If there is none, or it cannot be written.
pub fn update(repository: &Path, kernel: &Path) -> Result<(), ListingError> {
    let (path, page) = (repository.join(PAGE), page(repository, kernel)?);
    generated::update(&path, &page).map_err(file_error(&path))
}

/// The whole page, of a kernel that was built from the sources in this repository.
///
/// # Errors
///
/// If the kernel lacks symbols, or its stub and the source do not agree, or an instruction of the stub has no comment.
pub fn page(repository: &Path, kernel: &Path) -> Result<String, ListingError> {
    let bytes = fs::read(kernel).map_err(file_error(kernel))?;
    let binary = Binary::parse(&bytes)?;
    let lines = Lines::of(repository, kernel)?;
    let shared = read(repository, SHARED)?;
    let mut page = String::from(HEAD);
    let mut listed = BTreeSet::new();
    // What is still to be listed, the next one last.
    let mut names = vec![ENTRY.to_owned()];
    while let Some(name) = names.pop() {
        if ENDS.contains(&code::short(&name)) || !listed.insert(name.clone()) {
            continue;
        }
        let code = binary.disassemble(&name)?;
        page.push_str(&match STUBS.into_iter().find(|(label, _)| *label == name) {
            Some((label, file)) => {
                let text = read(repository, file)?;
                let written = stub::read(&stub::Source { text: &text, shared: &shared }, file, label)?;
                section(&name, file, &code, ["number", "what for"], stub_rows(&code, written)?)
            }
            None => {
                let (file, rows) = function_rows(&code, &lines)?;
                section(&name, &file, &code, ["in", "the line it was compiled from"], rows)
            }
        });
        names.extend(binary.leads_to(&code)?.into_iter().rev().map(str::to_owned));
    }
    Ok(page)
}

fn read(repository: &Path, file: &str) -> Result<String, ListingError> {
    let path = repository.join(file);
    fs::read_to_string(&path).map_err(file_error(&path))
}

/// The last two cells of each row of a stub: the names of its operands, and its comment.
fn stub_rows(code: &[Line], written: Vec<stub::Written>) -> Result<Vec<[String; 2]>, ListingError> {
    let mut rows = Vec::new();
    let mut written = written.into_iter();
    let mut last = None;
    for line in code {
        let mismatch = |text| ListingError::Mismatch { written: text, found: line.text.clone() };
        let Some(source) = written.next() else { return Err(mismatch(String::new())) };
        if !source.agrees_with(&line.instruction) {
            return Err(mismatch(source.text));
        }
        // The disassembler knows the names of addresses, but not those of numbers.
        let names = source.names.iter().filter(|name| !line.text.contains(name.as_str()));
        let names: Vec<String> = names.map(|name| span(name)).collect();
        let is_same = last.as_ref() == Some(&source.comment);
        rows.push([names.join(", "), if is_same { "″".to_owned() } else { source.comment.text.clone() }]);
        last = Some(source.comment);
    }
    match written.next() {
        None => Ok(rows),
        Some(source) => Err(ListingError::Mismatch { written: source.text, found: String::new() }),
    }
}

/// The file of a function, and the last two cells of each row: the function that was inlined there, and the line.
fn function_rows(code: &[Line], lines: &Lines<'_>) -> Result<(String, Vec<[String; 2]>), ListingError> {
    let mut rows = Vec::new();
    let mut file = String::new();
    let mut last = None;
    for line in code {
        let origin = lines.origin(line.address)?;
        rows.push(match &origin {
            None => [String::new(), "several lines".to_owned()],
            same if *same == last => ["″", "″"].map(str::to_owned),
            Some(Origin { text, .. }) if text == "}" => [String::new(), "the end".to_owned()],
            Some(Origin { function, text, .. }) => [span(function), span(text)],
        });
        if let Some(origin) = &origin {
            file.clone_from(&origin.outermost_file);
        }
        last = origin;
    }
    Ok((file, rows))
}

fn section(name: &str, file: &str, code: &[Line], heads: [&str; 2], rows: Vec<[String; 2]>) -> String {
    let (count, bytes) = (code.len(), code.last().map_or(0, |line| line.offset + line.instruction.len() as u64));
    let [third, fourth] = heads;
    let name = code::short(name);
    let mut text = format!(
        "\n## {name}\n\nFrom `{file}`: {count} instructions, {bytes} bytes.\n\n| offset | instruction | {third} | {fourth} |\n|---:|---|---|---|\n"
    );
    for (Line { offset, text: instruction, .. }, [third, fourth]) in code.iter().zip(rows) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {offset:x} | {} | {third} | {fourth} |", span(instruction));
    }
    text
}

/// Code in a cell of a table.
fn span(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\\|")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn every_instruction_of_the_kernels_stubs_has_a_comment() {
        let shared = read(workspace::root(), SHARED).unwrap();
        for (label, file) in STUBS {
            let text = read(workspace::root(), file).unwrap();
            let written = stub::read(&stub::Source { text: &text, shared: &shared }, file, label).unwrap();
            assert!(written.len() > 15, "{label} has become short");
        }
    }
}
