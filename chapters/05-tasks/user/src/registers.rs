//! System calls with all registers in view.
//!
//! Every call that a test makes through [`system_call`] is held to the whole contract: what is kept is kept, what is cleared is
//! clear, nothing else comes back, and the status is 0 or an error that the interface lists for the operation.

use core::arch::naked_asm;
use core::mem::offset_of;

use flatmk_abi::{Error, MESSAGE_WORDS, OPERATIONS, Operation, OperationInfo, Words};

use crate::harness::PLAIN_FLAGS;

/// The registers before a system call and after it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Registers {
    pub(crate) rax: u64,
    pub(crate) rbx: u64,
    pub(crate) rcx: u64,
    pub(crate) rdx: u64,
    pub(crate) rsi: u64,
    pub(crate) rdi: u64,
    pub(crate) rbp: u64,
    pub(crate) r8: u64,
    pub(crate) r9: u64,
    pub(crate) r10: u64,
    pub(crate) r11: u64,
    pub(crate) r12: u64,
    pub(crate) r13: u64,
    pub(crate) r14: u64,
    pub(crate) r15: u64,
    pub(crate) rflags: u64,
    /// The stack pointer before, and after.
    pub(crate) rsp_before: u64,
    pub(crate) rsp_after: u64,
    /// The address of the instruction after `syscall`.
    pub(crate) next_instruction: u64,
}

/// Loads all registers, executes `syscall`, and stores what came back.
#[unsafe(naked)]
extern "C" fn execute(registers: &mut Registers) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rdi",
        "mov [rdi + {rsp_before}], rsp",
        "push qword ptr [rdi + {rflags}]",
        "popfq",
        "mov rax, [rdi + {rax}]",
        "mov rbx, [rdi + {rbx}]",
        "mov rcx, [rdi + {rcx}]",
        "mov rdx, [rdi + {rdx}]",
        "mov rsi, [rdi + {rsi}]",
        "mov rbp, [rdi + {rbp}]",
        "mov r8, [rdi + {r8}]",
        "mov r9, [rdi + {r9}]",
        "mov r10, [rdi + {r10}]",
        "mov r11, [rdi + {r11}]",
        "mov r12, [rdi + {r12}]",
        "mov r13, [rdi + {r13}]",
        "mov r14, [rdi + {r14}]",
        "mov r15, [rdi + {r15}]",
        "mov rdi, [rdi + {rdi}]",
        "syscall",
        "2:",
        "push rdi",
        "mov rdi, [rsp + 8]",
        "mov [rdi + {rax}], rax",
        "mov [rdi + {rbx}], rbx",
        "mov [rdi + {rcx}], rcx",
        "mov [rdi + {rdx}], rdx",
        "mov [rdi + {rsi}], rsi",
        "mov [rdi + {rbp}], rbp",
        "mov [rdi + {r8}], r8",
        "mov [rdi + {r9}], r9",
        "mov [rdi + {r10}], r10",
        "mov [rdi + {r11}], r11",
        "mov [rdi + {r12}], r12",
        "mov [rdi + {r13}], r13",
        "mov [rdi + {r14}], r14",
        "mov [rdi + {r15}], r15",
        "pop qword ptr [rdi + {rdi}]",
        "mov [rdi + {rsp_after}], rsp",
        "pushfq",
        "pop qword ptr [rdi + {rflags}]",
        "lea rax, [rip + 2b]",
        "mov [rdi + {next_instruction}], rax",
        // The flags that Rust expects.
        "push 2",
        "popfq",
        "pop rdi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        rax = const offset_of!(Registers, rax),
        rbx = const offset_of!(Registers, rbx),
        rcx = const offset_of!(Registers, rcx),
        rdx = const offset_of!(Registers, rdx),
        rsi = const offset_of!(Registers, rsi),
        rdi = const offset_of!(Registers, rdi),
        rbp = const offset_of!(Registers, rbp),
        r8 = const offset_of!(Registers, r8),
        r9 = const offset_of!(Registers, r9),
        r10 = const offset_of!(Registers, r10),
        r11 = const offset_of!(Registers, r11),
        r12 = const offset_of!(Registers, r12),
        r13 = const offset_of!(Registers, r13),
        r14 = const offset_of!(Registers, r14),
        r15 = const offset_of!(Registers, r15),
        rflags = const offset_of!(Registers, rflags),
        rsp_before = const offset_of!(Registers, rsp_before),
        rsp_after = const offset_of!(Registers, rsp_after),
        next_instruction = const offset_of!(Registers, next_instruction),
    )
}

