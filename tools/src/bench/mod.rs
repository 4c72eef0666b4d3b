//! The benchmark's results: [records](record), a [table] for the screen, what a machine has [printed], what has been [accepted], the [figures of others](baselines), and
//! [pictures](plot) with a [page](page) around them.

pub mod accepted;
pub mod baselines;
pub mod book;
pub mod page;
pub mod plot;
pub mod printed;
pub mod record;
pub mod table;

pub use record::{Document, Record};

use crate::{counts, figures};

/// The rows of one run. `counted`: what the instruction counter saw of it, which may be nothing.
#[must_use]
pub fn records(printed: &[figures::Row], pcid: bool, counted: &[counts::Row]) -> Vec<Record> {
    let batch = |name: &str| counted.iter().find(|row| row.name == name)?.least();
    printed.iter().map(|row| Record::new(row, pcid, batch(&row.name))).collect()
}

/// Brings the rows of one operation together, in the order in which the operations were first measured: the one without
/// process-context identifiers comes before the one with them.
#[must_use]
pub fn side_by_side(mut records: Vec<Record>) -> Vec<Record> {
    let order: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
    records.sort_by_key(|record| (order.iter().position(|name| *name == record.id), record.pcid));
    records
}

/// Whether the kernel says in its boot log that it uses process-context identifiers, in a line such as
/// `address spaces: pcid on, 2698 global pages of the kernel`. A kernel that says nothing uses none.
#[must_use]
pub fn uses_pcid(boot_log: &str) -> bool {
    let answer = boot_log.lines().find_map(|line| line.strip_prefix("address spaces: pcid "));
    answer.and_then(|answer| answer.split([' ', ',']).next()) == Some("on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_settings_stand_side_by_side() {
        let text = "row min median max instructions, 21 samples\na 1 1 1\nb 2 2 2\n";
        let run = |pcid| records(&figures::read(text).unwrap().rows, pcid, &[]);
        let rows = side_by_side([run(true), run(false)].concat());
        let order: Vec<(&str, bool)> = rows.iter().map(|row| (row.id.as_str(), row.pcid)).collect();
        assert_eq!(order, [("a", false), ("a", true), ("b", false), ("b", true)]);
    }

    #[test]
    fn what_the_kernel_uses_is_what_it_says() {
        let says = |line: &str| uses_pcid(&format!("FlatMk 0.1.0, chapter 12\nmemory: 506 MiB usable\n{line}\nrow\n"));
        assert!(says("address spaces: pcid on"));
        assert!(says("address spaces: pcid on, 2698 global pages of the kernel"));
        for line in
            ["address spaces: pcid off", "address spaces: pcid off (the processor has none), 2698 global pages", ""]
        {
            assert!(!says(line), "{line}");
        }
        for line in ["warning: unknown boot option: pcid=on", "processor: X, with pcid on", "address spaces: pcid once"]
        {
            assert!(!says(line), "{line}");
        }
    }
}
