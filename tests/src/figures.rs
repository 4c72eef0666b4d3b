//! The rows that the benchmark program must print.

use std::collections::BTreeMap;

use flatmk_tools::figures::{self, Figures, Row, Unit};

/// Those of its main table.
pub const ROWS: &[&str] = &[
    "null_syscall",
    "yield_alone",
    "call_same_space",
    "call_other_space",
    "query_sharing_daemon",
    "call_sharing_daemon",
    "yield_pair",
    "fault_call",
    "notification_round_trip",
    "interrupt_to_handler",
    "softuser_enter_leave",
    "call_softuser_same_space",
    "call_softuser_other_space",
    "pipe_item",
    "pipe_slice_64",
    "pipe_frame_64",
    "pipe_kernel_item",
    "pipe_kernel_bytes",
];

/// Those of the tables of comparisons: how many times more an item costs through the kernel, and how often both ends of a pipe call the kernel for 1000
/// items.
pub const COMPARISONS: &[(&str, Unit)] =
    &[("pipe_kernel_per_pipe", Unit::Times), ("pipe_kernel_events", Unit::EventsForThousand)];

/// Those of the table of RISC-V code, which count for 100 of its instructions; the last one is the mean of the others.
pub const WORKLOADS: &[&str] = &[
    "softuser_sieve",
    "softuser_matrices",
    "softuser_checksum",
    "softuser_fibonacci",
    "softuser_sort",
    "softuser_machine",
    "softuser_host_per_guest",
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
    "map_unmap",
    "protect",
    "lookup_1",
    "lookup_2",
    "lookup_3",
    "revoke_each",
];

/// The rows by their names.
pub type Table = BTreeMap<String, Row>;

/// Finds all rows in the text.
///
/// # Errors
///
/// In words, if a row is missing, failed or makes no sense.
pub fn read(text: &str) -> Result<Table, String> {
    let Figures { rows, failures } = figures::read(text).map_err(|error| error.to_string())?;
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    let table: Table = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
    let comparisons = COMPARISONS.iter().map(|(name, _)| name);
    match ROWS.iter().chain(OPERATIONS).chain(WORKLOADS).chain(comparisons).find(|name| !table.contains_key(**name)) {
        None => Ok(table),
        Some(name) => Err(format!("there is no row `{name}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program prints, with the same figures in each row.
    fn text() -> String {
        let tables = [("operation", OPERATIONS), ("row", ROWS), ("workload", WORKLOADS)];
        let table = |(head, rows): (&str, &[&str])| {
            let rows: String = rows.iter().map(|name| format!("{name:<24} 98 99 120\n")).collect();
            format!("{head} min median max instructions, 21 samples\n{rows}")
        };
        let comparisons = "comparison min median max times, 21 samples
pipe_kernel_per_pipe 12 12 13
comparison min median max kernel events for 1000 items, 21 samples
pipe_kernel_events 2 2 2
";
        tables.map(table).concat() + comparisons + "root task: done\n"
    }

    #[test]
    fn all_rows_are_found() {
        let table = read(&text()).expect("it is whole");
        assert_eq!(table.len(), ROWS.len() + OPERATIONS.len() + WORKLOADS.len() + COMPARISONS.len());
        let row = table.get("yield_pair").expect("it is there");
        assert_eq!((row.minimum, row.median, row.maximum), (98, 99, 120));
    }

    #[test]
    fn a_row_that_is_missing_or_failed_is_named() {
        let row = format!("{:<24} 98 99 120\n", "yield_pair");
        for bad in ["", "yield_pair failed: no memory\n", "yield_pear 98 99 120\n", "yield_pair 98 97 120\n"] {
            let error = read(&text().replace(&row, bad)).expect_err(bad);
            assert!(error.contains("yield_pair"), "{error}");
        }
    }
}
