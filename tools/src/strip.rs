//! A kernel without the parts that only this host reads: firmware loads them sector by sector, which takes an emulator a second.

use object::build::Error;
use object::build::elf::{Builder, SectionData};

/// The same ELF file without symbols and debug information.
///
/// # Errors
///
/// If the file cannot be taken apart.
pub(crate) fn without_symbols(elf: &[u8]) -> Result<Vec<u8>, Error> {
    let mut builder = Builder::read(elf)?;
    for symbol in &mut builder.symbols {
        symbol.delete = true;
    }
    for section in &mut builder.sections {
        section.delete = !section.is_alloc() && !matches!(section.data, SectionData::SectionString);
    }
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    Ok(stripped)
}

#[cfg(test)]
mod tests {
    use object::{Object, ObjectSection, ObjectSegment};

    use super::*;

    #[test]
    fn segments_and_loaded_sections_stay_and_the_rest_goes() {
        // This test program is an ELF file, too.
        let before = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let after = without_symbols(&before).unwrap();
        assert!(after.len() < before.len());
        let [before, after] = [&before, &after].map(|bytes| object::File::parse(bytes.as_slice()).unwrap());
        let places = |file: &object::File<'_>| -> Vec<_> {
            file.segments().map(|segment| (segment.address(), segment.size(), segment.permissions())).collect()
        };
        assert_eq!(places(&before), places(&after));
        assert_eq!(before.entry(), after.entry());
        for name in [".text", ".rodata", ".data"] {
            let [before, after] = [&before, &after].map(|file| file.section_by_name(name).unwrap());
            assert_eq!(before.address(), after.address(), "{name}");
            assert!(before.data().unwrap() == after.data().unwrap(), "the contents of {name} changed");
        }
        assert!(before.section_by_name(".debug_line").is_some());
        assert!(after.section_by_name(".debug_line").is_none());
    }

    #[test]
    fn other_files_are_refused() {
        assert!(without_symbols(b"#!/bin/sh").is_err());
    }
}
