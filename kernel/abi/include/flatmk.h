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
 * The first of the memory capabilities of the root task; how many follow is told at its entry.
 */
#define FLATMK_MEMORY 8

/**
 * All rights: a copy has those of its source.
 */
#define FLATMK_RIGHTS_ALL 63

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
     * context in `rdi` and the message in `rdx r10 r8 r9`. The answer of the callee comes back as results.
     */
    FLATMK_OPERATION_CALL = 0,
    /**
     * Returns to the caller in the reply slot, which is then empty, with an answer of four words. The task is ready for the
     * next call; it starts afresh at an endpoint's entry. Without a caller (at the end of a task's own start) it just becomes ready for calls.
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
     * Tells what a capability is; changes nothing.
     */
    FLATMK_OPERATION_IDENTIFY = 16,
    /**
     * Copies a capability into an empty slot of the table, with fewer rights or the same.
     */
    FLATMK_OPERATION_COPY = 17,
    /**
     * Copies an endpoint with a context word of one's own.
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
     * Maps a frame, or a large frame. Page tables that are missing on the way come from the memory that the space was made from.
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
     * Starts a configured task: it becomes ready to run at the entry, with the argument in `rdi`.
     */
    FLATMK_OPERATION_START = 27,
    /**
     * Makes an endpoint of the task: an entry address and a context word. It has those of the rights call, grant and manage that the
     * task capability has, and is derived from it.
     */
    FLATMK_OPERATION_MAKE_ENDPOINT = 28,
    /**
     * Writes bytes to the console.
     */
    FLATMK_OPERATION_WRITE = 29,
    /**
     * Takes one byte that was typed at the console, if there is one.
     */
    FLATMK_OPERATION_READ = 30,
    /**
     * Switches the machine off. The argument is the result of the run as an emulator's host sees it.
     */
    FLATMK_OPERATION_POWER_OFF = 31,
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
     * There is no operation with this number. The caller is to blame.
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
     * The callee was destroyed before it returned. The callee is to blame.
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
     * Read: map a frame readable, read from the console.
     */
    FLATMK_RIGHT_READ = 1,
    /**
     * Write: map a frame writable, write to the console.
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

#ifndef __x86_64__
#error "FlatMk runs on x86-64"
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
 * Calls the endpoint: suspends the caller and continues in the callee at the endpoint's entry, with the
 * endpoint's context in `rdi` and the message in `rdx r10 r8 r9`. The answer of the callee comes back as
 * results.
 *
 * @param endpoint a capability of kind `Endpoint` with the right `CALL`
 * @param message_word_0 message word 0
 * @param message_word_1 message word 1
 * @param message_word_2 message word 2
 * @param message_word_3 message word 3
 * @return `status`: 0, or one of these errors; `words[0]`: answer word 0; `words[1]`: answer word 1;
 *     `words[2]`: answer word 2; `words[3]`: answer word 3
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `endpoint` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `endpoint` is of another kind than `Endpoint`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `endpoint` lacks the right `CALL`
 * @retval FLATMK_ERROR_BUSY the callee serves another call, and the flag `NO_WAIT` is set
 * @retval FLATMK_ERROR_WOULD_DEADLOCK the callee waits, directly or through others, for the caller
 * @retval FLATMK_ERROR_CALLEE_GONE the callee was destroyed before it returned
 * @retval FLATMK_ERROR_CALLEE_FAULTED the callee faulted before it returned
 * @retval FLATMK_ERROR_INVALID_STATE the callee was never configured and started, or has stopped
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
 * own start) it just becomes ready for calls.
 *
 * @param capability the reply slot, pointer 0
 * @param answer_word_0 answer word 0
 * @param answer_word_1 answer word 1
 * @param answer_word_2 answer word 2
 * @param answer_word_3 answer word 3
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the capability pointer is not the reply slot
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
 * @param slot slot
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
 * @param slot slot
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
 * @param destination_slot destination slot
 * @param source_capability_pointer source capability pointer
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
static inline int64_t flatmk_copy(uint64_t table, uint64_t destination_slot,
                                  uint64_t source_capability_pointer, uint64_t rights_to_keep)
{
    return flatmk_invoke(table, FLATMK_OPERATION_COPY, destination_slot, source_capability_pointer,
                         rights_to_keep, 0).status;
}

/**
 * Copies an endpoint with a context word of one's own.
 *
 * @param table a capability of kind `Table` with the right `MANAGE`
 * @param destination_slot destination slot
 * @param source_capability_pointer source capability pointer
 * @param rights_to_keep rights to keep
 * @param context_word context word
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `table` names no capability; the source pointer
 *     names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `table` is of another kind than `Table`; the source is
 *     not an endpoint
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `table` lacks the right `MANAGE`; the source has no
 *     grant or no manage right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the destination slot is not 1 to 63, or the rights have unknown bits
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the destination slot holds a capability
 */
