//! What holds for every file: it is refused, or its plan keeps the promises of the crate. And never a panic.

use std::ops::Range;

use flatmk_image::builder::{CODE_ADDRESS, ElfFile, ElfSegment, file_header_size, program_header_size};
use flatmk_image::{Access, Image, ImageError, MAX_SEGMENTS, Machine, PAGE_SIZE, Segment, USER_END, USER_START};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::FileFailurePersistence;

const PAGE: u64 = PAGE_SIZE as u64;

/// Checks the promises of an accepted plan, or that a refusal has a sentence.
fn check(file: &[u8]) -> Result<Vec<Segment<'_>>, ImageError> {
    let image = Image::parse_any(file).inspect_err(|error| assert!(!error.to_string().is_empty()))?;
    let segments = image.segments().collect::<Vec<_>>();
    assert!((1..=MAX_SEGMENTS).contains(&segments.len()));
    assert!(segments.iter().any(|code| code.access() == Access::ReadExecute
        && (code.place().address..code.place().address + code.size_bytes()).contains(&image.entry())));
    assert_eq!(image.page_count(), segments.iter().map(Segment::page_count).sum::<u64>());

    let mut ranges = segments.iter().map(Segment::page_range).collect::<Vec<_>>();
    ranges.sort_by_key(|range| range.start);
    assert!(ranges.is_sorted_by(|one, two| one.end <= two.start), "segments overlap: {ranges:x?}");
    for segment in &segments {
        check_segment(file, image.machine(), segment);
    }
    Ok(segments)
}

fn check_segment(file: &[u8], machine: Machine, segment: &Segment<'_>) {
    let Range { start, end } = segment.page_range();
    assert!(start % PAGE == 0 && USER_START <= start && start < end && end <= machine.end(), "{segment:x?}");
    assert_eq!(end - start, segment.page_count() * PAGE);
    assert_eq!(start + segment.offset_in_first_page() as u64, segment.place().address);
    assert!(segment.data().len() as u64 <= segment.size_bytes());
    if !segment.data().is_empty() {
        let (all, part) = (file.as_ptr_range(), segment.data().as_ptr_range());
        assert!(all.start <= part.start && part.end <= all.end, "data is not in the file");
    }

    // A segment can be as large as user space: look at the pages that have data, and a few more.
    let most = segment.data().len() / PAGE_SIZE + 3;
    let (mut address, mut data) = (start, vec![]);
    for page in segment.pages().take(most) {
        assert_eq!(page.address, address);
        assert!(page.offset + page.bytes.len() <= PAGE_SIZE);
        let offset = if address == start { segment.offset_in_first_page() } else { 0 };
        assert_eq!(page.offset, offset);
        // Only where the data ends may a page with data end early.
        let is_filled = page.offset + page.bytes.len() == PAGE_SIZE;
        assert!(is_filled || data.len() + page.bytes.len() == segment.data().len());
        data.extend_from_slice(page.bytes);
        address += PAGE;
    }
    assert_eq!(data, segment.data());
    if segment.page_count() < most as u64 {
        assert_eq!(address, end);
    }
}

/// Numbers at which arithmetic goes wrong, and any others.
fn number() -> impl Strategy<Value = u64> {
    let edges =
        [0, 1, 2, 0x1000, CODE_ADDRESS, USER_END, 1 << 32, 1 << 47, 0xffff_8000_0000_0000, i64::MAX as u64, u64::MAX];
    prop_oneof![
        (select(edges.to_vec()), -2_i64..=2).prop_map(|(edge, step)| edge.wrapping_add_signed(step)),
        (select(edges.to_vec()), any::<i16>()).prop_map(|(edge, step)| edge.wrapping_add_signed(step.into())),
        0..0x8000_u64,
        any::<u64>(),
    ]
}

fn machine() -> impl Strategy<Value = Machine> {
    select(vec![Machine::X86_64, Machine::RiscV32])
}

/// Files as a linker makes them, as a list of (gap before in pages, offset in page, data, zeros behind).
fn good_file() -> impl Strategy<Value = ElfFile> {
    let segment = (0..4_u64, 0..PAGE, vec(any::<u8>(), 1..9000), 0..9000_u64, select(vec![4_u32, 5, 6]));
    (machine(), vec(segment, 0..MAX_SEGMENTS - 1)).prop_map(|(machine, segments)| {
        let mut file = ElfFile::program_for(machine);
        let mut page = CODE_ADDRESS + PAGE;
        for (gap, offset, data, zeros, flags) in segments {
            let address = page + gap * PAGE + offset;
            let size_bytes = data.len() as u64 + zeros;
            file = file.with(ElfSegment::load(flags, address, &data).sized(size_bytes));
            page = (address + size_bytes).next_multiple_of(PAGE);
        }
        file
    })
}

