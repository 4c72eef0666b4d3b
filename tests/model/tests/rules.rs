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

/// Each case, in the words of the page, with what is returned.
fn returned() -> BTreeMap<String, String> {
    let mut results = BTreeMap::new();
    let mut add = |case: String, result: String| {
        let other = results.insert(in_words(&case), in_words(&result));
        assert_eq!(other, None, "{case} is one case");
    };
    for stale in [Some(Stale::Nothing), Some(Stale::Page(A)), Some(Stale::Everything), None] {
        add(format!("on_switch({stale:?})"), format!("{:?}", on_switch(stale)));
    }
    for change in [Change::Add, Change::Replace, Change::Cut, Change::End] {
        for holder in [Holder::Current, Holder::Identified(IDENTIFIER), Holder::Nobody] {
            add(format!("on_change({change:?}, {holder:?})"), format!("{:?}", on_change(change, holder)));
        }
    }
    for (stale, address) in [(Stale::Nothing, A), (Stale::Page(A), A), (Stale::Page(A), B), (Stale::Everything, A)] {
        add(format!("{stale:?}.with({address})"), format!("{:?}", stale.with(address)));
    }
    results
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

#[test]
fn the_page_says_what_the_rules_return() {
    let said: BTreeMap<_, _> =
        rows().iter().map(|[case, result, ..]| ((*case).to_owned(), (*result).to_owned())).collect();
    assert_eq!(said.len(), rows().len(), "a case has two rows");
    assert_eq!(said, returned(), "left the page, right the rules");
}

#[test]
fn each_row_has_a_reason_and_its_section_of_the_manual() {
    for [case, _, reason, section] in rows() {
        assert!(!reason.is_empty() && section.starts_with("4.10"), "{case}: {reason:?}, {section:?}");
    }
}
