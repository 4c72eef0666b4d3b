/*
 * The system-call interface of FlatMk for programs in C and C++.
 *
 * Made by cbindgen from kernel/abi/src, by `./x book` and whenever programs in C are built. Changes made here are lost.
 */

#ifndef FLATMK_H
#define FLATMK_H

#include <stdint.h>

/**
 * How many message words a call carries each way.
 */
#define FLATMK_MESSAGE_WORDS 4

/**
 * Flag of `FLATMK_OPERATION_CALL`: fail with `FLATMK_ERROR_BUSY` where the call would have to wait for its turn.
 */
#define FLATMK_FLAG_NO_WAIT (UINT64_C(1) << 8)

/**
 * Where the flags `WINDOW` of `FLATMK_OPERATION_CALL`, `FLATMK_OPERATION_RETURN` and `FLATMK_OPERATION_REPLY` begin: bit 12 for slot 60, to bit 15 for slot 63.
 */
#define FLATMK_WINDOW_SHIFT 12

/**
 * Flags of a call or return: which slots of the window move along.
 */
#define FLATMK_FLAGS_WINDOW (15 << FLATMK_WINDOW_SHIFT)

/**
 * An entry address with this bit is one of RISC-V code: without the bit it is even, and below `SOFTUSER_END`.
 */
#define FLATMK_SOFTUSER_ENTRY (UINT64_C(1) << 63)

/**
 * The time-out of `FLATMK_OPERATION_WAIT` that never comes.
 */
#define FLATMK_NO_TIMEOUT UINT64_MAX

/**
 * The most urgent priority; 0 is the least.
 */
#define FLATMK_MAX_PRIORITY 63

/**
 * The most bytes that one `FLATMK_OPERATION_WRITE` takes, so that a slow serial line holds the kernel only for a bounded time.
 */
#define FLATMK_WRITE_LIMIT_BYTES 256

/**
 * Size of a page and of every kernel object, in bytes.
 */
#define FLATMK_PAGE_SIZE 4096

/**
 * Size of a large frame, in bytes: 512 pages in a row that begin at a multiple of it.
 */
#define FLATMK_LARGE_FRAME_SIZE (512 * FLATMK_PAGE_SIZE)

/**
 * The lowest address that user programs may map. The first page stays empty, so that a null pointer faults.
 */
#define FLATMK_USER_START 4096

/**
 * The end (exclusive) of what user programs may map. The last page of the lower half stays empty: a `syscall` in its last
 * two bytes would leave a non-canonical return address, and `sysret` to one faults in ring 0 (Intel SDM vol. 2B, SYSRET).
 */
#define FLATMK_USER_END UINT64_C(0x7ffffffff000)

/**
 * The end (exclusive) of what RISC-V code, whose addresses have 32 bits, can use. The page from here to 4 GiB stays empty in all spaces: the
 * last bytes of an access that is not aligned could lie above 4 GiB if it could begin there.
 */
#define FLATMK_SOFTUSER_END UINT64_C(0xfffff000)

/**
 * Where the kernel maps the boot ramdisk for the root task, read only.
 */
#define FLATMK_ROOT_RAMDISK UINT64_C(0x100000000000)

/**
 * The top of the root task's stack.
 */
#define FLATMK_ROOT_STACK_TOP UINT64_C(0x80000000)

/**
 * How many pages the root task's stack has.
 */
#define FLATMK_ROOT_STACK_PAGES 16

/**
 * Slots of a capability table, which is one page.
 */
#define FLATMK_SLOTS_PER_TABLE 64

/**
 * Pointers below this one exist: three steps of six bits.
 */
#define FLATMK_POINTER_LIMIT ((FLATMK_SLOTS_PER_TABLE * FLATMK_SLOTS_PER_TABLE) * FLATMK_SLOTS_PER_TABLE)

/**
 * The task's reply slot: the caller it serves. It is in the task, not in its table, where slot 0 is always empty.
 */
#define FLATMK_REPLY 0

/**
 * The task itself.
 */
#define FLATMK_SELF 1

/**
 * Its own capability table.
 */
#define FLATMK_TABLE 2

/**
 * Its own address space.
 */
#define FLATMK_SPACE 3

/**
 * The console. Present where a parent gives it.
 */
#define FLATMK_CONSOLE 4

/**
 * The power switch. Present in the root task.
 */
#define FLATMK_POWER 5

/**
 * All interrupt lines. Present in the root task.
 */
#define FLATMK_INTERRUPTS 6

/**
 * All I/O ports. Present in the root task.
 */
#define FLATMK_PORTS 7

/**
 * The first of the memory capabilities of the root task; how many follow is told at its entry.
 */
#define FLATMK_MEMORY 8

/**
 * The device memory of the screen. Present in the root task from chapter 11 on, where the machine has a framebuffer.
 */
#define FLATMK_FRAMEBUFFER 41

/**
 * All device memory but that. Present in the root task from chapter 11 on.
 */
#define FLATMK_DEVICES 42

/**
 * The kernel's trace. Present in the root task from chapter 11 on.
 */
#define FLATMK_TRACE 43

/**
 * The first slot of the window, whose capabilities a call can move to the callee; see `FLAGS_WINDOW`.
 */
#define FLATMK_WINDOW 60

/**
 * How many slots the window has.
 */
#define FLATMK_WINDOW_SLOTS 4

/**
 * The size of an event.
 */
#define FLATMK_EVENT_BYTES 32

/**
 * All rights: a copy has those of its source.
 */
#define FLATMK_RIGHTS_ALL 127

/**
 * What a system call is asked to do; bits 0 to 7 of `rsi`.
 */
