//! What a guest can reach: the memory of its own space below 4 GiB, and nothing else.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::{LARGE_FRAME_SIZE, SOFTUSER_END};
use flatmk_abi::{Access, Error, FaultAnswer, FaultReason, Kind, MissingCapability, Words};
use flatmk_runtime::object::{AddressSpace, Frame, OWN_SPACE};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};
use flatmk_softuser::Operation::*;

use crate::calls::{guest_elsewhere, start_elsewhere};
use crate::guest::*;
use crate::harness::{Random, make};
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    loads_everywhere_find_only_the_guests_own_pages,
    stores_everywhere_reach_only_the_guests_own_pages,
    accesses_at_the_end_of_the_addresses_fault,
    code_everywhere_faults,
    the_last_page_below_4_gib_cannot_be_mapped,
    no_access_reaches_beyond_4_gib,
    the_last_page_is_used_to_its_last_byte,
    the_pages_of_a_hart_cannot_be_mapped,
    the_first_page_cannot_be_mapped,
];

/// The last fault, how many there were, and how many were not as they should be.
static SEEN: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// Notes the fault, and lets the guest go on behind the instruction.
fn skip(_: u64, &mut [reason, address, _, rip]: &mut Words) -> Words {
    SEEN[0].store(reason, Relaxed);
    SEEN[1].store(address, Relaxed);
    SEEN[2].fetch_add(1, Relaxed);
    [FaultAnswer::ResumeAt as u64, rip + 4, 0, 0]
}

fn skip_fault(context: u64, message: &mut Words) {
    *message = skip(context, message);
}

service!(fn skip_entry = skip_fault);

/// Whether an access to so many bytes there has faulted, as it should.
fn has_faulted(address: u32) -> bool {
    let faults = SEEN[2].swap(0, Relaxed);
    let [reason, found] = [0, 1].map(|index: usize| SEEN.get(index).map_or(0, |word| word.load(Relaxed)));
    assert!(faults <= 1);
    // What crosses into the next page faults there, and behind the last one is nothing.
    let is_there = found == address.into() || (found % 4096 == 0 && found.wrapping_sub(address.into()) < 4);
    faults == 1 && reason == FaultReason::Page as u64 && is_there
}

/// Runs a test with a guest in its own space: it does one instruction with the address in the message.
fn with_guest_elsewhere(instruction: u32, test: impl FnOnce()) {
    on_stage(|| {
        with_guests(|| {
            serve(9, 30, skip_entry, 0);
            SEEN[2].store(0, Relaxed);
            Assembler::new().mv(S0, A2).message([0; 4]).word(instruction).ret().load();
            let (task, _) = guest_elsewhere(0, 20, 0, 0);
            task.set_fault_handler(Some(near(9)), MissingCapability::IsError).expect("it is an endpoint");
            start_elsewhere(task);
            test();
        });
    });
}

/// Whether all of a word is in the guest's pages of code, or of data.
fn is_within(address: u32, start: u32) -> bool {
    (start..start + 2 * 4096 - 3).contains(&address)
}

/// Addresses: some that are like those of the kernel, or of its tables, when they are cut off; and many others.
fn addresses() -> impl Iterator<Item = u32> {
    let mut random = Random(0x5eed);
    let near_powers = (2..32).flat_map(|bit| [(1_u32 << bit) - 4, (1 << bit) - 1, 1 << bit, (1 << bit) + 4]);
    let ends = [CODE, DATA, CODE + 0x2000, DATA + 0x2000].into_iter().flat_map(|end| [end - 4, end - 3, end - 1, end]);
    near_powers.chain(ends).chain((0..1500).map(move |_| random.next() as u32))
}

fn loads_everywhere_find_only_the_guests_own_pages() {
    with_guest_elsewhere(access(Lw, A2, S0, 0), || {
        for address in addresses() {
            near(0).call([address.into(), 0, 0, 0]).expect("it goes on");
            let is_own = is_within(address, CODE) || is_within(address, DATA);
            assert_ne!(has_faulted(address), is_own, "{address:#x}");
        }
    });
}

fn stores_everywhere_reach_only_the_guests_own_pages() {
    with_guest_elsewhere(access(Sw, S0, S0, 0), || {
        for address in addresses() {
            near(0).call([address.into(), 0, 0, 0]).expect("it goes on");
            assert_ne!(has_faulted(address), is_within(address, DATA), "{address:#x}");
        }
    });
}

fn accesses_at_the_end_of_the_addresses_fault() {
    for operation in [Lw, Lh, Lb, Sw, Sh, Sb] {
        with_guest_elsewhere(access(operation, A2, S0, 0), || {
            for address in [0xffff_fffc, 0xffff_fffd, 0xffff_fffe, u32::MAX] {
                near(0).call([address.into(), 0, 0, 0]).expect("it goes on");
                assert!(has_faulted(address), "{address:#x}");
            }
        });
        // The distance in the instruction leads around the end.
        with_guest_elsewhere(access(operation, A2, S0, 2047), || {
            for address in [u32::MAX, 0xffff_f900, 0xffff_f802] {
                near(0).call([address.into(), 0, 0, 0]).expect("it goes on");
                assert!(has_faulted(address.wrapping_add(2047)), "{address:#x}");
            }
        });
        with_guest_elsewhere(access(operation, A2, S0, -2048), || {
            for address in [0_u32, 1, 2047] {
                near(0).call([address.into(), 0, 0, 0]).expect("it goes on");
                assert!(has_faulted(address.wrapping_sub(2048)), "{address:#x}");
            }
        });
    }
}

/// Notes the fault, and lets the guest go on at the return.
fn come_back(context: u64, message: &mut Words) {
    let [at, ..] = skip(context, message);
    *message = [at, (CODE + 1024).into(), 0, 0];
}

