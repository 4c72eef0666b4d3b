//! The book's table of rules says what the kernel's pure functions return, for every case there is and for no other.

use std::collections::BTreeMap;

use kernel::pcid::policy::{Change, Holder, Stale, on_change, on_switch};

const PAGE: &str = include_str!("../../../book/src/chapters/pcid.md");

const A: u64 = 4096;
const B: u64 = 8192;
const IDENTIFIER: u16 = 7;

/// The page says `a` and `b` for two addresses, and `i` for an identifier.
fn in_words(text: &str) -> String {
    [("4096", "a"), ("8192", "b"), ("7", "i")]
        .iter()
        .fold(text.to_owned(), |text, (number, name)| text.replace(number, name))
}

/// Results by their cases, in the words of the page.
type Results = BTreeMap<String, String>;

/// Cases in the words of the page, each with what is returned.
fn in_words_of_the_page(cases: impl IntoIterator<Item = (String, String)>) -> Results {
    let mut results = Results::new();
    for (case, result) in cases {
        let other = results.insert(in_words(&case), in_words(&result));
        assert_eq!(other, None, "{case} is one case");
    }
    results
}

fn of_switches() -> Results {
    let stale = [Some(Stale::Nothing), Some(Stale::Page(A)), Some(Stale::Everything), None];
    in_words_of_the_page(stale.map(|stale| (format!("on_switch({stale:?})"), format!("{:?}", on_switch(stale)))))
}

fn of_changes() -> Results {
    let changes = [Change::Add, Change::Replace, Change::Cut, Change::End];
    let holders = [Holder::Current, Holder::Identified(IDENTIFIER), Holder::Nobody];
    let cases = changes.iter().flat_map(|change| holders.iter().map(move |holder| (*change, *holder)));
    in_words_of_the_page(cases.map(|(change, holder)| {
        (format!("on_change({change:?}, {holder:?})"), format!("{:?}", on_change(change, holder)))
    }))
}

fn of_more_changes() -> Results {
    let cases = [(Stale::Nothing, A), (Stale::Page(A), A), (Stale::Page(A), B), (Stale::Everything, A)];
    in_words_of_the_page(
        cases.map(|(stale, address)| (format!("{stale:?}.with({address})"), format!("{:?}", stale.with(address)))),
    )
}

/// The rows of the page that are about a function: case, result, reason, section of the manual.
fn rows() -> Vec<[&'static str; 4]> {
    let cells = |line: &'static str| -> Option<[&'static str; 4]> {
        let line = line.strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        cells.try_into().ok()
    };
    let is_case = |case: &str| case.starts_with("on_") || case.contains(".with(");
    PAGE.lines().filter_map(cells).filter(|[case, ..]| is_case(case)).collect()
}

/// What the page says in rows whose case has this in it.
fn said(of: &str) -> Results {
    let rows: Vec<_> = rows().into_iter().filter(|[case, ..]| case.contains(of)).collect();
    let said: Results = rows.iter().map(|[case, result, ..]| ((*case).to_owned(), (*result).to_owned())).collect();
    assert_eq!(said.len(), rows.len(), "a case has two rows");
    said
}

#[test]
fn the_page_says_what_a_second_change_makes_stale() {
    assert_eq!(said(".with("), of_more_changes(), "left the page, right the rules");
}

#[test]
fn the_page_says_what_a_switch_does() {
    assert_eq!(said("on_switch("), of_switches(), "left the page, right the rules");
}

#[test]
fn the_page_says_what_a_change_of_page_tables_needs() {
    assert_eq!(said("on_change("), of_changes(), "left the page, right the rules");
}

#[test]
fn each_row_has_a_reason_and_its_section_of_the_manual() {
    for [case, _, reason, section] in rows() {
        assert!(!reason.is_empty() && section.starts_with("4.10"), "{case}: {reason:?}, {section:?}");
    }
}