/// Flags that a program may set at will, and that no system call may change: carry, parity, adjust, zero, sign, direction,
/// overflow, nested task, alignment check, identification.
pub(crate) const FREE_FLAGS: u64 = 0x0024_4cd5;

/// A system call; `word` is the operation with its flags. Panics where the kernel breaks the contract of the registers.
pub(crate) fn system_call(pointer: u64, word: u64, arguments: Words) -> Result<Words, Error> {
    system_call_with_flags(PLAIN_FLAGS, pointer, word, arguments)
}

/// The same, with these processor flags.
pub(crate) fn system_call_with_flags(rflags: u64, pointer: u64, word: u64, arguments: Words) -> Result<Words, Error> {
    let (result, rsi) = checked_call(rflags, pointer, word, arguments);
    assert_eq!(rsi, 0, "rsi is cleared");
    result
}

/// A call that may bring capabilities back. Returns with the answer which slots of the window came; none with an error.
pub(crate) fn call_with_window(pointer: u64, word: u64, message: Words) -> Result<(Words, u64), Error> {
    let (result, rsi) = checked_call(PLAIN_FLAGS, pointer, word, message);
    assert!(result.is_ok() || rsi == 0, "with an error rsi is cleared");
    result.map(|words| (words, rsi))
}

/// What a system call returns, and its `rsi`.
fn checked_call(rflags: u64, pointer: u64, word: u64, arguments: Words) -> (Result<Words, Error>, u64) {
    let [rdx, r10, r8, r9] = arguments;
    // Every thread has numbers of its own, since every thread has a stack of its own.
    let own = core::ptr::from_ref(&arguments) as u64;
    let before = Registers {
        rax: own + 1,
        rbx: own << 16 | 2,
        rcx: own + 3,
        rbp: own << 16 | 4,
        r11: own + 5,
        r12: own << 16 | 6,
        r13: own << 16 | 7,
        r14: own << 16 | 8,
        r15: own << 16 | 9,
        rdi: pointer,
        rsi: word,
        rdx,
        r10,
        r8,
        r9,
        rflags,
        ..Registers::default()
    };
    let mut after = before;
    execute(&mut after);

    let kept = |r: &Registers| [r.rbx, r.rbp, r.r12, r.r13, r.r14, r.r15, r.rflags & FREE_FLAGS];
    assert_eq!(kept(&after), kept(&before), "rbx, rbp, r12 to r15 and the flags are kept");
    assert_eq!(after.rsp_after, after.rsp_before, "the stack pointer is kept");
    assert_eq!(after.rdi, 0, "rdi is cleared");
    assert_eq!(after.rcx, after.next_instruction, "rcx is the program's own rip");
    assert_eq!(after.r11 & FREE_FLAGS, rflags & FREE_FLAGS, "r11 holds the program's own flags");
    assert_eq!(after.r11 & !FREE_FLAGS & !PLAIN_FLAGS, 0, "r11 holds nothing else");

    let results = [after.rdx, after.r10, after.r8, after.r9];
    let status = after.rax.cast_signed();
    if status == 0 {
        assert!(
            Operation::from_word(word).is_some(),
            "there is no such operation, or it does not take a flag: {word:#x}"
        );
        let defined = information(word).map_or(0, |information| information.results.len());
        assert!(
            results.iter().skip(defined).all(|&word| word == 0),
            "results that are not defined are 0: {results:x?}"
        );
        return (Ok(results), after.rsi);
    }
    let error = Error::from_status(status).expect("the status is 0 or an error");
    assert!(may_fail_with(word, error), "the interface does not list {error:?} for operation {:#x}", word & 0xff);
    assert_eq!(results, [0; MESSAGE_WORDS], "an error has no results");
    (Err(error), after.rsi)
}

fn information(word: u64) -> Option<&'static OperationInfo> {
    OPERATIONS.iter().find(|information| information.operation as u64 == word & 0xff)
}

/// Whether the interface lists the error. Chapter 5 does not have the operations of later ones.
fn may_fail_with(word: u64, error: Error) -> bool {
    let known = Operation::from_word(word).and_then(|_| information(word));
    let Some(information) = known else { return error == Error::UnknownOperation };
    matches!(error, Error::InvalidCapability | Error::WrongKind | Error::MissingRight)
        || information.errors.iter().any(|&(listed, _)| listed == error)
        || (information.operation.chapter() > 5 && error == Error::UnknownOperation)
}
