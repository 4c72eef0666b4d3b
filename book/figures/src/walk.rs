//! An address on its way through the page tables of a small address space, level by level.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use flatmk_abi::Access;
use serde::Serialize;

use crate::machine;
use crate::memory::{AddressSpace, Frame, FrameSize, MapError, Region, Seen, TOP_LEVEL, explain, see};

/// What is mapped: address, first frame by its number, size, and how it may be used.
const MAPPINGS: [(u64, u32, FrameSize, Access); 5] = [
    (0x40_0000, 0x123, FrameSize::Small, Access::ReadExecute),
    (0x40_1000, 0x456, FrameSize::Small, Access::Read),
    (0x40_2000, 0x789, FrameSize::Small, Access::ReadWrite),
    (0x80_0000, 0x400, FrameSize::Large, Access::ReadWrite),
    (0x7fff_ffff_0000, 0xabc, FrameSize::Small, Access::ReadWrite),
];

/// What user mode tries to do at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// A read.
    Read,
    /// A write.
    Write,
    /// The fetch of an instruction.
    Execute,
}

impl Attempt {
    /// The attempt with this number; a read for a number that is none.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Write,
            2 => Self::Execute,
            _ => Self::Read,
        }
    }

    fn is_allowed(self, access: Access) -> bool {
        match self {
            Self::Read => true,
            Self::Write => access == Access::ReadWrite,
            Self::Execute => access == Access::ReadExecute,
        }
    }

    /// Its bits in the error code of a page fault (Intel SDM vol. 3A, 4.7).
    fn error_bits(self) -> u64 {
        match self {
            Self::Read => 0,
            Self::Write => 1 << 1,
            Self::Execute => 1 << 4,
        }
    }
}

/// A walk.
#[derive(Debug, Serialize)]
pub struct Walk {
    /// The tables that were read, the top-level one first.
    pub steps: Vec<Step>,
    /// How it ends.
    pub outcome: Outcome,
}

/// An entry that was read.
#[derive(Debug, Serialize)]
pub struct Step {
    /// The level of its table.
    pub level: u8,
    /// Which bits of the address choose it: the highest and the lowest.
    pub bits: [u8; 2],
    /// Its index.
    pub index: u64,
    /// The physical address of its table.
    pub table: String,
    /// The entry, all 64 bits.
    pub entry: String,
    /// The names of its flags.
    pub flags: Vec<&'static str>,
    /// What it says, in words.
    pub says: String,
}

/// How a walk ends.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The physical address, where there is one.
    pub physical: Option<String>,
    /// The same in words; or why there is a fault.
    pub says: String,
}

/// Walks through the tables for an address of user mode.
#[must_use]
pub fn walk(address: u64, attempt: Attempt) -> Walk {
    // Bits 63 to 48 are to be the same as bit 47 (Intel SDM vol. 1, 3.3.7.1).
    let upper = address.cast_signed() >> 47;
    if upper != 0 && upper != -1 {
        let says = format!(
            "general protection fault: {address:#x} is not canonical, as bits 63 to 48 are not all the same as bit 47"
        );
        return Walk { steps: Vec::new(), outcome: Outcome { physical: None, says } };
    }
    match space() {
        Ok(space) => walk_in(space, address, attempt),
        Err(error) => {
            let says = format!("the address space cannot be made: {error:?}");
            Walk { steps: Vec::new(), outcome: Outcome { physical: None, says } }
        }
    }
}

/// The space, made as the kernel makes one.
fn space() -> Result<AddressSpace, MapError> {
    let mut region: Region = machine::fresh();
    let space = AddressSpace::new(&mut region)?;
    for (address, frame, size, access) in MAPPINGS {
        space.map(address, Frame::from_number(frame), size, access, &mut region)?;
    }
    Ok(space)
}

fn walk_in(space: AddressSpace, address: u64, attempt: Attempt) -> Walk {
    let (mut steps, mut table) = (Vec::new(), space.top());
    for level in (1..=TOP_LEVEL).rev() {
        let seen = see(table, address, level);
        let lower = seen.frame.filter(|_| seen.leads_to_table);
        steps.push(step(table, level, seen));
        match lower {
            Some(lower) => table = lower,
            None => break,
        }
    }
    Walk { steps, outcome: outcome(space, address, attempt) }
}