service!(fn come_back_entry = come_back);

fn code_everywhere_faults() {
    on_stage(|| {
        with_guests(|| {
            serve(9, 30, come_back_entry, 0);
            SEEN[2].store(0, Relaxed);
            Assembler::at(1024).ret().load();
            Assembler::new().jump_to(A2).load();
            let (task, _) = guest_elsewhere(0, 20, 0, 0);
            task.set_fault_handler(Some(near(9)), MissingCapability::IsError).expect("it is an endpoint");
            start_elsewhere(task);
            for address in addresses().filter(|address| !(CODE..CODE + 2 * 4096).contains(address)) {
                near(0).call([address.into(), 0, 0, 0]).expect("it goes on");
                assert!(has_faulted(address & !1), "{address:#x}");
            }
        });
    });
}

/// The page behind all that a guest can name.
const NEXT_PAGE: u64 = 0x1_0000_0000;

/// The last page that can be mapped before that.
const LAST_PAGE: u64 = SOFTUSER_END - 4096;

/// The page tables for these pages stay with the space.
pub(crate) fn prepare() {
    with_guests(|| {
        for address in [LAST_PAGE, NEXT_PAGE] {
            data_frame(0).unmap().expect("it is mapped");
            OWN_SPACE.map(data_frame(0), address, Access::Read).expect("nothing is there");
        }
    });
}

fn the_last_page_below_4_gib_cannot_be_mapped() {
    on_stage(|| {
        with_guests(|| {
            data_frame(0).unmap().expect("it is mapped");
            for access in [Access::Read, Access::ReadWrite, Access::ReadExecute] {
                assert_eq!(OWN_SPACE.map(data_frame(0), SOFTUSER_END, access), Err(Error::InvalidAddress));
            }
            let large = Frame(make(Kind::LargeFrame, OBJECT));
            let around = SOFTUSER_END & !(LARGE_FRAME_SIZE - 1);
            assert_eq!(OWN_SPACE.map(large, around, Access::Read), Err(Error::InvalidAddress));
        });
    });
}

fn no_access_reaches_beyond_4_gib() {
    on_stage(|| {
        with_guests(|| {
            // There is something to be reached.
            data_frame(0).unmap().expect("it is mapped");
            OWN_SPACE.map(data_frame(0), NEXT_PAGE, Access::ReadWrite).expect("nothing is there");
            serve(9, 30, skip_entry, 0);
            SEEN[2].store(0, Relaxed);
            Assembler::new().mv(S0, A2).op(Sw, 0, S0, A4, 0).op(Lw, A2, S0, 0, 0).li(A3, 0).ret().load();
            let task = guest_server(0, 20, 0, 0);
            task.set_fault_handler(Some(near(9)), MissingCapability::IsError).expect("it is an endpoint");
            for address in [0xffff_fffd, 0xffff_fffe, 0xffff_ffff] {
                near(0).call([address, 0x89ab_cdef, 0, 0]).expect("it goes on");
                assert_eq!(SEEN[2].swap(0, Relaxed), 2, "both accesses have faulted");
                assert_eq!(SEEN[1].load(Relaxed), address);
            }
            data_frame(0).unmap().expect("it is mapped");
        });
    });
}

fn the_last_page_is_used_to_its_last_byte() {
    on_stage(|| {
        with_guests(|| {
            data_frame(0).unmap().expect("it is mapped");
            OWN_SPACE.map(data_frame(0), LAST_PAGE, Access::ReadWrite).expect("nothing is there");
            serve(9, 30, skip_entry, 0);
            SEEN[2].store(0, Relaxed);
            Assembler::new().mv(S0, A2).op(Sw, 0, S0, A4, 0).op(Lw, A2, S0, 0, 0).li(A3, 0).ret().load();
            let task = guest_server(0, 20, 0, 0);
            task.set_fault_handler(Some(near(9)), MissingCapability::IsError).expect("it is an endpoint");
            for address in [LAST_PAGE, LAST_PAGE + 5, LAST_PAGE + 4092] {
                let answer = near(0).call([address, 0x89ab_cdef, 0, 0]);
                assert_eq!(answer, Ok([0x89ab_cdef, 0x89ab_cdef, 0, 0]));
            }
            assert_eq!(SEEN[2].load(Relaxed), 0);
            // It does not go on from there.
            near(0).call([LAST_PAGE + 4093, 0, 0, 0]).expect("it goes on");
            assert_eq!(SEEN[2].swap(0, Relaxed), 2);
            assert_eq!(SEEN[1].load(Relaxed), SOFTUSER_END);
            data_frame(0).unmap().expect("it is mapped");
        });
    });
}

fn the_pages_of_a_hart_cannot_be_mapped() {
    on_stage(|| {
        with_guests(|| {
            guest(0, 20);
            for page in 0..HART_PAGES {
                let pointer = Frame(hart_pages(0).0 + page);
                for access in [Access::Read, Access::ReadWrite, Access::ReadExecute] {
                    assert_eq!(OWN_SPACE.map(pointer, DATA.into(), access), Err(Error::WrongKind));
                }
                assert_eq!(pointer.unmap(), Err(Error::WrongKind));
                assert_eq!(pointer.protect(Access::Read), Err(Error::WrongKind));
            }
        });
    });
}

fn the_first_page_cannot_be_mapped() {
    on_stage(|| {
        with_guests(|| {
            data_frame(0).unmap().expect("it is mapped");
            let map = |space: AddressSpace| space.map(data_frame(0), 0, Access::ReadWrite);
            assert_eq!(map(OWN_SPACE), Err(Error::InvalidAddress));
        });
    });
}