enum flatmk_operation
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Calls the endpoint: suspends the caller and continues in the callee at the endpoint's entry, with the endpoint's
     * context in `rdi` and the message in `rdx r10 r8 r9`. The answer of the callee comes back as results. The flags `WINDOW` name slots
     * 60 to 63 of the caller's table whose capabilities move to the same slots of the callee's table; `rsi` tells either side what has come.
     */
    FLATMK_OPERATION_CALL = 0,
    /**
     * Returns to the caller in the reply slot, which is then empty, with an answer of four words. The task is ready for the
     * next call; it starts afresh at an endpoint's entry. Without a caller (at the end of a task's own start, of the handling of an
     * interrupt, or where the reply capability was moved away) it just becomes ready for calls. The flags `WINDOW` move capabilities as in a call.
     */
    FLATMK_OPERATION_RETURN = 1,
    /**
     * Lets the other ready tasks run, each once, before the caller goes on.
     */
    FLATMK_OPERATION_YIELD = 2,
    /**
     * Empties a slot of the table. What was derived from the capability stays, in its place. Where the slot held the last capability to
     * an object, the object is destroyed and its page goes back to the memory it came from; a frame that was mapped by the capability is
     * unmapped. With a memory capability everything goes that was made from it, and its pages go back to the memory it was split off.
     */
    FLATMK_OPERATION_DELETE = 3,
    /**
     * Takes back everything that was derived from the capability in a slot of the table, wherever it is: copies and mints, the
     * endpoints of a task, the objects and splits of a memory capability, which then has all its pages again.
     */
    FLATMK_OPERATION_REVOKE = 4,
    /**
     * Returns to the caller of a reply capability that was moved into a table, with an answer of four words. The capability is used up; the
     * invoker goes on, unless the caller is more urgent.
     */
    FLATMK_OPERATION_REPLY = 5,
    /**
     * Stops a task. Its caller and those who wait for it get `CalleeStopped`; what it waits for itself is given up, and it gets
     * `Interrupted` when it is resumed. Its registers can be read and written.
     */
    FLATMK_OPERATION_STOP = 6,
    /**
     * Starts a configured task that is stopped: it becomes ready to run at the entry, with the argument in `rdi`, on its stack. An entry with
     * bit 63 is one of RISC-V code.
     */
    FLATMK_OPERATION_START = 7,
    /**
     * Lets a task that is stopped go on with the registers that it has.
     */
    FLATMK_OPERATION_RESUME = 8,
    /**
     * Sets the priority of a task, at which it runs when it serves nobody. It serves its present caller at the priority it has.
     */
    FLATMK_OPERATION_SET_PRIORITY = 9,
    /**
     * Sets bits of a notification. If a task waits for it, the first one takes them all and goes on.
     */
    FLATMK_OPERATION_SIGNAL = 10,
    /**
     * Takes all bits of a notification; waits until there is one.
     */
    FLATMK_OPERATION_WAIT = 11,
    /**
     * Lets the caller rest, for the given time or up to one tick of the timer (1 ms) longer.
     */
    FLATMK_OPERATION_SLEEP = 12,
    /**
     * Sets whom the kernel calls when the task faults: an endpoint, of which the task keeps a copy. Without one the task is stopped.
     */
    FLATMK_OPERATION_SET_FAULT_HANDLER = 13,
    /**
     * Gives a task that is stopped a page for its floating-point state, or takes it away. Without one a floating-point instruction is a fault.
     * A page serves one task.
     */
    FLATMK_OPERATION_SET_FLOATING_POINT = 14,
    /**
     * Binds an endpoint to an interrupt line: its task is called at each interrupt with the number of the line in message word 0. Until
     * it returns the line is masked.
     */
    FLATMK_OPERATION_BIND = 15,
    /**
     * Tells what a capability is; changes nothing.
     */
    FLATMK_OPERATION_IDENTIFY = 16,
    /**
     * Copies a capability into an empty slot of the table, with fewer rights or the same.
     */
    FLATMK_OPERATION_COPY = 17,
    /**
     * Copies an endpoint with a context word of one's own; or interrupt lines, ports or device memory, of which the copy has some.
     */
    FLATMK_OPERATION_MINT = 18,
    /**
     * Moves a capability into an empty slot of the table; the source slot is empty afterwards. The capability keeps its place in the
     * tree of derivation and, for a frame, its mapping.
     */
    FLATMK_OPERATION_MOVE = 19,
    /**
     * Turns free pages into objects and puts their capabilities into consecutive slots of a table.
     */
    FLATMK_OPERATION_MAKE = 20,
    /**
     * Splits pages that were never handed out off a memory capability: a memory capability to them is put into a slot of a table.
     */
    FLATMK_OPERATION_SPLIT = 21,
    /**
     * Tells how many pages of a memory capability are free, and how many it has.
     */
    FLATMK_OPERATION_MEASURE = 22,
    /**
     * Maps a frame, a large frame, or all of a range of device memory. Page tables that are missing on the way come from the memory that the
     * space was made from. Device memory is never executable; it takes large pages where both its address and the given one allow that.
     */
    FLATMK_OPERATION_MAP = 23,
    /**
     * Undoes the mapping of a frame capability. Page tables stay with the space, until a large frame takes the place of an empty one.
     */
    FLATMK_OPERATION_UNMAP = 24,
    /**
     * Changes how the frame may be used where this capability has mapped it.
     */
    FLATMK_OPERATION_PROTECT = 25,
    /**
     * Gives a task that was not started its capability table, address space and the stack at which each of its entries begins.
     */
    FLATMK_OPERATION_CONFIGURE = 26,
    /**
     * Makes an endpoint of the task: an entry address and a context word. It has those of the rights call, grant, manage and transfer that the
     * task capability has, and is derived from it. An entry with bit 63 is one of RISC-V code: that makes an endpoint of its own kind, which is used as
     * others are.
     */
    FLATMK_OPERATION_MAKE_ENDPOINT = 27,
    /**
     * Writes bytes to the console.
     */
    FLATMK_OPERATION_WRITE = 28,
    /**
     * Takes one byte that was typed at the console, if there is one.
     */
    FLATMK_OPERATION_READ = 29,
    /**
     * Switches the machine off. The argument is the result of the run as an emulator's host sees it.
     */
    FLATMK_OPERATION_POWER_OFF = 30,
    /**
     * Reads four registers of a task that is stopped, or waits for its fault handler.
     */
    FLATMK_OPERATION_READ_REGISTERS = 31,
    /**
     * Writes a register of a task that is stopped, or waits for its fault handler. Of `rflags` only the flags count that user mode may
     * change: carry, parity, adjust, zero, sign, trap, direction, overflow, alignment check and identification.
     * While a task runs RISC-V code its `rip` is the address of that.
     */
    FLATMK_OPERATION_WRITE_REGISTER = 32,
    /**
     * Takes all bits of a notification, without waiting.
     */
    FLATMK_OPERATION_POLL = 33,
    /**
     * Reads from an I/O port.
     */
    FLATMK_OPERATION_READ_PORT = 34,
    /**
     * Writes to an I/O port.
     */
    FLATMK_OPERATION_WRITE_PORT = 35,
    /**
     * Gives a task pages for its RISC-V registers and translated code, and the stack at which its RISC-V entries begin. The
     * pages are those of capabilities in a row, and must lie in a row: such are made from memory of which nothing was handed out
     * before. When one of them goes, or the task's address space, the task has none any more, and RISC-V code of it faults.
     */
    FLATMK_OPERATION_SET_SOFTUSER = 36,
    /**
     * Tells what device memory is. Of the screen's: its size, and how pixels lie in it. Of the other: where the firmware's tables begin.
     */
    FLATMK_OPERATION_DESCRIBE = 37,
    /**
     * Reads the clock: a time that never goes back and stands still for nobody.
     */
    FLATMK_OPERATION_READ_CLOCK = 38,
    /**
     * Tells what a task is doing.
     */
    FLATMK_OPERATION_INSPECT = 39,
    /**
     * Begins to trace, into a frame: from now on each event is written there, the latest in place of the oldest. Or ends it: then the events
     * can be read still. While it traces the kernel takes no fast path. The frame is the kernel's, too, until it is revoked.
     */
    FLATMK_OPERATION_SET_TRACE = 40,
    /**
     * Takes the oldest event that nobody has read. An event says how many were lost before it.
     */
    FLATMK_OPERATION_READ_TRACE = 41,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum flatmk_operation flatmk_operation;
#else
typedef uint8_t flatmk_operation;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why a system call failed. After an error nothing has changed.
 */
enum flatmk_error
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int64_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * There is no operation with this number, or it does not take one of the flags. The caller is to blame.
     */
    FLATMK_ERROR_UNKNOWN_OPERATION = -1,
    /**
     * The capability pointer names no slot, or an empty one. The caller is to blame.
     */
    FLATMK_ERROR_INVALID_CAPABILITY = -2,
    /**
     * The capability is of a kind that does not have this operation. The caller is to blame.
     */
    FLATMK_ERROR_WRONG_KIND = -3,
    /**
     * The capability lacks a right that the operation needs. The caller is to blame.
     */
    FLATMK_ERROR_MISSING_RIGHT = -4,
    /**
     * An argument is out of range. The caller is to blame.
     */
    FLATMK_ERROR_INVALID_ARGUMENT = -5,
    /**
     * The memory capability has too few free pages left. The caller may name another one.
     */
    FLATMK_ERROR_OUT_OF_MEMORY = -6,
    /**
     * The destination slot holds a capability. The caller may delete it or choose another slot.
     */
    FLATMK_ERROR_SLOT_OCCUPIED = -7,
    /**
     * The frame capability, or the address, is mapped. The caller may unmap it first.
     */
    FLATMK_ERROR_ALREADY_MAPPED = -8,
    /**
     * The frame capability is not mapped. The caller is to blame.
     */
    FLATMK_ERROR_NOT_MAPPED = -9,
    /**
     * The address is not aligned, not in user space, or not accessible to the caller. The caller is to blame.
     */
    FLATMK_ERROR_INVALID_ADDRESS = -10,
    /**
     * The callee serves another call and the caller asked not to wait. Nobody is to blame; try again.
     */
    FLATMK_ERROR_BUSY = -11,
    /**
     * The call would wait for a task that waits for the caller. The caller is to blame.
     */
    FLATMK_ERROR_WOULD_DEADLOCK = -12,
    /**
     * The callee, or what the caller waited for, was destroyed. Whoever destroyed it is to blame.
     */
    FLATMK_ERROR_CALLEE_GONE = -13,
    /**
     * The callee faulted before it returned. The callee is to blame.
     */
    FLATMK_ERROR_CALLEE_FAULTED = -14,
    /**
     * The task, or the memory, is not in the state that the operation needs. The caller is to blame.
     */
    FLATMK_ERROR_INVALID_STATE = -15,
    /**
     * The callee was stopped before it returned. Whoever stopped it is to blame.
     */
    FLATMK_ERROR_CALLEE_STOPPED = -16,
    /**
     * The caller was stopped while it waited, and resumed. Nobody is to blame; try again.
     */
    FLATMK_ERROR_INTERRUPTED = -17,
    /**
     * What was waited for did not come in time. Nobody is to blame.
     */
    FLATMK_ERROR_TIMED_OUT = -18,
    /**
     * Something else is bound there: a handler to the interrupt line, or a frame to the trace. The caller may remove it first.
     */
    FLATMK_ERROR_ALREADY_BOUND = -19,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum flatmk_error flatmk_error;