fn step(table: Frame, level: u8, seen: Seen) -> Step {
    let lowest = 12 + 9 * (level - 1);
    let says = match (seen.frame, seen.leads_to_table, level) {
        (None, ..) => "not present: nothing is mapped here".into(),
        (Some(frame), true, _) => format!("leads to a table of level {} at {:#x}", level - 1, frame.address()),
        (Some(frame), false, 1) => format!("maps a page of 4 KiB, the frame at {:#x}", frame.address()),
        (Some(frame), false, _) => format!("maps a large page of 2 MiB, the frame at {:#x}", frame.address()),
    };
    Step {
        level,
        bits: [lowest + 8, lowest],
        index: seen.index,
        table: format!("{:#x}", table.address()),
        entry: format!("{:#018x}", seen.bits),
        flags: seen.flags,
        says,
    }
}

fn outcome(space: AddressSpace, address: u64, attempt: Attempt) -> Outcome {
    const PRESENT: u64 = 1 << 0;
    const USER: u64 = 1 << 2;
    let translation = space.translate(address);
    match translation.filter(|translation| attempt.is_allowed(translation.access)) {
        Some(translation) => {
            let physical = translation.frame.address() + address % flatmk_abi::layout::PAGE_SIZE;
            let says = format!("physical address {physical:#x}; user mode may {}", words(translation.access));
            Outcome { physical: Some(format!("{physical:#x}")), says }
        }
        None => {
            let present = if translation.is_some() { PRESENT } else { 0 };
            let error = present | USER | attempt.error_bits();
            Outcome { physical: None, says: format!("{}; the error code is {error:#x}", explain(address, error)) }
        }
    }
}

fn words(access: Access) -> &'static str {
    match access {
        Access::Read => "read there",
        Access::ReadWrite => "read and write there",
        Access::ReadExecute => "read and execute there",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(address: u64, attempt: Attempt) -> Walk {
        let _turn = machine::turn();
        super::walk(address, attempt)
    }

    #[test]
    fn a_small_page_takes_four_tables_and_a_large_one_three() {
        let small = walk(0x40_2abc, Attempt::Write);
        assert_eq!(
            small.steps.iter().map(|step| (step.level, step.index)).collect::<Vec<_>>(),
            [(4, 0), (3, 0), (2, 2), (1, 2)]
        );
        assert_eq!(small.outcome.physical.as_deref(), Some("0x789abc"));
        let large = walk(0x8a_bcde, Attempt::Read);
        assert_eq!(large.steps.len(), 3);
        assert!(large.steps[2].flags.contains(&"HUGE_PAGE"), "{large:?}");
        assert_eq!(large.outcome.physical.as_deref(), Some("0x4abcde"));
    }

    #[test]
    fn each_table_is_the_one_to_which_the_entry_before_leads() {
        let steps = walk(0x7fff_ffff_0123, Attempt::Read).steps;
        assert_eq!(steps.iter().map(|step| step.index).collect::<Vec<_>>(), [255, 511, 511, 496]);
        for pair in steps.windows(2) {
            assert!(pair[0].says.ends_with(&format!("at {}", pair[1].table)), "{pair:?}");
        }
    }

    #[test]
    fn what_a_page_does_not_allow_is_a_fault_of_protection() {
        let outcome = walk(0x40_1008, Attempt::Write).outcome;
        assert_eq!(outcome.physical, None);
        assert_eq!(
            outcome.says,
            "page fault: write to 0x401008 by user mode, where the page does not allow it; the error code is 0x7"
        );
        let outcome = walk(0x40_2000, Attempt::Execute).outcome;
        assert!(outcome.says.ends_with("does not allow it; the error code is 0x15"), "{outcome:?}");
        assert_eq!(walk(0x40_0000, Attempt::Execute).outcome.physical.as_deref(), Some("0x123000"));
    }

    #[test]
    fn a_walk_ends_where_nothing_is_mapped() {
        for (address, tables) in
            [(0x40_5000, 4), (0x60_0000, 3), (0x1_2345_6000, 2), (0x1234_5678_9000, 1), (u64::MAX, 1)]
        {
            let walk = walk(address, Attempt::Read);
            assert_eq!(walk.steps.len(), tables, "{address:#x}");
            assert!(walk.outcome.says.contains("where nothing is mapped"), "{walk:?}");
        }
        assert!(walk(0x10, Attempt::Read).outcome.says.contains("the null page"));
    }

    #[test]
    fn no_table_is_read_for_an_address_that_is_not_canonical() {
        let walk = walk(1 << 47, Attempt::Read);
        assert!(walk.steps.is_empty() && walk.outcome.says.contains("not canonical"), "{walk:?}");
    }
}