static inline int64_t flatmk_mint(uint64_t table, uint64_t destination_slot,
                                  uint64_t source_capability_pointer, uint64_t rights_to_keep,
                                  uint64_t context_word)
{
    return flatmk_invoke(table, FLATMK_OPERATION_MINT, destination_slot, source_capability_pointer,
                         rights_to_keep, context_word).status;
}

/**
 * Moves a capability into an empty slot of the table; the source slot is empty afterwards. The capability
 * keeps its place in the tree of derivation and, for a frame, its mapping.
 *
 * @param table a capability of kind `Table` with the right `MANAGE`
 * @param destination_slot destination slot
 * @param source_capability_pointer source capability pointer
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
static inline int64_t flatmk_move(uint64_t table, uint64_t destination_slot,
                                  uint64_t source_capability_pointer)
{
    return flatmk_invoke(table, FLATMK_OPERATION_MOVE, destination_slot, source_capability_pointer, 0,
                         0).status;
}

/**
 * Turns free pages into objects and puts their capabilities into consecutive slots of a table.
 *
 * @param memory a capability of kind `Memory` with the right `MANAGE`
 * @param kind kind: 2 table, 3 address space, 4 frame, 5 task, 10 large frame
 * @param count count, 1 to 63
 * @param destination_table destination table
 * @param first_destination_slot first destination slot
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
 * @param how_many_pages how many pages
 * @param destination_table destination table
 * @param destination_slot destination slot
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
static inline int64_t flatmk_split(uint64_t memory, uint64_t how_many_pages, uint64_t destination_table,
                                   uint64_t destination_slot)
{
    return flatmk_invoke(memory, FLATMK_OPERATION_SPLIT, how_many_pages, destination_table, destination_slot,
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
 * Maps a frame, or a large frame. Page tables that are missing on the way come from the memory that the space
 * was made from.
 *
 * @param address_space a capability of kind `AddressSpace` with the right `MANAGE`
 * @param frame_capability_pointer frame capability pointer
 * @param address address
 * @param access access: 0 read, 1 read and write, 2 read and execute
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `address_space` names no capability; the frame
 *     pointer names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `address_space` is of another kind than `AddressSpace`;
 *     the frame pointer names something else
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `address_space` lacks the right `MANAGE`; the frame
 *     lacks a right that the access needs
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the access is unknown
 * @retval FLATMK_ERROR_OUT_OF_MEMORY the memory that the space was made from has too few pages for the page
 *     tables
 * @retval FLATMK_ERROR_ALREADY_MAPPED this frame capability is mapped, or another frame is mapped within the
 *     range
 * @retval FLATMK_ERROR_INVALID_ADDRESS the address is not a multiple of the frame's size, or not in user
 *     space
 */
static inline int64_t flatmk_map(uint64_t address_space, uint64_t frame_capability_pointer, uint64_t address,
                                 uint64_t access)
{
    return flatmk_invoke(address_space, FLATMK_OPERATION_MAP, frame_capability_pointer, address, access,
                         0).status;
}

/**
 * Undoes the mapping of a frame capability. Page tables stay with the space, until a large frame takes the
 * place of an empty one.
 *
 * @param capability a capability of kind `Frame` or `LargeFrame`
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `capability` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `capability` is of another kind than `Frame` or
 *     `LargeFrame`
 * @retval FLATMK_ERROR_NOT_MAPPED the frame capability is not mapped
 */