#else
typedef int64_t flatmk_error;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a capability refers to.
 */
enum flatmk_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing: the slot is empty.
     */
    FLATMK_KIND_EMPTY = 0,
    /**
     * A range of pages, from which objects are made.
     */
    FLATMK_KIND_MEMORY = 1,
    /**
     * A capability table: one page of 64 slots.
     */
    FLATMK_KIND_TABLE = 2,
    /**
     * An address space: the top-level page table of the lower half.
     */
    FLATMK_KIND_ADDRESS_SPACE = 3,
    /**
     * A page of memory that can be mapped.
     */
    FLATMK_KIND_FRAME = 4,
    /**
     * A task: registers, an address space and a capability table.
     */
    FLATMK_KIND_TASK = 5,
    /**
     * An entry into a task: code address and context word.
     */
    FLATMK_KIND_ENDPOINT = 6,
    /**
     * The right to return to one caller, once.
     */
    FLATMK_KIND_REPLY = 7,
    /**
     * The console of the kernel: serial line and screen.
     */
    FLATMK_KIND_CONSOLE = 8,
    /**
     * The machine's power switch.
     */
    FLATMK_KIND_POWER = 9,
    /**
     * 2 MiB of memory in a row that can be mapped.
     */
    FLATMK_KIND_LARGE_FRAME = 10,
    /**
     * A word of bits that tasks set and wait for.
     */
    FLATMK_KIND_NOTIFICATION = 11,
    /**
     * A page for a task's floating-point state.
     */
    FLATMK_KIND_FLOATING_POINT = 12,
    /**
     * Interrupt lines.
     */
    FLATMK_KIND_INTERRUPTS = 13,
    /**
     * A range of I/O ports.
     */
    FLATMK_KIND_PORTS = 14,
    /**
     * A page for a task's RISC-V registers and translated code.
     */
    FLATMK_KIND_SOFTUSER = 15,
    /**
     * An entry into a task whose code is for RISC-V. It is used as an endpoint is.
     */
    FLATMK_KIND_SOFTUSER_ENDPOINT = 16,
    /**
     * A range of physical pages that are not memory for programs: the screen's, or registers and tables of devices and firmware.
     */
    FLATMK_KIND_DEVICE_MEMORY = 17,
    /**
     * The kernel's trace: what it notes of what tasks do.
     */
    FLATMK_KIND_TRACE = 18,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum flatmk_kind flatmk_kind;
#else
typedef uint8_t flatmk_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What the holder of a capability may do with it; rights are combined by `|`.
 */
enum flatmk_right
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Read: map a frame readable, read from the console or a port, wait for a notification.
     */
    FLATMK_RIGHT_READ = 1,
    /**
     * Write: map a frame writable, write to the console or a port, signal a notification.
     */
    FLATMK_RIGHT_WRITE = 2,
    /**
     * Execute: map a frame executable.
     */
    FLATMK_RIGHT_EXECUTE = 4,
    /**
     * Copy, mint or move the capability to another slot.
     */
    FLATMK_RIGHT_GRANT = 8,
    /**
     * Call an endpoint.
     */
    FLATMK_RIGHT_CALL = 16,
    /**
     * Change the object itself: a table's slots, a space's mappings, a task's state.
     */
    FLATMK_RIGHT_MANAGE = 32,
    /**
     * Move capabilities along with a call of an endpoint.
     */
    FLATMK_RIGHT_TRANSFER = 64,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum flatmk_right flatmk_right;
#else
typedef uint8_t flatmk_right;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a page is mapped. There is no variant that is both writable and executable.
 */
enum flatmk_access
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Read only.
     */
    FLATMK_ACCESS_READ = 0,
    /**
     * Read and write, not executable.
     */
    FLATMK_ACCESS_READ_WRITE = 1,
    /**
     * Read and execute, not writable.
     */
    FLATMK_ACCESS_READ_EXECUTE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum flatmk_access flatmk_access;
#else
typedef uint8_t flatmk_access;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why a task has faulted: word 0 of the message to its handler.
 */
enum flatmk_fault_reason
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint64_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Division by zero, or a quotient that does not fit.
     */
    FLATMK_FAULT_REASON_DIVIDE = 0,
    /**
     * A single step, or a breakpoint of the debug registers.
     */
    FLATMK_FAULT_REASON_DEBUG = 1,
    /**
     * The instruction `int3`, with `rip` behind it; or RISC-V's `ebreak`, with `rip` at it.
     */
    FLATMK_FAULT_REASON_BREAKPOINT = 3,
    /**
     * The instruction `into`, which 64-bit programs cannot execute.
     */
    FLATMK_FAULT_REASON_OVERFLOW = 4,
    /**
     * The instruction `bound`, which 64-bit programs cannot execute.
     */
    FLATMK_FAULT_REASON_BOUND_RANGE = 5,
    /**
     * An instruction that does not exist, or not on this processor.
     */
    FLATMK_FAULT_REASON_INVALID_OPCODE = 6,
    /**
     * A floating-point instruction of a task that has no page for floating-point state.
     */
    FLATMK_FAULT_REASON_DEVICE_NOT_AVAILABLE = 7,
    /**
     * A task state segment that cannot be used.
     */
    FLATMK_FAULT_REASON_INVALID_TASK_STATE = 10,
    /**
     * A segment that is not there.
     */
    FLATMK_FAULT_REASON_SEGMENT_NOT_PRESENT = 11,
    /**
     * An address on the stack that is not canonical.
     */
    FLATMK_FAULT_REASON_STACK_SEGMENT = 12,
    /**
     * A privileged instruction, an address that is not canonical, and whatever else is forbidden.
     */
    FLATMK_FAULT_REASON_GENERAL_PROTECTION = 13,
    /**
     * An access to memory that is not mapped, or not for this use.
     */
    FLATMK_FAULT_REASON_PAGE = 14,
    /**
     * A floating-point error of the x87 instructions.
     */
    FLATMK_FAULT_REASON_FLOATING_POINT = 16,
    /**
     * An access to an address that is not aligned, where the program has asked for this check; or an atomic one of RISC-V code.
     */
    FLATMK_FAULT_REASON_ALIGNMENT = 17,
    /**
     * A floating-point error of the vector instructions.
     */
    FLATMK_FAULT_REASON_VECTOR_FLOATING_POINT = 19,
    /**
     * A violation that a hypervisor has asked for.
     */
    FLATMK_FAULT_REASON_VIRTUALIZATION = 20,
    /**
     * A return to an address that control-flow enforcement does not allow.
     */
    FLATMK_FAULT_REASON_CONTROL_PROTECTION = 21,
    /**
     * A system call has named no capability, and the task has asked for a fault then. Going on, it makes the call once more.
     */
    FLATMK_FAULT_REASON_MISSING_CAPABILITY = 256,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum flatmk_fault_reason flatmk_fault_reason;
#else
typedef uint64_t flatmk_fault_reason;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What becomes of a task that has faulted: word 0 of the handler's answer.
 */
enum flatmk_fault_answer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint64_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It goes on where it was: the instruction is tried again, except after `int3`.
     */
    FLATMK_FAULT_ANSWER_RESUME = 0,
    /**
     * It goes on at the address in word 1.
     */
    FLATMK_FAULT_ANSWER_RESUME_AT = 1,
    /**
     * It goes on where it was, for one instruction; then it faults with `FLATMK_FAULT_REASON_DEBUG`.
     */
    FLATMK_FAULT_ANSWER_STEP = 2,
    /**
     * It is stopped, as without a handler.
     */
    FLATMK_FAULT_ANSWER_STOP = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum flatmk_fault_answer flatmk_fault_answer;
#else
typedef uint64_t flatmk_fault_answer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What becomes of a system call that names no capability; a task's fault handler is set with it.
 */
