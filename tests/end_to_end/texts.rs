//! What is said in two places is the same in both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use flatmk_tests::built;
use flatmk_tools::{fast_path, workspace};
use test_case::test_case;
use walkdir::WalkDir;

fn read(path: &str) -> String {
    let path = workspace::root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines between those that hold the two marks.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| line.trim() != begin);
    assert!(lines.next().is_some(), "`{begin}` is missing");
    let mut found_end = false;
    let found = lines
        .take_while(|line| {
            found_end = line.trim() == end;
            !found_end
        })
        .collect();
    assert!(found_end, "`{end}` is missing");
    found
}

#[test]
fn the_listing_of_the_fast_path_is_that_of_the_kernel() {
    let page = fast_path::page(workspace::root(), &built::chapter(12)).expect("the kernel and its source agree");
    let present = read(fast_path::PAGE);
    for (present, now) in present.lines().zip(page.lines()) {
        assert_eq!(present, now, "{}, then the kernel: `./x book` writes it anew", fast_path::PAGE);
    }
    assert_eq!(present.len(), page.len(), "{} ends too early or late: `./x book` writes it anew", fast_path::PAGE);
}

#[test]
fn the_front_pages_of_kernel_and_book_are_the_same() {
    let kernel = read("kernel/src/lib.rs");
    let kernel: Vec<String> = between(&kernel, "// ANCHOR: front_page", "// ANCHOR_END: front_page")
        .into_iter()
        .map(|line| {
            let text = line.strip_prefix("//!").unwrap_or_else(|| panic!("not documentation: `{line}`"));
            text.strip_prefix(' ').unwrap_or(text).to_owned()
        })
        .collect();
    let book = read("book/src/introduction.md");
    let book = between(&book, "<!-- front page: begin -->", "<!-- front page: end -->");
    let (kernel, book) = (trimmed(&kernel), trimmed(&book));
    assert!(kernel.len() > 20, "the front page has become short");
    for (number, (kernel, book)) in kernel.iter().zip(&book).enumerate() {
        assert_eq!(kernel, book, "line {} of the front page: kernel, then book", number + 1);
    }
    assert_eq!(kernel.len(), book.len(), "lines of the front page: kernel, then book");
}

/// Without blank lines at the beginning and the end.
fn trimmed<T: AsRef<str>>(lines: &[T]) -> Vec<&str> {
    let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    let text = |line: &&str| !line.is_empty();
    let first = lines.iter().position(text).unwrap_or(0);
    let last = lines.iter().rposition(text).map_or(0, |last| last + 1);
    lines.get(first..last).unwrap_or_default().to_vec()
}

#[test]
fn every_stop_code_has_its_heading_in_the_book_and_no_other() {
    let kernel = read("kernel/src/stop.rs");
    // Each variant is documented as `/// K03: why`.
    let codes: Vec<&str> = between(&kernel, "// ANCHOR: codes", "// ANCHOR_END: codes")
        .into_iter()
        .filter_map(|line| line.trim().strip_prefix("/// K")?.split_once(':').map(|(number, _)| number))
        .collect();
    let numbers: Vec<String> = (0..codes.len()).map(|number| format!("{number:02}")).collect();
    assert_eq!(codes, numbers, "the codes of the kernel are numbered without gaps");
    let variants = kernel.split_once("pub enum StopCode {").and_then(|(_, rest)| rest.split_once("\n}"));
    let is_variant = |line: &&str| line.starts_with("    ") && line.ends_with(',');
    let variants = variants.map_or(0, |(body, _)| body.lines().filter(is_variant).count());
    assert_eq!(variants, codes.len(), "every variant has its code");
    let book = read("book/src/reference/stop-codes.md");
    let headings: Vec<&str> = book
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(" K").filter(|_| line.starts_with('#')))
        .filter_map(|heading| heading.get(..2))
        .collect();
    assert_eq!(headings, codes, "headings of the book, then codes of the kernel");
}

/// The tests in a file: the names in its lists.
fn listed_tests(text: &str) -> impl Iterator<Item = &str> {
    text.split("tests![")
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
        .flat_map(|list| list.split(',').map(str::trim).filter(|name| !name.is_empty()))
}

/// The specification in two pages, and where the tests are that each names. Chapter 7 has further ones: its stress test, and a kernel that must stop.
#[test_case("calls", &["chapters/06-ipc/user/src"], 130; "calls")]
#[test_case("scheduling", &["chapters/07-scheduling"], 100; "scheduling")]
fn every_sentence_of_the_specification_has_its_tests(page: &str, folders: &[&str], least: usize) {
    let (tests, named) = (tests_in(folders), names_on(page));
    for (name, sentence) in &named {
        assert!(tests.contains(name), "there is no test `{name}`, which is to show: {sentence}");
    }
    assert!(named.len() >= least, "the specification has become short: {}", named.len());
}

#[test_case("calls", "chapters/06-ipc/user/src"; "calls")]
#[test_case("scheduling", "chapters/07-scheduling/user/src"; "scheduling")]
fn every_test_has_its_sentence_in_the_specification(page: &str, folder: &str) {
    let named = names_on(page);
    let without: Vec<_> = tests_in(&[folder]).into_iter().filter(|test| !named.contains_key(test)).collect();
    assert!(without.is_empty(), "tests without a sentence: {without:?}");
}

/// The tests that are listed in the sources in these folders, and those that are kernels of their own.
fn tests_in(folders: &[&str]) -> BTreeSet<String> {
    let sources = folders.iter().flat_map(|folder| WalkDir::new(workspace::root().join(folder)));
    sources
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| fs::read_to_string(entry.path()).expect("a source file"))
        .flat_map(|text| listed_tests(&text).chain(tests_of_a_kernel(&text)).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The tests in a file that are a kernel's own: functions behind an attribute, or in `must_stop!`.
fn tests_of_a_kernel(text: &str) -> impl Iterator<Item = &str> {
    let behind = ["#[test_case]", "must_stop! {"].into_iter().flat_map(|mark| text.split(mark).skip(1));
    behind.filter_map(|rest| rest.trim_start().strip_prefix("fn ")).filter_map(|rest| rest.split(['(', ' ']).next())
}

/// Each test that a page names, with its sentence. Each sentence is a numbered line, and ends with its tests.
fn names_on(page: &str) -> BTreeMap<String, String> {
    let text = read(&format!("book/src/reference/{page}.md"));
    let is_sentence = |line: &&str| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let mut named = BTreeMap::new();
    for sentence in text.lines().filter(is_sentence) {
        let (_, names) = sentence.rsplit_once(". `").unwrap_or_else(|| panic!("no test behind: {sentence}"));
        for name in names.trim_end_matches('`').split("`, `") {
            named.insert(name.to_owned(), sentence.to_owned());
        }
    }
    named
}
