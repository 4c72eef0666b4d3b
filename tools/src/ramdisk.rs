//! The boot ramdisk: a tar archive with the boot options and the user programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// A file of the ramdisk: its name and its contents.
pub type File = (String, Vec<u8>);

/// The name of the file with the boot options.
pub const BOOT_OPTIONS: &str = "boot-options";

/// What the kernel is told at boot, as lines `key=value`.
pub type BootOptions = BTreeMap<String, String>;

/// Writes the archive: the boot options first, then the files in the order given.
///
/// # Errors
///
/// If `output` does not take it, or a name is too long for an archive.
pub fn write(output: impl Write, options: &BootOptions, files: &[File]) -> io::Result<()> {
    let mut archive = tar::Builder::new(output);
    let options: String = options.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    append(&mut archive, BOOT_OPTIONS, options.as_bytes())?;
    for (name, contents) in files {
        append(&mut archive, name, contents)?;
    }
    archive.into_inner()?.flush()
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, contents: &[u8]) -> io::Result<()> {
    // The kernel reads the plain format of POSIX, and nobody needs to know who built the file or when.
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(contents.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append(&header, contents)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_archive_holds_options_and_files() {
        let options = BootOptions::from([("exit".into(), "qemu".into()), ("interactive".into(), "no".into())]);
        let files = [("root-task".to_owned(), vec![7; 1000]), ("empty".to_owned(), vec![])];
        let mut bytes = Vec::new();
        write(&mut bytes, &options, &files).unwrap();
        let mut found = Vec::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            found.push((entry.path().unwrap().display().to_string(), contents));
        }
        assert_eq!(found[0], (BOOT_OPTIONS.to_owned(), b"exit=qemu\ninteractive=no\n".to_vec()));
        assert_eq!(found[1..], files);
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        let files = [("x".repeat(300), vec![])];
        assert!(write(Vec::new(), &BootOptions::new(), &files).is_err());
    }
}
