//! The header for programs in C, `flatmk.h`, made from the lists and constants in `flatmk-abi`.
//!
//! Cbindgen turns Rust into C, and reads source text to do so. Constants, and enumerations that are written out, it
//! finds in the sources themselves. The lists are declared by macros, which it cannot see through, so they are written
//! down as plain Rust for it first. The functions are inline and have no counterpart that it could read; [`functions`]
//! writes them.
//!
//! Like the book's reference, the header is kept in the repository, and a test says when it is no longer what the lists
//! say.

mod functions;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{fs, io};

use cbindgen::{Bindings, Builder, Config, DocumentationStyle, EnumConfig, ExportConfig, Language, RenameRule, Style};
use flatmk_abi::{Error, FaultReason, Kind, OPERATIONS, Rights};
use heck::{ToShoutySnakeCase, ToUpperCamelCase};
use regex::{Captures, Regex};
use tempfile::TempDir;

use crate::generated;

/// Where the header is, from the root of the repository: beside the sources that it is made from.
pub const HEADER: &str = "kernel/abi/include/flatmk.h";

/// The source with which cbindgen begins; it follows the modules.
const SOURCES: &str = "kernel/abi/src/lib.rs";

const HEAD: &str = "\
/*
 * The system-call interface of FlatMk for programs in C and C++.
 *
 * Made by cbindgen from kernel/abi/src, by `./x book` and whenever programs in C are built. Changes made here are lost.
 */

#ifndef FLATMK_H
#define FLATMK_H";

/// Cbindgen's own guard would end before the functions.
const END: &str = "\n\n#endif /* FLATMK_H */";

/// The types: their names in Rust and in C. Members of an enumeration are named after that in C, in capitals.
const TYPES: [(&str, &str); 9] = [
    ("Operation", "flatmk_operation"),
    ("Error", "flatmk_error"),
    ("Kind", "flatmk_kind"),
    ("Right", "flatmk_right"),
    ("Access", "flatmk_access"),
    ("FaultReason", "flatmk_fault_reason"),
    ("FaultAnswer", "flatmk_fault_answer"),
    ("MissingCapability", "flatmk_missing_capability"),
    ("SystemCallResult", "flatmk_result"),
];