enum flatmk_missing_capability
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint64_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It returns an error.
     */
    FLATMK_MISSING_CAPABILITY_IS_ERROR = 0,
    /**
     * The fault handler is called, with `FLATMK_FAULT_REASON_MISSING_CAPABILITY`.
     */
    FLATMK_MISSING_CAPABILITY_IS_FAULT = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum flatmk_missing_capability flatmk_missing_capability;
#else
typedef uint64_t flatmk_missing_capability;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a system call returns.
 */
struct flatmk_result {
    /**
     * 0, or a negative `flatmk_error`.
     */
    int64_t status;
    /**
     * The results; zero where the operation gives none.
     */
    uint64_t words[FLATMK_MESSAGE_WORDS];
};

#if !defined(__x86_64__) && !(defined(__riscv) && __riscv_xlen == 32)
#error "FlatMk runs on x86-64, and programs for RISC-V with 32 bits"
#endif

#ifdef __cplusplus
#define FLATMK_EXTERN_C extern "C"
#else
#define FLATMK_EXTERN_C
#endif

/**
 * A pointer to slot `inner` of the table in slot `outer`.
 */
static inline uint64_t flatmk_nested(uint64_t outer, uint64_t inner)
{
    return outer * FLATMK_SLOTS_PER_TABLE + inner;
}

#ifdef __x86_64__

/**
 * Defines `entry`, an address at which a task can be started, or called at an endpoint.
 *
 * The kernel comes with an argument, or the context of the endpoint, in `rdi`, and four words in `rdx r10 r8 r9`.
 * Here they become the arguments of the function `body`. It ends with `flatmk_return(FLATMK_REPLY, ...)`, from which
 * it does not come back; if it does, the task stops at an invalid instruction.
 */
#define FLATMK_ENTRY(entry, body)                                                                   \
    FLATMK_EXTERN_C void body(uint64_t context, uint64_t word0, uint64_t word1, uint64_t word2,     \
                              uint64_t word3);                                                      \
    FLATMK_EXTERN_C void entry(void);                                                               \
    __attribute__((naked)) void entry(void)                                                         \
    {                                                                                               \
        __asm__("mov %rdx, %rsi\n\t"                                                                \
                "mov %r10, %rdx\n\t"                                                                \
                "mov %r8, %rcx\n\t"                                                                 \
                "mov %r9, %r8\n\t"                                                                  \
                "call " #body "\n\t"                                                                \
                "ud2");                                                                             \
    }

/**
 * Makes a system call.
 *
 * @param capability a capability pointer
 * @param operation one of `flatmk_operation`, with flags added by `|`
 */
static inline struct flatmk_result flatmk_invoke(uint64_t capability, uint64_t operation, uint64_t argument0,
                                                 uint64_t argument1, uint64_t argument2, uint64_t argument3)
{
    struct flatmk_result result;
    /* The other registers have letters; these are bound by name. */
    register uint64_t r10 __asm__("r10") = argument1;
    register uint64_t r8 __asm__("r8") = argument2;
    register uint64_t r9 __asm__("r9") = argument3;
    __asm__ volatile("syscall"
                     : "=a"(result.status), "+D"(capability), "+S"(operation), "+d"(argument0), "+r"(r10), "+r"(r8),
                       "+r"(r9)
                     :
                     : "rcx", "r11", "cc", "memory");
    result.words[0] = argument0;
    result.words[1] = r10;
    result.words[2] = r8;
    result.words[3] = r9;
    return result;
}

/**
 * The address of an entry, as the kernel is told it.
 */
#define FLATMK_ENTRY_ADDRESS(entry) ((uint64_t)(uintptr_t)(entry))

#else

/**
 * Defines `entry`, an address at which a task can be started, or called at an endpoint.
 *
 * The kernel comes with an argument, or the context of the endpoint, in `a0 a1`, and four words in `a2 a3`, `a4 a5`,
 * `a6 a7` and `t3 t4`, of each the lower half first. They are the arguments of the function `body`, once the last one is
 * on the stack. It ends with `flatmk_return(FLATMK_REPLY, ...)`, from which it does not come back; if it does, the task
 * stops at an invalid instruction.
 */
#define FLATMK_ENTRY(entry, body)                                                                   \
    FLATMK_EXTERN_C void body(uint64_t context, uint64_t word0, uint64_t word1, uint64_t word2,     \
                              uint64_t word3);                                                      \
    FLATMK_EXTERN_C void entry(void);                                                               \
    __attribute__((naked)) void entry(void)                                                         \
    {                                                                                               \
        __asm__("addi sp, sp, -16\n\t"                                                              \
                "sw t3, 0(sp)\n\t"                                                                  \
                "sw t4, 4(sp)\n\t"                                                                  \
                "call " #body "\n\t"                                                                \
                "unimp");                                                                           \
    }

/**
 * Makes a system call.
 *
 * @param capability a capability pointer
 * @param operation one of `flatmk_operation`, with flags added by `|`
 */
static inline struct flatmk_result flatmk_invoke(uint64_t capability, uint64_t operation, uint64_t argument0,
                                                 uint64_t argument1, uint64_t argument2, uint64_t argument3)
{
    struct flatmk_result result = { FLATMK_ERROR_INVALID_CAPABILITY, { 0, 0, 0, 0 } };
    register uint32_t a0 __asm__("a0") = (uint32_t)capability;
    register uint32_t a1 __asm__("a1") = (uint32_t)operation;
    register uint32_t a2 __asm__("a2") = (uint32_t)argument0;
    register uint32_t a3 __asm__("a3") = (uint32_t)(argument0 >> 32);
    register uint32_t a4 __asm__("a4") = (uint32_t)argument1;
    register uint32_t a5 __asm__("a5") = (uint32_t)(argument1 >> 32);
    register uint32_t a6 __asm__("a6") = (uint32_t)argument2;
    register uint32_t a7 __asm__("a7") = (uint32_t)(argument2 >> 32);
    register uint32_t t3 __asm__("t3") = (uint32_t)argument3;
    register uint32_t t4 __asm__("t4") = (uint32_t)(argument3 >> 32);
    /* Without its upper half it would name another capability. */
    if (capability >> 32 != 0)
        return result;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6), "+r"(a7), "+r"(t3),
                       "+r"(t4)
                     :
                     : "memory");
    result.status = (int32_t)a0;
    result.words[0] = (uint64_t)a3 << 32 | a2;
    result.words[1] = (uint64_t)a5 << 32 | a4;
    result.words[2] = (uint64_t)a7 << 32 | a6;
    result.words[3] = (uint64_t)t4 << 32 | t3;
    return result;
}

/**
 * The address of an entry, as the kernel is told it.
 */
#define FLATMK_ENTRY_ADDRESS(entry) (FLATMK_SOFTUSER_ENTRY | (uintptr_t)(entry))

#endif

/**
 * Calls the endpoint: suspends the caller and continues in the callee at the endpoint's entry, with the
 * endpoint's context in `rdi` and the message in `rdx r10 r8 r9`. The answer of the callee comes back as
 * results. The flags `WINDOW` name slots 60 to 63 of the caller's table whose capabilities move to the same
 * slots of the callee's table; `rsi` tells either side what has come.
 *
 * @param endpoint a capability of kind `Endpoint` with the right `CALL`
 * @param message_word_0 message word 0
 * @param message_word_1 message word 1
 * @param message_word_2 message word 2
 * @param message_word_3 message word 3
 * @return `status`: 0, or one of these errors; `words[0]`: answer word 0; `words[1]`: answer word 1;
 *     `words[2]`: answer word 2; `words[3]`: answer word 3
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `endpoint` names no capability; a slot of the window
 *     that is named is empty
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `endpoint` is of another kind than `Endpoint`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `endpoint` lacks the right `CALL`; a slot of the
 *     window is named and the endpoint has no transfer right, or a capability in the window no grant right
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the slot of the callee's window is not empty
 * @retval FLATMK_ERROR_BUSY the callee serves another call, and the flag `NO_WAIT` is set or the chain of
 *     tasks that it waits for is longer than 1000
 * @retval FLATMK_ERROR_WOULD_DEADLOCK the callee waits, directly or through others, for the caller; or it is
 *     the caller itself, but for native code that enters RISC-V code, without flags
 * @retval FLATMK_ERROR_CALLEE_GONE the callee, or the capability to return to the caller, was destroyed
 *     before it returned
 * @retval FLATMK_ERROR_CALLEE_FAULTED the callee faulted before it returned, and nobody mended it
 * @retval FLATMK_ERROR_INVALID_STATE the callee was never configured and started, or has stopped; or memory
 *     would come into a table within its own pages
 * @retval FLATMK_ERROR_CALLEE_STOPPED the callee was stopped before it returned
 * @retval FLATMK_ERROR_INTERRUPTED the caller was stopped while it waited
 */
