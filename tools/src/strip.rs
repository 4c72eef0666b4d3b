//! A kernel or program without the parts that only this host reads: firmware loads them sector by sector, which takes an emulator seconds.

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
    // Linkers fill the last page of code, and what they fill it with is of no section.
    let end = builder.segments.iter().map(|segment| segment.p_offset + segment.p_filesz).max().unwrap_or(0);
    let end = usize::try_from(end).unwrap_or(elf.len()).min(elf.len());
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    stripped.resize(stripped.len().max(end), 0);
    Ok(stripped)
}

#[cfg(test)]
mod tests {
    use object::{Endianness, Object, ObjectSection, ObjectSegment, elf};

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
    fn a_segment_that_goes_on_after_its_last_section_is_whole() {
        const PAGE: u64 = 0x1000;
        let mut builder = Builder::new(Endianness::Little, false);
        builder.header.e_type = elf::ET_EXEC;
        builder.header.e_phoff = 0x34;
        let section = builder.sections.add();
        section.name = b".text"[..].into();
        section.sh_type = elf::SHT_PROGBITS;
        section.sh_flags = u64::from(elf::SHF_ALLOC | elf::SHF_EXECINSTR);
        section.sh_offset = PAGE;
        section.data = SectionData::Data(vec![0x13; 64].into());
        let section = section.id();
        let names = builder.sections.add();
        names.name = b".shstrtab"[..].into();
        names.sh_type = elf::SHT_STRTAB;
        names.data = SectionData::SectionString;
        let segment = builder.segments.add_load_segment(elf::PF_R | elf::PF_X, PAGE);
        (segment.p_offset, segment.p_filesz, segment.p_memsz) = (PAGE, PAGE, PAGE);
        segment.sections.push(section);
        let mut file = Vec::new();
        builder.write(&mut file).unwrap();
        file.resize(2 * PAGE as usize, 0);

        let stripped = without_symbols(&file).unwrap();
        let stripped = object::File::parse(stripped.as_slice()).unwrap();
        let sizes: Vec<_> = stripped.segments().map(|segment| segment.data().unwrap().len()).collect();
        assert_eq!(sizes, [PAGE as usize]);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(without_symbols(b"#!/bin/sh").is_err());
    }
}
