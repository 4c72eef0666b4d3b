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

// ANCHOR: entry
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
// ANCHOR_END: entry

// ANCHOR: invoke
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
// ANCHOR_END: invoke