/// What is left out: the marks of programs that measure themselves are instructions, for which the header has no function.
const MARKS: [&str; 5] = ["BEGIN", "END", "ZERO", "ONE", "INSTRUCTION"];

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// A file cannot be written, or a temporary one read.
    #[error("cannot write the header for C: {0}")]
    File(#[from] io::Error),
    /// Cbindgen does not understand the sources.
    #[error("cannot make the header for C: {0}")]
    Translate(#[from] cbindgen::Error),
}

/// Writes the header, if it is not what it should be.
///
/// # Errors
///
/// If it cannot be made or written.
pub fn update(repository: &Path) -> Result<(), HeaderError> {
    Ok(generated::update(&repository.join(HEADER), &header(repository)?)?)
}

/// The text of the whole header.
///
/// # Errors
///
/// If the sources cannot be read, or are not understood.
pub fn header(repository: &Path) -> Result<String, HeaderError> {
    let folder = TempDir::new()?;
    let lists = folder.path().join("lists.rs");
    fs::write(&lists, plain_lists())?;
    let mut bytes = Vec::new();
    translate(repository.join(SOURCES), lists)?.write(&mut bytes);
    Ok(in_words_of_c(&String::from_utf8_lossy(&bytes)))
}

fn translate(sources: PathBuf, lists: PathBuf) -> Result<Bindings, cbindgen::Error> {
    let config = Config {
        language: Language::C,
        cpp_compat: true,
        header: Some(HEAD.to_owned()),
        no_includes: true,
        sys_includes: vec!["stdint.h".to_owned()],
        trailer: Some(functions::all() + END),
        style: Style::Tag,
        tab_width: 4,
        documentation_style: DocumentationStyle::Doxy,
        export: ExportConfig {
            include: TYPES.map(|(rust, _)| rust.to_owned()).to_vec(),
            exclude: MARKS.map(str::to_owned).to_vec(),
            prefix: Some("FLATMK_".to_owned()),
            rename: HashMap::from(TYPES.map(|(rust, c)| (rust.to_owned(), c.to_owned()))),
            renaming_overrides_prefixing: true,
            ..ExportConfig::default()
        },
        enumeration: EnumConfig { rename_variants: RenameRule::QualifiedScreamingSnakeCase, ..EnumConfig::default() },
        ..Config::default()
    };
    Builder::new().with_config(config).with_src(sources).with_src(lists).generate()
}

/// The lists as Rust without macros.
fn plain_lists() -> String {
    let mut text = String::new();
    let operations = OPERATIONS.iter().map(|info| (info.name, info.operation as i64, info.description));
    enumeration(&mut text, "Operation", "u8", "What a system call is asked to do; bits 0 to 7 of `rsi`.", operations);
    let errors = Error::ALL.iter().map(|&error| (name(error), error.status(), error.meaning()));
    enumeration(&mut text, "Error", "i64", "Why a system call failed. After an error nothing has changed.", errors);
    let kinds = Kind::ALL.map(|kind| (name(kind), kind as i64, kind.meaning()));
    enumeration(&mut text, "Kind", "u8", "What a capability refers to.", kinds);
    let reasons = FaultReason::ALL.iter().map(|&reason| (name(reason), reason as i64, reason.meaning()));
    enumeration(
        &mut text,
        "FaultReason",
        "u64",
        "Why a task has faulted: word 0 of the message to its handler.",
        reasons,
    );
    let rights = Rights::MEANINGS.iter().flat_map(|&(right, meaning)| {
        right.iter_names().map(move |(name, right)| (name.to_upper_camel_case(), right.bits().into(), meaning))
    });
    enumeration(
        &mut text,
        "Right",
        "u8",
        "What the holder of a capability may do with it; rights are combined by `|`.",
        rights,
    );
    let all = Rights::all().bits();
    let _ = write!(
        text,
        "/// All rights: a copy has those of its source.
         pub const RIGHTS_ALL: u64 = {all};
         /// What a system call returns.
         #[repr(C)]
         pub struct SystemCallResult {{
             /// 0, or a negative `flatmk_error`.
             pub status: i64,
             /// The results; zero where the operation gives none.
             pub words: [u64; MESSAGE_WORDS],
         }}\n"
    );
    text
}

/// One list; each member with its name, number and meaning.
fn enumeration<Name: AsRef<str>>(
    text: &mut String,
    name: &str,
    size: &str,
    meaning: &str,
    members: impl IntoIterator<Item = (Name, i64, &'static str)>,
) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "/// {meaning}\n#[repr({size})]\npub enum {name} {{");
    for (member, number, meaning) in members {
        for line in meaning.lines().map(str::trim) {
            let _ = writeln!(text, "/// {line}");
        }
        let _ = writeln!(text, "{} = {number},", member.as_ref());
    }
    text.push_str("}\n");
}

fn name(member: impl Debug) -> String {
    format!("{member:?}")
}

/// The name of a member of an enumeration in C.
fn member(enumeration: &str, member: impl Debug) -> String {
    format!("FLATMK_{enumeration}_{}", name(member).to_shouty_snake_case())
}

/// The text with members named as in C: of ``[`Error::Busy`]``, a link in Rust, `FLATMK_ERROR_BUSY` is left. Large
/// numbers, which are addresses, are in hexadecimal; like single bits they are of the type that arguments have.
fn in_words_of_c(text: &str) -> String {
    static LINK: LazyLock<Regex> = LazyLock::new(|| regex(r"\[(`[^`\]]+`)\](?:\([^)]*\))?"));
    static MEMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"`([A-Z]\w*)::([A-Z]\w*)`"));
    static SHIFT: LazyLock<Regex> = LazyLock::new(|| regex(r"\(1 << "));
    static LARGE: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^(#define \w+) (\d{6,})$"));
    let text = LINK.replace_all(text, "$1");
    let text =
        MEMBER.replace_all(&text, |parts: &Captures<'_>| match TYPES.iter().find(|(rust, _)| *rust == &parts[1]) {
            Some((_, c)) => format!("`{}_{}`", c.to_uppercase(), parts[2].to_shouty_snake_case()),
            None => parts[0].to_owned(),
        });
    let text = SHIFT.replace_all(&text, "(UINT64_C(1) << ");
    let text = LARGE.replace_all(&text, |parts: &Captures<'_>| match parts[2].parse::<u64>() {
        Ok(number) => format!("{} UINT64_C({number:#x})", &parts[1]),
        Err(_) => parts[0].to_owned(),
    });
    text.into_owned()
}

fn regex(expression: &str) -> Regex {
    Regex::new(expression).expect("a constant expression")
}