static inline struct flatmk_result flatmk_call(uint64_t endpoint, uint64_t message_word_0,
                                               uint64_t message_word_1, uint64_t message_word_2,
                                               uint64_t message_word_3)
{
    return flatmk_invoke(endpoint, FLATMK_OPERATION_CALL, message_word_0, message_word_1, message_word_2,
                         message_word_3);
}

/**
 * Returns to the caller in the reply slot, which is then empty, with an answer of four words. The task is
 * ready for the next call; it starts afresh at an endpoint's entry. Without a caller (at the end of a task's
 * own start, of the handling of an interrupt, or where the reply capability was moved away) it just becomes
 * ready for calls. The flags `WINDOW` move capabilities as in a call.
 *
 * @param capability the reply slot, pointer 0
 * @param answer_word_0 answer word 0
 * @param answer_word_1 answer word 1
 * @param answer_word_2 answer word 2
 * @param answer_word_3 answer word 3
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the capability pointer is not the reply slot, or a slot of the
 *     window that is named is empty
 * @retval FLATMK_ERROR_MISSING_RIGHT a capability in the window has no grant right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the caller has faulted, and word 0 is no answer to a fault
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the slot of the caller's window is not empty
 * @retval FLATMK_ERROR_INVALID_STATE a slot of the window is named, and there is no caller or RISC-V code
 *     returns to the native code of its own task; or memory would come into a table within its own pages
 */
static inline int64_t flatmk_return(uint64_t capability, uint64_t answer_word_0, uint64_t answer_word_1,
                                    uint64_t answer_word_2, uint64_t answer_word_3)
{
    return flatmk_invoke(capability, FLATMK_OPERATION_RETURN, answer_word_0, answer_word_1, answer_word_2,
                         answer_word_3).status;
}

/**
 * Lets the other ready tasks run, each once, before the caller goes on.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_STATE the capability names a task other than the caller
 */
static inline int64_t flatmk_yield(uint64_t task)
{
    return flatmk_invoke(task, FLATMK_OPERATION_YIELD, 0, 0, 0, 0).status;
}

/**
 * Empties a slot of the table. What was derived from the capability stays, in its place. Where the slot held
 * the last capability to an object, the object is destroyed and its page goes back to the memory it came
 * from; a frame that was mapped by the capability is unmapped. With a memory capability everything goes that
 * was made from it, and its pages go back to the memory it was split off.
 *
 * @param table a capability of kind `Table` with the right `MANAGE`
 * @param slot slot, 1 to 63
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `table` names no capability; the slot is empty
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `table` is of another kind than `Table`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `table` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the slot is not 1 to 63
 * @retval FLATMK_ERROR_INVALID_STATE the slot holds a memory capability that was not split off from another
 */
static inline int64_t flatmk_delete(uint64_t table, uint64_t slot)
{
    return flatmk_invoke(table, FLATMK_OPERATION_DELETE, slot, 0, 0, 0).status;
}

/**
 * Takes back everything that was derived from the capability in a slot of the table, wherever it is: copies
 * and mints, the endpoints of a task, the objects and splits of a memory capability, which then has all its
 * pages again.
 *
 * @param table a capability of kind `Table` with the right `MANAGE`
 * @param slot slot, 1 to 63
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `table` names no capability; the slot is empty
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `table` is of another kind than `Table`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `table` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the slot is not 1 to 63
 */
static inline int64_t flatmk_revoke(uint64_t table, uint64_t slot)
{
    return flatmk_invoke(table, FLATMK_OPERATION_REVOKE, slot, 0, 0, 0).status;
}

/**
 * Returns to the caller of a reply capability that was moved into a table, with an answer of four words. The
 * capability is used up; the invoker goes on, unless the caller is more urgent.
 *
 * @param reply a capability of kind `Reply`
 * @param answer_word_0 answer word 0
 * @param answer_word_1 answer word 1
 * @param answer_word_2 answer word 2
 * @param answer_word_3 answer word 3
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `reply` names no capability; a slot of the window
 *     that is named is empty, or holds the reply capability itself
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `reply` is of another kind than `Reply`
 * @retval FLATMK_ERROR_MISSING_RIGHT a capability in the window has no grant right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the caller has faulted, and word 0 is no answer to a fault
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the slot of the caller's window is not empty
 * @retval FLATMK_ERROR_INVALID_STATE memory would come into a table within its own pages
 */
static inline int64_t flatmk_reply(uint64_t reply, uint64_t answer_word_0, uint64_t answer_word_1,
                                   uint64_t answer_word_2, uint64_t answer_word_3)
{
    return flatmk_invoke(reply, FLATMK_OPERATION_REPLY, answer_word_0, answer_word_1, answer_word_2,
                         answer_word_3).status;
}

/**
 * Stops a task. Its caller and those who wait for it get `CalleeStopped`; what it waits for itself is given
 * up, and it gets `Interrupted` when it is resumed. Its registers can be read and written.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_STATE the task is stopped, or was never started
 */
static inline int64_t flatmk_stop(uint64_t task)
{
    return flatmk_invoke(task, FLATMK_OPERATION_STOP, 0, 0, 0, 0).status;
}

/**
 * Starts a configured task that is stopped: it becomes ready to run at the entry, with the argument in `rdi`,
 * on its stack. An entry with bit 63 is one of RISC-V code.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param entry_address entry address
 * @param argument argument
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ADDRESS the entry is not in user space; or it is one of RISC-V code, and odd
 *     or not below 4 GiB less a page
 * @retval FLATMK_ERROR_INVALID_STATE the task is not configured, is not stopped, or has lost its table or
 *     space; or the entry is one of RISC-V code, and it has no softuser state
 */
static inline int64_t flatmk_start(uint64_t task, uint64_t entry_address, uint64_t argument)
{
    return flatmk_invoke(task, FLATMK_OPERATION_START, entry_address, argument, 0, 0).status;
}

/**
 * Lets a task that is stopped go on with the registers that it has.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ADDRESS the task's `rip` is not in user space
 * @retval FLATMK_ERROR_INVALID_STATE the task is not configured, is not stopped, or has lost its table or
 *     space
 */
static inline int64_t flatmk_resume(uint64_t task)
{
    return flatmk_invoke(task, FLATMK_OPERATION_RESUME, 0, 0, 0, 0).status;
}

/**
 * Sets the priority of a task, at which it runs when it serves nobody. It serves its present caller at the
 * priority it has.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param priority priority, 0 to 63; 63 is the most urgent
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`; the priority is above
 *     the invoker's own
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the priority is above 63
 */
static inline int64_t flatmk_set_priority(uint64_t task, uint64_t priority)
{
    return flatmk_invoke(task, FLATMK_OPERATION_SET_PRIORITY, priority, 0, 0, 0).status;
}

/**
 * Sets bits of a notification. If a task waits for it, the first one takes them all and goes on.
 *
 * @param notification a capability of kind `Notification` with the right `WRITE`
 * @param bits_to_set bits to set
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `notification` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `notification` is of another kind than `Notification`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `notification` lacks the right `WRITE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT no bit is given
 */
static inline int64_t flatmk_signal(uint64_t notification, uint64_t bits_to_set)
{
    return flatmk_invoke(notification, FLATMK_OPERATION_SIGNAL, bits_to_set, 0, 0, 0).status;
}

/**
 * Takes all bits of a notification; waits until there is one.
 *
 * @param notification a capability of kind `Notification` with the right `READ`
 * @param timeout_ns timeout in nanoseconds; 2^64 - 1 for none
 * @return `status`: 0, or one of these errors; `words[0]`: the bits
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `notification` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `notification` is of another kind than `Notification`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `notification` lacks the right `READ`
 * @retval FLATMK_ERROR_CALLEE_GONE the notification was destroyed
 * @retval FLATMK_ERROR_INTERRUPTED the task was stopped while it waited
 * @retval FLATMK_ERROR_TIMED_OUT no bit was set in time
 */
