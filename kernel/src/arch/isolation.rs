//! Page-table isolation: the ways into the kernel and out of it where user mode runs with page tables in which the kernel is missing.
//!
//! What is here is all of the kernel that user mode's page tables have: the descriptor tables, which the processor reads; the code in
//! the section `isolated`, a page for the stubs of the 256 vectors and one for the rest; and one page of data, with the small stacks on
//! which the processor puts what it interrupts. Each way in loads CR3 before all else; each way out does so last.
//!
//! A way in goes on where the processor would have gone without isolation, and finds all as it would have been there, but for the `rax` of a
//! system call. The ways out are put in the place of `sysretq` and `iretq` at boot ([`replace_ways_out`]). So without isolation the
//! ways in and out have not one instruction more.

use core::arch::global_asm;
use core::arch::x86_64::__cpuid;
use core::cell::Cell;
use core::mem::offset_of;
use core::ops::Range;

use super::interrupts::{ERROR_CODES, STUB_SIZE};
use super::paging::KEEP;
use crate::interrupts::OWN_STACKS;
use crate::planted::{Bug, planted};

// ANCHOR: shared
/// The page of data.
#[repr(C, align(4096))]
struct Shared {
    /// What goes into CR3 on the way in: the kernel's page tables.
    kernel: Cell<u64>,
    /// What goes into CR3 on the next way out: the page tables of the current task.
    next: Cell<u64>,
    /// The same for the ways out after that.
    later: Cell<u64>,
    /// The `rax` of the task to which the way out leads.
    task_rax: Cell<u64>,
    /// Where the processor puts what it interrupts: in user mode, or by an exception with a stack of its own.
    stacks: [EntryStack; STACKS],
}

/// A stack for the eight words that the processor and the stub push.
#[repr(C, align(16))]
struct EntryStack {
    words: [Cell<u64>; 8],
    /// The top of the stack to which they go.
    target: Cell<u64>,
}
// ANCHOR_END: shared

/// One for interrupts, and one for each exception with a stack of its own, by its index in the interrupt stack table.
const STACKS: usize = 1 + OWN_STACKS.count_ones() as usize;

// SAFETY: the stubs use it with interrupts off, as do the functions below, on the one processor.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared {
    kernel: Cell::new(0),
    next: Cell::new(0),
    later: Cell::new(0),
    task_rax: Cell::new(0),
    stacks: [const { EntryStack { words: [const { Cell::new(0) }; 8], target: Cell::new(0) } }; STACKS],
};

// ANCHOR: stubs
global_asm!(
    "
    .pushsection isolated, \"ax\"
    .balign 4096
    .global isolated_stubs
isolated_stubs:
    .set vector, 0
    .rept 256
        .balign {stub_size}
        .set has_error_code, 0
        .set has_own_stack, 0
        .if vector < 32
            .set has_error_code, ({error_codes} >> vector) & 1
            .set has_own_stack, ({own_stacks} >> vector) & 1
        .endif
        .if has_error_code == 0
            push 0
        .endif
        push vector
        .if has_own_stack
            jmp isolated_exception
        .else
            jmp isolated_interrupt
        .endif
        .set vector, vector + 1
    .endr

    .balign 4096
    # The status of a system call goes into rax: until then it is free.
    .macro load_kernel_tables
    mov rax, [rip + {shared} + {kernel}]
    mov cr3, rax
    .endm

    .global isolated_entry
isolated_entry:
    load_kernel_tables
    jmp {entry}

    .global isolated_fast_entry
isolated_fast_entry:
    load_kernel_tables
    jmp {fast_entry}

    .global isolated_traced_entry
isolated_traced_entry:
    load_kernel_tables
    jmp {traced_entry}

    # On the stack: vector, error code, rip, cs, rflags, rsp, ss; above them the top of the stack to which they go.
isolated_interrupt:
    test byte ptr [rsp + 24], 3
    jz interrupt_common             # the kernel was interrupted: its page tables are there, and this is its stack
isolated_exception:                 # one with a stack of its own: whoever was interrupted, with whichever page tables
    push rax
    load_kernel_tables
    mov rax, rsp
    mov rsp, [rax + 64]
    push [rax + 56]
    push [rax + 48]
    push [rax + 40]
    push [rax + 32]
    push [rax + 24]
    push [rax + 16]
    push [rax + 8]
    # The rax of whoever was interrupted, which does not stay where the next task could read it.
    push [rax]
    mov qword ptr [rax], 0
    pop rax
    jmp interrupt_common

    # The page tables of the task, and its rax.
    .macro load_user_tables
    mov rax, [rip + {shared} + {next}]
    mov cr3, rax
    mov rax, [rip + {shared} + {later}]
    mov [rip + {shared} + {next}], rax
    mov rax, [rip + {shared} + {task_rax}]
    .endm

    .global isolated_sysret
isolated_sysret:
    mov [rip + {shared} + {task_rax}], rax
    load_user_tables
    sysretq

    # On the stack: rip, cs, rflags, rsp, ss.
    .global isolated_iret
isolated_iret:
    test byte ptr [rsp + 8], 3
    jz 2f                           # the kernel was interrupted
    mov [rip + {shared} + {task_rax}], rax
    # The kernel's stack will not be there: the words go to one that is.
    mov rax, rsp
    lea rsp, [rip + {shared} + {first_stack}]
    push [rax + 32]
    push [rax + 24]
    push [rax + 16]
    push [rax + 8]
    push [rax]
    load_user_tables
2:  iretq

    .balign 4096
    .global isolated_end
isolated_end:
    .purgem load_kernel_tables
    .purgem load_user_tables
    .popsection
    ",
    stub_size = const STUB_SIZE,
    error_codes = const ERROR_CODES,
    own_stacks = const OWN_STACKS,
    entry = sym super::syscall::syscall_entry,
    fast_entry = sym crate::ipc::fast_path::fast_entry,
    traced_entry = sym traced_entry,
    shared = sym SHARED,
    kernel = const offset_of!(Shared, kernel),
    next = const offset_of!(Shared, next),
    later = const offset_of!(Shared, later),
    task_rax = const offset_of!(Shared, task_rax),
    first_stack = const offset_of!(Shared, stacks) + offset_of!(EntryStack, target),
);
// ANCHOR_END: stubs

