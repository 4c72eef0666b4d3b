//! What a browser calls. Each function leaves its answer as JSON, which begins at [`answer_start`], and returns how many bytes it has.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::panic::PanicInfo;

use dlmalloc::GlobalDlmalloc;
use serde::Serialize;

use crate::hart::Hart;
use crate::tree;
use crate::walk::{Attempt, walk as walk_through};

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

/// The browser shows it as an error of the program.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// What one thread alone uses, as a browser's program has one.
struct OfOneThread<T>(RefCell<T>);

// SAFETY: there is one thread.
unsafe impl<T> Sync for OfOneThread<T> {}

static ANSWER: OfOneThread<Vec<u8>> = OfOneThread(RefCell::new(Vec::new()));
static HART: OfOneThread<Option<Hart>> = OfOneThread(RefCell::new(None));

fn answer(answer: &impl Serialize) -> usize {
    let mut place = ANSWER.0.borrow_mut();
    *place = serde_json::to_vec(answer).unwrap_or_default();
    place.len()
}

/// Where the last answer begins.
#[unsafe(no_mangle)]
pub extern "C" fn answer_start() -> *const u8 {
    ANSWER.0.borrow().as_ptr()
}

/// Walks through page tables: to read (0), to write (1), or to execute (2).
#[unsafe(no_mangle)]
pub extern "C" fn walk(address: u64, attempt: u32) -> usize {
    answer(&walk_through(address, Attempt::from_number(attempt)))
}

/// Begins with a new table.
#[unsafe(no_mangle)]
pub extern "C" fn tree_reset() -> usize {
    answer(&tree::reset())
}

/// Copies a capability.
#[unsafe(no_mangle)]
pub extern "C" fn tree_copy(source: u32, destination: u32, rights: u32) -> usize {
    answer(&tree::copy(source.into(), destination.into(), rights.into()))
}

/// Mints one.
#[unsafe(no_mangle)]
pub extern "C" fn tree_mint(source: u32, destination: u32, rights: u32, context: u32) -> usize {
    answer(&tree::mint(source.into(), destination.into(), rights.into(), context.into()))
}

/// Deletes one.
#[unsafe(no_mangle)]
pub extern "C" fn tree_delete(index: u32) -> usize {
    answer(&tree::delete(index.into()))
}

/// Revokes one.
#[unsafe(no_mangle)]
pub extern "C" fn tree_revoke(index: u32) -> usize {
    answer(&tree::revoke(index.into()))
}

fn with_hart(work: impl FnOnce(&mut Hart)) -> usize {
    let mut hart = HART.0.borrow_mut();
    let hart = hart.get_or_insert_with(Hart::new);
    work(hart);
    answer(&hart.view())
}

/// Begins a program.
#[unsafe(no_mangle)]
pub extern "C" fn hart_begin(program: u32) -> usize {
    with_hart(|hart| hart.begin(program as usize))
}

/// Runs one instruction.
#[unsafe(no_mangle)]
pub extern "C" fn hart_step() -> usize {
    with_hart(Hart::step)
}

/// Runs to the end.
#[unsafe(no_mangle)]
pub extern "C" fn hart_run() -> usize {
    with_hart(Hart::run)
}