static inline struct flatmk_result flatmk_wait(uint64_t notification, uint64_t timeout_ns)
{
    return flatmk_invoke(notification, FLATMK_OPERATION_WAIT, timeout_ns, 0, 0, 0);
}

/**
 * Lets the caller rest, for the given time or up to one tick of the timer (1 ms) longer.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param time_ns time in nanoseconds
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_STATE the capability names a task other than the caller
 * @retval FLATMK_ERROR_INTERRUPTED the task was stopped while it slept
 */
static inline int64_t flatmk_sleep(uint64_t task, uint64_t time_ns)
{
    return flatmk_invoke(task, FLATMK_OPERATION_SLEEP, time_ns, 0, 0, 0).status;
}

/**
 * Sets whom the kernel calls when the task faults: an endpoint, of which the task keeps a copy. Without one
 * the task is stopped.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param endpoint endpoint capability pointer; 0 for none
 * @param missing_capability missing capability: whether a system call that names none returns an error, 0, or
 *     is a fault, too, 1
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability; the endpoint pointer
 *     names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`; the endpoint
 *     pointer names something else
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`; the endpoint has no
 *     call right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the second argument is neither 0 nor 1, or is 1 without an endpoint
 */
static inline int64_t flatmk_set_fault_handler(uint64_t task, uint64_t endpoint, uint64_t missing_capability)
{
    return flatmk_invoke(task, FLATMK_OPERATION_SET_FAULT_HANDLER, endpoint, missing_capability, 0, 0).status;
}

/**
 * Gives a task that is stopped a page for its floating-point state, or takes it away. Without one a
 * floating-point instruction is a fault. A page serves one task.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param floating_point floating-point capability pointer; 0 for none
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability; the pointer names no
 *     capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`; the pointer names
 *     something else
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`; the page has no
 *     manage right
 * @retval FLATMK_ERROR_INVALID_STATE the task is not stopped, or the page serves another task
 */
static inline int64_t flatmk_set_floating_point(uint64_t task, uint64_t floating_point)
{
    return flatmk_invoke(task, FLATMK_OPERATION_SET_FLOATING_POINT, floating_point, 0, 0, 0).status;
}

/**
 * Binds an endpoint to an interrupt line: its task is called at each interrupt with the number of the line in
 * message word 0. Until it returns the line is masked.
 *
 * @param interrupts a capability of kind `Interrupts` with the right `MANAGE`
 * @param line line, 0 to 15
 * @param endpoint endpoint capability pointer; 0 for none
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `interrupts` names no capability; the endpoint
 *     pointer names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `interrupts` is of another kind than `Interrupts`; the
 *     endpoint pointer names something else
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `interrupts` lacks the right `MANAGE`; the endpoint
 *     has no call right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the line is not one of the capability's
 * @retval FLATMK_ERROR_ALREADY_BOUND the line is bound to an endpoint
 */
static inline int64_t flatmk_bind(uint64_t interrupts, uint64_t line, uint64_t endpoint)
{
    return flatmk_invoke(interrupts, FLATMK_OPERATION_BIND, line, endpoint, 0, 0).status;
}

/**
 * Tells what a capability is; changes nothing.
 *
 * @param capability a capability of any kind
 * @return `status`: 0, or one of these errors; `words[0]`: kind; `words[1]`: rights
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `capability` names no capability
 */
static inline struct flatmk_result flatmk_identify(uint64_t capability)
{
    return flatmk_invoke(capability, FLATMK_OPERATION_IDENTIFY, 0, 0, 0, 0);
}

/**
 * Copies a capability into an empty slot of the table, with fewer rights or the same.
 *
 * @param table a capability of kind `Table` with the right `MANAGE`
 * @param destination_slot destination slot, 1 to 63
 * @param source source capability pointer
 * @param rights_to_keep rights to keep
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `table` names no capability; the source pointer
 *     names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `table` is of another kind than `Table`; the source is a
 *     memory or reply capability: these are moved, never copied
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `table` lacks the right `MANAGE`; the source has no
 *     grant right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the destination slot is not 1 to 63, or the rights have unknown bits
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the destination slot holds a capability
 */
static inline int64_t flatmk_copy(uint64_t table, uint64_t destination_slot, uint64_t source,
                                  uint64_t rights_to_keep)
{
    return flatmk_invoke(table, FLATMK_OPERATION_COPY, destination_slot, source, rights_to_keep, 0).status;
}

/**
 * Copies an endpoint with a context word of one's own; or interrupt lines, ports or device memory, of which
 * the copy has some.
 *
 * @param table a capability of kind `Table` with the right `MANAGE`
 * @param destination_slot destination slot, 1 to 63
 * @param source source capability pointer
 * @param rights_to_keep rights to keep
 * @param context_word context word; for lines the bits of those to keep; for ports the first (bits 0 to 15)
 *     and the last (bits 16 to 31); for device memory the first page within the source's (bits 0 to 31) and
 *     the page count (bits 32 to 63)
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `table` names no capability; the source pointer
 *     names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `table` is of another kind than `Table`; the source is
 *     neither an endpoint, nor interrupt lines, ports or device memory
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `table` lacks the right `MANAGE`; the source has no
 *     grant or no manage right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the destination slot is not 1 to 63, the rights have unknown bits, or
 *     the source does not have all of the lines, ports or pages; or some of the pages are memory for programs
 *     or the kernel's own
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the destination slot holds a capability
 */
static inline int64_t flatmk_mint(uint64_t table, uint64_t destination_slot, uint64_t source,
                                  uint64_t rights_to_keep, uint64_t context_word)
{
    return flatmk_invoke(table, FLATMK_OPERATION_MINT, destination_slot, source, rights_to_keep,
                         context_word).status;
}

/**
 * Moves a capability into an empty slot of the table; the source slot is empty afterwards. The capability
 * keeps its place in the tree of derivation and, for a frame, its mapping.
 *
 * @param table a capability of kind `Table` with the right `MANAGE`
 * @param destination_slot destination slot, 1 to 63
 * @param source source capability pointer
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `table` names no capability; the source pointer
 *     names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `table` is of another kind than `Table`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `table` lacks the right `MANAGE`; the source has no
 *     grant right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the destination slot is not 1 to 63
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the destination slot holds a capability
 * @retval FLATMK_ERROR_INVALID_STATE a memory capability would come into a table that lies within its own
 *     pages
 */
static inline int64_t flatmk_move(uint64_t table, uint64_t destination_slot, uint64_t source)
{
    return flatmk_invoke(table, FLATMK_OPERATION_MOVE, destination_slot, source, 0, 0).status;
}

/**
 * Turns free pages into objects and puts their capabilities into consecutive slots of a table.
 *
 * @param memory a capability of kind `Memory` with the right `MANAGE`
 * @param kind kind: 2 table, 3 address space, 4 frame, 5 task, 10 large frame, 11 notification, 12
 *     floating-point state, 15 softuser state
 * @param count count, 1 to 63
 * @param destination_table destination table
 * @param first_destination_slot first destination slot, 1 to 63
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `memory` names no capability; the destination table
 *     pointer names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `memory` is of another kind than `Memory`; the
 *     destination is not a table
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `memory` lacks the right `MANAGE`; the destination
 *     table has no manage right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the kind cannot be made, the count is 0, or the slots are not within
 *     1 to 63
 * @retval FLATMK_ERROR_OUT_OF_MEMORY fewer free pages than asked for; for large frames, fewer aligned ones
 *     that were never handed out
 * @retval FLATMK_ERROR_SLOT_OCCUPIED one of the destination slots holds a capability
 */
static inline int64_t flatmk_make(uint64_t memory, uint64_t kind, uint64_t count, uint64_t destination_table,
                                  uint64_t first_destination_slot)
{
    return flatmk_invoke(memory, FLATMK_OPERATION_MAKE, kind, count, destination_table,
                         first_destination_slot).status;
}

/**
 * Splits pages that were never handed out off a memory capability: a memory capability to them is put into a
 * slot of a table.
 *
 * @param memory a capability of kind `Memory` with the right `MANAGE`
 * @param page_count page count
 * @param destination_table destination table
 * @param destination_slot destination slot, 1 to 63
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `memory` names no capability; the destination table
 *     pointer names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `memory` is of another kind than `Memory`; the
 *     destination is not a table
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `memory` lacks the right `MANAGE`; the destination
 *     table has no manage right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the count is 0 or not below 2^32, or the destination slot is not 1 to
 *     63
 * @retval FLATMK_ERROR_OUT_OF_MEMORY fewer pages are left that were never handed out; the first page always
 *     stays
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the destination slot holds a capability
 * @retval FLATMK_ERROR_INVALID_STATE the memory was split off 32 times in a row
 */