#[cfg(feature = "chapter11")]
use super::trace::traced_entry;
// No system call is traced.
#[cfg(not(feature = "chapter11"))]
unsafe extern "C" {
    #[link_name = "syscall_entry"]
    fn traced_entry();
}

unsafe extern "C" {
    static isolated_stubs: u8;
    static isolated_end: u8;
    fn isolated_entry();
    fn isolated_fast_entry();
    #[cfg(feature = "chapter11")]
    fn isolated_traced_entry();
}

/// The addresses of the code, in whole pages.
pub(crate) fn code() -> Range<u64> {
    (&raw const isolated_stubs) as u64..(&raw const isolated_end) as u64
}

/// The address of the page of data.
pub(crate) fn data() -> u64 {
    (&raw const SHARED) as u64
}

/// Where system calls enter: what cannot take the fast path, and what can.
pub(crate) fn entries() -> [u64; 2] {
    [isolated_entry as *const () as u64, isolated_fast_entry as *const () as u64]
}

/// Where they enter while the kernel traces.
#[cfg(feature = "chapter11")]
pub(crate) fn entry_for_tracing() -> u64 {
    isolated_traced_entry as *const () as u64
}

/// The address of the stub of a vector.
pub(crate) fn stub_address(vector: u8) -> u64 {
    code().start + STUB_SIZE * u64::from(vector)
}

/// Takes the place of a stack of the task state segment: 0 for that of interrupts in user mode, else the index in the interrupt stack
/// table. What lies on it is moved to `target`. Returns its top.
pub(crate) fn replace_stack(index: usize, target: u64) -> u64 {
    let stack = SHARED.stacks.get(index).expect("there is one for each");
    stack.target.set(target);
    (&raw const stack.target) as u64
}

// ANCHOR: ways_out
/// A line of the section `ways_out`: both as the distance from where they stand.
#[repr(C)]
struct WayOut {
    instruction: i32,
    instead: i32,
}

unsafe extern "C" {
    static __start_ways_out: WayOut;
    static __stop_ways_out: WayOut;
}

/// Puts a jump in the place of each instruction that goes back to user mode. `write` changes a byte of the kernel's code.
pub(crate) fn replace_ways_out(mut write: impl FnMut(u64, u8)) {
    const JUMP: u8 = 0xe9;
    let (start, end) = ((&raw const __start_ways_out), (&raw const __stop_ways_out));
    let length = (end as usize - start as usize) / size_of::<WayOut>();
    // SAFETY: the linker puts the lines of the section between these two symbols; nobody writes to them.
    for way in unsafe { core::slice::from_raw_parts(start, length) } {
        let target = |distance: &i32| (core::ptr::from_ref(distance) as u64).wrapping_add_signed((*distance).into());
        let (instruction, instead) = (target(&way.instruction), target(&way.instead));
        // From the end of the jump; all of the kernel's code lies within 2 GiB.
        let [a, b, c, d, ..] = instead.wrapping_sub(instruction + 5).to_le_bytes();
        (instruction..).zip([JUMP, a, b, c, d]).for_each(|(address, byte)| write(address, byte));
    }
    // From here on the processor executes what was written (Intel SDM vol. 3A, 8.1.3 and 8.3).
    __cpuid(0);
}
// ANCHOR_END: ways_out

// ANCHOR: tables
/// From now on user mode has page tables of its own, and the kernel has these; 0: both have the same.
pub(crate) fn begin(kernel: u64) {
    SHARED.kernel.set(kernel);
    set_user_tables(kernel);
}

/// Whether user mode has page tables of its own.
pub(crate) fn is_on() -> bool {
    SHARED.kernel.get() != 0
}

/// The next way out loads this into CR3; those after it keep what is remembered under its identifier.
pub(crate) fn set_user_tables(cr3: u64) {
    // Where identifiers are used the kernel's content of CR3 has the bit, too.
    let keep = SHARED.kernel.get() & KEEP;
    SHARED.next.set(cr3);
    SHARED.later.set(cr3 | keep);
}

/// The identifier under which the next way out was to make the processor forget everything, if it was. From now on it does not.
pub(crate) fn take_pending() -> Option<u16> {
    const IDENTIFIER: u64 = 0xfff;
    let later = SHARED.later.get();
    (SHARED.next.replace(later) != later).then_some((later & IDENTIFIER) as u16)
}

/// What the ways out load.
pub(crate) fn user_tables() -> u64 {
    SHARED.later.get()
}

/// The next way out makes the processor forget what it remembers under the identifier.
pub(crate) fn forget_user_tables() {
    if !planted(Bug::WayOutKeeps) {
        SHARED.next.set(SHARED.later.get() & !KEEP);
    }
}
// ANCHOR_END: tables

/// What the stubs load when the kernel is entered: a test on the host does it.
#[cfg(not(target_os = "none"))]
pub(crate) fn kernel_tables() -> u64 {
    SHARED.kernel.get()
}

/// What they load when it is left.
#[cfg(not(target_os = "none"))]
pub(crate) fn way_out() -> u64 {
    SHARED.next.replace(SHARED.later.get())
}
