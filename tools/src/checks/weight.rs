//! The weight of the book's pages, as they are built.

use std::path::Path;
use std::{fs, io};

use walkdir::WalkDir;

/// The most that one page may weigh, in bytes: what a reader on the way waits for.
const MOST: u64 = 1 << 20;

/// The page for printing is the whole book.
const WHOLE: &str = "print.html";

/// Pages that are too heavy.
///
/// # Errors
///
/// If the folder has no pages, or cannot be read.
pub(super) fn check(output: &Path) -> io::Result<Vec<String>> {
    let mut pages = 0;
    let mut findings = Vec::new();
    for entry in WalkDir::new(output).sort_by_file_name() {
        let entry = entry.map_err(io::Error::from)?;
        let path = entry.path();
        if path.extension().is_none_or(|kind| kind != "html") || path.ends_with(WHOLE) {
            continue;
        }
        pages += 1;
        let bytes = fs::metadata(path)?.len();
        if bytes > MOST {
            findings.push(format!("{} has {bytes} bytes, and {MOST} are the most", path.display()));
        }
    }
    if pages == 0 {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no pages in {}", output.display())));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_too_heavy_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(folder.path()).is_err());
        fs::write(folder.path().join("light.html"), vec![b' '; 1 << 20]).unwrap();
        fs::write(folder.path().join("print.html"), vec![b' '; 2 << 20]).unwrap();
        assert_eq!(check(folder.path()).unwrap(), Vec::<String>::new());
        fs::write(folder.path().join("heavy.html"), vec![b' '; (1 << 20) + 1]).unwrap();
        assert_eq!(check(folder.path()).unwrap().len(), 1);
    }
}
