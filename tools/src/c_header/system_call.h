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
