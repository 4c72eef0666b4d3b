//! The table that the benchmark program prints.

use std::collections::BTreeMap;

/// The rows that it has.
pub const ROWS: &[&str] = &[
    "null_syscall",
    "yield_alone",
    "call_same_space",
    "call_other_space",
    "call_sharing_daemon",
    "yield_pair",
    "fault_call",
    "notification_round_trip",
    "interrupt_to_handler",
];

/// The rows of the table of operations on capabilities. A machine with little memory makes no large frame; where one is made, a row
/// follows.
pub const OPERATIONS: &[&str] = &[
    "copy",
    "delete",
    "mint",
    "make_frame",
    "destroy_frame",
    "make_table",
    "destroy_table",
    "make_space",
    "destroy_space",
    "make_task",
    "destroy_task",
    "split",
    "unsplit",
    "move",
    "map",
    "unmap",
    "protect",
    "lookup_1",
    "lookup_2",
    "lookup_3",
    "revoke_each",
];

/// One row, in ticks of the time stamp counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The least.
    pub minimum: u64,
    /// The one in the middle.
    pub median: u64,
    /// The most.
    pub maximum: u64,
}

/// The rows by their names.
pub type Table = BTreeMap<String, Row>;

/// Finds the main table in the text: its head, then a row a line.
///
/// # Errors
///
/// In words, if there is no table, or a row of it is missing, failed or makes no sense.
pub fn read(text: &str) -> Result<Table, String> {
    read_table(text, "row", ROWS)
}

/// Finds the table of operations on capabilities.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_operations(text: &str) -> Result<Table, String> {
    read_table(text, "operation", OPERATIONS)
}

fn read_table(text: &str, head: &str, rows: &[&str]) -> Result<Table, String> {
    let is_head = |line: &&str| line.split_whitespace().eq([head, "min", "median", "max", "ticks"]);
    let mut lines = text.lines().skip_while(|line| !is_head(line));
    lines.next().ok_or("there is no benchmark table")?;
    let mut table = Table::new();
    for (name, line) in rows.iter().zip(lines.by_ref()) {
        let row = row(name, line).ok_or_else(|| format!("not a row of `{name}`: `{line}`"))?;
        table.insert((*name).to_owned(), row);
    }
    match rows.iter().find(|name| !table.contains_key(**name)) {
        None => Ok(table),
        Some(name) => Err(format!("the table ends before `{name}`")),
    }
}

fn row(name: &str, line: &str) -> Option<Row> {
    let mut words = line.split_whitespace();
    if words.next()? != name {
        return None;
    }
    let mut number = || words.next()?.parse().ok();
    let row = Row { minimum: number()?, median: number()?, maximum: number()? };
    let ordered = 0 < row.minimum && row.minimum <= row.median && row.median <= row.maximum;
    (ordered && words.next().is_none()).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
FlatMk
row                     min   median      max  ticks
null_syscall             77       77       77
yield_alone              98       98       98
call_same_space         127      127      128
call_other_space        141      142      150
call_sharing_daemon     188      188      188
yield_pair              120      120      120
fault_call              475      475      475
notification_round_trip 441      441      441
interrupt_to_handler    249      250      252
root task: done
";

    #[test]
    fn a_table_is_read() {
        let table = read(TEXT).expect("it is whole");
        assert_eq!(table.len(), ROWS.len());
        assert_eq!(table.get("call_other_space"), Some(&Row { minimum: 141, median: 142, maximum: 150 }));
    }

    #[test]
    fn a_table_with_a_fault_is_refused() {
        for (good, bad) in [
            ("ticks\n", "\n"),
            ("yield_pair              120      120      120", "yield_pair         failed: no memory"),
            ("yield_pair              120      120      120", ""),
            ("127      127      128", "127      126      128"),
            ("98       98       98", "0       98       98"),
            ("yield_alone", "yield_along"),
        ] {
            assert!(TEXT.contains(good));
            assert!(read(&TEXT.replace(good, bad)).is_err(), "{bad}");
        }
        let cut = TEXT.find("call_other").expect("it is there");
        assert!(TEXT.get(..cut).is_some_and(|text| read(text).is_err()));
    }
}