/// Segments of which about anything may be wrong.
fn any_segment() -> impl Strategy<Value = ElfSegment> {
    let numbers = (number(), number(), number(), number());
    let data = vec(any::<u8>(), 0..64);
    let kind = prop_oneof![8 => Just(1_u32), 1 => 0..8_u32];
    (kind, prop_oneof![4 => 4..7_u32, 1 => any::<u32>()], numbers, data, any::<[Option<()>; 3]>()).prop_map(
        |(kind, flags, (address, offset, file_bytes, size_bytes), data, wrong)| ElfSegment {
            kind,
            flags,
            address,
            offset: wrong[0].map(|()| offset),
            file_bytes: wrong[1].map(|()| file_bytes),
            size_bytes,
            alignment: wrong[2].map_or(PAGE, |()| file_bytes),
            data,
        },
    )
}

/// A file that failed once is kept beside this source file and tried first from then on.
fn config(cases: u32) -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { cases, failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn any_bytes(file in vec(any::<u8>(), 0..2048)) {
        prop_assert_eq!(check(&file).err(), Some(ImageError::NotElf));
    }

    #[test]
    fn any_bytes_behind_a_good_file_header(machine in machine(), rest in vec(any::<u8>(), 0..2048), count in 0..80_u16) {
        let header = ElfFile { program_header_count: Some(count), ..ElfFile::new_for(machine, CODE_ADDRESS) };
        let _ = check(&[header.to_bytes(), rest].concat());
    }

    #[test]
    fn any_segments(machine in machine(), segments in vec(any_segment(), 1..20), with_code in any::<bool>()) {
        let without = ElfFile::new_for(machine, segments[0].address);
        let mut file = if with_code { ElfFile::program_for(machine) } else { without };
        file.segments.extend(segments);
        let _ = check(&file.to_bytes());
    }

    #[test]
    fn one_wrong_segment_besides_the_code(machine in machine(), segment in any_segment()) {
        let _ = check(&ElfFile::program_for(machine).with(segment).to_bytes());
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn good_files_are_accepted_as_they_are(file in good_file()) {
        let bytes = file.to_bytes();
        let segments = check(&bytes).expect("a good file was refused");
        prop_assert_eq!(segments.len(), file.segments.len());
        for (planned, given) in segments.iter().zip(&file.segments) {
            prop_assert_eq!(planned.place().address, given.address);
            prop_assert_eq!(planned.size_bytes(), given.size_bytes);
            prop_assert_eq!(planned.data(), &given.data[..]);
        }
    }

    #[test]
    fn changed_bytes(file in good_file(), changes in vec((any::<Index>(), any::<u8>()), 1..8)) {
        let mut bytes = file.to_bytes();
        // Only the headers decide anything.
        let [header, one] = [file_header_size(file.shape), program_header_size(file.shape)].map(usize::from);
        let headers = header + one * file.segments.len();
        for (index, byte) in changes {
            bytes[index.index(headers)] = byte;
        }
        let _ = check(&bytes);
    }

    #[test]
    fn changed_numbers(file in good_file(), changes in vec((any::<Index>(), number()), 1..4)) {
        let mut bytes = file.to_bytes();
        // Entry point and table of program headers, and then all words of all program headers.
        let (size, first, words) = match file.shape {
            Machine::X86_64 => (8, 3, 8..8 + file.segments.len() * 7),
            Machine::RiscV32 => (4, 6, 13..13 + file.segments.len() * 8),
        };
        let words = [first, first + 1].into_iter().chain(words).collect::<Vec<_>>();
        for (index, number) in changes {
            bytes[index.get(&words) * size..][..size].copy_from_slice(&number.to_le_bytes()[..size]);
        }
        let _ = check(&bytes);
    }

    #[test]
    fn a_file_cut_off_anywhere_in_what_is_needed_is_refused(file in good_file(), cut in any::<Index>()) {
        let bytes = file.to_bytes();
        // The data of the last segment is the end of the file, and is never empty.
        prop_assert!(check(&bytes[..cut.index(bytes.len())]).is_err());
    }
}