static inline int64_t flatmk_split(uint64_t memory, uint64_t page_count, uint64_t destination_table,
                                   uint64_t destination_slot)
{
    return flatmk_invoke(memory, FLATMK_OPERATION_SPLIT, page_count, destination_table, destination_slot,
                         0).status;
}

/**
 * Tells how many pages of a memory capability are free, and how many it has.
 *
 * @param memory a capability of kind `Memory`
 * @return `status`: 0, or one of these errors; `words[0]`: free pages; `words[1]`: pages
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `memory` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `memory` is of another kind than `Memory`
 */
static inline struct flatmk_result flatmk_measure(uint64_t memory)
{
    return flatmk_invoke(memory, FLATMK_OPERATION_MEASURE, 0, 0, 0, 0);
}

/**
 * Maps a frame, a large frame, or all of a range of device memory. Page tables that are missing on the way
 * come from the memory that the space was made from. Device memory is never executable; it takes large pages
 * where both its address and the given one allow that.
 *
 * @param address_space a capability of kind `AddressSpace` with the right `MANAGE`
 * @param frame frame capability pointer
 * @param address address
 * @param access access: 0 read, 1 read and write, 2 read and execute
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `address_space` names no capability; the frame
 *     pointer names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `address_space` is of another kind than `AddressSpace`;
 *     the frame pointer names something else
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `address_space` lacks the right `MANAGE`; the frame
 *     lacks a right that the access needs
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the access is unknown; or the device memory is more than 1 GiB, or
 *     has pages that are memory for programs or the kernel's own, or would be executable
 * @retval FLATMK_ERROR_OUT_OF_MEMORY the memory that the space was made from has too few pages for the page
 *     tables
 * @retval FLATMK_ERROR_ALREADY_MAPPED this frame capability is mapped, or another frame is mapped within the
 *     range
 * @retval FLATMK_ERROR_INVALID_ADDRESS the address is not a multiple of the frame's size, or not in user
 *     space; or the frame would cover the last page below 4 GiB, which stays empty
 */
static inline int64_t flatmk_map(uint64_t address_space, uint64_t frame, uint64_t address, uint64_t access)
{
    return flatmk_invoke(address_space, FLATMK_OPERATION_MAP, frame, address, access, 0).status;
}

/**
 * Undoes the mapping of a frame capability. Page tables stay with the space, until a large frame takes the
 * place of an empty one.
 *
 * @param capability a capability of kind `Frame` or `LargeFrame` or `DeviceMemory`
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `capability` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `capability` is of another kind than `Frame` or
 *     `LargeFrame` or `DeviceMemory`
 * @retval FLATMK_ERROR_NOT_MAPPED the frame capability is not mapped
 */
static inline int64_t flatmk_unmap(uint64_t capability)
{
    return flatmk_invoke(capability, FLATMK_OPERATION_UNMAP, 0, 0, 0, 0).status;
}

/**
 * Changes how the frame may be used where this capability has mapped it.
 *
 * @param capability a capability of kind `Frame` or `LargeFrame` or `DeviceMemory`
 * @param access access: 0 read, 1 read and write, 2 read and execute
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `capability` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `capability` is of another kind than `Frame` or
 *     `LargeFrame` or `DeviceMemory`
 * @retval FLATMK_ERROR_MISSING_RIGHT the frame lacks a right that the access needs
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the access is unknown, or device memory would be executable
 * @retval FLATMK_ERROR_NOT_MAPPED the frame capability is not mapped
 */
static inline int64_t flatmk_protect(uint64_t capability, uint64_t access)
{
    return flatmk_invoke(capability, FLATMK_OPERATION_PROTECT, access, 0, 0, 0).status;
}

/**
 * Gives a task that was not started its capability table, address space and the stack at which each of its
 * entries begins.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param table table capability pointer
 * @param address_space address space capability pointer
 * @param stack_address stack address
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability; the pointer to the table
 *     or to the space names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`; the one is not a
 *     table, or the other not an address space
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`; the table or the
 *     space has no manage right
 * @retval FLATMK_ERROR_INVALID_ADDRESS the stack is not in user space, or not a multiple of 16
 * @retval FLATMK_ERROR_INVALID_STATE the task was configured before, or has lost its table or space since
 */
static inline int64_t flatmk_configure(uint64_t task, uint64_t table, uint64_t address_space,
                                       uint64_t stack_address)
{
    return flatmk_invoke(task, FLATMK_OPERATION_CONFIGURE, table, address_space, stack_address, 0).status;
}

/**
 * Makes an endpoint of the task: an entry address and a context word. It has those of the rights call, grant,
 * manage and transfer that the task capability has, and is derived from it. An entry with bit 63 is one of
 * RISC-V code: that makes an endpoint of its own kind, which is used as others are.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param entry_address entry address
 * @param context_word context word
 * @param destination_table destination table
 * @param destination_slot destination slot, 1 to 63
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability; the destination table
 *     pointer names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`; the destination is
 *     not a table
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`; the destination table
 *     has no manage right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the destination slot is not 1 to 63
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the destination slot holds a capability
 * @retval FLATMK_ERROR_INVALID_ADDRESS the entry is not in user space; or it is one of RISC-V code, and odd
 *     or not below 4 GiB less a page
 */
static inline int64_t flatmk_make_endpoint(uint64_t task, uint64_t entry_address, uint64_t context_word,
                                           uint64_t destination_table, uint64_t destination_slot)
{
    return flatmk_invoke(task, FLATMK_OPERATION_MAKE_ENDPOINT, entry_address, context_word, destination_table,
                         destination_slot).status;
}

/**
 * Writes bytes to the console.
 *
 * @param console a capability of kind `Console` with the right `WRITE`
 * @param address_of_the_bytes address of the bytes
 * @param length_bytes length in bytes, at most 256
 * @return `status`: 0, or one of these errors; `words[0]`: bytes written
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `console` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `console` is of another kind than `Console`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `console` lacks the right `WRITE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT more than 256 bytes
 * @retval FLATMK_ERROR_INVALID_ADDRESS part of the range is not mapped for the caller
 */
static inline struct flatmk_result flatmk_write(uint64_t console, uint64_t address_of_the_bytes,
                                                uint64_t length_bytes)
{
    return flatmk_invoke(console, FLATMK_OPERATION_WRITE, address_of_the_bytes, length_bytes, 0, 0);
}

/**
 * Takes one byte that was typed at the console, if there is one.
 *
 * @param console a capability of kind `Console` with the right `READ`
 * @return `status`: 0, or one of these errors; `words[0]`: count: 1 if there was a byte, else 0; `words[1]`:
 *     the byte
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `console` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `console` is of another kind than `Console`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `console` lacks the right `READ`
 */
static inline struct flatmk_result flatmk_read(uint64_t console)
{
    return flatmk_invoke(console, FLATMK_OPERATION_READ, 0, 0, 0, 0);
}

/**
 * Switches the machine off. The argument is the result of the run as an emulator's host sees it.
 *
 * @param power a capability of kind `Power` with the right `MANAGE`
 * @param result result: 0 for success, 1 for failure
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `power` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `power` is of another kind than `Power`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `power` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the result is neither 0 nor 1
 */
static inline int64_t flatmk_power_off(uint64_t power, uint64_t result)
{
    return flatmk_invoke(power, FLATMK_OPERATION_POWER_OFF, result, 0, 0, 0).status;
}

/**
 * Reads four registers of a task that is stopped, or waits for its fault handler.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param first_register first register: 0 rax, 1 rbx, 2 rcx, 3 rdx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8 to 15 r8 to
 *     r15, 16 rip, 17 rflags; of a task with softuser state also 32 to 63 x0 to x31
 * @return `status`: 0, or one of these errors; `words[0]`: the first; `words[1]`: the second; `words[2]`: the
 *     third; `words[3]`: the fourth; registers that are not there read 0
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the task has no register with the number of the first
 * @retval FLATMK_ERROR_INVALID_STATE the task is neither stopped nor waits for its fault handler
 */
