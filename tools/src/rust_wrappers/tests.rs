//! The wrappers are what the list says, and there is no other way to the system calls.

use std::collections::BTreeSet;
use std::fs;

use flatmk_abi::{Argument, ArgumentSort, Error, FLAGS_WINDOW, Kind, OperationResult, ResultSort, Rights};
use walkdir::WalkDir;

use super::*;
use crate::workspace;

/// The text between the function of an operation and the one before, and the function itself.
fn comment_and_code(text: &str, info: &OperationInfo) -> (String, String) {
    let (before, after) = text.split_once(&format!("pub fn {}(", function(info))).expect(info.name);
    let comment = before.rsplit_once("\n\n").map_or("", |(_, comment)| comment);
    let (code, _) = after.split_once("}\n").expect(info.name);
    (comment.to_owned(), code.to_owned())
}

#[test]
fn the_wrappers_are_what_the_list_says() {
    let present = fs::read_to_string(workspace::root().join(WRAPPERS)).unwrap_or_default();
    assert!(present == wrappers(OPERATIONS), "{WRAPPERS} is not what kernel/abi says: `./x book` writes it anew");
}

#[test]
fn every_operation_has_exactly_one_wrapper_and_every_error_its_place() {
    let text = wrappers(OPERATIONS);
    assert_eq!(text.matches("pub fn ").count(), OPERATIONS.len());
    for info in OPERATIONS {
        let (comment, code) = comment_and_code(&text, info);
        assert_eq!(text.matches(&format!("Operation::{},", info.name)).count(), 1, "{}", info.name);
        assert!(code.contains(&format!("Operation::{},", info.name)), "{}", info.name);
        for (error, _) in errors_of(info) {
            assert_eq!(comment.matches(&format!("- [`Error::{error:?}`]: ")).count(), 1, "{}: {error:?}", info.name);
        }
        assert_eq!(comment.contains("Returns: "), !info.results.is_empty(), "{}", info.name);
    }
}

#[test]
fn every_change_of_the_list_changes_the_wrappers() {
    const ANY: Argument = Argument { sort: ArgumentSort::Any, meaning: "novelty" };
    const RESULT: OperationResult = OperationResult { sort: ResultSort::Any, meaning: "novelty" };
    type Change = fn(&mut OperationInfo);
    let changes: [(&str, Change); 9] = [
        ("name", |info| info.name = "Novelty"),
        ("description", |info| info.description = "Does something else."),
        ("kinds", |info| info.kinds = &[Kind::Ports]),
        ("rights", |info| info.rights = Rights::TRANSFER),
        ("flags", |info| info.flags ^= FLAGS_WINDOW),
        ("arguments", |info| info.arguments = &[ANY]),
        ("sort of an argument", |info| info.arguments = &[Argument { sort: ArgumentSort::Rights, ..ANY }]),
        ("results", |info| info.results = &[RESULT]),
        ("errors", |info| info.errors = &[(Error::TimedOut, "it took too long")]),
    ];
    let present = wrappers(OPERATIONS);
    for index in 0..OPERATIONS.len() {
        let mut texts = BTreeSet::from([present.clone()]);
        for (what, change) in changes {
            let mut operations = OPERATIONS.to_vec();
            change(&mut operations[index]);
            let is_new = texts.insert(wrappers(&operations));
            // These have been so before.
            let is_as_before = what == "kinds" && OPERATIONS[index].kinds == [Kind::Ports];
            assert!(is_new || is_as_before, "{}: {what}", OPERATIONS[index].name);
        }
        let without: Vec<_> = OPERATIONS.iter().filter(|info| info.name != OPERATIONS[index].name).copied().collect();
        assert!(texts.insert(wrappers(&without)), "without {}", OPERATIONS[index].name);
    }
}

#[test]
fn arguments_and_results_have_the_types_that_the_list_says() {
    let text = wrappers(OPERATIONS);
    let heads = [
        "pub fn identify(capability: u64) -> Result<(Kind, Rights), Error> {",
        "pub fn return_with_flags(flags: u64, answer: Words) -> Done {",
        "pub fn call_with_flags(self, flags: u64, message: Words) -> Result<(Words, u64), Error> {",
        "pub fn copy(self, destination_slot: u64, source: u64, rights_to_keep: Rights) -> Done {",
        "pub fn map(self, frame: Frame, address: u64, access: Access) -> Done {",
        "pub fn measure(self) -> Result<(u64, u64), Error> {",
        "pub fn read_registers(self, first_register: u64) -> Result<Words, Error> {",
        "pub fn read_port(self, port: u16, width_bytes: u64) -> Result<u64, Error> {",
        "pub fn set_priority(self, priority: u8) -> Done {",
        "pub fn set_floating_point(self, floating_point: Option<FloatingPoint>) -> Done {",
        "pub fn wait_for(self, timeout_ns: u64) -> Result<u64, Error> {",
    ];
    for head in heads {
        assert!(text.contains(head), "{head}");
    }
}

/// Longer ones are what rustfmt would break, if it could.
#[test]
fn no_line_is_too_long() {
    let text = wrappers(OPERATIONS);
    assert_eq!(text.lines().find(|line| line.len() > WIDTH), None);
}

/// In the library itself. The entries of services return in assembly: that is the operation by its number, which nothing wraps.
#[test]
fn all_system_calls_go_through_the_wrappers() {
    let wrappers = workspace::root().join(WRAPPERS);
    let sources = WalkDir::new(wrappers.parent().unwrap()).into_iter().map(|entry| entry.unwrap().into_path());
    let others: Vec<_> =
        sources.filter(|path| path.is_file() && *path != wrappers && !path.ends_with("syscall.rs")).collect();
    assert!(others.iter().any(|path| path.ends_with("object.rs")));
    for path in others {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("invoke(") && !text.contains("invoke_with_flags("), "{}", path.display());
    }
}
