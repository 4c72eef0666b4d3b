//! What is memory and what may be a device's, on machines whose firmware tells of many pieces.

use std::ops::Range;

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

use crate::pages::{MOST_RANGES, Pages, has_tables, memory_in, outwards, overlaps};

const PAGE: u64 = 4096;
const GIB: u64 = 1 << 30;

fn region(bytes: Range<u64>, kind: MemoryRegionKind) -> MemoryRegion {
    MemoryRegion { start: bytes.start, end: bytes.end, kind }
}

/// The memory of a map, where some pages are needed otherwise.
fn memory(map: &[MemoryRegion], needed: &[Range<u32>]) -> Pages {
    let mut memory = Pages::none();
    for pages in map.iter().filter_map(memory_in) {
        memory.add(pages, |gap| needed.iter().any(|needed| overlaps(needed, gap)));
    }
    memory
}

/// A map with more pieces than are kept apart: pages of memory, each behind a gap that is larger than the one before. From the last to the first, or the other way.
fn pieces(count: u64, is_reversed: bool) -> Vec<MemoryRegion> {
    let place = |index: u64| (index * (index + 3)) / 2 * PAGE;
    let piece = |index| region(place(index)..place(index) + PAGE, MemoryRegionKind::Usable);
    let mut map: Vec<_> = (1..=count).map(piece).collect();
    if is_reversed {
        map.reverse();
    }
    map
}

#[test]
fn a_screen_above_4_gib_is_no_memory() {
    let screen = outwards(64 * GIB, 64 * GIB + (8 << 20));
    let map = [
        region(0..0x9_fc00, MemoryRegionKind::Usable),
        region(1 << 20..3 * GIB, MemoryRegionKind::Bootloader),
        region(4 * GIB..64 * GIB, MemoryRegionKind::Usable),
        region(64 * GIB + (8 << 20)..65 * GIB, MemoryRegionKind::Usable),
    ];
    let memory = memory(&map, &[]);
    assert!(memory.has_none_of(&screen));
    assert!(!memory.has_none_of(&(screen.start - 1..screen.end)));
    assert!(!memory.has_none_of(&(screen.start..screen.end + 1)));
}

#[test]
fn the_smallest_gaps_become_memory_where_there_are_too_many() {
    const COUNT: usize = MOST_RANGES + 20;
    for is_reversed in [false, true] {
        let map = pieces(COUNT as u64, is_reversed);
        let memory = memory(&map, &[]);
        // All that is memory is.
        assert!(map.iter().filter_map(memory_in).all(|pages| !memory.has_none_of(&pages)));
        let mut pieces: Vec<_> = map.iter().filter_map(memory_in).collect();
        pieces.sort_by_key(|pages| pages.start);
        let gaps: Vec<_> = pieces.windows(2).map(|pair| pair[0].end..pair[1].start).collect();
        let free = |gap: &Range<u32>| memory.has_none_of(gap);
        assert_eq!(gaps.iter().filter(|gap| free(gap)).count(), MOST_RANGES - 1);
        assert!(gaps[..20].iter().all(|gap| !free(gap)), "the small ones are joined");
        assert!(gaps[20..].iter().all(free), "the large ones stay");
    }
}

#[test]
fn what_is_needed_stays_free_however_small_the_gap() {
    const COUNT: u64 = MOST_RANGES as u64 + 20;
    for is_reversed in [false, true] {
        let map = pieces(COUNT, is_reversed);
        // The second page has memory, and between it and the next there are three.
        let [second, third] = [2, 3].map(|index: u32| index * (index + 3) / 2);
        let needed = second + 2..second + 3;
        assert!(needed.end < third);
        assert!(!memory(&map, &[]).has_none_of(&needed));
        assert!(memory(&map, std::slice::from_ref(&needed)).has_none_of(&needed));
    }
}

#[test]
fn the_firmwares_tables_are_known_by_their_kind() {
    use MemoryRegionKind::{Bootloader, UnknownBios, UnknownUefi, Usable};
    let is_known = |kind| has_tables(&region(0..PAGE, kind));
    assert!([UnknownBios(3), UnknownBios(4), UnknownUefi(9), UnknownUefi(10)].into_iter().all(is_known));
    assert!(![Usable, Bootloader, UnknownBios(2), UnknownUefi(0), UnknownUefi(6)].into_iter().any(is_known));
}