static inline struct flatmk_result flatmk_read_registers(uint64_t task, uint64_t first_register)
{
    return flatmk_invoke(task, FLATMK_OPERATION_READ_REGISTERS, first_register, 0, 0, 0);
}

/**
 * Writes a register of a task that is stopped, or waits for its fault handler. Of `rflags` only the flags
 * count that user mode may change: carry, parity, adjust, zero, sign, trap, direction, overflow, alignment
 * check and identification. While a task runs RISC-V code its `rip` is the address of that.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param register_number register number, see `ReadRegisters`
 * @param value value
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the task has no register with this number, or the value has more than
 *     32 bits and the register is one of RISC-V
 * @retval FLATMK_ERROR_INVALID_ADDRESS the register is rip, and the value is not in user space, or the task
 *     runs RISC-V code and it is odd or not below 4 GiB less a page
 * @retval FLATMK_ERROR_INVALID_STATE the task is neither stopped nor waits for its fault handler
 */
static inline int64_t flatmk_write_register(uint64_t task, uint64_t register_number, uint64_t value)
{
    return flatmk_invoke(task, FLATMK_OPERATION_WRITE_REGISTER, register_number, value, 0, 0).status;
}

/**
 * Takes all bits of a notification, without waiting.
 *
 * @param notification a capability of kind `Notification` with the right `READ`
 * @return `status`: 0, or one of these errors; `words[0]`: the bits; 0 for none
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `notification` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `notification` is of another kind than `Notification`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `notification` lacks the right `READ`
 */
static inline struct flatmk_result flatmk_poll(uint64_t notification)
{
    return flatmk_invoke(notification, FLATMK_OPERATION_POLL, 0, 0, 0, 0);
}

/**
 * Reads from an I/O port.
 *
 * @param ports a capability of kind `Ports` with the right `READ`
 * @param port port
 * @param width_bytes width in bytes: 1, 2 or 4
 * @return `status`: 0, or one of these errors; `words[0]`: value
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `ports` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `ports` is of another kind than `Ports`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `ports` lacks the right `READ`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the width is unknown, or part of the access is outside of the
 *     capability's ports
 */
static inline struct flatmk_result flatmk_read_port(uint64_t ports, uint64_t port, uint64_t width_bytes)
{
    return flatmk_invoke(ports, FLATMK_OPERATION_READ_PORT, port, width_bytes, 0, 0);
}

/**
 * Writes to an I/O port.
 *
 * @param ports a capability of kind `Ports` with the right `WRITE`
 * @param port port
 * @param width_bytes width in bytes: 1, 2 or 4
 * @param value value
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `ports` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `ports` is of another kind than `Ports`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `ports` lacks the right `WRITE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the width is unknown, the value does not fit, or part of the access
 *     is outside of the capability's ports
 */
static inline int64_t flatmk_write_port(uint64_t ports, uint64_t port, uint64_t width_bytes, uint64_t value)
{
    return flatmk_invoke(ports, FLATMK_OPERATION_WRITE_PORT, port, width_bytes, value, 0).status;
}

/**
 * Gives a task pages for its RISC-V registers and translated code, and the stack at which its RISC-V entries
 * begin. The pages are those of capabilities in a row, and must lie in a row: such are made from memory of
 * which nothing was handed out before. When one of them goes, or the task's address space, the task has none
 * any more, and RISC-V code of it faults.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param capability_pointer_of_the_first_page capability pointer of the first page
 * @param count count, 2 to 32
 * @param stack_address stack address
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability; one of the pointers
 *     names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`; one of the
 *     pointers names something else
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`; one of the pages has
 *     no manage right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the count is not 2 to 32, or the pages do not lie in a row
 * @retval FLATMK_ERROR_INVALID_ADDRESS the stack is not in user space, above 4 GiB less a page, or not a
 *     multiple of 16
 * @retval FLATMK_ERROR_INVALID_STATE the task is not configured, it runs RISC-V code, it has or had pages and
 *     some of them are still there, or one of these serves a task
 */
static inline int64_t flatmk_set_softuser(uint64_t task, uint64_t capability_pointer_of_the_first_page,
                                          uint64_t count, uint64_t stack_address)
{
    return flatmk_invoke(task, FLATMK_OPERATION_SET_SOFTUSER, capability_pointer_of_the_first_page, count,
                         stack_address, 0).status;
}

/**
 * Tells what device memory is. Of the screen's: its size, and how pixels lie in it. Of the other: where the
 * firmware's tables begin.
 *
 * @param device_memory a capability of kind `DeviceMemory`
 * @return `status`: 0, or one of these errors; `words[0]`: of the screen: size in bytes; else the physical
 *     address of the ACPI RSDP, 0 for none; `words[1]`: width (bits 0 to 31) and height (bits 32 to 63) in
 *     pixels; `words[2]`: pixels from line to line (bits 0 to 31) and bytes a pixel (bits 32 to 63);
 *     `words[3]`: order of a pixel's bytes: 0 red green blue, 1 blue green red, 2 one byte of gray, 3 other:
 *     the first bits of red (bits 8 to 15), green (16 to 23) and blue (24 to 31)
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `device_memory` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `device_memory` is of another kind than `DeviceMemory`
 */
static inline struct flatmk_result flatmk_describe(uint64_t device_memory)
{
    return flatmk_invoke(device_memory, FLATMK_OPERATION_DESCRIBE, 0, 0, 0, 0);
}

/**
 * Reads the clock: a time that never goes back and stands still for nobody.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @return `status`: 0, or one of these errors; `words[0]`: nanoseconds: since the kernel began to count;
 *     `words[1]`: frequency: how far the time stamp counter counts in a second; 0 where that is not known;
 *     `words[2]`: ticks: of the timer, since then
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_STATE the capability names a task other than the caller
 */
static inline struct flatmk_result flatmk_read_clock(uint64_t task)
{
    return flatmk_invoke(task, FLATMK_OPERATION_READ_CLOCK, 0, 0, 0, 0);
}

/**
 * Tells what a task is doing.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @return `status`: 0, or one of these errors; `words[0]`: 0 stopped, 1 ready, 2 running, 3 ready for calls,
 *     4 in a call, 5 waiting for its turn with a callee, 6 waiting for its fault handler, 7 waiting for a
 *     notification, 8 resting; `words[1]`: its own priority (bits 0 to 7), and the one at which it runs (bits
 *     8 to 15); `words[2]`: a number for the task, different from those of all other objects; `words[3]`:
 *     such a number for the task or notification that it waits for; 0 for none
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 */
static inline struct flatmk_result flatmk_inspect(uint64_t task)
{
    return flatmk_invoke(task, FLATMK_OPERATION_INSPECT, 0, 0, 0, 0);
}

/**
 * Begins to trace, into a frame: from now on each event is written there, the latest in place of the oldest.
 * Or ends it: then the events can be read still. While it traces the kernel takes no fast path. The frame is
 * the kernel's, too, until it is revoked.
 *
 * @param trace a capability of kind `Trace` with the right `MANAGE`
 * @param frame frame capability pointer; 0 to end
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `trace` names no capability; the frame pointer names
 *     no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `trace` is of another kind than `Trace`; the frame
 *     pointer names something else
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `trace` lacks the right `MANAGE`; the frame has no
 *     read or no write right
 * @retval FLATMK_ERROR_ALREADY_BOUND the kernel has another frame for its trace, and that is there still
 */
static inline int64_t flatmk_set_trace(uint64_t trace, uint64_t frame)
{
    return flatmk_invoke(trace, FLATMK_OPERATION_SET_TRACE, frame, 0, 0, 0).status;
}

/**
 * Takes the oldest event that nobody has read. An event says how many were lost before it.
 *
 * @param trace a capability of kind `Trace` with the right `READ`
 * @return `status`: 0, or one of these errors; `words[0]`: time stamp; `words[1]`: kind of event (bits 0 to
 *     7), 0 where there is none; detail (bits 8 to 31); number of the task (bits 32 to 63); `words[2]`: first
 *     word; `words[3]`: second word
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `trace` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `trace` is of another kind than `Trace`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `trace` lacks the right `READ`
 */
static inline struct flatmk_result flatmk_read_trace(uint64_t trace)
{
    return flatmk_invoke(trace, FLATMK_OPERATION_READ_TRACE, 0, 0, 0, 0);
}

#endif /* FLATMK_H */