static inline int64_t flatmk_unmap(uint64_t capability)
{
    return flatmk_invoke(capability, FLATMK_OPERATION_UNMAP, 0, 0, 0, 0).status;
}

/**
 * Changes how the frame may be used where this capability has mapped it.
 *
 * @param capability a capability of kind `Frame` or `LargeFrame`
 * @param access access: 0 read, 1 read and write, 2 read and execute
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `capability` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `capability` is of another kind than `Frame` or
 *     `LargeFrame`
 * @retval FLATMK_ERROR_MISSING_RIGHT the frame lacks a right that the access needs
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the access is unknown
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
 * @param table_capability_pointer table capability pointer
 * @param address_space_capability_pointer address space capability pointer
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
static inline int64_t flatmk_configure(uint64_t task, uint64_t table_capability_pointer,
                                       uint64_t address_space_capability_pointer, uint64_t stack_address)
{
    return flatmk_invoke(task, FLATMK_OPERATION_CONFIGURE, table_capability_pointer,
                         address_space_capability_pointer, stack_address, 0).status;
}

/**
 * Starts a configured task: it becomes ready to run at the entry, with the argument in `rdi`.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param entry_address entry address
 * @param argument argument
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ADDRESS the entry is not in user space
 * @retval FLATMK_ERROR_INVALID_STATE the task is not configured, was started before, or has lost its table or
 *     space
 */
static inline int64_t flatmk_start(uint64_t task, uint64_t entry_address, uint64_t argument)
{
    return flatmk_invoke(task, FLATMK_OPERATION_START, entry_address, argument, 0, 0).status;
}

/**
 * Makes an endpoint of the task: an entry address and a context word. It has those of the rights call, grant
 * and manage that the task capability has, and is derived from it.
 *
 * @param task a capability of kind `Task` with the right `MANAGE`
 * @param entry_address entry address
 * @param context_word context word
 * @param destination_table destination table
 * @param destination_slot destination slot
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `task` names no capability; the destination table
 *     pointer names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `task` is of another kind than `Task`; the destination is
 *     not a table
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `task` lacks the right `MANAGE`; the destination table
 *     has no manage right
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the destination slot is not 1 to 63
 * @retval FLATMK_ERROR_SLOT_OCCUPIED the destination slot holds a capability
 * @retval FLATMK_ERROR_INVALID_ADDRESS the entry is not in user space
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
 * @param how_many how many, at most 256
 * @return `status`: 0, or one of these errors; `words[0]`: bytes written
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `console` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `console` is of another kind than `Console`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `console` lacks the right `WRITE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT more than 256 bytes
 * @retval FLATMK_ERROR_INVALID_ADDRESS part of the range is not mapped for the caller
 */
static inline struct flatmk_result flatmk_write(uint64_t console, uint64_t address_of_the_bytes,
                                                uint64_t how_many)
{
    return flatmk_invoke(console, FLATMK_OPERATION_WRITE, address_of_the_bytes, how_many, 0, 0);
}

/**
 * Takes one byte that was typed at the console, if there is one.
 *
 * @param console a capability of kind `Console` with the right `READ`
 * @return `status`: 0, or one of these errors; `words[0]`: 1 if there was a byte, else 0; `words[1]`: the
 *     byte
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
 * @param argument0 0 for success, 1 for failure
 * @return 0, or one of these errors
 * @retval FLATMK_ERROR_INVALID_CAPABILITY the pointer in `power` names no capability
 * @retval FLATMK_ERROR_WRONG_KIND the capability in `power` is of another kind than `Power`
 * @retval FLATMK_ERROR_MISSING_RIGHT the capability in `power` lacks the right `MANAGE`
 * @retval FLATMK_ERROR_INVALID_ARGUMENT the result is neither 0 nor 1
 */
static inline int64_t flatmk_power_off(uint64_t power, uint64_t argument0)
{
    return flatmk_invoke(power, FLATMK_OPERATION_POWER_OFF, argument0, 0, 0, 0).status;
}

#endif /* FLATMK_H */
